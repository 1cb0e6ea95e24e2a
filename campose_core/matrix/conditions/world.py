"""What only a rendered world can tell: how far each pixel is, and what another view from the same place shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import SceneError
from campose_core.files import read_json
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.matrix.conditions.light import fog
from campose_core.simulation.building import build_world
from campose_core.simulation.distances import distances
from campose_core.simulation.render import Renderer, expose
from campose_core.simulation.world import World
from campose_core.trajectory import Trajectory

Shot = tuple[Frame, Camera]


@dataclass(frozen=True)
class RenderedPlace:
    """The world that a recording was rendered in, and where its camera was (map_from_cam)."""

    world: World
    truth: Trajectory


def read_world(folder: Path) -> World:
    """Build the world that `campose simulate` wrote into a folder.

    Raises:
        SceneError: no simulation wrote there.
    """
    fields = read_json(folder / "simulation.json", SceneError)
    try:
        return build_world(str(fields["size"]), int(fields["seed"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise SceneError(f"{folder / 'simulation.json'} names no world: write it with `campose simulate`") from error


def in_fog(shots: Iterable[Shot], severity: float, place: RenderedPlace) -> Iterator[Shot]:
    """Yield the images through fog, by the depth of the world; those whose pose is not known are left out."""
    for frame, camera in shots:
        map_from_cam = place.truth.at(frame.stamp_ns)
        if map_from_cam is not None:
            image = fog(frame.image, distances(place.world, camera, map_from_cam), severity)
            yield frame._replace(image=image, jpeg=None), camera


def turned(map_from_cam: Pose, severity: float) -> Pose:
    """Return a pose at the same place that looks aside, turned about the vertical; at severity 1 it looks back."""
    turn = Rotation.from_rotvec([0.0, 0.0, math.pi * severity])
    return Pose(turn * map_from_cam.rotation, map_from_cam.translation)


def looking_back(shots: Iterable[Shot], severity: float, place: RenderedPlace) -> Iterator[Shot]:
    """Yield what the camera would have seen on the same walk, looking aside or back: `turned_truth` is its truth."""
    with ExitStack() as stack:
        renderers: dict[Camera, Renderer] = {}
        for number, (frame, camera) in enumerate(shots):
            map_from_cam = place.truth.at(frame.stamp_ns)
            if map_from_cam is None:
                continue
            if camera not in renderers:
                renderers[camera] = stack.enter_context(Renderer(place.world, camera))
            image = renderers[camera].render(turned(map_from_cam, severity))
            yield frame._replace(image=expose(image, place.world.seed, number), jpeg=None), camera


def turned_truth(truth: Trajectory, severity: float) -> Trajectory:
    """Return where the camera of `looking_back` was."""
    turn = Rotation.from_rotvec(np.array([0.0, 0.0, math.pi * severity]))
    return Trajectory(truth.stamps_ns, truth.positions, turn * truth.rotations)
