"""What has to be drawn or made anew for the stress runs: a bare corridor, a wide lens, and a room that exists twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from campose_core.camera import Camera
from campose_core.cli.console import say
from campose_core.files import replacing
from campose_core.frame import Image
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.progress import track
from campose_core.scene.scene import Scene
from campose_core.simulation.simulate import drawing
from campose_core.simulation.surfaces import SHADE, lying, standing
from campose_core.simulation.world import CEILING, Rectangle, Surface, World

PAINT_M = 0.012  # fresh paint lies this far before the wall, and covers the images on it
DOOR_M = 2.05


def drawn(path: Path, world: World, camera: Camera, poses: list[Pose]) -> list[Image]:
    """The images from these poses, from the file when it is there."""
    if not path.is_file():
        say(f"stress: drawing {path.name}, {len(poses)} frames")
        with drawing(world, camera, workers=2) as draw:
            images = list(track(draw(enumerate(poses)), path.name, total=len(poses)))
        with replacing(path) as beside, open(beside, "wb") as file:
            np.save(file, np.stack(images))
    images_nhw3 = np.load(path, mmap_mode="r")
    assert len(images_nhw3) == len(poses), f"{path} is of another drive: remove it"
    return [np.array(image) for image in images_nhw3]


def bare(world: World, room_name: str) -> World:
    """The world with nothing on the walls, the floor and the ceiling of a room; its doors stay open."""
    room = world.place(room_name)
    (x0, y0), (x1, y1) = room.low, room.high
    faces = []
    for side, y in (("+y", y0), ("-y", y1)):
        for low, high, bottom in _between_doors(room, world.doorways, y):
            at = y + PAINT_M if side == "+y" else y - PAINT_M
            faces.append((side, standing(side, (low, at, bottom), (high, at, CEILING))))
    for side, x in (("+x", x0 + PAINT_M), ("-x", x1 - PAINT_M)):
        faces.append((side, standing(side, (x, y0, 0.0), (x, y1, CEILING))))
    faces.append(("+z", lying(room.low, room.high, PAINT_M)))
    faces.append(("-z", lying(room.low, room.high, CEILING - PAINT_M, face_up=False)))
    paint = tuple(Surface(*edges, "blank", number, SHADE[side]) for number, (side, edges) in enumerate(faces))
    return replace(world, surfaces=world.surfaces + paint)


def _between_doors(room: Rectangle, doors: tuple[Rectangle, ...], y: float) -> list[tuple[float, float, float]]:
    """Stretches (x from, x to, bottom) of the wall at y: from the floor between doors, and above each door."""
    stretches, start = [], room.low[0]
    for door in sorted(doors, key=lambda door: door.low[0]):
        if min(abs(door.low[1] - y), abs(door.high[1] - y)) < 1e-3 and room.low[0] < door.low[0] < room.high[0]:
            stretches += [(start, door.low[0], 0.0), (door.low[0], door.high[0], DOOR_M)]
            start = door.high[0]
    return [*stretches, (start, room.high[0], 0.0)]


def with_twin(scene: Scene, out: Path, room: Rectangle, shift: tuple[float, float, float], kept: float = 1.0) -> Scene:
    """The scene as mapped in a building that has the same room, with the same furniture, a second time at `shift`.

    Made from the map, not from images: each landmark of the room has a twin, whose place differs by 3 mm and whose
    descriptor by noise as between two images; each keyframe in the room has a twin that sees them. A reconstruction
    from images would have to tell the two rooms apart first, which is not what is measured here.
    kept: the share of its own landmarks that the room keeps; below 1 its twin is the one that was mapped better.
    """
    assert scene.alignment is not None
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz").transformed(scene.alignment.map_from_sfm)
    doubled = _doubled(landmarks, room, np.array(shift), kept, np.random.default_rng(0))
    shutil.rmtree(out, ignore_errors=True)
    (out / "sfm").mkdir(parents=True)
    for name in ("scene.yaml", "frames.csv", "sfm/held_out.npz"):
        if (scene.path / name).is_file():
            shutil.copy(scene.path / name, out / name)
    doubled.transformed(scene.alignment.map_from_sfm.inverse()).save(out / "sfm" / "landmarks.npz")
    return Scene.open(out)


def _doubled(
    landmarks: Landmarks, room: Rectangle, shift: np.ndarray, kept: float, rng: np.random.Generator
) -> Landmarks:
    wall = 0.05

    def inside(points: np.ndarray) -> np.ndarray:
        xy = points[:, :2]
        return ((xy > np.array(room.low) - wall) & (xy < np.array(room.high) + wall)).all(axis=1)

    rows, frames = np.flatnonzero(inside(landmarks.xyz)), np.flatnonzero(inside(landmarks.frame_positions))
    twin_of_row = np.full(len(landmarks.xyz), -1)
    twin_of_row[rows] = len(landmarks.xyz) + np.arange(len(rows))
    twin_of_frame = np.full(len(landmarks.frame_names), -1)
    twin_of_frame[frames] = len(landmarks.frame_names) + np.arange(len(frames))
    both = (twin_of_row[landmarks.observed] >= 0) & (twin_of_frame[landmarks.observed_by] >= 0)
    noise = rng.normal(0, 4.0, (len(rows), 128))
    descriptors = np.clip(np.rint(landmarks.descriptors[rows] + noise), 0, 255).astype(np.uint8)
    xyz = landmarks.xyz[rows] + shift + rng.normal(0, 0.003, (len(rows), 3))

    def append(values: np.ndarray, more: np.ndarray) -> np.ndarray:
        return np.concatenate([values, more])

    doubled = replace(
        landmarks,
        xyz=append(landmarks.xyz, xyz),
        rgb=append(landmarks.rgb, landmarks.rgb[rows]),
        descriptors=append(landmarks.descriptors, descriptors),
        frame_names=append(landmarks.frame_names, np.array([f"twin/{landmarks.frame_names[i]}" for i in frames])),
        frame_positions=append(landmarks.frame_positions, landmarks.frame_positions[frames] + shift),
        frame_quats_xyzw=append(landmarks.frame_quats_xyzw, landmarks.frame_quats_xyzw[frames]),
        frame_globals=append(landmarks.frame_globals, landmarks.frame_globals[frames]),
        observed=append(landmarks.observed, twin_of_row[landmarks.observed[both]].astype(np.int32)),
        observed_by=append(landmarks.observed_by, twin_of_frame[landmarks.observed_by[both]].astype(np.int32)),
    )
    seen_less = rows[rng.random(len(rows)) > kept]
    return _without(doubled, seen_less)


def _without(landmarks: Landmarks, rows: np.ndarray) -> Landmarks:
    """Without some landmarks."""
    keep = np.ones(len(landmarks.xyz), dtype=bool)
    keep[rows] = False
    number, seen = np.cumsum(keep) - 1, keep[landmarks.observed]
    return replace(
        landmarks,
        xyz=landmarks.xyz[keep],
        rgb=landmarks.rgb[keep],
        descriptors=landmarks.descriptors[keep],
        observed=number[landmarks.observed[seen]].astype(np.int32),
        observed_by=landmarks.observed_by[seen],
    )
