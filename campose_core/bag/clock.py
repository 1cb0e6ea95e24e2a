"""Stamps that can be used where those of the headers cannot: a clock that was set, stamps of zero, another unit.

The log times tell: the recorder wrote them down as the messages came. Header stamps differ from them by a delay; where
that difference leaps, the clock of the headers was set. One setting is kept, the stamps of the others are moved onto
it; a stamp that is missing becomes the log time less the usual delay. Log times that are no clock (a bag written faster
than life) tell nothing: then messages are taken to come at a steady rate. Good stamps are never touched, but for the 0
that a simulation begins with: it becomes 1, since 0 stands for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.trajectory import Stamps

JITTER_NS = 200_000_000  # delays differ by less; what goes back by less is out of order
LEAP_NS = 30_000_000_000  # no delay is that long: stamps that leap ahead of the log times by more are of a clock set
SAME_CLOCK_NS = 1_000_000_000
NEAR_ZERO = 10  # steps, within which a clock that began at 0 comes with its second stamp
MIN_PERIOD_NS, MAX_PERIOD_NS = 500_000, 10_000_000_000  # between two messages
MAX_SETTINGS = 200
NEAR = 15
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ClockSetting:
    """Stamps that come least_ns .. most_ns after their log times, once in nanoseconds, are right after shift_ns.

    They are 1000 to the power `thousands` times what the header says.
    """

    least_ns: int
    most_ns: int
    shift_ns: int = 0
    thousands: int = 0

    def stamp_ns(self, header_ns: int) -> int:
        return _scaled(header_ns, self.thousands) + self.shift_ns

    def distance_ns(self, header_ns: int, log_ns: int) -> int:
        offset_ns = _scaled(header_ns, self.thousands) - log_ns
        return max(self.least_ns - offset_ns, offset_ns - self.most_ns, 0)


@dataclass(frozen=True)
class BagClock:
    """What was done to the stamps of a bag's images, for the other topics that they are compared with.

    settings: empty where nothing was. is_log: images have their log times, since their stamps tell nothing.
    """

    settings: tuple[ClockSetting, ...] = ()
    is_log: bool = False

    def stamp_ns(self, header_ns: int, log_ns: int) -> int:
        """Return the stamp of a message on the clock of the images; of another clock than theirs it stays as it is."""
        if self.is_log:
            return header_ns if abs(header_ns - log_ns) <= SAME_CLOCK_NS else log_ns
        if not self.settings or header_ns <= 0:
            return header_ns
        nearest = min(self.settings, key=lambda setting: setting.distance_ns(header_ns, log_ns))
        return nearest.stamp_ns(header_ns) if nearest.distance_ns(header_ns, log_ns) <= SAME_CLOCK_NS else header_ns

    def to_dict(self) -> dict[str, Any]:
        """For scene.yaml; empty where nothing was done."""
        settings = [asdict(setting) for setting in self.settings]
        return {"is_log": self.is_log, "settings": settings} if self.is_log or settings else {}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BagClock:
        settings = tuple(ClockSetting(**setting) for setting in data.get("settings", ()))
        return cls(settings, bool(data.get("is_log", False)))


AS_RECORDED = BagClock()


class UsableStamps(NamedTuple):
    """stamps_ns (N,), by message; they may still repeat or go back, and are 0 where there is none.

    done: in words, what was done and to how many; empty where nothing was.
    """

    stamps_ns: Stamps
    clock: BagClock
    done: str


def usable_stamps(header_ns: Sequence[int], log_ns: Sequence[int], is_copy: Sequence[bool]) -> UsableStamps:
    """Return the stamps of a topic, by message. is_copy: the message before it came again, which leaves it as it is."""
    header, logged = np.array(header_ns, dtype=np.int64), np.array(log_ns, dtype=np.int64)
    copied = np.array(is_copy, dtype=bool)
    if begins_at_zero(header):
        header[0] = 1  # in nanoseconds
    missing = (header <= 0) & ~copied
    repeated = np.append(False, np.diff(header) == 0)[: len(header)] & ~copied & ~missing
    lone = missing | repeated
    log_period = _period(logged)
    if (log_period or (len(header) == 1 and logged[0] > 0)) and lone.any() and 2 * lone.sum() >= (~copied).sum():
        faults = [
            f"{mask.sum()} {what}" for mask, what in ((missing, "stamps are zero"), (repeated, "repeat")) if mask.any()
        ]
        return _by_log(logged, " and ".join(faults))
    thousands = _thousands(header, log_period)
    header = _scaled(header, thousands)
    unit = (
        f"all {len(header)} stamps multiplied by 1000^{thousands}, since they are in another unit" if thousands else ""
    )
    period = _period(header[~lone & ~copied])
    is_real = bool(log_period) and 0.5 < period / log_period < 2
    settings = _clock(header - logged, np.where(lone, -1, 0), {}, thousands) if unit else AS_RECORDED
    as_they_are = UsableStamps(header, settings, unit)
    is_ordered = not lone.any() and bool((np.diff(header)[~copied[1:]] > 0).all())
    if not period:
        return as_they_are if is_ordered or not log_period else _by_log(logged, f"{len(header)} stamps fit no clock")
    log = _unwrapped(logged, log_period) if is_real else np.arange(len(header)) * period
    leaps = is_real and bool((np.abs(np.diff(header - log)) > LEAP_NS).any())
    if is_ordered and not leaps:
        return as_they_are
    return _Repair(header, log, lone, copied, period, LEAP_NS if is_real else None).result(
        logged if is_real and (np.diff(logged) >= 0).all() else None, thousands, unit
    )


def begins_at_zero(header_ns: Stamps) -> bool:
    """Tell whether the first stamp of a topic, which is 0, is one: of a simulation, whose others follow from there."""
    return len(header_ns) > 1 and bool(header_ns[0] == 0 < header_ns[1] <= NEAR_ZERO * _period(header_ns))


def _by_log(logged: Stamps, fault: str) -> UsableStamps:
    done = f"all {len(logged)} messages take their log time, because {fault}"
    return UsableStamps(logged, BagClock(is_log=True), done)


class _Repair:
    """header, log (N,): stamps in nanoseconds and when they should come; leap_ns: None where log is an assumption."""

    def __init__(self, header: Stamps, log: Stamps, lone: Mask, copied: Mask, period: int, leap_ns: int | None) -> None:
        self._stamps, self._log, self._lone, self._period, self._leap_ns = header.copy(), log, lone, period, leap_ns
        self._offset = header - log
        self._kept = np.zeros(len(header), dtype=bool)
        self._shifts: dict[int, int] = {}
        self._label = _labels(self._offset, ~lone & ~copied)

    def result(self, logged: Stamps | None, thousands: int, unit: str) -> UsableStamps:
        """Return logged: the log times, where other topics can be compared with them."""
        sizes = np.bincount(self._label[self._label >= 0])
        by_size = [int(label) for label in np.argsort(-sizes, kind="stable")]
        by_size.sort(key=lambda label: not self._agrees_with_log(label, int(sizes[label])))
        self._kept = self._label == by_size[0]
        is_mess = len(sizes) > MAX_SETTINGS
        others = by_size[1:] if is_mess else [label for label in by_size[1:] if not self._fits(label)]
        strays = int(self._lone.sum() + sum(sizes[label] for label in others if sizes[label] < 3))
        if logged is not None and (is_mess or 2 * strays > len(self._label) > 3):
            return _by_log(logged, f"{strays} stamps fit no clock")
        done = [unit] * bool(unit) + [self._move(label) for label in others]
        if len(done) > 4:
            done = [*done[:3], f"{len(done) - 3} more such moves"]
        if self._lone.any():
            self._fill()
            source = "by their log times" if self._leap_ns is not None else "between their neighbours"
            done.append(
                f"{self._lone.sum()} of {len(self._lone)} messages without a stamp of their own get one {source}"
            )
        clock = AS_RECORDED
        if logged is not None and (self._shifts or thousands):
            clock = _clock(self._offset, self._label, self._shifts, thousands)
        return UsableStamps(self._stamps, clock, "; ".join(done))

    def _agrees_with_log(self, label: int, size: int) -> bool:
        """Of several settings the one of the recorder's clock is right, if it is more than an accident."""
        if self._leap_ns is None or size < max(2, len(self._label) // 10):
            return False
        return bool(abs(np.median(self._offset[self._label == label])) <= SAME_CLOCK_NS)

    def _bounds(self) -> tuple[Stamps, Stamps]:
        """For each message, the latest stamp kept before it and the earliest one after it."""
        limits = np.iinfo(np.int64)
        before = np.maximum.accumulate(np.where(self._kept, self._stamps, limits.min))
        after = np.minimum.accumulate(np.where(self._kept, self._stamps, limits.max)[::-1])[::-1]
        return before, after

    def _fits(self, label: int) -> bool:
        """Whether a setting differs by delays alone: its stamps are in order among those kept. Then it is kept too."""
        those = self._label == label
        before, after = self._bounds()
        if not ((before < self._stamps) & (self._stamps < after))[those].all():
            return False
        if self._leap_ns is not None and abs(self._shift(those)) > self._leap_ns:
            return False
        self._kept |= those
        return True

    def _shift(self, those: Mask) -> int:
        """From one setting to what is kept, by the delays on both sides of where they meet."""
        own, kept = np.flatnonzero(those), np.flatnonzero(self._kept)
        following = np.clip(np.searchsorted(kept, own), 0, len(kept) - 1)
        distance = np.minimum(np.abs(kept[following] - own), np.abs(kept[following - 1] - own))
        meet = own[np.argmin(distance)]
        near = [indices[np.argsort(np.abs(indices - meet), kind="stable")[:NEAR]] for indices in (kept, own)]
        at_kept, at_own = (self._stamps[indices] - self._log[indices] for indices in near)
        return int(np.median(at_kept - at_kept[0])) + int(at_kept[0] - at_own[0]) - int(np.median(at_own - at_own[0]))

    def _move(self, label: int) -> str:
        those = self._label == label
        shift = self._shift(those)
        before, after = self._bounds()
        own = np.flatnonzero(those)
        least, most = before[own[0]], after[own[-1]]
        first, last = int(self._stamps[own].min()) + shift, int(self._stamps[own].max()) + shift
        has_before, has_after = self._kept[: own[0]].any(), self._kept[own[-1] :].any()
        if (has_before and first <= least) or (has_after and last >= most):  # delays jitter by more than the gap
            room = int(most) - int(least) - (last - first) if has_before and has_after else 0
            if room > 0:
                shift += int(least) + room // 2 - first
            else:
                shift += int(least) + self._period - first if has_before else int(most) - self._period - last
        self._stamps[those] += shift
        self._kept |= those
        self._shifts[label] = shift
        return f"the clock was set: {len(own)} of {len(self._label)} stamps moved by {shift / 1e9:+.3f} s"

    def _fill(self) -> None:
        """Return the stamps of those that have none of their own, in their places between those that have."""
        kept, filled = np.flatnonzero(self._kept), list[int]()
        for i in np.flatnonzero(self._lone):
            place = int(np.searchsorted(kept, i))
            near = kept[max(0, place - NEAR // 2) : place + NEAR // 2]
            delays = self._stamps[near] - self._log[near]
            stamp = int(self._log[i] + delays[0] + int(np.median(delays - delays[0])))
            before = [int(self._stamps[kept[place - 1]])] * bool(place) + filled[-1:]
            least = max(before) if before else None
            most = int(self._stamps[kept[place]]) if place < len(kept) else None
            if not (least is None or least < stamp) or not (most is None or stamp < most):
                if least is not None and most is not None:
                    stamp = least + (most - least) // (int(self._lone[i : kept[place]].sum()) + 1)
                else:
                    stamp = least + self._period if least is not None else int(most or 0) - self._period
            self._stamps[i] = stamp
            filled.append(stamp)


def _labels(offset: Stamps, those: Mask) -> NDArray[np.int64]:
    """Which setting of the clock each of `those` is of, -1 for others: settings differ by more than delays do."""
    labels = np.full(len(offset), -1)
    indices = np.flatnonzero(those)
    order = indices[np.argsort(offset[indices], kind="stable")]
    labels[order] = np.cumsum(np.append(0, np.diff(offset[order]) > JITTER_NS))
    return labels


def _clock(offset: Stamps, label: NDArray[Any], shifts: dict[int, int], thousands: int) -> BagClock:
    settings = []
    for found in np.unique(label[label >= 0]).tolist():
        own = offset[label == found]
        settings.append(ClockSetting(int(own.min()), int(own.max()), shifts.get(found, 0), thousands))
    return BagClock(tuple(settings))


def _scaled(stamp_ns: Any, thousands: int) -> Any:
    return stamp_ns * 1000**thousands if thousands >= 0 else stamp_ns // 1000**-thousands


def _period(stamps_ns: Stamps) -> int:
    """Return the usual time between two messages in nanoseconds; 0 where it is none."""
    steps = np.diff(stamps_ns)
    period = int(np.median(steps[steps > 0])) if (steps > 0).any() else 0
    return period if MIN_PERIOD_NS <= period <= MAX_PERIOD_NS else 0


def _thousands(header: Stamps, log_period: int) -> int:
    """By which power of 1000 the stamps are off: the one that makes an impossible rate that of the log times."""
    steps = np.diff(header)
    if not log_period or not (steps > 0).any():
        return 0
    period = float(np.median(steps[steps > 0]))
    if MIN_PERIOD_NS <= period <= MAX_PERIOD_NS:
        return 0
    thousands = round(np.log(log_period / period) / np.log(1000.0))
    fits = 0.5 < period * 1000.0**thousands / log_period < 2 and -3 <= thousands <= 3
    return thousands if fits and float(header.max()) * 1000.0**thousands < 2**63 else 0


def _unwrapped(logged: Stamps, log_period: int) -> Stamps:
    """Log times of a recorder whose own clock was set back, as if it had not been."""
    steps = np.diff(logged)
    return np.append(logged[0], logged[0] + np.cumsum(np.where(steps < 0, log_period, steps)))
