"""What makes all answers wrong alike: a frame, or the clock."""

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.one_cause import one_cause
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory


def round_walk(late_s: float = 0.0) -> Trajectory:
    seconds = np.arange(0.0, 30.0, 0.1)
    angle = 0.3 * seconds + 0.2 * np.sin(seconds)
    positions = np.column_stack([3 * np.cos(angle), 2 * np.sin(angle), np.full_like(angle, 0.4)])
    rotations = Rotation.from_rotvec(np.outer(angle, [0.0, 0.0, 1.0]))
    return Trajectory(np.rint((seconds + late_s + 1.0) * 1e9).astype(np.int64), positions, rotations)


def test_a_frame_and_a_clock_are_told_apart_and_right_answers_have_neither():
    truth = round_walk()
    turned = Pose(Rotation.from_euler("z", 90, degrees=True), np.array([1.0, 0.0, 0.0]))
    said = one_cause(Estimates.from_trajectory("elsewhere", truth.moved_by(turned)), truth)
    assert said.startswith("All answers are off by the same")
    said = one_cause(Estimates.from_trajectory("late", round_walk(late_s=0.3)), truth)
    assert said.startswith("All stamps are 0.30 s late")
    assert one_cause(Estimates.from_trajectory("right", truth), truth) == ""
