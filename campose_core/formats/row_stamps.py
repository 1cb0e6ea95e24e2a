"""Stamps of the rows of a text file: their unit, and nanoseconds from their decimal texts, exactly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import TrajectoryError
from campose_core.geometry import Array
from campose_core.trajectory import FARTHEST_NS, FARTHEST_S, NO_STAMP, Stamps, stamp_from_seconds, stamp_from_text

# The years 2000 to 2100: a stamp is in the unit in which it lies there; smaller ones are seconds of a clock of their
# own.
EARLIEST_S, LATEST_S = 946_684_800, 4_102_444_800
LATEST_NS = LATEST_S * 10**9
EXPONENTS = {"s": 0, "ms": -3, "us": -6, "ns": -9}  # of ten: seconds
# From pose to pose: a quarter of an hour and more is no walk in seconds, and 200 a second is the most in nanoseconds.
# Between the two are microseconds or nanoseconds, which nothing tells apart.
LONGEST_STEP, SHORTEST_STEP_NS = 1000, 5_000_000
# A date whose stamps are as far apart as this in its unit is one of a clock that counts from elsewhere in the unit
# below, with 200 a second and less: of 11 to 47 days in nanoseconds for a date in microseconds.
SPARSE_S = 5
BELOW = {"ms": "us", "us": "ns"}
EVEN = 2.5  # times the median: so far from it are nine of ten steps of what was recorded at a rate
SPARSE_STEP, FEW = 10, 10  # more poses than these, each so far from the next in seconds, may be in milliseconds
DECIMALS = 9  # of seconds, as trajectory.write_tum has them, and of no smaller unit
DIGITS = 30  # of a number that may be a stamp in any unit
LOOKED_AT = 100  # stamps
ORB_SLAM3 = re.compile(r"\d+\.\d{6}")  # nanoseconds with what a product of floats leaves behind the point


def alike_stamps(texts: NDArray[np.str_], unit: str) -> Stamps | None:
    """Return nanoseconds of stamps that all have as many digits before the point and behind it; else None.

    The same as `stamp_ns`, for a file of a hundred thousand lines.
    """
    point, width = texts[0].find("."), len(texts[0])
    letters = texts.view(np.uint32).reshape(len(texts), -1)
    if letters[:, width:].any() or point == width - 1:
        return None
    if point >= 0:
        if (letters[:, point] != ord(".")).any():
            return None
        letters, width = np.delete(letters, point, axis=1), width - 1
    digits = letters[:, :width] - np.uint32(ord("0"))
    lowest = 9 + EXPONENTS[unit] - (width - point if point >= 0 else 0)  # of ten, of the last digit, in nanoseconds
    if not width or lowest < 0 or width + lowest > 19 or (digits > 9).any():
        return None
    stamps = digits.astype(np.uint64) @ np.uint64(10) ** np.arange(width + lowest - 1, lowest - 1, -1, dtype=np.uint64)
    return None if stamps.max() > FARTHEST_NS else stamps.astype(np.int64)


def whole_stamps(texts: NDArray[np.str_]) -> Stamps:
    """Return whole nanoseconds (N,) from their decimal texts.

    Raises:
        ValueError, ArithmeticError: one of them is no whole number, or no stamp (OverflowError).
    """
    alike = alike_stamps(texts, "ns") if len(texts) else None
    return np.array([stamp_from_text(text) for text in texts.tolist()], dtype=np.int64) if alike is None else alike


def unit_of(text: str) -> str:
    """Return the unit in which a stamp is a date of this century; seconds where it is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return "s"
    if number.is_nan():
        return "s"
    for unit in ("ns", "us", "ms"):
        if 0 < number < LATEST_NS and EARLIEST_S <= number.scaleb(EXPONENTS[unit]) < LATEST_S:
            return unit
    return "s"


