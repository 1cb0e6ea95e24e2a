"""The files of a bag: which there are, and how each is read.

ROS 1 .bag files, ROS 2 folders (sqlite3 or MCAP, with or without metadata.yaml), bare .mcap and .db3 files, folders of
either, chunk, message and file compression; what rosbags refuses is read from front to back.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Bag, Definition, SerializedMessage, Source, Topic, reading
from campose_core.bag.decoding import standard_definition, standard_name
from campose_core.bag.decompression import allowance, bound_rosbags, in_one_pass, refuse_overlapping
from campose_core.bag.salvage import BagStream, McapStream, Ros1Stream
from campose_core.bag.whole_files import (
    DATABASE,
    MCAP,
    METADATA,
    METADATA_KEY,
    PACKED,
    ROS1,
    as_named,
    data_files,
    has_log,
    is_file_of_bag,
    kind_of,
    say_once,
    unpacked_name,
    whole_file,
)
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.files import is_there
from campose_core.text import quoted
from campose_core.yaml_files import read_yaml

SCHEMALESS = "__schemaless__"  # rosbags' type of a channel whose schema the index of an MCAP file lacks


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open the bag at `path` until the block ends. A ROS 1 or MCAP file that was cut off is read as far as it goes.

    Raises:
        CaptureError: no bag, nothing readable in it, or a file that its metadata names is missing.
    """
    load_extra("rosbags", "bag")
    bound_rosbags()
    with ExitStack() as stack:
        with reading(path):
            bag = Bag(path, _sources(path, stack))
        yield bag


def is_bag(path: Path) -> bool:
    """Tell whether a path looks like a bag (by its first bytes or suffix, or by what the folder holds)."""
    return (path / METADATA).is_file() or bool(data_files(path)) if path.is_dir() else is_file_of_bag(path)


class _Streamed:
    """What can be read of a file that rosbags refuses."""

    def __init__(self, stream: BagStream) -> None:
        self._stream = stream
        self.is_ros1 = stream.is_ros1

    @property
    def damage(self) -> str | None:
        return self._stream.damage

    def topics(self) -> list[Topic]:
        counts = self._stream.counts
        return [Topic(c.topic, standard_name(c.msgtype), counts[i]) for i, c in self._stream.channels.items()]

    def definition(self, topic: str) -> Definition | None:
        types = [channel.msgtype for channel in self._stream.channels.values() if channel.topic == topic]
        return Definition(standard_definition(standard_name(types[0])), "", ()) if types else None

    def span_ns(self) -> tuple[int, int] | None:
        return self._stream.span_ns

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[SerializedMessage]:
        for log_ns, channel, data in self._stream.messages(topics):
            if log_ns < from_ns:
                continue
            yield SerializedMessage(log_ns, channel.topic, standard_name(channel.msgtype), data)


class _Indexed:
    """What rosbags reads by the bag's index."""

    damage: str | None = None

    def __init__(self, reader: Any, is_ros1: bool, size: int) -> None:
        self._reader, self._size = reader, size
        self.is_ros1 = is_ros1

    def topics(self) -> list[Topic]:
        return [Topic(c.topic, standard_name(c.msgtype), c.msgcount) for c in self._reader.connections]

    @property
    def tells_all(self) -> bool:
        """Return whether the index names the topics with their types; recorders may leave either out of it."""
        types = [connection.msgtype for connection in self._reader.connections]
        return bool(types) and SCHEMALESS not in types

    def definition(self, topic: str) -> Definition | None:
        connection = next((c for c in self._reader.connections if c.topic == topic), None)
        if connection is None:
            return None
        if self.is_ros1:
            return Definition(standard_definition(standard_name(connection.msgtype)), "", ())
        text = connection.msgdef.data or standard_definition(connection.msgtype)
        return Definition(text, connection.digest, tuple(connection.ext.offered_qos_profiles))

    def span_ns(self) -> tuple[int, int] | None:
        return (self._reader.start_time, self._reader.end_time - 1) if self._reader.message_count else None

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[SerializedMessage]:
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:  # an empty filter means everything to rosbags
            return
        found = self._reader.messages(connections, start=from_ns or None)
        for connection, log_ns, data in in_one_pass(found, self._size):
            yield SerializedMessage(log_ns, connection.topic, standard_name(connection.msgtype), bytes(data))


