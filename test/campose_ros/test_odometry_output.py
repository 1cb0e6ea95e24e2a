"""The speed of the base out of two poses in the map."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.result import LocalizationResult, Status
from campose_ros.odometry_output import Twist, TwistOfPoses

START = Pose(Rotation.from_euler("ZYX", [2.0, 0.2, -0.1]), np.array([3.0, -1.0, 0.4]))
COVARIANCE = np.diag([0.01, 0.02, 0.03, 1e-4, 2e-4, 3e-4]) ** 2


def seen(at_s: float, pose: Pose | None) -> LocalizationResult:
    status = Status.LOST if pose is None else Status.TRACKING
    covariance = None if pose is None else COVARIANCE
    return LocalizationResult(round(at_s * 1e9), status, map_from_base=pose, covariance=covariance)


def twists(*results: LocalizationResult) -> list[Twist | None]:
    taker = TwistOfPoses()
    return [taker.take(result, LocalizerOptions()) for result in results]


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.0, 1.2), (0.3, -0.2, 0.5)])
def test_a_base_that_drives_ahead_has_its_speed_along_x_wherever_it_looks(turn: tuple[float, float, float]) -> None:
    dt = 1e-3
    later = START * Pose(Rotation.from_rotvec(np.array(turn) * dt), np.array([0.8 * dt, 0.0, 0.0]))
    first, twist = twists(seen(1.0, START), seen(1.0 + dt, later))
    assert first is None
    assert twist is not None
    assert twist.linear == pytest.approx([0.8, 0.0, 0.0], abs=2e-3)
    assert twist.angular == pytest.approx(turn, abs=2e-3)


def test_its_covariance_is_that_of_the_difference_in_the_frame_of_the_base() -> None:
    dt = 0.1
    _, twist = twists(seen(1.0, START), seen(1.0 + dt, START))
    assert twist is not None
    generator = np.random.default_rng(0)
    wrong = generator.multivariate_normal(np.zeros(6), COVARIANCE, size=(2, 20_000))
    speed = START.rotation.inv().apply((wrong[1] - wrong[0])[:, :3]) / dt
    np.testing.assert_allclose(np.cov(speed.T), twist.covariance[:3, :3], atol=0.03 * twist.covariance[:3, :3].max())


def test_across_a_gap_or_a_loss_there_is_no_speed() -> None:
    assert twists(seen(1.0, START), seen(1.6, START)) == [None, None]
    assert twists(seen(1.0, START), seen(1.1, None), seen(1.2, START)) == [None, None, None]
    assert twists(seen(1.0, START), seen(0.9, START)) == [None, None]


def test_a_jump_is_no_speed_and_the_next_step_is_one() -> None:
    """Carried half a metre, or turned round, from one image to the next."""
    aside, round_about = (0.6, Rotation.identity()), (0.0, Rotation.from_euler("z", 3.0))
    for x, rotation in (aside, round_about):
        away = Pose(rotation, np.array([x, 0.0, 0.0]))
        _, jump, after = twists(seen(1.0, START), seen(1.1, START * away), seen(1.2, START * away))
        assert jump is None
        assert after is not None
        assert after.linear == pytest.approx([0.0] * 3, abs=1e-9)
