"""What a status says in words, as numbers: for behaviour trees, plots, and whoever must not parse text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from campose_core.geometry import Array
from campose_core.localization.result import LocalizationResult, Status

STATES = {Status.INITIALIZING: 0.0, Status.TRACKING: 1.0, Status.LOST: 2.0, Status.PREDICTED: 3.0}
NAMES = (
    "stamp_s", "state", "answered", "off_map", "support", "deviation_m", "deviation_rad", "snap_distance_m",
    "latency_s", "estimate_s",
)  # fmt: skip


def numbers_message(result: LocalizationResult, covariance: Array | None, latency_s: float) -> Any:
    """Build a Float64MultiArray of NAMES, in this order; its label lists them. What is not known is nan.

    state: 0 INITIALIZING, 1 TRACKING, 2 LOST, 3 PREDICTED. covariance (6, 6): as published; the deviations are those of
    the place on the floor, in its worst direction, and of the heading.
    """
    deviation_m = deviation_rad = math.nan
    if covariance is not None:
        deviation_m = math.sqrt(np.linalg.eigvalsh(covariance[:2, :2])[-1])
        deviation_rad = math.sqrt(covariance[5, 5])
    snap_m = math.nan if result.snap_distance_m is None else result.snap_distance_m
    values = (
        result.stamp_ns * 1e-9, STATES[result.status], result.map_from_base is not None, result.off_map, result.support,
        deviation_m, deviation_rad, snap_m, latency_s, result.latency_s,
    )  # fmt: skip
    message = Float64MultiArray(data=[float(value) for value in values])
    message.layout.dim = [MultiArrayDimension(label=" ".join(NAMES), size=len(NAMES), stride=len(NAMES))]
    return message
