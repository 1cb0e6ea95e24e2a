"""The messages of a ROS 2 bag as they were serialized, all topics in the order of recording: what a player needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.capture.bag_file import Topic, reading, starts_with
from campose_core.capture.bag_salvage import ROS1_MAGIC
from campose_core.errors import CaptureError
from campose_core.extras import load_extra


class SerializedMessage(NamedTuple):
    """`log_ns` is when it was recorded; `data` is CDR."""

    log_ns: int
    topic: str
    msgtype: str
    data: bytes


class BagMessages:
    """An open ROS 2 bag; see `open_messages`."""

    def __init__(self, path: Path, reader: Any) -> None:
        self.path = path
        self._reader = reader
        self.topics = sorted(Topic(c.topic, c.msgtype, c.msgcount) for c in reader.connections)

    def messages(self, topics: set[str]) -> Iterator[SerializedMessage]:
        """The messages of some topics.

        Raises:
            CaptureError: the bag is damaged; what came before was whole.
        """
        connections = [c for c in self._reader.connections if c.topic in topics]
        iterator = self._reader.messages(connections) if connections else iter(())
        while True:
            with reading(self.path):
                entry = next(iterator, None)
            if entry is None:
                return
            connection, log_ns, data = entry
            yield SerializedMessage(log_ns, connection.topic, connection.msgtype, bytes(data))


@contextmanager
def open_messages(path: Path) -> Iterator[BagMessages]:
    """The ROS 2 bag at `path` (a folder, or an .mcap or .db3 file), closed when the block ends.

    Raises:
        CaptureError: not a readable bag, or one of ROS 1, whose messages are serialized in another way.
    """
    load_extra("rosbags", "bag")
    from rosbags.rosbag2 import Reader

    if starts_with(path, ROS1_MAGIC):
        raise CaptureError(
            f"{path} is a ROS 1 bag: convert it with `rosbags-convert --src {path} --dst {path.with_suffix('')}`"
        )
    with reading(path):
        reader = Reader(path)
        reader.open()
    try:
        yield BagMessages(path, reader)
    finally:
        reader.close()
