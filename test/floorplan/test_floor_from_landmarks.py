"""A floor map out of landmarks and the walked path: right where it says free, silent where nobody looked."""

import json
from dataclasses import replace

import numpy as np
import pytest
from landmark_buildings import anywhere, surveyed
from scipy import ndimage

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.errors import FloorError
from campose_core.floor import FloorMap
from campose_core.floorplan.attach import attach_floor_from_landmarks
from campose_core.floorplan.from_landmarks import floor_from_landmarks
from campose_core.geometry import Pose, Similarity
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import ROBOT_RADIUS
from campose_core.walkable import load_walkable

WORLD = build_world("demo", 0)


@pytest.fixture(scope="module")
def walk() -> Landmarks:
    return surveyed(WORLD, 14000, 140)


@pytest.fixture(scope="module")
def floor(walk) -> FloorMap:
    return floor_from_landmarks(walk, [walk.frame_positions[:, :2]], ROBOT_RADIUS)


def truth(floor: FloorMap) -> tuple[np.ndarray, np.ndarray]:
    """Which cells (rows, cols) are free, and which are occupied, in the world."""
    centres = floor.centre_of(np.argwhere(np.ones(floor.shape, dtype=bool)))
    return WORLD.free(centres).reshape(floor.shape), WORLD.occupied(centres).reshape(floor.shape)


def test_most_of_the_free_floor_is_found_and_hardly_any_is_invented(floor):
    free, _ = truth(floor)
    assert (floor.free & free).sum() > 0.75 * free.sum()
    assert (floor.free & ~free).sum() < 0.02 * floor.free.sum()


def test_what_is_occupied_stands_there(floor):
    _, occupied = truth(floor)
    near = ndimage.binary_dilation(occupied)
    assert floor.occupied.sum() > 500
    assert (floor.occupied & near).sum() > 0.95 * floor.occupied.sum()


def test_the_walked_path_is_free_with_the_robots_width_and_all_of_one_piece(walk, floor):
    turned = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rim = ROBOT_RADIUS * np.column_stack([np.cos(turned), np.sin(turned)])
    for x, y in walk.frame_positions[:, :2]:
        assert floor.free[tuple(floor.cell_of(np.array([x, y]) + rim).T)].all()
    assert ndimage.label(floor.free, np.ones((3, 3)))[1] == 1


def test_false_landmarks_behind_a_wall_open_no_room_there(walk, floor):
    seen_twice = np.flatnonzero(np.bincount(walk.observed, minlength=len(walk.xyz)) >= 3)[:40]
    xyz = walk.xyz.copy()
    xyz[seen_twice] = [11.0, 2.0, 0.1]  # 4 m east of the building, below the knee
    ghosts = floor_from_landmarks(replace(walk, xyz=xyz), [walk.frame_positions[:, :2]], ROBOT_RADIUS)
    centres = ghosts.centre_of(np.argwhere(ghosts.free))
    assert centres[:, 0].max() < floor.centre_of(np.argwhere(floor.free))[:, 0].max() + 1.0


def test_a_jump_between_frames_is_not_walked(walk):
    path = walk.frame_positions[:1, :2]
    apart = path + np.array([[0.0, 0.0], [0.0, 30.0]])
    floor = floor_from_landmarks(walk, [apart], ROBOT_RADIUS)
    assert not floor.free[tuple(floor.cell_of(path[0] + (0.0, 15.0)))]


def test_a_scene_that_is_not_metric_or_not_level_is_refused(walk):
    path = [walk.frame_positions[:, :2]]
    with pytest.raises(FloorError, match=r"the cameras would be 5\.\d+ m above the floor: is the scene aligned"):
        floor_from_landmarks(walk.transformed(Similarity(10.0, Pose.identity().rotation, np.zeros(3))), path, 0.2)
    tilted = walk.transformed(Similarity(1.0, anywhere(0).rotation, np.zeros(3)))
    with pytest.raises(FloorError, match="degrees out of level"):
        floor_from_landmarks(tilted, path, 0.2)
    with pytest.raises(FloorError, match="nobody walked there"):
        floor_from_landmarks(walk, [], 0.2)


def test_a_floor_of_another_scale_is_refused_before_minutes_of_work(walk):
    grown = walk.transformed(Similarity(100.0, Pose.identity().rotation, np.zeros(3)))
    with pytest.raises(FloorError, match=r"the floor would be \d{3} m by \d{3} m, .*: is the scale right\?"):
        floor_from_landmarks(grown, [grown.frame_positions[:, :2]], 0.2, floor_z=0.0)


@pytest.fixture
def scene(tmp_path, walk) -> Scene:
    """A mapped and aligned scene, as far as `campose floor` reads it."""
    sfm_from_map = anywhere(3)
    map_from_sfm = sfm_from_map.inverse()
    landmarks = walk.transformed(sfm_from_map)
    frames = tuple(
        SceneFrame(str(name), "mapping", i * 500_000_000, "mapping", "", walk.world_from_cam(i))
        for i, name in enumerate(walk.frame_names)
    )
    cameras = {"mapping": Camera.from_field_of_view(64, 48, 60.0)}
    scene = Scene(tmp_path / "scene", "scene", cameras, {"mapping": {"kind": "bag"}}, frames=frames)
    scene = scene.with_step("map", {}).with_step("align", {}, alignment=Alignment(map_from_sfm, "by hand"))
    scene.save()
    landmarks.save(scene.sfm_dir / "landmarks.npz")
    return scene


def test_the_verb_makes_the_floor_of_an_aligned_scene(scene, walk, floor, capsys):
    assert main(["floor", str(scene.path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["made_from"] == "landmarks and walked path"
    assert facts["free_m2"] == pytest.approx(floor.free.sum() * 0.05**2, rel=0.02)
    assert facts["walkable_m2"] > 20
    walkable = load_walkable(scene.floor_yaml.parent)
    assert all(walkable.snap(x, y).distance_m < 0.1 for x, y in walk.frame_positions[:, :2])
    written = scene.floor_yaml.stat().st_mtime_ns
    attach_floor_from_landmarks(Scene.open(scene.path))
    assert scene.floor_yaml.stat().st_mtime_ns == written


def test_a_scene_without_alignment_or_without_landmarks_is_refused_in_one_line(scene, capsys):
    replace(scene, alignment=None).save()
    assert main(["floor", str(scene.path)]) == 1
    assert "no place in a metric map frame yet: run `campose align" in capsys.readouterr().err
    (scene.sfm_dir / "landmarks.npz").unlink()
    assert main(["floor", str(scene.path)]) == 1
    error = capsys.readouterr().err
    assert "the scene has no landmarks yet, run `campose map" in error
    assert error.count("\n") == 1
    assert not scene.floor_yaml.exists()
