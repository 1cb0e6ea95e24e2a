"""Bag files read from front to back, without the index at their end.

A recorder that was killed, or a full disk, leaves a file without its last records. Every record before the cut can
still be read, in the order of writing. MCAP: mcap.dev/spec; ROS 1: wiki.ros.org/Bags/Format/2.0.
"""

import io
import struct
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from campose_core.bag.decompression import in_one_pass, unpack, zstd_module
from campose_core.bag.foxglove_messages import as_ros, ros_type
from campose_core.errors import CaptureError

MCAP_MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
ROS1_MAGIC = b"#ROSBAG V2.0\n"
ROS1_MESSAGE, ROS1_CHUNK, ROS1_CONNECTION = 2, 5, 7


class Channel(NamedTuple):
    """A topic of a bag file, and the type of its messages as the file spells it.

    foxglove: schema and encoding of messages that are not of ROS, but have the type of ROS that holds the same.
    """

    topic: str
    msgtype: str
    foxglove: tuple[str, str] | None = None


class BagStream(ABC):
    """The messages of a bag file up to its end, or up to the first place that is cut or damaged.

    channels: id -> Channel, counts: id -> number of messages, and span_ns: the first and the last log time (None
    without any), of what can be read.
    damage: where reading stops and why, None for a whole file. is_ros1: whether messages are serialized as in ROS 1.
    other_encodings: of channels that hold no messages of ROS.
    """

    is_ros1 = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.damage: str | None = None
        self.channels: dict[int, Channel] = {}
        self.other_encodings: set[str] = set()
        self.counts: Counter[int] = Counter()
        self.span_ns: tuple[int, int] | None = None
        for channel_id, log_ns, _ in self._entries():
            self.counts[channel_id] += 1
            first_ns, last_ns = self.span_ns or (log_ns, log_ns)
            self.span_ns = min(first_ns, log_ns), max(last_ns, log_ns)

    def messages(self, topics: Collection[str]) -> Iterator[tuple[int, Channel, bytes]]:
        """Yield (log time in ns, channel, serialized message) of some topics, in the order of the file."""
        for channel_id, log_ns, data in self._entries():
            channel = self.channels[channel_id]
            if channel.topic in topics:
                yield log_ns, channel, as_ros(data, *channel.foxglove) if channel.foxglove else data

    def _entries(self) -> Iterator[tuple[int, int, bytes]]:
        self._whole_bytes = 0
        try:
            with self.path.open("rb") as file:
                yield from in_one_pass(self._read(file), self.size)
            self.damage = None
        except EOFError:
            self.damage = f"{self.path.name} is cut off: whole up to byte {self._whole_bytes} of {self.size}"
        except CaptureError as error:
            self.damage = f"{self.path.name} is read up to byte {self._whole_bytes} of {self.size}: {error}"
        except (OSError, ValueError, KeyError, RuntimeError, struct.error, zstd_module().ZstdError):
            self.damage = f"{self.path.name} is damaged after byte {self._whole_bytes} of {self.size}"

    @abstractmethod
    def _read(self, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel id, log time, data); `_whole_bytes` follows them. Raises EOFError if the file ends early."""


class McapStream(BagStream):
    """The messages of an MCAP file that are of ROS 2 (CDR), or of ROS 1 where `mcap convert` made it; see
    `BagStream`."""

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
        if file.read(len(MCAP_MAGIC)) != MCAP_MAGIC:
            raise ValueError("it does not start as an MCAP file")
        schemas: dict[int, str] = {}
        while True:
            self._whole_bytes = file.tell()
            opcode, content, is_whole = self._record(file, self.size)
            if opcode == DATA_END:
                return
            if opcode == CHUNK:
                records, is_unpacked = _mcap_chunk(content)
                inner = io.BytesIO(records)
                while inner.tell() < len(records):
                    inner_opcode, inner_content, is_inner_whole = self._record(inner, len(records))
                    if not is_inner_whole:
                        break
                    yield from self._entry(inner_opcode, inner_content, schemas)
                is_whole = is_whole and is_unpacked
            elif is_whole:
                yield from self._entry(opcode, content, schemas)
            if not is_whole:
                raise EOFError

    def _record(self, file: BinaryIO, size: int) -> tuple[int, bytes, bool]:
        """Opcode, the content as far as it is there, and whether that is all of it. size: bytes of `file`."""
        head = file.read(9)
        if len(head) < 9:
            return 0, b"", False
        opcode, length = struct.unpack("<BQ", head)
        content = file.read(min(length, size))  # a flipped length must not allocate more than there is
        return opcode, content, len(content) == length

    def _entry(self, opcode: int, content: bytes, schemas: dict[int, str]) -> Iterator[tuple[int, int, bytes]]:
        if opcode == SCHEMA:
            (schema_id,) = struct.unpack_from("<H", content)
            schemas[schema_id] = _text(content, 2)[0]
        elif opcode == CHANNEL:
            channel_id, schema_id = struct.unpack_from("<HH", content)
            topic, end = _text(content, 4)
            encoding, _ = _text(content, end)
            if encoding in ("cdr", "ros1"):
                self.channels[channel_id] = Channel(topic, schemas.get(schema_id, ""))
                self.is_ros1 = encoding == "ros1"
            elif msgtype := ros_type(schemas.get(schema_id, ""), encoding):
                self.channels[channel_id] = Channel(topic, msgtype, (schemas[schema_id], encoding))
            else:
                self.other_encodings.add(encoding or "an encoding without a name")
        elif opcode == MESSAGE:
            channel_id, _, log_ns, _ = struct.unpack_from("<HIQQ", content)
            if channel_id in self.channels:
                yield channel_id, log_ns, content[22:]


class Ros1Stream(BagStream):
    """The messages of a ROS 1 bag file, see `BagStream`."""

    is_ros1 = True

    def _read(self, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
        if file.read(len(ROS1_MAGIC)) != ROS1_MAGIC:
            raise ValueError("it does not start as a ROS 1 bag of version 2.0")
        while (position := file.tell()) < self.size:
            self._whole_bytes = position
            header, data, is_whole = self._record(file, self.size)
            if header.get("op") == bytes([ROS1_CHUNK]):
                records = unpack(data, header["compression"].decode(), cut_off=True)
                inner = io.BytesIO(records)
                while inner.tell() < len(records):
                    inner_header, inner_data, is_inner_whole = self._record(inner, len(records))
                    if not is_inner_whole:
                        break
                    yield from self._entry(inner_header, inner_data)
                is_whole = is_whole and len(records) >= struct.unpack("<I", header["size"])[0]
            elif is_whole:
                yield from self._entry(header, data)
            if not is_whole:
                raise EOFError

    def _record(self, file: BinaryIO, size: int) -> tuple[dict[str, bytes], bytes, bool]:
        head, is_head_whole = self._sized(file, size)
        data, is_data_whole = self._sized(file, size)
        return _ros1_fields(head) if is_head_whole else {}, data, is_head_whole and is_data_whole

    def _sized(self, file: BinaryIO, size: int) -> tuple[bytes, bool]:
        prefix = file.read(4)
        if len(prefix) < 4:
            return b"", False
        (length,) = struct.unpack("<I", prefix)
        content = file.read(min(length, size))
        return content, len(content) == length

    def _entry(self, header: dict[str, bytes], data: bytes) -> Iterator[tuple[int, int, bytes]]:
        if header.get("op") == bytes([ROS1_CONNECTION]):
            (connection,) = struct.unpack("<I", header["conn"])
            self.channels[connection] = Channel(header["topic"].decode(), _ros1_fields(data)["type"].decode())
        elif header.get("op") == bytes([ROS1_MESSAGE]):
            (connection,) = struct.unpack("<I", header["conn"])
            seconds, nanoseconds = struct.unpack("<II", header["time"])
            if connection in self.channels:
                yield connection, seconds * 1_000_000_000 + nanoseconds, data


def _mcap_chunk(content: bytes) -> tuple[bytes, bool]:
    """Return the uncompressed records of a chunk, as many as the bytes at hand give, and whether these are all."""
    if len(content) < 32:
        return b"", False
    (uncompressed_size,) = struct.unpack_from("<Q", content, 16)
    compression, end = _text(content, 28)
    records = unpack(content[end + 8 :], compression, cut_off=True)
    return records, len(records) >= uncompressed_size


def _text(content: bytes, offset: int) -> tuple[str, int]:
    """Return a length-prefixed string, and where it ends."""
    (length,) = struct.unpack_from("<I", content, offset)
    end = offset + 4 + length
    return content[offset + 4 : end].decode("utf-8"), end


def _ros1_fields(header: bytes) -> dict[str, bytes]:
    fields, offset = {}, 0
    while offset < len(header):
        (length,) = struct.unpack_from("<I", header, offset)
        name, separator, value = header[offset + 4 : offset + 4 + length].partition(b"=")
        if not separator:
            raise ValueError("a record header without field names")
        fields[name.decode()] = value
        offset += 4 + length
    return fields
