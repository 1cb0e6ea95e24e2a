"""Stamps in file names: TUM RGB-D's `1305031102.175304.png`, EuRoC's `1403636579763555584.png` and the like.

Poses that were written for such a folder when its images were numbered count them instead, 0.1 s each.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from campose_core.errors import TrajectoryError
from campose_core.formats.row_stamps import EARLIEST_S, LATEST_S, are_dates, unit_of
from campose_core.scene.frames_table import SceneFrame
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory, stamp_from_seconds

log = logging.getLogger(__name__)

# What all names begin with, then decimal seconds, or `seconds_nanoseconds`, or a whole number in a smaller unit, then
# what all end with.
NAME = re.compile(
    r"(?P<prefix>(?:.*[^\d.])?)(?:(?P<seconds>\d+\.\d+)|(?P<parts>\d{9,10}[_-]\d{9})|(?P<whole>\d{10}|\d{13,19}))"
    r"(?P<suffix>(?:[^\d.].*)?)"
)
UNITS_NS = (1, 1_000, 1_000_000)
WHOLE_S_FROM = 1_100_000_000  # Android numbers what it shares from 1000000001 on
MIN_DECIMALS = 6  # of seconds that count from elsewhere than 1970: 1.002 may be a number
LONGEST_FLOAT = 7  # decimals of a date, of the shortest text of a float
MOST = 0.5  # of names are stamps: it is said that the others hinder
OF_IMAGES = 0.9  # of poses that count images; seconds of a walk that was recorded with gaps run ahead of its images


def stamps_in_names(files: Sequence[Path]) -> list[int] | None:
    """Return the stamp of each file in nanoseconds; None where names are anything else, or two have the same stamp.

    Where most names are stamps, a line says what hinders.
    """
    matches = [NAME.fullmatch(file.stem) for file in files]
    stamps = [None if match is None else _stamp_ns(match) for match in matches]
    wholes = [match["whole"] for match, stamp in zip(matches, stamps, strict=True) if match and stamp is not None]
    wholes = [text for text in wholes if text]
    if wholes and not are_dates(np.array(wholes, dtype=float), unit_of(wholes[0])):
        log.info(f"{files[0].parent}: names such as {wholes[0]} would be dates too far apart for images: numbered")
        return None
    known = {stamp for stamp in stamps if stamp is not None}
    others = [file.name for file, stamp in zip(files, stamps, strict=True) if stamp is None]
    around = {(match["prefix"], match["suffix"]) for match in matches if match is not None}
    if len(known) == len(files) and len(around) == 1 and _are_decimals(match["seconds"] for match in matches if match):
        return [stamp for stamp in stamps if stamp is not None]
    if len(around) == 1 and MOST * len(files) < len(known) and len(files) > len(known):
        why = f"such as {others[0]}" if others else "two have the same stamp"
        log.info(f"{files[0].parent}: {len(known)} of {len(files)} names are stamps, the others not, {why}: numbered")
    return None


def _are_decimals(texts: Iterable[str | None]) -> bool:
    """Tell seconds from `seconds.count`, and from nanoseconds that were not filled up: 17.9 is before 17.10."""
    decimals = [text.partition(".")[2] for text in texts if text]
    if len({len(text) for text in decimals}) < 2:
        return True
    return all(len(text) <= LONGEST_FLOAT and (len(text) == 1 or text[-1] != "0") for text in decimals)


def _stamp_ns(match: re.Match[str]) -> int | None:
    if match["parts"]:
        seconds, nanoseconds = re.split("[_-]", match["parts"])
        stamp_ns = int(seconds) * 1_000_000_000 + int(nanoseconds)
        return stamp_ns if _is_date(stamp_ns) else None
    if match["whole"]:
        number = int(match["whole"])
        if len(match["whole"]) == 10:
            return number * 1_000_000_000 if WHOLE_S_FROM <= number < LATEST_S else None
        return next((stamp for unit in UNITS_NS if _is_date(stamp := number * unit)), None)
    try:
        stamp_ns = stamp_from_seconds(match["seconds"])
    except OverflowError:
        return None
    decimals = len(match["seconds"].partition(".")[2])
    return (
        stamp_ns if _is_date(stamp_ns) or (decimals >= MIN_DECIMALS and stamp_ns < LATEST_S * 1_000_000_000) else None
    )


def _is_date(stamp_ns: int) -> bool:
    return EARLIEST_S <= stamp_ns // 1_000_000_000 < LATEST_S


def own_stamps(frames: Sequence[SceneFrame]) -> dict[int, int]:
    """Return the stamps of a source's frames by their numbers; empty where they are of several sources or have none."""
    if len({frame.source for frame in frames}) != 1:
        return {}
    numbered = ((Path(frame.name).stem, frame.stamp_ns) for frame in frames)
    return {int(stem): stamp_ns for stem, stamp_ns in numbered if stem.isdecimal()}


