"""The simulated room with a piece of furniture moved, and recordings of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from campose_core.bag.writer import CAMERA_FRAME, write_bag
from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.simulation.drive import camera_trajectory, drive
from campose_core.simulation.simulate import PRESETS, drawing
from campose_core.simulation.world import Box, Surface, World
from campose_core.trajectory import Trajectory, write_tum


def corners(surface: Surface) -> np.ndarray:
    """The four corners (4, 3) of a surface."""
    corner, along, down = np.array(surface.corner), np.array(surface.along), np.array(surface.down)
    return np.array([corner, corner + along, corner + down, corner + along + down])


def within(points: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """Which points (N, 3) lie in a box or up to `margin` beside it."""
    return ((points > np.array(box.low) - margin) & (points < np.array(box.high) + margin)).all(axis=1)


def moved(world: World, boxes: list[Box], shift: tuple[float, float, float]) -> World:
    """The world in which these boxes, and what is painted on them, stand elsewhere."""
    shifted = {box: replace(box, low=add(box.low, shift), high=add(box.high, shift)) for box in boxes}
    surfaces = [
        replace(surface, corner=add(surface.corner, shift))
        if any(within(corners(surface), box, 1e-6).all() for box in boxes)
        else surface
        for surface in world.surfaces
    ]
    return replace(world, boxes=tuple(shifted.get(box, box) for box in world.boxes), surfaces=tuple(surfaces))


def add(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = (float(first + second) for first, second in zip(a, b, strict=True))
    return x, y, z


def record(world: World, folder: Path, name: str, rate_hz: float = 4.0, camera: Camera | None = None) -> Trajectory:
    """folder/NAME.bag and NAME.tum of the drive `later` through this world; returns map_from_cam."""
    camera = camera or PRESETS[world.size].camera
    map_from_cam = camera_trajectory(drive(world, "later", rate_hz))
    with drawing(world, camera, 1) as draw:
        jobs = [(2_000_000 + i, pose) for i, (_, pose) in enumerate(map_from_cam)]
        pictures = zip(map_from_cam.stamps_ns, draw(jobs), strict=True)
        frames = (Frame(int(s), image, CAMERA_FRAME, f"{i:06d}") for i, (s, image) in enumerate(pictures))
        write_bag(folder / f"{name}.bag", frames, camera)
    write_tum(folder / f"{name}.tum", map_from_cam)
    return map_from_cam
