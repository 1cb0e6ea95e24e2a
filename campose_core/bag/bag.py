"""Bags of every kind as one thing: topics, and their messages in order, streamed.

Messages of the standard packages are decoded by their standard definitions, so what a bag says about its own types is
neither needed nor trusted. Everything rosbags can raise becomes a CaptureError here.
"""

import struct
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from campose_core.bag.decoding import decoded, is_translated, translated, unpacked
from campose_core.bag.decompression import zstd_module
from campose_core.errors import CaptureError


class Topic(NamedTuple):
    """msgtype is `package/msg/Name`; messages is their number."""

    name: str
    msgtype: str
    messages: int


class SerializedMessage(NamedTuple):
    """`log_ns` is when it was recorded; msgtype is `package/msg/Name`."""

    log_ns: int
    topic: str
    msgtype: str
    data: bytes


class Definition(NamedTuple):
    """What a ROS 2 recorder writes down about a topic; parts that are not known are empty.

    text: the message definition. digest: its hash (RIHS01). qos: what the publishers offered, as rosbags has it.
    """

    text: str
    digest: str
    qos: tuple[Any, ...]

    @property
    def latched(self) -> bool:
        """Return whether a publisher kept its last message for those who come late."""
        return any(profile.durability.name == "TRANSIENT_LOCAL" for profile in self.qos)


class Source(Protocol):
    """One file, or one folder, of a bag."""

    is_ros1: bool

    @property
    def damage(self) -> str | None: ...

    def topics(self) -> list[Topic]: ...

    def definition(self, topic: str) -> Definition | None:
        """Return the topic's definition; None where it does not know the topic."""
        ...

    def span_ns(self) -> tuple[int, int] | None:
        """Return the log times of the first and the last message; None without any."""
        ...

    def messages(self, topics: Collection[str], from_ns: int) -> Iterator[SerializedMessage]: ...


class Bag:
    """An open bag; see `bag.file.open_bag`.

    damage: where and why reading stopped before the end, once `messages` has come to that place.
    """

    def __init__(self, path: Path, sources: list[Source]) -> None:
        self.path = path
        self.damage: str | None = None
        self._sources = sources
        counts: dict[tuple[str, str], int] = {}
        for source in sources:
            for topic in source.topics():
                counts[topic[:2]] = counts.get(topic[:2], 0) + topic.messages
        self.topics = [Topic(*key, count) for key, count in sorted(counts.items())]

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """Yield (log time in ns, message) of a topic; stops, and sets `damage`, at the first place that is unreadable.

        A message that does not fit its type arrives as the CaptureError that says so.
        """
        for source, message in self._read({topic}):
            yield message.log_ns, decoded(message.data, message.msgtype, source.is_ros1)

    def span_ns(self) -> tuple[int, int]:
        """Return the log times of the first and the last message, nanoseconds; (0, 0) without any."""
        spans = [span for span in (source.span_ns() for source in self._sources) if span is not None]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else (0, 0)

    def serialized(self, topics: Collection[str], from_ns: int = 0) -> Iterator[SerializedMessage]:
        """Yield messages of some topics from a log time on, in the order of recording, as CDR; else as `messages`.

        Those of a ROS 1 bag are translated; of types that the standard packages of both do not have, there are none.
        """
        for source, message in self._read(topics, from_ns):
            if source.is_ros1 and not is_translated(message.msgtype):
                continue
            with reading(self.path):
                data = unpacked(message.data)
                data = translated(data, message.msgtype) if source.is_ros1 else data
            yield message._replace(data=data)

    def definition(self, topic: str) -> Definition:
        """Return the topic's definition by the first source that has the topic."""
        known = (source.definition(topic) for source in self._sources)
        return next(found for found in known if found is not None)

    def _read(self, topics: Collection[str], from_ns: int = 0) -> Iterator[tuple[Source, SerializedMessage]]:
        number = 0
        for source in self._sources:
            iterator = source.messages(topics, from_ns)
            while True:
                try:
                    with reading(self.path):
                        message = next(iterator, None)
                except CaptureError as error:
                    self.damage = f"reading {', '.join(sorted(topics))} stopped after {number} messages: {error}"
                    break
                if message is None:
                    break
                number += 1
                yield source, message
            self.damage = self.damage or source.damage


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what rosbags and the libraries below it raise on a damaged bag into one CaptureError."""
    import apsw
    from rosbags.rosbag1 import ReaderError as Ros1Error
    from rosbags.rosbag2 import ReaderError as Ros2Error
    from rosbags.serde import SerdeError

    # AssertionError, KeyError and their like come from rosbags when bytes of an index or a header are flipped.
    damage = (
        Ros1Error, Ros2Error, SerdeError, apsw.Error, zlib.error, struct.error, zstd_module().ZstdError,
        OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AssertionError, AttributeError, RuntimeError,
        MemoryError, OverflowError,
    )  # fmt: skip
    try:
        yield
    except CaptureError as error:
        if str(path) in str(error):
            raise
        raise CaptureError(f"{path}: {error}") from error
    except damage as error:
        raise CaptureError(f"{path}: cannot be read as a bag: {_reason(error, path)}") from error


def _reason(error: Exception, path: Path) -> str:
    """In our words: those of the libraries are of their insides."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "it does not fit into the memory"
    if path.suffix == ".db3" or type(error).__module__.startswith("apsw"):
        return "its database is damaged, or lacks what a bag has"
    return "it is none, of a kind that is not known, or damaged"
