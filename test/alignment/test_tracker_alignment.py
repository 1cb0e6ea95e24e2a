"""A tracker that is not the camera: clocks, mounting and similarity come out of motion alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tracked_walks import SECOND, tracked_walk

from campose_core.alignment.solvers.hand_eye import solve_hand_eye
from campose_core.alignment.solvers.tracker import align_to_tracker
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, pose_error
from campose_core.joining.time_offset import time_offsets
from campose_core.trajectory import Trajectory


def rotations_and_positions(poses):
    rotations = Rotation.from_quat(np.array([pose.quat_xyzw for pose in poses]))
    return rotations, np.array([pose.translation for pose in poses])


def map_error_m(walk, map_from_sfm):
    path = np.array([pose.translation for pose in walk.sfm_from_cams])
    return np.linalg.norm(map_from_sfm.transform(path) - walk.map_from_sfm.transform(path), axis=1)


@pytest.mark.parametrize("seed", range(6))
def test_everything_is_found_from_a_walk_with_tilts(seed):
    walk = tracked_walk(seed)
    found = align_to_tracker(walk.stamps_ns, walk.sfm_from_cams, walk.tracker)
    apart_m, angle = pose_error(found.body_from_cam, walk.body_from_cam)
    assert abs(found.offset_ns - walk.offset_ns) < 0.003 * SECOND
    assert apart_m < 0.003
    assert np.degrees(angle) < 0.1
    assert found.undetermined is None
    assert np.median(map_error_m(walk, found.alignment.map_from_sfm)) < 0.002
    # What it says of itself is what the recordings were off by: 2 mm, and half of that by the camera.
    assert 0.001 < found.alignment.residual.median_m < 0.004
    assert found.alignment.residual.median_deg < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_on_a_flat_floor_the_height_on_the_body_is_taken_as_given_and_said(seed):
    walk = tracked_walk(seed, planar=True)
    found = align_to_tracker(walk.stamps_ns, walk.sfm_from_cams, walk.tracker)
    assert found.undetermined @ [0.0, 0.0, 1.0] > 0.9999
    assert found.assumed_m == 0.0
    assert "does not show" in found.text()
    # All but the height is right, and the height is what was said.
    off = found.body_from_cam.translation - walk.body_from_cam.translation
    assert np.linalg.norm(off[:2]) < 0.005
    assert found.body_from_cam.translation[2] == pytest.approx(0.0, abs=1e-3)
    mounting = Pose(Rotation.identity(), walk.body_from_cam.translation)
    told = align_to_tracker(walk.stamps_ns, walk.sfm_from_cams, walk.tracker, mounting)
    assert pose_error(told.body_from_cam, walk.body_from_cam)[0] < 0.005
    assert np.median(map_error_m(walk, told.alignment.map_from_sfm)) < 0.005


def test_lost_tracks_and_wild_frames_move_nothing():
    walk = tracked_walk(3)
    generator = np.random.default_rng(0)
    frames = list(walk.sfm_from_cams)
    for i in generator.choice(len(frames), len(frames) // 8, replace=False):
        frames[i] = Pose(Rotation.random(random_state=int(i)), frames[i].translation * 3.0)
    seconds = (walk.tracker.stamps_ns - walk.tracker.stamps_ns[0]) / SECOND
    tracker = walk.tracker.select(~((seconds > 12.0) & (seconds < 15.0)))  # the body was out of sight
    found = align_to_tracker(walk.stamps_ns, frames, tracker)
    assert found.used < len(frames) - 12
    assert pose_error(found.body_from_cam, walk.body_from_cam)[0] < 0.005
    assert np.median(map_error_m(walk, found.alignment.map_from_sfm)) < 0.003


@pytest.mark.parametrize("offset_s", [0.0, 0.037, -12.5, 1.7e9])
def test_clocks_are_compared_by_turns_alone(offset_s):
    walk = tracked_walk(5, offset_s=offset_s)
    rotations, _ = rotations_and_positions(walk.sfm_from_cams)
    best = time_offsets(walk.stamps_ns, rotations, walk.tracker)[0]
    assert abs(best.offset_ns - walk.offset_ns) < 0.05 * SECOND
    assert best.correlation > 0.8


@pytest.mark.parametrize("seed", range(4))
def test_without_noise_the_linear_solution_is_exact(seed):
    walk = tracked_walk(seed, noise_m=0.0, noise_deg=0.0)
    body = [walk.map_from_sfm.transform_pose(pose) * walk.body_from_cam.inverse() for pose in walk.sfm_from_cams]
    found = solve_hand_eye(rotations_and_positions(body), rotations_and_positions(walk.sfm_from_cams))
    assert max(pose_error(found.body_from_cam, walk.body_from_cam)) < 1e-5
    assert found.scale == pytest.approx(walk.map_from_sfm.scale, rel=1e-5)


def standing(tracker):
    return Trajectory(tracker.stamps_ns, np.zeros((len(tracker), 3)), tracker.rotations)


def straight(tracker):
    return Trajectory(
        tracker.stamps_ns, tracker.positions, Rotation.from_quat(np.tile([0, 0, 0, 1], (len(tracker), 1)))
    )


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda walk: tracked_walk(77, offset_s=5.0).tracker, "turn alike|move alike"),
        (lambda walk: straight(walk.tracker), "the tracker hardly turns"),
        (lambda walk: standing(walk.tracker), "the tracked body moves by 0.000 m only"),
        (lambda walk: walk.tracker.select(np.arange(len(walk.tracker)) < 120), "lasts 2.0 s without its gaps"),
        (lambda walk: walk.tracker.select(np.arange(0, len(walk.tracker), 60)), "lasts 0.0 s without its gaps"),
    ],
)
def test_what_cannot_be_the_tracker_is_refused(spoilt, message):
    walk = tracked_walk(1)
    with pytest.raises(AlignmentError, match=message):
        align_to_tracker(walk.stamps_ns, walk.sfm_from_cams, spoilt(walk))


@pytest.mark.parametrize("length_s", [44.0, 60.0])  # a few such beats more than the camera saw, and many
def test_turns_that_repeat_are_not_guessed_at(length_s):
    """A body that circles at a steady beat looks the same every four seconds."""
    seconds = np.arange(0.0, length_s, 0.05)
    yaw = 0.6 * np.sin(2 * np.pi * seconds / 4.0)
    places = np.stack([np.cos(2 * np.pi * seconds / 4.0), np.sin(2 * np.pi * seconds / 4.0), 0 * seconds], axis=1)
    poses = [Pose(Rotation.from_euler("z", angle), place) for angle, place in zip(yaw, places, strict=True)]
    stamps = [round(t * SECOND) for t in seconds]
    tracker = Trajectory.from_poses(stamps, poses)
    with pytest.raises(AlignmentError, match=r"fit alike\. Record less regular turns"):
        align_to_tracker(np.array(stamps[200:800:4]), poses[200:800:4], tracker)
