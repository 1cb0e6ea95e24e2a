"""An IMU and the visual poses of one recording together: poses in between, and how fast the IMU drifts without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campose_core.bag.imu import ImuSamples
from campose_core.errors import CaptureError
from campose_core.geometry import Array, Pose, pose_error
from campose_core.inertial.error_state_filter import SIZE, ImuNoise, ImuState, advance, corrected, start_at
from campose_core.statistics import evenly_spaced

MIN_FIXES = 10
START_SPEED = 1.0  # m/s, one standard deviation: of a body of which one pose is known
LONGEST_WAIT_S = 10.0  # without a fix: after that, the next one starts anew
WILD = 30.0  # squared Mahalanobis distance of a fix (chi2 with 6 degrees of freedom: one in 25 000)
FOREIGN_SHARE = 0.3  # of wild fixes: the two are not of one body
SETTLED_S = 5.0  # after which the filter knows the biases, and drift is measured
STARTS = 40
HORIZONS_S = (1.0, 5.0, 10.0)


class PoseFix(NamedTuple):
    """map_from_imu as seen, with its covariance (6, 6) about the map's axes."""

    pose: Pose
    covariance: Array


@dataclass(frozen=True)
class Drift:
    """How far the IMU alone is from the next fix after some time without one: of `count` starts, median and 90 %."""

    seconds: float
    count: int
    median_m: float
    p90_m: float
    median_deg: float
    p90_deg: float

    def text(self) -> str:
        """Say it in one line, for people."""
        return (
            f"after {self.seconds:.0f} s without a fix {self.median_m:.2g} m / {self.median_deg:.2g} deg "
            f"(90 %: {self.p90_m:.2g} m / {self.p90_deg:.2g} deg)"
        )


class _Step(NamedTuple):
    """The state at an event before and after its fix, and how errors came here from the event before (None: anew)."""

    predicted: ImuState
    updated: ImuState
    transition: Array | None


def smoothed(
    samples: ImuSamples, fixes: Mapping[int, PoseFix], stamps_ns: Iterable[int], noise: ImuNoise
) -> dict[int, ImuState]:
    """Find the states at the stamps that lie between two fixes, with all of the fixes taken into account.

    Filtered forwards, then smoothed backwards over the fixes and the stamps (Rauch, Tung and Striebel, AIAA Journal
    1965). Fixes that contradict the others (WILD) are left out; over LONGEST_WAIT_S without one nothing is known.

    Raises:
        CaptureError: too few fixes, or so many contradict the IMU that the two are not of one body, or one clock.
    """
    steps = _forwards(samples, fixes, sorted({*fixes, *stamps_ns}), noise)
    wanted, found = set(stamps_ns), {}
    after: ImuState | None = None
    last_fixed = False  # whether a fix follows
    for i in range(len(steps) - 1, -1, -1):
        step = steps[i]
        state = step.updated
        if after is not None:
            following = steps[i + 1]
            assert following.transition is not None
            gain = np.linalg.solve(following.predicted.covariance, following.transition @ state.covariance).T
            error = gain @ following.predicted.error_of(after)
            spread = state.covariance + gain @ (after.covariance - following.predicted.covariance) @ gain.T
            state = state.moved(error, spread)
        last_fixed = last_fixed or step.updated is not step.predicted
        if last_fixed and state.stamp_ns in wanted:
            found[state.stamp_ns] = state
        after = state if step.transition is not None else None
        last_fixed = last_fixed and after is not None
    return found


def measured_drift(samples: ImuSamples, fixes: Mapping[int, PoseFix], noise: ImuNoise) -> list[Drift]:
    """Measure the drift over those of HORIZONS_S that the recording lasts: from filtered states, by the IMU alone.

    What it is compared with are the fixes themselves, so that their noise counts as drift.
    """
    steps = _forwards(samples, fixes, sorted(fixes), noise)
    fixed = [step.updated for step in steps if step.updated is not step.predicted]
    if not fixed:
        return []
    settled = [state for state in fixed if state.stamp_ns - fixed[0].stamp_ns >= SETTLED_S * 1e9]
    starts = [settled[i] for i in evenly_spaced(len(settled), STARTS)]
    used = np.array([state.stamp_ns for state in fixed], dtype=np.int64)
    drifts = []
    for seconds in HORIZONS_S:
        errors = []
        for start in starts:
            at = int(np.searchsorted(used, start.stamp_ns + round(seconds * 1e9)))
            if at == len(used) or used[at] - start.stamp_ns > 1.2e9 * seconds:
                continue
            moved = advance(start, samples, int(used[at]), noise)
            if moved is not None:
                errors.append(pose_error(moved[0].pose, fixes[int(used[at])].pose))
        if errors:
            metres, degrees = np.array(errors).T * [[1.0], [180.0 / np.pi]]
            drifts.append(
                Drift(
                    seconds, len(errors), float(np.median(metres)), float(np.quantile(metres, 0.9)),
                    float(np.median(degrees)), float(np.quantile(degrees, 0.9)),
                )
            )  # fmt: skip
    return drifts


def _forwards(samples: ImuSamples, fixes: Mapping[int, PoseFix], events_ns: list[int], noise: ImuNoise) -> list[_Step]:
    if len(fixes) < MIN_FIXES:
        raise CaptureError(f"{len(fixes)} visual poses while the IMU recorded: {MIN_FIXES} or more are needed")
    steps: list[_Step] = []
    state: ImuState | None = None
    fixed_ns, wild, judged, wild_in_a_row = 0, 0, 0, 0
    for stamp_ns in events_ns:
        fix = fixes.get(stamp_ns)
        moved = None if state is None else advance(state, samples, stamp_ns, noise)
        if moved is None or stamp_ns - fixed_ns > LONGEST_WAIT_S * 1e9:
            state = None
            if fix is not None:
                state = _started(stamp_ns, fix, noise)
                fixed_ns = stamp_ns
                nothing = state._replace(covariance=np.eye(SIZE))
                steps.append(_Step(nothing, state, None))
            continue
        predicted, transition = moved
        state = predicted
        if fix is not None:
            updated, distance = corrected(predicted, *fix)
            judged += 1
            if distance <= WILD or wild_in_a_row >= MIN_FIXES:  # the others contradict the state, not this fix
                state, fixed_ns, wild_in_a_row = updated, stamp_ns, 0
            else:
                wild, wild_in_a_row = wild + 1, wild_in_a_row + 1
        steps.append(_Step(predicted, state, transition))
    if judged == 0:
        raise CaptureError(
            f"no two visual poses lie in samples of the IMU ({len(samples)}) without a gap: do both use the same clock?"
        )
    if wild > FOREIGN_SHARE * judged:
        raise CaptureError(
            f"{wild} of {judged} visual poses contradict the IMU: is it on the same clock, in rad/s and m/s^2, and "
            "mounted as said?"
        )
    return steps


def _started(stamp_ns: int, fix: PoseFix, noise: ImuNoise) -> ImuState:
    return start_at(stamp_ns, fix.pose, fix.covariance, np.zeros(3), START_SPEED, noise)
