"""When AMCL is told where to start: of a robot that stands still and is sure, once each time that it was found."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Array, Pose
from campose_core.localization.result import LocalizationResult, Status
from campose_ros.bootstrap import Bootstrap, StartingPose, planar

PERIOD_NS = 100_000_000
SURE = np.diag([0.01**2] * 3 + [0.01**2] * 3)


def at(x: float, yaw: float = 0.0, tilt: float = 0.0) -> Pose:
    return Pose(Rotation.from_euler("ZYX", [yaw, tilt, 0.0]), np.array([x, 2.0, 0.4]))


def seen(index: int, pose: Pose, covariance: Array = SURE, status: Status = Status.TRACKING) -> LocalizationResult:
    return LocalizationResult(index * PERIOD_NS, status, map_from_base=pose, covariance=covariance)


def told(results: list[LocalizationResult], odometry: list[Pose] | None = None) -> list[StartingPose]:
    bootstrap = Bootstrap()
    taken = [bootstrap.take(r, odometry[i] if odometry else None, 1.0, listeners=1) for i, r in enumerate(results)]
    return [start for start in taken if start is not None]


def test_a_robot_that_stands_is_told_of_once_upright_on_the_floor() -> None:
    (start,) = told([seen(i, at(1.0, yaw=0.7, tilt=0.05)) for i in range(30)])
    assert start.stamp_ns == 10 * PERIOD_NS  # a second after the first
    assert start.map_from_base.translation == pytest.approx([1.0, 2.0, 0.0])
    assert start.map_from_base.rotation.as_euler("ZYX") == pytest.approx([0.7, 0.0, 0.0])
    assert np.count_nonzero(start.covariance) == 3
    assert np.diagonal(start.covariance)[[0, 1, 5]] == pytest.approx(np.diagonal(SURE)[[0, 1, 5]])


def test_what_the_whole_map_is_wrong_by_does_not_keep_a_robot_from_its_place_in_it() -> None:
    wide = SURE + np.diag([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    (start,) = told([seen(i, at(1.0), wide)._replace(within_map_covariance=SURE) for i in range(30)])
    assert np.diagonal(start.covariance)[[0, 1, 5]] == pytest.approx(np.diagonal(SURE)[[0, 1, 5]])


@pytest.mark.parametrize(
    "results",
    [
        [seen(i, at(0.03 * i)) for i in range(40)],
        [seen(i, at(1.0, yaw=0.02 * i)) for i in range(40)],
        [seen(i, at(1.0), np.diag([0.2**2] * 3 + [0.01**2] * 3)) for i in range(40)],
        [seen(i, at(1.0), np.diag([0.01**2] * 3 + [0.1**2] * 3)) for i in range(40)],
        [seen(i, at(1.0), status=Status.LOST) for i in range(40)],
        [seen(i, at(1.0))._replace(off_map=True) for i in range(40)],
    ],
    ids=["moves", "turns", "unsure of the place", "unsure of the heading", "lost", "off the map"],
)
def test_no_other_robot_is_told_of(results: list[LocalizationResult]) -> None:
    assert told(results) == []


def test_odometry_says_what_moves_where_there_is_any() -> None:
    shaky = [seen(i, at(1.0 + 0.04 * (-1) ** i)) for i in range(30)]
    assert told(shaky) == []
    assert len(told(shaky, [at(7.0)] * 30)) == 1
    assert told([seen(i, at(1.0)) for i in range(30)], [at(0.1 * i) for i in range(30)]) == []


def test_it_is_told_again_after_lost_and_after_it_was_carried() -> None:
    here, there = [seen(i, at(1.0)) for i in range(20)], [seen(i, at(5.0)) for i in range(21, 40)]
    lost = LocalizationResult(20 * PERIOD_NS, Status.LOST)
    assert len(told([*here, lost, *[seen(i, at(1.0)) for i in range(21, 40)]])) == 2
    assert [round(start.map_from_base.translation[0]) for start in told([*here, *there])] == [1, 5]
    assert len(told([*here, *[seen(i, at(1.0)) for i in range(21, 40)]])) == 1


def test_it_is_kept_until_somebody_listens() -> None:
    bootstrap = Bootstrap()
    starts = [bootstrap.take(seen(i, at(1.0)), None, 1.0, listeners=int(i >= 25)) for i in range(40)]
    assert [i for i, start in enumerate(starts) if start is not None] == [25]


def test_who_begins_to_listen_later_is_told_as_well() -> None:
    bootstrap, listeners = Bootstrap(), [1] * 20 + [2] * 20 + [1] * 10 + [2] * 10
    starts = [bootstrap.take(seen(i, at(1.0)), None, 1.0, listeners=n) for i, n in enumerate(listeners)]
    told_at = [i for i, start in enumerate(starts) if start is not None]
    assert told_at == [10, 20, 50]


def test_no_element_of_the_covariance_is_negative() -> None:
    correlated = np.diag([0.004, 0.002, 0.01, 0.01, 0.01, 0.001])
    correlated[0, 1] = correlated[1, 0] = -0.002
    correlated[0, 5] = correlated[5, 0] = -0.0005
    kept = planar(correlated)
    np.testing.assert_array_equal(kept, np.diag([0.004, 0.002, 0, 0, 0, 0.001]))
