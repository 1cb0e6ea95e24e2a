"""One cause of all errors: frames that are taken for each other, or stamps that are late."""

from __future__ import annotations

from campose_core.evaluation.constant_offset import constant_offset
from campose_core.evaluation.estimates import Estimates
from campose_core.joining.shifted_stamps import shifted_stamps
from campose_core.trajectory import Trajectory


def one_cause(estimates: Estimates, truth: Trajectory) -> str:
    """Say what makes all answers wrong alike, and what to look at; empty where nothing does.

    At a steady speed a time and a way are the same error: an offset of the pose is looked for first.
    """
    return constant_offset(estimates, truth) or shifted_stamps(estimates.trajectory, truth)
