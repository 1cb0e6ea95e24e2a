"""First fix, outages, jumps and errors over a distance: cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.evaluation.continuity import first_fix_s, jumps, outages, relative_errors
from campose_core.evaluation.estimates import Estimates, FrameOutcome
from campose_core.evaluation.metrics import evaluate, frame_errors
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory

STEP = 100_000_000
# Twelve metres along x at a metre a second.
WALK = Trajectory.from_poses(
    [STEP * i for i in range(121)], [Pose(Rotation.identity(), [0.1 * i, 0, 1]) for i in range(121)]
)


def errors_of(change):
    outcomes = tuple(FrameOutcome(t, change(i, pose), "TRACKING") for i, (t, pose) in enumerate(WALK))
    return frame_errors(Estimates("test", outcomes), WALK)


def test_first_fix_and_recovery_are_the_times_of_right_answers():
    def change(i, pose):
        if i < 5 or 40 <= i < 50:
            return None
        if i < 10 or 80 <= i < 100:
            return Pose(pose.rotation, pose.translation + np.array([3, 0, 0]))  # answered, and wrong
        return pose

    errors = errors_of(change)
    assert first_fix_s(errors) == pytest.approx(1.0)
    found = outages(errors)
    assert found.outages == 2
    assert found.median_s == pytest.approx(1.5)
    assert found.longest_s == pytest.approx(2.0)
    assert jumps(errors) == 3  # to the truth, away from it, and back; silence is no jump


def test_an_outage_to_the_end_was_never_recovered_from():
    found = outages(errors_of(lambda i, pose: pose if i < 100 else None))
    assert (found.outages, found.longest_s) == (1, math.inf)
    assert found.to_dict() == {"outages": 1, "median_s": None, "longest_s": None}
    nothing = errors_of(lambda i, pose: None)
    assert first_fix_s(nothing) == math.inf
    assert outages(nothing).outages == 0
    perfect = errors_of(lambda i, pose: pose)
    assert (first_fix_s(perfect), outages(perfect).outages, jumps(perfect)) == (0.0, 0, 0)


def test_a_turn_is_a_jump_too_and_a_constant_error_is_none():
    turned = Rotation.from_euler("y", 25, degrees=True)
    assert jumps(errors_of(lambda i, pose: Pose(turned if i == 60 else pose.rotation, pose.translation))) == 2
    assert jumps(errors_of(lambda i, pose: Pose(turned * pose.rotation, pose.translation + np.array([9, 9, 9])))) == 0


def test_a_scale_error_shows_over_distances_and_an_offset_does_not():
    stretched = relative_errors(errors_of(lambda i, pose: Pose(pose.rotation, pose.translation * 1.02)))
    assert list(stretched) == ["1m", "5m", "10m"]
    for length_m, found in zip((1, 5, 10), stretched.values(), strict=True):
        assert found.position_m.median == pytest.approx(0.02 * length_m, abs=1e-9)
        # Each frame and the one that lies so far on, or at most 10 % less at the end of the walk.
        assert found.pairs == pytest.approx(121 - 9 * length_m, abs=1)
    moved = relative_errors(errors_of(lambda i, pose: Pose(pose.rotation, pose.translation + np.array([5, 5, 5]))))
    assert max(found.position_m.p99 for found in moved.values()) < 1e-9


def test_a_path_shorter_than_a_length_has_no_error_over_it():
    short = WALK.select(np.arange(30))
    metrics = evaluate(Estimates.from_trajectory("t", short), short)
    assert metrics.relative.keys() == {"1m"}
    still = Trajectory(WALK.stamps_ns, np.ones((121, 3)), WALK.rotations)
    assert evaluate(Estimates.from_trajectory("t", still), still).relative == {}


def test_silence_spoils_the_motions_that_it_ends():
    found = relative_errors(errors_of(lambda i, pose: None if i % 3 else pose))["1m"]
    assert math.isinf(found.position_m.median)