def _sources(path: Path, stack: ExitStack) -> list[Source]:
    if path.is_file():
        return [_file_source(path, stack)]
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
            return [_by_metadata(path, files, stack)]
        except CaptureError as error:
            if not files:
                raise
            say_once(f"{error}; reading its data files one by one")
    if not files:
        raise CaptureError(f"{path}: a folder without {METADATA}, .bag, .mcap and .db3 files is no bag")
    return _in_time_order(files, stack)


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


def _by_metadata(path: Path, files: list[Path], stack: ExitStack) -> Source:
    from rosbags.rosbag2 import Reader

    if any(has_log(file) for file in files):
        raise CaptureError(f"{path}: messages are in the log of a database, not in what {METADATA} counts")
    with reading(path):
        source = _indexed(Reader(path), files, stack)
    if source.tells_all or not any(file.suffix == MCAP for file in files):
        return source
    raise CaptureError(f"{path}: the index of its files does not name their topics")


def _in_time_order(files: list[Path], stack: ExitStack) -> list[Source]:
    """Return those that can be read; lines tell of the others, and of copies: `rosbag compress` keeps what it read."""
    found: list[tuple[tuple[int, int], set[Topic], Source]] = []
    faults = list[CaptureError]()
    for file in files:
        try:
            with reading(file):
                source = _file_source(file, stack)
                span_ns = source.span_ns()
                topics = {topic for topic in source.topics() if topic.messages}
        except CaptureError as error:
            faults.append(error)
            continue
        if span_ns and (span_ns, topics) in [part[:2] for part in found]:
            say_once(f"{file}: left out, since a file beside it holds the same")
        else:
            found.append((span_ns or (0, 0), topics, source))
    if not found:
        raise faults[0]
    for fault in faults:
        say_once(f"{fault}; without this part of the bag")
    return [source for _, _, source in sorted(found, key=lambda part: part[0])]


def _indexed(reader: Any, files: Collection[Path], stack: ExitStack, is_ros1: bool = False) -> _Indexed:
    size = sum(file.stat().st_size for file in files)
    with allowance(size):
        stack.enter_context(reader)
    storage = getattr(reader, "storage", None)  # of ROS 2: a file, or a folder with several
    for part in getattr(storage, "storages", [storage]):
        refuse_overlapping(getattr(part, "chunks", ()))
    return _Indexed(reader, is_ros1, size)


def _file_source(path: Path, stack: ExitStack) -> Source:
    """By its index; from front to back where rosbags refuses the index."""
    from rosbags import rosbag1, rosbag2

    file = whole_file(path, stack)
    kind = kind_of(file)
    is_ros1 = kind == ROS1
    try:
        with reading(path):
            reader = rosbag1.Reader(file) if is_ros1 else rosbag2.Reader(as_named(file, stack))
            source = _indexed(reader, [file], stack, is_ros1)
        if source.tells_all or kind != MCAP:
            return source
        whole = McapStream(file)
        return _Streamed(whole) if whole.channels else source
    except CaptureError as error:
        if kind == DATABASE and path.suffix not in PACKED:
            raise CaptureError(f"{error}; `sqlite3 {path} .recover` may rescue a part of it") from error
        if kind == DATABASE:
            raise
        with reading(path):
            stream: BagStream = Ros1Stream(file) if is_ros1 else McapStream(file)
        if not stream.channels and stream.other_encodings:
            raise CaptureError(
                f"{path}: its messages are in {quoted(sorted(stream.other_encodings))}, not of ROS: record them "
                "with ROS 2, or save the images as a video or in a folder"
            ) from error
        if not stream.channels:
            raise
        return _Streamed(stream)
