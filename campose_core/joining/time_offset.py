"""By how much the clock of a tracker differs from the camera's: both turn at the same rate at the same time.

The angular speed of a rigid body is the same in all of its frames, so neither the mounting of the camera nor the frame
of the tracker need be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate
from scipy.spatial.transform import Rotation, Slerp

from campose_core.errors import AlignmentError
from campose_core.geometry import Array
from campose_core.trajectory import Stamps, Trajectory

Mask = NDArray[np.bool_]

GRID_S = 0.05
LONGEST_STEP_S = 1.0  # between two frames, to tell how fast the camera turned between them
LONGEST_GAP_NS = 500_000_000  # between two poses of the tracker
MIN_OVERLAP_S = 5.0
MIN_SHARE = 0.5  # of the shorter of the two recordings, that they must share
MIN_CORRELATION = 0.5
FASTER = 1.2
CANDIDATES = 6
NEARLY, AS_GOOD = 0.8, 0.95  # of the best correlation: a candidate as well; and no worse than the best
MIN_TURN_RAD_S = np.radians(1.0)  # change of the angular speed, below which there is nothing to compare


@dataclass(frozen=True)
class TimeOffset:
    """offset_ns: what to add to a stamp of the camera to have the tracker's. correlation: of the angular speeds."""

    offset_ns: int
    correlation: float


def time_offsets(stamps_ns: Stamps, rotations: Rotation, tracker: Trajectory) -> list[TimeOffset]:
    """List the offsets at which the camera (N stamps and rotations) and the tracker turn alike, the best first.

    Normalised cross-correlation over all lags, without the stretches that one of them did not see (Padfield, "Masked
    object registration in the Fourier domain", TIP 2012, in one dimension). Accurate to GRID_S or so.

    Raises:
        AlignmentError: too little in common, one of them hardly turns, or they never turn alike.
    """
    camera_ns, camera, camera_seen = _camera_speed(stamps_ns, rotations)
    step_s = float(np.median(np.diff(stamps_ns))) / 1e9
    tracker_ns, tracked, tracked_seen = _tracker_speed(tracker, max(step_s, GRID_S))
    least = max(MIN_OVERLAP_S / GRID_S, MIN_SHARE * min(camera_seen.sum(), tracked_seen.sum()))
    shared_s = GRID_S * min(camera_seen.sum(), tracked_seen.sum())
    if shared_s < MIN_OVERLAP_S:
        raise AlignmentError(
            f"the shorter of the camera's and the tracker's recordings lasts {shared_s:.1f} s without its gaps: "
            f"{MIN_OVERLAP_S:.0f} s or more are needed to find the difference of their clocks"
        )
    for speed, seen, what in ((camera, camera_seen, "camera"), (tracked, tracked_seen, "tracker")):
        if np.std(speed[seen]) < MIN_TURN_RAD_S:
            raise AlignmentError(
                f"the {what} hardly turns (its angular speed changes by {np.degrees(np.std(speed[seen])):.2g} deg/s): "
                "the difference of the clocks shows in turns only. Turn left and right while recording"
            )
    # Wild poses of one of them are faster than the other ever is.
    fastest = FASTER * min(np.quantile(camera[camera_seen], 0.98), np.quantile(tracked[tracked_seen], 0.98))
    camera_seen, tracked_seen = camera_seen & (camera <= fastest), tracked_seen & (tracked <= fastest)
    correlation, overlap = _correlations(camera, camera_seen, tracked, tracked_seen)
    correlation[overlap < least] = -1.0
    best = float(correlation.max())
    if best < MIN_CORRELATION:
        raise AlignmentError(
            f"at no difference of their clocks do camera and tracker turn alike (correlation {best:.2f} at best): is "
            "it the tracker of this camera, and of this recording?"
        )
    found: list[TimeOffset] = []
    remaining = correlation.copy()
    while len(found) < CANDIDATES and remaining.max() >= NEARLY * best:
        peak = int(np.argmax(remaining))
        lag_ns = round((peak - (len(camera) - 1) + _beside_peak(correlation, peak)) * GRID_S * 1e9)
        found.append(TimeOffset(tracker_ns + lag_ns - camera_ns, float(correlation[peak])))
        near = round(1.0 / GRID_S)
        remaining[max(0, peak - near) : peak + near + 1] = -1.0
    if remaining.max() >= AS_GOOD * best:
        raise AlignmentError(
            f"the camera turns alike again and again: more than {CANDIDATES} differences of the clocks fit alike. "
            "Record less regular turns"
        )
    return found


