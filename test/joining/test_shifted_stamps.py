"""Stamps that are all off by one time are named, and told from errors."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.geometry import Pose
from campose_core.joining.shifted_stamps import shifted_stamps
from campose_core.trajectory import Trajectory, write_tum


def hand(seconds: float) -> Pose:
    """Where a camera in a hand is: it never moves at a steady speed."""
    turn = Rotation.from_euler("zyx", [0.8 * np.sin(0.7 * seconds), 0.3 * np.sin(1.1 * seconds), 0.0])
    return Pose(turn, np.array([0.4 * seconds + 0.3 * np.sin(seconds), 0.5 * np.sin(0.6 * seconds), 1.2]))


def trajectory(rate_hz: float, late_s: float = 0.0, seconds: float = 20.0, noise_m: float = 0.0) -> Trajectory:
    """Poses at times since 2020, stamped so late."""
    generator = np.random.default_rng(2)
    times = np.arange(0.0, seconds, 1 / rate_hz)
    stamps = [1_577_836_800 * 10**9 + round(1e9 * (t + late_s)) for t in times]
    poses = [hand(t) * Pose(Rotation.identity(), generator.normal(0, noise_m, 3)) for t in times]
    return Trajectory.from_poses(stamps, poses)


@pytest.mark.parametrize("late_s", [0.05, 0.12, 0.3, 0.45, 1.5, -0.4])
@pytest.mark.parametrize("rate_hz", [100.0, 10.0])
def test_late_and_early_stamps_are_named(late_s: float, rate_hz: float) -> None:
    text = shifted_stamps(trajectory(10.0, late_s, noise_m=0.002), trajectory(rate_hz))
    if abs(late_s) > 0.1:  # else it is hardly an error
        assert f"{abs(late_s):.2f} s {'late' if late_s > 0 else 'early'}" in text
    else:
        assert not text or "0.05 s late" in text


@pytest.mark.parametrize("noise_m", [0.0, 0.01, 0.5])
def test_errors_at_the_right_time_are_not(noise_m: float) -> None:
    assert not shifted_stamps(trajectory(10.0, noise_m=noise_m), trajectory(50.0))


def test_another_map_is_not() -> None:
    truth = trajectory(50.0)
    moved = Trajectory(truth.stamps_ns, truth.positions + np.array([3.0, 0.0, 0.0]), truth.rotations)
    assert not shifted_stamps(moved, truth)


def test_few_poses_or_none_tell_nothing() -> None:
    assert not shifted_stamps(trajectory(10.0, 0.3, seconds=0.9), trajectory(50.0))
    assert not shifted_stamps(trajectory(10.0).select([]), trajectory(50.0))
    assert not shifted_stamps(trajectory(10.0, 100.0), trajectory(50.0))


@pytest.mark.parametrize(("late_s", "code"), [(0.3, 0), (0.35, 1)])
def test_evaluate_says_so_also_where_no_pose_is_at_a_stamp(tmp_path, capsys, late_s: float, code: int) -> None:
    write_tum(tmp_path / "estimated.tum", trajectory(10.0, late_s, noise_m=0.002))
    write_tum(tmp_path / "true.tum", trajectory(10.0))
    assert main(["evaluate", str(tmp_path / "estimated.tum"), str(tmp_path / "true.tum")]) == code
    told = capsys.readouterr()
    assert f"All stamps are {late_s:.2f} s late" in told.out + told.err
