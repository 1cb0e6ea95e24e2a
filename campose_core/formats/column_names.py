"""Columns of a table of stamped poses, told by the names in its first line or in a comment.

A file names them in whatever order, with units or without; a name that is not understood is none, and never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from campose_core.errors import TrajectoryError
from campose_core.text import quoted

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
NAMES_WANTED = f"one of stamp_ns and stamp_s, and {','.join(POSE)}"
UNITS = {
    "s": "s sec secs second seconds",
    "ms": "ms msec msecs millis millisec millisecs millisecond milliseconds",
    "us": "us µs μs usec usecs micros microsec microsecs microsecond microseconds",
    "ns": "ns nsec nsecs nanos nanosec nanosecs nanosecond nanoseconds",
}
TIME_UNITS = {word: unit for unit, words in UNITS.items() for word in words.split()}
# What else may stand in the brackets: without a unit, the size of a stamp tells it.
NO_UNITS = {"-", "unix", "utc", "epoch", "posix", "ros", "time", "since", "from", "start", "the", "in", "as", "float"}
METRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 0.001),
}
STAMP_NAME = re.compile(r"(?:stamp|timestamp|time|t|sec|secs|seconds)(?:_(s|ms|us|ns))?")
# Where there is none of these.
LONG_STAMP_NAME = re.compile(
    r"(?:(?:unix|posix|epoch|ros|utc|gps|system|frame|image|img|camera|cam|sensor|capture)_?)?"
    rf"(?:time_?stamp|stamp|time|t|epoch)s?(?:_?(?:in_)?({'|'.join(TIME_UNITS)}))?"
)
# The header's own stamp beside the time of receipt; and one in two columns, seconds and nanoseconds, as ROS has it.
HEADER_STAMP_NAME = re.compile(r"(?:.*_)?header_stamp(?:_(s|ms|us|ns))?")
SECONDS_NAME = re.compile(r"((?:.*_)?(?:stamp|timestamp|time)_)?(?:sec|secs|seconds)")
NANOSECONDS_NAME = re.compile(r"((?:.*_)?(?:stamp|timestamp|time)_)?(?:nsec|nsecs|nanosec|nanosecs|nanoseconds)")
# p_WS_W and q_WS: of the sensor in the world, okvis2 okvis_multisensor_processing/src/TrajectoryOutput.cpp.
PLACE = r"(?:t|p|pos|position|p_rs_r|p_w[a-z]_w|.*position|.*translation)?_?([xyz])"
PLACE_NAME = re.compile(PLACE)
LONG_PLACE_NAME = re.compile(rf"{PLACE}_(?:{'|'.join(METRES)})")
TURN_NAME = re.compile(r"(?:q|quat|quaternion|q_rs|q_w[a-z]|rot|ori|orientation|.*orientation|.*rotation)_?([xyzw])")
IN_BRACKETS = re.compile(r"[\[(]([^\])]*)[\])]\s*$")
SHORT = re.compile(r"\s*[\[(]\s*([^\[\](),;]*?)\s*[\])]")  # what may be a unit, behind a name
LONGEST_UNIT = 3  # words, as in [seconds since epoch]
PART = "(?<![a-z0-9])(?:[a-z_./]*[_./]|q|r|o|quat|quaternion|rot|rotation|ori|orientation)?"
W_FIRST = re.compile(
    "[^a-z0-9]+".join(f"{PART}{part}(?![a-z0-9])" for part in ("w", "[xi]", "[yj]", "[zk]"))
    + r"|(?<![a-z])q?wxyz(?![a-z])|\b(?:w|scalar)[\s-]first|\bq_?0[\s,;]+q_?1[\s,;]+q_?2[\s,;]+q_?3\b",
)


class Layout(NamedTuple):
    """Which fields are the stamp (None: rows count images) and x, y, z, qx, qy, qz, qw, and the unit of the stamp.

    unit: of EXPONENTS, or None where its size must tell. names: of the columns in the message about a wrong row.
    metres: how many one unit of length is. nanoseconds: the field with the rest of a stamp in whole seconds.
    """

    stamp: int | None
    pose: tuple[int, ...]
    unit: str | None
    names: str
    metres: float = 1.0
    nanoseconds: int | None = None


MATRICES = Layout(None, tuple(range(12)), None, "the 12 numbers of a 3x4 matrix")
StampColumn = tuple[int, str | None, int | None]  # with the unit in its name, and the column of its nanoseconds


def names_in_comment(comment: str, fields_of: Callable[[str], list[str]], count: int) -> list[str]:
    """Return the names in a comment, of rows of so many fields; none where it is prose.

    fields_of: splits a line of the file. Before a colon, and before the stamp, may stand what the names are.
    """
    listed = [split(text) for text in (comment.rpartition(":")[2], comment) for split in (fields_of, _words)]
    for said in listed:
        for names in _cuts(said, count):
            columns = _columns(names)
            if columns and max(columns) < count:
                return names
    for said in listed:
        if (
            len(said) == count
            and _stamp_columns(said[:1])
            and all(len(_pose_columns(said).get(axis, [])) == 1 for axis in "xyz")
        ):
            return said  # of columns, which are others
    return []


def _cuts(said: Sequence[str], count: int) -> Iterator[list[str]]:
    """Yield what may be the names of `count` columns: all words, or those from a stamp on."""
    begins = [i for i, name in enumerate(said) if _stamp_columns([name])]
    cuts = [list(said), *(list(said[i : i + count]) for i in begins)]
    yield from (names for names in cuts if len(names) == count)
    yield from [list(said), *(list(said[i:]) for i in begins)]


def _words(text: str) -> list[str]:
    """Return the words of a text, however they are set apart, with short brackets behind them as their units."""

    def unit(found: re.Match[str]) -> str:
        words = found[1].split()
        is_unit = len(words) <= LONGEST_UNIT and re.match(r"\w", text[found.start() - 1 : found.start()])
        return f"\x01{'_'.join(words)}\x02" if is_unit else f" {found[1]} "

    plain = re.sub(r"[\[\](){}]", " ", SHORT.sub(unit, text)).replace("\x01", "[").replace("\x02", "]")
    return [word for word in re.split(r"[\s,;|<>\"']+", plain) if word]


def refuse_w_first(path: Path, comments: Sequence[str]) -> None:
    """Refuse rows without names that would be read with w last, where a comment says that w is first.

    Raises:
        TrajectoryError: one does.
    """
    for comment in comments:
        if W_FIRST.search(comment.lower()) and "xyzw" not in comment.lower():
            raise TrajectoryError(
                f"{path}: is its quaternion w x y z, as `{comment.strip()[:80]}` seems to say? Name the columns in a "
                "first line, as `stamp_s x y z qw qx qy qz`"
            )


def refuse_others(path: Path, comments: Sequence[str]) -> None:
    """Refuse poses that are the inverse of what is read: kapture's, kapture_format.adoc, "from world to device".

    Raises:
        TrajectoryError: a comment says that they are.
    """
    if any("kapture format" in comment.lower() for comment in comments):
        raise TrajectoryError(
            f"{path}: this is a file of kapture, whose poses are cam_from_world and its stamps without a unit: export "
            "it with kapture_export_colmap.py, build with --colmap, or give a trajectory, `stamp_s x y z qx qy qz "
            "qw`"
        )


def is_layout(names: Sequence[str]) -> bool:
    """Tell whether these name the columns of stamped poses."""
    return bool(_columns(names))


def _columns(names: Sequence[str]) -> list[int]:
    """Return the columns that are needed; none where one is missing."""
    stamps, pose = _stamp_columns(names), _pose_columns(names)
    if not stamps or not all(pose.get(name) for name in POSE):
        return []
    return [max(column for column in stamp if isinstance(column, int)) for stamp in stamps] + [
        pose[name][0] for name in POSE
    ]


def _plain(name: str) -> str:
    """Return the name of a column without its unit, in small letters, its parts apart by `_`."""
    return re.sub(r"[-./\s]+", "_", re.sub(r"[\[(].*", "", name).strip().lstrip("#").strip().lower()).strip("_")


def _stamp_columns(names: Sequence[str]) -> list[StampColumn]:
    """Return the columns that may be the stamp, each with its unit, and with that of its nanoseconds.

    Those of a header come before all others, which are times of receipt beside them.
    """
    plain = [_plain(name) for name in names]
    rests = {found[1]: i for i, name in enumerate(plain) if (found := NANOSECONDS_NAME.fullmatch(name))}
    pairs: list[StampColumn] = [
        (i, "s", rests[found[1]])
        for i, name in enumerate(plain)
        if (found := SECONDS_NAME.fullmatch(name)) and found[1] in rests
    ]

    def named(kind: re.Pattern[str]) -> list[StampColumn]:
        found = ((i, kind.fullmatch(name)) for i, name in enumerate(plain))
        return [(i, TIME_UNITS.get(match[1] or ""), None) for i, match in found if match]

    in_headers = [pair for pair in pairs if "header" in plain[pair[0]]]
    return in_headers or named(HEADER_STAMP_NAME) or pairs or named(STAMP_NAME) or named(LONG_STAMP_NAME)


def _pose_columns(names: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of each number of a pose; with a unit in their names where there are none without."""
    pose: dict[str, list[int]] = {}
    plain = [_plain(name) for name in names]
    for i, name in enumerate(plain):
        if turn := TURN_NAME.fullmatch(name):
            pose.setdefault(f"q{turn[1]}", []).append(i)
        elif place := PLACE_NAME.fullmatch(name):
            pose.setdefault(place[1], []).append(i)
    missing = set("xyz") - pose.keys()
    for i, name in enumerate(plain):
        if (place := LONG_PLACE_NAME.fullmatch(name)) and place[1] in missing:
            pose.setdefault(place[1], []).append(i)
    return pose