def _camera_speed(stamps_ns: Stamps, rotations: Rotation) -> tuple[int, Array, Mask]:
    """(stamp of the first sample, rad/s on the grid, whether it is known): constant between two frames."""
    seconds = (stamps_ns - stamps_ns[0]).astype(float) / 1e9
    steps = np.diff(seconds)
    speeds = (rotations[:-1].inv() * rotations[1:]).magnitude() / steps
    grid = np.arange(0.0, seconds[-1], GRID_S)
    interval = np.clip(np.searchsorted(seconds, grid, side="right") - 1, 0, len(steps) - 1)
    return int(stamps_ns[0]), speeds[interval], steps[interval] <= LONGEST_STEP_S


def _tracker_speed(tracker: Trajectory, window_s: float) -> tuple[int, Array, Mask]:
    """Return the same of a tracker, averaged over a window as long as the camera's frames are apart."""
    seconds = (tracker.stamps_ns - tracker.stamps_ns[0]).astype(float) / 1e9
    grid = np.arange(0.0, seconds[-1], GRID_S)
    if len(tracker) < 2 or len(grid) == 0:
        raise AlignmentError(f"the tracker has {len(tracker)} poses over {seconds[-1]:.1f} s: too few to compare")
    at = Slerp(seconds, tracker.rotations)
    first, last = np.clip(grid - window_s / 2, 0, seconds[-1]), np.clip(grid + window_s / 2, 0, seconds[-1])
    speeds = (at(first).inv() * at(last)).magnitude() / np.maximum(last - first, 1e-9)
    interval = np.clip(np.searchsorted(seconds, grid, side="right") - 1, 0, len(seconds) - 2)
    return int(tracker.stamps_ns[0]), speeds, np.diff(tracker.stamps_ns)[interval] <= LONGEST_GAP_NS


def _correlations(a: Array, a_seen: Mask, b: Array, b_seen: Mask) -> tuple[Array, Array]:
    """Normalised correlation of a(i) and b(i + lag), and the number of samples that both saw, for every lag."""
    mask_a, mask_b = a_seen.astype(float), b_seen.astype(float)
    a, b = (a - a[a_seen].mean()) * mask_a, (b - b[b_seen].mean()) * mask_b

    def summed(over_b: Array, over_a: Array) -> Array:
        return np.asarray(correlate(over_b, over_a, mode="full", method="fft"))

    count = np.maximum(np.round(summed(mask_b, mask_a)), 1.0)
    sum_a, sum_b = summed(mask_b, a), summed(b, mask_a)
    variance_a = summed(mask_b, a**2) - sum_a**2 / count
    variance_b = summed(b**2, mask_a) - sum_b**2 / count
    # A stretch without change correlates with nothing; the bound also keeps the rounding of the transform out.
    least_a, least_b = 0.01 * np.sum(a**2) / mask_a.sum() * count, 0.01 * np.sum(b**2) / mask_b.sum() * count
    spread = np.sqrt(np.maximum(variance_a, least_a) * np.maximum(variance_b, least_b))
    return (summed(b, a) - sum_a * sum_b / count) / spread, count


def _beside_peak(values: Array, peak: int) -> float:
    """Where between the samples a parabola through the peak and its neighbours is highest."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    before, top, after = values[peak - 1 : peak + 2]
    curvature = before - 2 * top + after
    return float(0.5 * (before - after) / curvature) if curvature < 0 else 0.0