def unit_of_stamps(texts: Sequence[str], where: str) -> str:
    """Return the unit of stamps: that in which the first is a date, if the steps between them can be; else by these.

    Raises:
        TrajectoryError: the steps may be of two units, or are too far apart for seconds.
    """
    known = [text for text in texts[:LOOKED_AT] if _is_finite(text)]
    unit = unit_of(known[0]) if known else "s"
    numbers = np.array([float(text) for text in known])
    step, is_even = _step(numbers)
    if not step or unit == "ns" or len(known[0].partition(".")[2]) == DECIMALS:
        return unit
    if unit != "s":
        step_s = step * 10.0 ** EXPONENTS[unit]
        if step_s < SPARSE_S:
            return unit
        if step >= SHORTEST_STEP_NS and (is_even or step_s >= LONGEST_STEP):
            return "ns"
        below = BELOW[unit]
        raise TrajectoryError(_name(where, step, f"dates in {unit} or a clock in {below}", (unit, below)))
    if EARLIEST_S <= numbers[0] < LATEST_S and (numbers % 1).any():
        return "s"
    if step < (SPARSE_STEP if len(known) > FEW else LONGEST_STEP):
        return "s"
    if step >= SHORTEST_STEP_NS:
        return "ns"
    if step < LONGEST_STEP:
        raise TrajectoryError(_name(where, step, "seconds or milliseconds", ("ms", "s")))
    raise TrajectoryError(_name(where, step, "no seconds", ("us", "ns")))


def _name(where: str, step: float, said: str, units: tuple[str, str]) -> str:
    return (
        f"{where}: the stamps are {step:g} apart, which are {said}: name their unit in a first line, as "
        f"`stamp_{units[0]} x y z qx qy qz qw` or with stamp_{units[1]}"
    )


def are_dates(numbers: Array, unit: str) -> bool:
    """Tell whether stamps that are dates in this unit are as far apart as images are; else they count in one below.

    Photos are taken now and then; images that are evenly 5 s and more apart were recorded, by a clock in another unit.
    """
    step, is_even = _step(numbers)
    step_s = step * 10.0 ** EXPONENTS[unit]
    return step_s < SPARSE_S or (step_s < LONGEST_STEP and not (is_even and (unit == "us" or len(numbers) > FEW)))


def _step(numbers: Array) -> tuple[float, bool]:
    """Return the median step between stamps, 0 of one, and whether nearly all are like it."""
    steps = np.diff(np.unique(numbers))
    if not len(steps):
        return 0.0, False
    low, step, high = np.quantile(steps, (0.1, 0.5, 0.9))
    return float(step), bool(len(steps) > 1 and step <= EVEN * low and high <= EVEN * step)


def _is_finite(text: str) -> bool:
    try:
        return Decimal(text).is_finite() and Decimal(text).adjusted() < DIGITS  # no arithmetic, which could overflow
    except InvalidOperation:
        return False


def stamp_ns(text: str, unit: str, where: str) -> int:
    """Return nanoseconds from the decimal text of a stamp in a unit, exactly.

    Raises:
        TrajectoryError: it is no number, or no stamp.
    """
    said = "whole nanoseconds" if unit == "ns" else "seconds" if unit == "s" else unit
    try:
        if unit == "s":
            return stamp_from_seconds(text)
        if unit == "ns" and text.isdigit():
            return stamp_from_text(text)
        seconds = Decimal(text).scaleb(EXPONENTS[unit])
        if unit == "ns" and ORB_SLAM3.fullmatch(text):
            return stamp_from_seconds(str(round(seconds, 9)))
        if unit == "ns" and abs(seconds) <= FARTHEST_S and seconds != round(seconds, 9):
            raise InvalidOperation
        return stamp_from_seconds(str(seconds))
    except OverflowError as error:
        raise TrajectoryError(f"{where}: {error}") from error
    except NO_STAMP:
        raise TrajectoryError(f"{where}: the stamp must be in {said}, got {text[:40]!r}") from None
