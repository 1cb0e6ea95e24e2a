"""A mirror in a wall: what it shows lies behind the wall, and the map is none the worse for it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campose_core.alignment.step import align_scene_to_reference
from campose_core.floor import FREE, FloorMap
from campose_core.floorplan.attach import attach_floor_from_landmarks
from campose_core.geometry import pose_error
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.simulation.building import build_world
from campose_core.simulation.render import Renderer, expose
from campose_core.simulation.world import Surface, World
from campose_core.trajectory import read_tum


@pytest.mark.long
def test_a_mirror_bends_no_map_and_opens_no_wall(small_scene: Path, small_world: Path, tmp_path: Path):
    """Most of a wall shows the room turned over, as if it went on behind it."""
    scene, world = Scene.open(shutil.copytree(small_scene, tmp_path / "scene")), build_world("small", 0)
    truth = dict(read_tum(small_world / "mapping.tum"))
    (room,), (camera,) = world.rooms, scene.cameras.values()
    with Renderer(with_mirror(world), camera) as renderer:
        for number, frame in enumerate(scene.frames):
            picture = expose(renderer.render(truth[frame.stamp_ns]), 0, number)
            Image.fromarray(picture).save(scene.frame_path(frame), quality=95)
    shutil.rmtree(scene.sfm_dir)
    scene = align_scene_to_reference(map_scene(scene, MapOptions()), small_world / "mapping.tum")
    errors = np.array([pose_error(frame.map_from_cam, truth[frame.stamp_ns])[0] for frame in scene.posed_frames()])
    assert len(errors) > 0.8 * len(scene.frames)
    assert np.median(errors) < 0.05
    xyz = scene.alignment.map_from_sfm.transform(Landmarks.load(scene.sfm_dir / "landmarks.npz").xyz)
    assert np.sum(xyz[:, 0] > room.high[0] + 0.5) > 10  # what the mirror shows is believed to be behind it
    shutil.rmtree(scene.floor_yaml.parent)
    attach_floor_from_landmarks(scene)
    floor = FloorMap.load(scene.floor_yaml)
    free = floor.centre_of(np.argwhere(floor.occupancy == FREE))
    assert len(free) > 100
    assert free[:, 0].max() < room.high[0] + 0.6


def with_mirror(world: World) -> World:
    """The room with a mirror in the wall at its largest x, which is a hole through which one sees it turned over."""
    (room,) = world.rooms
    x, (_, low), (_, high), bottom, top = room.high[0], room.at(1, 0.08), room.at(1, 0.6), 0.2, 2.0
    seen: list[Surface] = []
    for surface in world.surfaces:
        corner, along, down = (np.array(edge) for edge in (surface.corner, surface.along, surface.down))
        if abs(corner[0] - x) > 0.05 or abs(along[0]) + abs(down[0]) > 0:
            turned = (corner * [-1, 1, 1] + [2 * x, 0, 0], along * [-1, 1, 1], down * [-1, 1, 1])
            seen += [
                surface,
                replace(surface, **dict(zip(("corner", "along", "down"), map(tuple, turned), strict=True))),
            ]
        elif surface.material == "plaster":
            start, end, up = corner[1], corner[1] + along[1], corner[2]
            around = ((start, high, up, 0.0), (low, end, up, 0.0), (high, low, up, top), (high, low, bottom, 0.0))
            seen += [
                replace(surface, corner=(x, a, t), along=(0.0, b - a, 0.0), down=(0.0, 0.0, z - t))
                for a, b, t, z in around
            ]
    return replace(world, surfaces=tuple(seen))
