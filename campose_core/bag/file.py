"""The files of a bag: which there are, and how each is read.

ROS 1 .bag files, ROS 2 folders (sqlite3 or MCAP, with or without metadata.yaml), bare .mcap and .db3 files, chunk,
message and file compression; what rosbags refuses is read from front to back.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Bag, Definition, SerializedMessage, Source, Topic, reading
from campose_core.bag.decoding import standard_definition, standard_name
from campose_core.bag.decompression import allowance, bound_rosbags, in_one_pass, refuse_overlapping
from campose_core.bag.salvage import MCAP_MAGIC, ROS1_MAGIC, BagStream, McapStream, Ros1Stream
from campose_core.bag.whole_files import data_files, has_log, is_data_file, whole_file
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.files import is_there
from campose_core.text import quoted
from campose_core.yaml_files import read_yaml

log = logging.getLogger(__name__)

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
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or bool(data_files(path))
    named = path.suffix == ".bag" or is_data_file(path)
    return named or starts_with(path, ROS1_MAGIC) or starts_with(path, MCAP_MAGIC)


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
        stamps = [log_ns for log_ns, _, _ in self._stream.messages({topic.name for topic in self.topics()})]
        return (min(stamps), max(stamps)) if stamps else None

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


def starts_with(path: Path, magic: bytes) -> bool:
    """Tell whether `path` is a file with these first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _sources(path: Path, stack: ExitStack) -> list[Source]:
    from rosbags.rosbag2 import Reader

    if path.is_file():
        return [_file_source(path, stack)]
    files = data_files(path)
    metadata = path / "metadata.yaml"
    if metadata.is_file():
        _check_complete(metadata)
        try:
            if any(has_log(file) for file in files):
                raise CaptureError(f"{path}: messages are in the log of a database, not in what metadata.yaml counts")
            with reading(path):
                source = _indexed(Reader(path), files, stack)
            if source.tells_all or not any(file.suffix == ".mcap" for file in files):
                return [source]
            raise CaptureError(f"{path}: the index of its files does not name their topics")
        except CaptureError as error:
            if not files:
                raise
            log.info(f"{error}; reading its data files one by one")
    if not files:
        raise CaptureError(f"{path}: a folder without metadata.yaml, .mcap and .db3 files is no bag")
    return [_file_source(file, stack) for file in files]


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
    is_ros1 = path.suffix == ".bag" or starts_with(path, ROS1_MAGIC)
    try:
        with reading(path):
            source = _indexed(rosbag1.Reader(file) if is_ros1 else rosbag2.Reader(file), [file], stack, is_ros1)
        if source.tells_all or not starts_with(file, MCAP_MAGIC):
            return source
        whole = McapStream(file)
        return _Streamed(whole) if whole.channels else source
    except CaptureError as error:
        if path.suffix == ".db3":
            raise CaptureError(f"{error}; `sqlite3 {path} .recover` may rescue a part of it") from error
        if not starts_with(file, ROS1_MAGIC) and not starts_with(file, MCAP_MAGIC):
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


def _check_complete(metadata: Path) -> None:
    try:
        information = read_yaml(metadata, CaptureError)["rosbag2_bagfile_information"]
        names = [Path(name).name for name in information["relative_file_paths"]]
    except (CaptureError, KeyError, TypeError) as error:
        log.info(f"{metadata} is damaged ({type(error).__name__}); reading the data files beside it")
        return
    missing = [name for name in names if not is_there(metadata.parent / name)]
    if missing:
        raise CaptureError(
            f"{metadata.parent}: parts of the bag are missing: {quoted(missing)}; "
            "put them back, or name the parts you have one by one"
        )
