"""An offset that is the same everywhere is named, and told from errors."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.evaluation.constant_offset import constant_offset
from campose_core.evaluation.estimates import Estimates
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

OPTICAL = Pose(Rotation.from_quat([-0.5, 0.5, -0.5, 0.5]), np.array([0.2, 0.0, 0.5]))
ANOTHER_MAP = Pose(Rotation.from_euler("z", 0.6), np.array([3.0, -2.0, 0.0]))


def walk(count: int = 60) -> dict[int, Pose]:
    """A curve on which the body turns."""
    return {
        10**9 + i * 10**8: Pose(Rotation.from_euler("z", 0.05 * i), np.array([0.1 * i, np.sin(0.1 * i), 0.0]))
        for i in range(count)
    }


def noisy(pose: Pose, generator: np.random.Generator, metres: float = 0.004, radians: float = 0.002) -> Pose:
    return pose * Pose(Rotation.from_rotvec(generator.normal(0, radians, 3)), generator.normal(0, metres, 3))


def said(offset_of: str, metres: float = 0.004, radians: float = 0.002, wrong: int = 0) -> str:
    generator = np.random.default_rng(1)
    truth = walk()
    moved = {
        "body": {t: pose * OPTICAL.inverse() for t, pose in truth.items()},
        "map": {t: ANOTHER_MAP * pose for t, pose in truth.items()},
        "nothing": truth,
        "turned camera": {
            t: pose * Pose(Rotation.from_euler("x", 180, degrees=True), np.zeros(3)) for t, pose in truth.items()
        },
        "shifted map": {t: Pose(Rotation.identity(), np.array([1.0, 2.0, 0.0])) * pose for t, pose in truth.items()},
        "millimetres": {t: Pose(pose.rotation, 1000 * pose.translation) for t, pose in truth.items()},
        "monocular": {t: ANOTHER_MAP * Pose(pose.rotation, 0.3 * pose.translation) for t, pose in truth.items()},
    }[offset_of]
    answers = {t: noisy(pose, generator, metres, radians) for t, pose in moved.items()}
    for t in list(answers)[:wrong]:
        answers[t] = Pose(Rotation.random(rng=generator), generator.uniform(-20, 20, 3))
    estimates = Estimates.from_trajectory("test", Trajectory.from_poses(list(answers), list(answers.values())))
    return constant_offset(estimates, Trajectory.from_poses(list(truth), list(truth.values())))


@pytest.mark.parametrize("wrong", [0, 12])
def test_the_camera_taken_for_the_base_is_named(wrong: int) -> None:
    text = said("body", wrong=wrong)
    assert "0.20 0.00 0.50 m and 120.0 deg in the frame of the robot" in text.replace("-0.00", "0.00")
    assert "base_from_camera" in text


def test_another_map_is_named() -> None:
    text = said("map")
    assert "in the map" in text
    angle_deg = float(text.split(" deg in the map")[0].split()[-1])
    assert angle_deg == pytest.approx(np.degrees(0.6), abs=0.5)


@pytest.mark.parametrize("metres", [0.004, 0.1])
def test_what_is_right_but_for_one_thing_is_named_though_the_answers_are_coarse(metres: float) -> None:
    """A network is 10 cm off and more: that stays, and hides no camera that is upside down, or another map."""
    text = said("turned camera", metres, metres / 2)
    assert "180.0 deg in the frame of the robot" in text or "179." in text
    text = said("shifted map", metres, metres / 2)
    assert "deg in the map" in text


@pytest.mark.parametrize(("frame", "times", "wrong"), [("millimetres", 1000, 0), ("monocular", 0.3, 12)])
def test_another_scale_is_named(frame: str, times: float, wrong: int) -> None:
    text = said(frame, wrong=wrong)
    assert "times as large as the reference" in text
    assert float(text.split(" times")[0].split()[-1]) == pytest.approx(times, rel=0.02)


@pytest.mark.parametrize(("metres", "radians"), [(0.004, 0.002), (0.3, 0.2), (2.0, 1.0)])
def test_errors_are_no_offset(metres: float, radians: float) -> None:
    assert said("nothing", metres, radians) == ""


def test_few_answers_say_nothing() -> None:
    truth = dict(list(walk().items())[:5])
    path = Trajectory.from_poses(list(truth), list(truth.values()))
    assert constant_offset(Estimates.from_trajectory("few", path.moved_by(OPTICAL)), path) == ""