def named_layout(path: Path, names: Sequence[str]) -> Layout:
    """Return the layout that the first line names.

    Raises:
        TrajectoryError: a column is missing, or there are two of a kind; or another unit of length or time.
    """
    stamps, pose = _stamp_columns(names), _pose_columns(names)
    if len(names) == len(MATRICES.pose) and not stamps and not all(pose.get(name) for name in POSE):
        return MATRICES
    twice = next((name for name in POSE if len(pose.get(name, [])) > 1), None)
    if len(stamps) != 1 or twice or not all(pose.get(name) for name in POSE):
        said = f"two columns may be {twice}" if twice else f"got `{quoted(names)}`"
        raise TrajectoryError(f"{path}: the first line must name the columns {NAMES_WANTED}; {said}")
    column, unit, nanoseconds = stamps[0]
    unit = unit or _unit(path, names[column])
    if any(name.strip().lstrip("#").lower().startswith("p_rs_r") for name in names):
        unit = unit or "ns"  # of EuRoC, also where the unit is left out
    columns = tuple(pose[name][0] for name in POSE)
    metres = _metres(path, [names[column] for column in columns[:3]])
    return Layout(column, columns, unit, NAMES_WANTED, metres, nanoseconds)


def _in_brackets(name: str) -> list[str]:
    found = IN_BRACKETS.search(name.lower())
    return re.split(r"[\s_]+", found[1].strip()) if found and found[1].strip() else []


def _unit(path: Path, name: str) -> str | None:
    """Return the unit of time that stands in brackets behind the name of a stamp; None where none does."""
    words = _in_brackets(name)
    found = {TIME_UNITS[word] for word in words if word in TIME_UNITS}
    if len(found) > 1 or not set(words) <= {*TIME_UNITS, *NO_UNITS}:
        raise TrajectoryError(f"{path}: its stamps are in {' '.join(words)!r}, and s, ms, us and ns are read")
    return found.pop() if found else None


def _metres(path: Path, names: Sequence[str]) -> float:
    """Return the metres of the unit of length that stands behind the names of x, y and z; 1 where none does."""
    said = [" ".join(_in_brackets(name)) or _plain(name).rpartition("_")[2] for name in names]
    units = {word if _in_brackets(name) or word in METRES else "m" for name, word in zip(names, said, strict=True)}
    metres = {METRES.get(unit) for unit in units}
    if len(metres) > 1 or None in metres:
        raise TrajectoryError(f"{path}: its lengths are in {quoted(sorted(units))}, and m, cm and mm are read")
    return METRES[units.pop()]
