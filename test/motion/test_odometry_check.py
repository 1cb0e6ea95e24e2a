"""An odometry of another axis, unit or source is found out by the landmarks; slip and drift are none of these."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.motion.model import MotionOptions, UncertainPose
from campose_core.motion.prediction import OdometryPrediction

STEP_NS = 100_000_000
SEEN = np.diag([0.005**2] * 3 + [0.003**2] * 3)


def truth(i: int) -> Pose:
    """A robot at 0.5 m/s round bends both ways."""
    heading = 0.8 * np.sin(0.1 * i / 2.0)
    return Pose(Rotation.from_euler("z", heading), np.array([0.05 * i, 0.3 * np.sin(0.05 * i), 0.0]))


def driven(odometry: Callable[[int], Pose | None], count: int = 150) -> OdometryPrediction:
    model = OdometryPrediction(MotionOptions())
    for i in range(1, count):
        model.step(i * STEP_NS, odometry(i))
        model.seen(i * STEP_NS, UncertainPose(truth(i), SEEN), by_landmarks=True)
    model.step(count * STEP_NS, odometry(count))
    return model


def test_another_axis_or_sign_predicts_nothing_and_is_named() -> None:
    sideways = Pose(Rotation.from_euler("z", 90, degrees=True), np.zeros(3))
    for odometry in (lambda i: truth(i) * sideways, lambda i: truth(i).inverse(), lambda i: Pose.identity()):
        model = driven(odometry)
        assert model.pose is None
        assert model.fault
    assert "base_from_camera" in driven(lambda i: truth(i) * sideways).fault


def test_turns_of_another_sign_are_named() -> None:
    model = driven(lambda i: Pose(truth(i).rotation.inv(), truth(i).translation))
    assert model.fault


def test_millimetres_and_two_sources_are_named_as_jumps() -> None:
    in_mm = driven(lambda i: Pose(truth(i).rotation, 1000.0 * truth(i).translation))
    assert "20 of its last 20 steps are jumps" in in_mm.fault
    elsewhere = np.array([4.0, 0.0, 0.0])
    two = driven(lambda i: Pose(truth(i).rotation, truth(i).translation + elsewhere * (i % 3 == 0)))
    assert "published by one node" in two.fault
    assert two.pose is None


def test_slip_drift_and_one_new_start_are_no_fault() -> None:
    slips = driven(lambda i: Pose(truth(i).rotation, 1.4 * truth(i).translation))
    assert not slips.fault
    assert slips.pose is not None
    anew = driven(lambda i: truth(75).inverse() * truth(i) if i > 75 else truth(i))
    assert not anew.fault
    assert anew.pose is not None


def test_one_that_is_right_again_is_used_again() -> None:
    sideways = Pose(Rotation.from_euler("z", 90, degrees=True), np.zeros(3))
    assert driven(lambda i: truth(i) * sideways, 100).fault
    healed = driven(lambda i: truth(i) if i > 100 else truth(i) * sideways, 250)
    assert not healed.fault
    assert healed.pose is not None
