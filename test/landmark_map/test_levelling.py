"""Up out of walls and floors, whatever way the recording begins, and by posture where there are none."""

from dataclasses import replace

import numpy as np
import pytest
from landmark_buildings import anywhere, empty_room, round_walk, seen_from, surveyed, without
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.simulation.building import build_world


def degrees_off(up: np.ndarray, sfm_from_map) -> float:
    return float(np.degrees(np.arccos(np.clip(up @ sfm_from_map.rotation.apply([0.0, 0.0, 1.0]), -1, 1))))


@pytest.fixture(scope="module")
def walk() -> Landmarks:
    return surveyed(build_world("demo", 0))


def upside_down(landmarks: Landmarks, frames: slice) -> Landmarks:
    """The same, with some cameras turned about their line of sight."""
    quats = landmarks.frame_quats_xyzw.copy()
    quats[frames] = (Rotation.from_quat(quats[frames]) * Rotation.from_euler("z", 180, degrees=True)).as_quat()
    return replace(landmarks, frame_quats_xyzw=quats)


@pytest.mark.parametrize("seed", range(4))
def test_up_and_floor_of_a_building_in_any_frame(walk, seed):
    sfm_from_map = anywhere(seed)
    found = level(walk.transformed(sfm_from_map))
    assert degrees_off(found.up, sfm_from_map) < 0.3
    assert found.level_deg < 0.5
    assert found.upright_planes >= 4
    # The floor is z = 0.
    below = (sfm_from_map.transform(np.array([1.0, 1.0, 0.0])) @ found.up - found.floor) / sfm_from_map.scale
    assert abs(below) < 0.03


def test_cameras_that_lean_do_not_tilt_the_building(walk):
    sfm_from_map = anywhere(1)
    tilted = Rotation.from_euler("x", 8, degrees=True) * Rotation.from_quat(walk.frame_quats_xyzw)
    found = level(replace(walk, frame_quats_xyzw=tilted.as_quat()).transformed(sfm_from_map))
    assert degrees_off(found.up, sfm_from_map) < 0.3
    assert found.posture_deg == pytest.approx(8, abs=0.5)


def test_a_recording_that_begins_upside_down(walk):
    sfm_from_map = anywhere(2)
    turned = upside_down(walk, slice(0, 25)).transformed(sfm_from_map)
    assert degrees_off(level(turned).up, sfm_from_map) < 0.3


def test_half_of_it_upside_down_is_not_guessed(walk):
    half = upside_down(walk, slice(0, len(walk.frame_names) // 2))
    with pytest.raises(AlignmentError, match="half of the frames are upside down"):
        level(half)


def test_one_pair_of_walls_leaves_the_slope_along_them_to_posture():
    room = seen_from(empty_room(20.0, 2.0), round_walk(8.0, 0.4, 90), 8000)
    corridor = without(room, np.abs(np.abs(room.xyz[:, 1]) - 1.0) > 0.1)
    sfm_from_map = anywhere(3)
    found = level(corridor.transformed(sfm_from_map))
    assert (found.level_planes, found.floor) == (0, None)
    assert degrees_off(found.up, sfm_from_map) < 1.0


def test_a_cloud_without_planes_is_levelled_by_posture():
    generator = np.random.default_rng(0)
    room = seen_from(empty_room(6.0, 5.0), round_walk(1.5, 1.5), 1500)
    cloud = replace(room, xyz=generator.uniform(-1, 1, room.xyz.shape) * (3.0, 2.5, 1.2))
    found = level(cloud)
    assert found.level_deg is None
    assert np.degrees(np.arccos(found.up[2])) < 2.0


def test_cameras_that_all_look_one_way_on_a_line_say_nothing():
    poses = [
        Pose(Rotation.from_euler("x", angle) * Rotation.from_euler("x", -np.pi / 2), np.array([0.0, 0.1 * i, 0.6]))
        for i, angle in enumerate(np.linspace(0, 2 * np.pi, 40))
    ]
    with pytest.raises(AlignmentError, match="which way is up is not determined: turn while recording"):
        level(seen_from(empty_room(6.0, 20.0), poses, 4000))
