"""The plain ways that need no image: the mean pose, and odometry alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.evaluation.baselines import mean_pose, odometry_alone
from campose_core.evaluation.metrics import evaluate
from campose_core.geometry import Pose
from campose_core.scene.frames_table import SceneFrame
from campose_core.trajectory import Trajectory

STAMPS = 10**8 * np.arange(100)
TRUTH = Trajectory(
    STAMPS,
    np.column_stack([0.1 * np.arange(100), np.zeros(100), np.ones(100)]),
    Rotation.from_euler("z", 0.01 * np.arange(100)[:, None]),
)


def test_the_mean_pose_is_in_the_middle_of_the_training_poses():
    frames = [SceneFrame(f"a/{i}.jpg", "a", i, "a", "train", pose) for i, (_, pose) in enumerate(TRUTH)]
    found = mean_pose(STAMPS, frames)
    metrics = evaluate(found, TRUTH)
    assert (metrics.frames, metrics.answered) == (100, 100)
    assert metrics.position_m.median == pytest.approx(2.5)  # of a path of ten metres
    assert metrics.rotation_deg.median == pytest.approx(np.degrees(0.25), rel=1e-6)


def test_perfect_odometry_in_a_frame_of_its_own_is_right_and_drift_shows():
    odom_from_map = Pose(Rotation.from_euler("z", 2.0), [7, -3, 0.2])
    poses = [odom_from_map * pose for _, pose in TRUTH]
    odometry = Trajectory.from_poses(STAMPS, poses)
    perfect = evaluate(odometry_alone(STAMPS, odometry, TRUTH), TRUTH)
    assert perfect.position_m.p99 < 1e-9
    assert perfect.rotation_deg.p99 < 1e-5
    longer = Trajectory(STAMPS, odometry.positions * 1.1, odometry.rotations)
    drifting = evaluate(odometry_alone(STAMPS, longer, TRUTH), TRUTH)
    assert drifting.position_m.p99 == pytest.approx(0.98, abs=0.02)


def test_odometry_that_knows_half_of_the_frames_answers_half():
    half = evaluate(odometry_alone(STAMPS, TRUTH.select(np.arange(100) >= 50), TRUTH), TRUTH)
    assert (half.frames, half.answered) == (100, 50)
    elsewhere = Trajectory(STAMPS + 10**15, TRUTH.positions, TRUTH.rotations)
    assert odometry_alone(STAMPS, elsewhere, TRUTH) is None
