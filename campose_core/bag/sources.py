"""One file of a bag as a source of messages, by its index or from front to back."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Definition, SerializedMessage, Source, Topic, reading
from campose_core.bag.decoding import standard_definition, standard_name
from campose_core.bag.decompression import allowance, in_one_pass, refuse_overlapping
from campose_core.bag.salvage import BagStream, McapStream, Ros1Stream
from campose_core.bag.whole_files import DATABASE, MCAP, PACKED, ROS1, as_named, kind_of, whole_file
from campose_core.errors import CaptureError
from campose_core.text import quoted

SCHEMALESS = "__schemaless__"  # rosbags' type of a channel whose schema the index of an MCAP file lacks


class Streamed:
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


class Indexed:
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


def indexed(reader: Any, files: Collection[Path], stack: ExitStack, is_ros1: bool = False) -> Indexed:
    """Open a reader of rosbags on these files until `stack` is closed."""
    size = sum(file.stat().st_size for file in files)
    with allowance(size):
        stack.enter_context(reader)
    storage = getattr(reader, "storage", None)  # of ROS 2: a file, or a folder with several
    for part in getattr(storage, "storages", [storage]):
        refuse_overlapping(getattr(part, "chunks", ()))
    return Indexed(reader, is_ros1, size)


def file_source(path: Path, stack: ExitStack) -> Source:
    """Open a file by its index; from front to back where rosbags refuses the index.

    Raises:
        CaptureError: it cannot be read, or holds no messages of ROS.
    """
    from rosbags import rosbag1, rosbag2

    file = whole_file(path, stack)
    kind = kind_of(file)
    is_ros1 = kind == ROS1
    try:
        with reading(path):
            reader = rosbag1.Reader(file) if is_ros1 else rosbag2.Reader(as_named(file, stack))
            source = indexed(reader, [file], stack, is_ros1)
        if source.tells_all or kind != MCAP:
            return source
        whole = McapStream(file)
        return Streamed(whole) if whole.channels else source
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
        return Streamed(stream)
