"""The files of a bag: which there are, and in what order they are read.

ROS 1 .bag files, ROS 2 folders (sqlite3 or MCAP, with or without metadata.yaml), bare .mcap and .db3 files, folders of
either, chunk, message and file compression; what rosbags refuses is read from front to back.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from campose_core.bag.bag import Bag, Source, Topic, reading
from campose_core.bag.decompression import bound_rosbags
from campose_core.bag.image_messages import IMAGE_TYPES
from campose_core.bag.sources import file_source, indexed
from campose_core.bag.whole_files import (
    MCAP,
    METADATA,
    METADATA_KEY,
    data_files,
    has_log,
    is_file_of_bag,
    say_once,
    unpacked_name,
)
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.files import is_there
from campose_core.text import quoted
from campose_core.yaml_files import read_yaml

OVERLAP_NS = 1_000_000_000  # of two parts of one recording, between which messages of several threads may change places


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open the bag at `path` until the block ends. A ROS 1 or MCAP file that was cut off is read as far as it goes.

    Raises:
        CaptureError: no bag, nothing readable in it, a file that its metadata names is missing, or two files of a
            folder are recordings of the same time.
    """
    load_extra("rosbags", "bag")
    bound_rosbags()
    with ExitStack() as stack:
        with reading(path):
            bag = Bag(path, [file_source(path, stack)] if path.is_file() else _folder_sources(path, stack))
        yield bag


def is_bag(path: Path) -> bool:
    """Tell whether a path looks like a bag (by its first bytes or suffix, or by what the folder holds)."""
    return (path / METADATA).is_file() or bool(data_files(path)) if path.is_dir() else is_file_of_bag(path)


class _Part(NamedTuple):
    """A file of a folder. first_ns, last_ns: its log times, 0 without messages; topics: those with messages."""

    first_ns: int
    last_ns: int
    topics: set[Topic]
    file: Path
    source: Source


def _folder_sources(path: Path, stack: ExitStack) -> list[Source]:
    files = data_files(path)
    if listed := _listed(path / METADATA):
        unlisted = [file for file in files if unpacked_name(file) not in map(unpacked_name, listed)]
        more = [file for file in unlisted if _series(file) in map(_series, listed)]
        for file in unlisted:
            if file not in more:
                say_once(f"{file}: left out, since {METADATA} does not list it: give it by itself if it is meant")
                files.remove(file)
        try:
            if more:
                raise CaptureError(f"{path}: {METADATA} does not list {quoted([file.name for file in more])}")
            return [_by_metadata(path, listed, files, stack)]
        except CaptureError as error:
            if not files:
                raise
            say_once(f"{error}; reading its data files one by one")
    if not files:
        raise CaptureError(f"{path}: a folder without {METADATA}, .bag, .mcap and .db3 files is no bag")
    return _in_time_order(path, files, stack)


def _listed(metadata: Path) -> list[Path]:
    """Return the files that the metadata of a bag name; none where it is missing or damaged.

    Raises:
        CaptureError: one of them is missing.
    """
    if not metadata.is_file():
        return []
    try:
        names = read_yaml(metadata, CaptureError)[METADATA_KEY]["relative_file_paths"]
        files = [metadata.with_name(Path(name).name) for name in names]
    except (CaptureError, KeyError, TypeError, ValueError) as error:
        fault = str(error) if isinstance(error, CaptureError) else f"{metadata}: does not list the files of a bag"
        say_once(f"{fault}; reading the data files beside it")
        return []
    missing = [file.name for file in files if not is_there(file)]
    if missing:
        raise CaptureError(
            f"{metadata.parent}: parts of the bag are missing: {quoted(missing)}; "
            "put them back, or name the parts you have one by one"
        )
    return files


def _series(file: Path) -> str:
    """Return what the parts have in common that one recorder numbers; it counts on where its metadata are old."""
    return re.sub(r"(_\d+)?(?=\.\w+$)", "", unpacked_name(file), count=1)


def _by_metadata(path: Path, listed: Sequence[Path], files: Sequence[Path], stack: ExitStack) -> Source:
    """files: those of the bag, in the order of their names."""
    from rosbags.rosbag2 import Reader

    if any(has_log(file) for file in files):
        raise CaptureError(f"{path}: messages are in the log of a database, not in what {METADATA} counts")
    with reading(path):
        reader = Reader(path)
        source = indexed(reader, files, stack)
        parts = [part.metadata for part in getattr(reader.storage, "storages", ())]
    starts = [part.start_time for part in parts if part.message_count]
    # Numbers are the recorder's own order, also where its clock was set back between two of them.
    is_numbered = len(set(map(_series, listed))) == 1 and [*map(unpacked_name, listed)] == [*map(unpacked_name, files)]
    if starts != sorted(starts) and not is_numbered:
        raise CaptureError(f"{path}: {METADATA} does not list its files in the order of their times")
    if source.tells_all or not any(file.suffix == MCAP for file in files):
        return source
    raise CaptureError(f"{path}: the index of its files does not name their topics")


def _in_time_order(path: Path, files: Sequence[Path], stack: ExitStack) -> list[Source]:
    """Return those that can be read; lines tell of the others, and of copies: `rosbag compress` keeps what it read."""
    parts, faults = list[_Part](), list[CaptureError]()
    for file in files:
        try:
            part = _part(file, stack)
            is_copy = any(_is_copy(part, other) for other in parts)
        except CaptureError as error:
            faults.append(error)
            continue
        if is_copy:
            say_once(f"{file}: left out, since a file beside it holds the same")
        else:
            parts.append(part)
    if not parts:
        raise faults[0]
    for fault in faults:
        say_once(f"{fault}; without this part of the bag")
    for one, other in combinations(parts, 2):
        _refuse_two_at_once(path, one, other)
    return [part.source for part in sorted(parts, key=lambda part: part.first_ns)]


def _part(file: Path, stack: ExitStack) -> _Part:
    with reading(file):
        source = file_source(file, stack)
        return _Part(
            *(source.span_ns() or (0, 0)), {topic for topic in source.topics() if topic.messages}, file, source
        )


def _is_copy(part: _Part, other: _Part) -> bool:
    """Tell whether two files hold the same: times and numbers alone are alike where a recorder had no clock."""
    if part[:3] != other[:3] or not part.topics:
        return False
    topics = sorted(topic.name for topic in part.topics)
    with reading(part.file):
        firsts = [[next(p.source.messages({topic}, 0), None) for topic in topics] for p in (part, other)]
    return firsts[0] == firsts[1]


def _refuse_two_at_once(path: Path, one: _Part, other: _Part) -> None:
    """Refuse to make one recording of two of a time, such as those of two robots."""
    names = [{topic.name for topic in part.topics if topic.msgtype in IMAGE_TYPES} for part in (one, other)]
    overlap_ns = min(one.last_ns, other.last_ns) - max(one.first_ns, other.first_ns)
    if overlap_ns > OVERLAP_NS and names[0] & names[1] and _series(one.file) != _series(other.file):
        raise CaptureError(
            f"{path}: {one.file.name} and {other.file.name} hold {quoted(names[0] & names[1])} at the same time, and "
            "are no parts of one recording: give one of them"
        )