def at_own_stamps(trajectory: Trajectory, stamp_of: Mapping[int, int], where: object = "reference") -> Trajectory:
    """Return the trajectory at the stamps of images where it counts them, 0.1 s each, and log so; else as it is.

    stamp_of: the stamp of each image by its number. It counts where it has no stamps of its own, or where it has
    nothing but whole tenths, nearly all of them at numbers that the images reach, and those of the images are dates, or
    end long before, while there is one for each. where: its file, for messages.

    Raises:
        TrajectoryError: it has no stamps, and not as many poses as there are images.
    """
    if trajectory.of_images:
        return _at_numbers(trajectory, stamp_of, where)
    numbers = np.rint(trajectory.stamps_ns / FRAME_PERIOD_NS).astype(np.int64)
    off_ns = np.abs(trajectory.stamps_ns - numbers * FRAME_PERIOD_NS)
    if not len(numbers) or not stamp_of or (off_ns > 1_000_000).any():
        return trajectory
    if numbers[0] < 0 or np.quantile(numbers, OF_IMAGES) > max(stamp_of):
        return trajectory
    known = np.array([int(number) in stamp_of for number in numbers])
    if not known.any() or not (_is_date(min(stamp_of.values())) or _is_one_for_each(trajectory, stamp_of)):
        return trajectory
    log.info(
        f"poses at {trajectory.interval_text()} count the images, 0.1 s each, whose own stamps begin at "
        f"{min(stamp_of.values()) / 1e9:.3f} s: {known.sum()} of {len(known)} poses are of such an image"
    )
    stamps_ns = np.array([stamp_of[int(number)] for number in numbers[known]], dtype=np.int64)
    return replace(trajectory.select(known), stamps_ns=stamps_ns)


def _is_one_for_each(trajectory: Trajectory, stamp_of: Mapping[int, int]) -> bool:
    """Tell whether there is a pose for each image, and most are of times when there were no images any more."""
    beyond = trajectory.stamps_ns > max(stamp_of.values()) + FRAME_PERIOD_NS
    numbers = np.rint(trajectory.stamps_ns / FRAME_PERIOD_NS).astype(np.int64)
    return bool(beyond.mean() > MOST and np.isin(list(stamp_of), numbers).mean() >= OF_IMAGES)


def _at_numbers(trajectory: Trajectory, stamp_of: Mapping[int, int], where: object) -> Trajectory:
    if not stamp_of:
        raise TrajectoryError(
            f"{where}: poses without stamps are of the images of one recording: name it, or give poses with stamps, "
            "as TUM's `stamp_s x y z qx qy qz qw`"
        )
    # Of a recording that was thinned, the last images may be missing.
    step = int(np.diff(sorted(stamp_of)).max(initial=1))
    images = max(stamp_of) + 1
    if not images <= trajectory.of_images < images + step:
        raise TrajectoryError(
            f"{where}: {trajectory.of_images} poses without stamps, one for each image, are not of the {images} images "
            "there: give poses with stamps, as TUM's `stamp_s x y z qx qy qz qw`"
        )
    numbers = trajectory.stamps_ns // FRAME_PERIOD_NS
    known = np.isin(numbers, list(stamp_of))
    stamps_ns = np.array([stamp_of[int(number)] for number in numbers[known]], dtype=np.int64)
    return replace(trajectory.select(known), stamps_ns=stamps_ns)
