"""Stamps in file names: TUM RGB-D's `1305031102.175304.png`, EuRoC's `1403636579763555584.png` and the like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from campose_core.trajectory import stamp_from_seconds

# What all names begin with, then decimal seconds, or `seconds_nanoseconds`, or a whole number in a smaller unit.
NAME = re.compile(
    r"(?P<prefix>(?:.*[^\d.])?)(?:(?P<seconds>\d+\.\d+)|(?P<parts>\d{9,10}[_-]\d{9})|(?P<whole>\d{13,19}))"
)
EARLIEST_S, LATEST_S = 946_684_800, 4_102_444_800  # the years 2000 to 2100
UNITS_NS = (1, 1_000, 1_000_000)
MIN_DECIMALS = 6  # of seconds that count from elsewhere than 1970: 1.002 may be a number


def stamps_in_names(files: Sequence[Path]) -> list[int] | None:
    """The stamp of each file in nanoseconds; None where names are anything else, or two have the same stamp."""
    matches = [NAME.fullmatch(file.stem) for file in files]
    stamps = [_stamp_ns(match) for match in matches if match is not None]
    known = [stamp for stamp in stamps if stamp is not None]
    prefixes = {match["prefix"] for match in matches if match is not None}
    return known if len(set(known)) == len(files) and len(prefixes) == 1 else None


def _stamp_ns(match: re.Match[str]) -> int | None:
    if match["parts"]:
        seconds, nanoseconds = re.split("[_-]", match["parts"])
        stamp_ns = int(seconds) * 1_000_000_000 + int(nanoseconds)
        return stamp_ns if _is_date(stamp_ns) else None
    if match["whole"]:
        return next((stamp for unit in UNITS_NS if _is_date(stamp := int(match["whole"]) * unit)), None)
    stamp_ns = stamp_from_seconds(match["seconds"])
    decimals = len(match["seconds"].partition(".")[2])
    return (
        stamp_ns if _is_date(stamp_ns) or (decimals >= MIN_DECIMALS and stamp_ns < LATEST_S * 1_000_000_000) else None
    )


def _is_date(stamp_ns: int) -> bool:
    return EARLIEST_S <= stamp_ns // 1_000_000_000 < LATEST_S
