"""MCAP files read from front to back, without the index at their end.

The format is a row of records, opcode (1 byte), length (8), content (mcap.dev/spec). A recorder that was killed, or a
full disk, leaves a file without its last records: every record before the cut can still be read, in order.
"""

import io
import os
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from campose_core.extras import load_extra

MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F


class Channel(NamedTuple):
    topic: str
    msgtype: str


class McapStream:
    """The CDR messages of an MCAP file up to its end, or to the first place that is cut or damaged.

    channels: id -> Channel, and counts: id -> number of messages, of what can be read.
    damage: where reading stops and why, None for a whole file.

    Raises:
        ValueError: the file does not start as MCAP.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: str | None = None
        self.channels: dict[int, Channel] = {}
        self.counts: Counter[int] = Counter()
        for channel_id, _, _ in self._messages():
            self.counts[channel_id] += 1

    def messages(self, topic: str) -> Iterator[tuple[int, str, bytes]]:
        """(log time, type, CDR bytes) of one topic."""
        for channel_id, log_ns, data in self._messages():
            if self.channels[channel_id].topic == topic:
                yield log_ns, self.channels[channel_id].msgtype, data

    def _messages(self) -> Iterator[tuple[int, int, bytes]]:
        schemas: dict[int, str] = {}
        for opcode, content in self._records():
            if opcode == SCHEMA:
                (schema_id,) = struct.unpack_from("<H", content)
                schemas[schema_id] = _text(content, 2)[0]
            elif opcode == CHANNEL:
                channel_id, schema_id = struct.unpack_from("<HH", content)
                topic, end = _text(content, 4)
                encoding, _ = _text(content, end)
                if encoding == "cdr":
                    self.channels[channel_id] = Channel(topic, schemas.get(schema_id, ""))
            elif opcode == MESSAGE:
                channel_id, _, log_ns, _ = struct.unpack_from("<HIQQ", content)
                if channel_id in self.channels:
                    yield channel_id, log_ns, content[22:]

    def _records(self) -> Iterator[tuple[int, bytes]]:
        """Records of the data section, those inside chunks included."""
        self.damage = f"{self.path.name} ends without an end mark"
        with self.path.open("rb") as file:
            if file.read(8) != MAGIC:
                raise ValueError("does not start as an MCAP file")
            size = os.fstat(file.fileno()).st_size
            while True:
                start = file.tell()
                opcode, length, content = _next_record(file, size)
                if opcode == DATA_END:
                    self.damage = None
                    return
                cut = len(content) < length or opcode is None
                if opcode == CHUNK:
                    try:
                        records, whole = _chunk_records(content)
                        yield from _inner_records(records)
                    except (ValueError, RuntimeError, struct.error, zstd_module().ZstdError) as error:
                        self.damage = f"{self.path.name} is damaged at byte {start} of {size}: {error}"
                        return
                    cut = cut or not whole
                elif not cut and opcode is not None:
                    yield opcode, content
                if cut:
                    self.damage = f"{self.path.name} is cut off: its last whole record ends at byte {start} of {size}"
                    return


def _next_record(file: BinaryIO, size: int) -> tuple[int | None, int, bytes]:
    """Opcode (None at the end of the file), promised length, and the content as far as it is there."""
    head = file.read(9)
    if len(head) < 9:
        return None, 0, b""
    opcode, length = struct.unpack("<BQ", head)
    # A flipped length must not allocate more than the file holds.
    return opcode, length, file.read(min(length, size))


def _inner_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    stream = io.BytesIO(data)
    while True:
        opcode, length, content = _next_record(stream, len(data))
        if opcode is None or len(content) < length:
            return
        yield opcode, content


def _chunk_records(content: bytes) -> tuple[bytes, bool]:
    """The uncompressed records of a chunk, as many as the bytes at hand give, and whether these are all."""
    if len(content) < 32:
        return b"", False
    (uncompressed_size,) = struct.unpack_from("<Q", content, 16)
    compression, end = _text(content, 28)
    data = content[end + 8 :]
    records = _decompressor(compression)(data) if compression else data
    return records, len(records) >= uncompressed_size


def _decompressor(compression: str) -> Any:
    # Streaming decompressors: they give what there is where the one-shot functions refuse a cut chunk.
    if compression == "zstd":
        return zstd_module().ZstdDecompressor().decompress
    if compression == "lz4":
        return load_extra("lz4.frame", "bag").LZ4FrameDecompressor().decompress
    raise ValueError(f"unknown chunk compression {compression!r}")


def _text(content: bytes, offset: int) -> tuple[str, int]:
    """A length-prefixed string, and where it ends."""
    (length,) = struct.unpack_from("<I", content, offset)
    end = offset + 4 + length
    return content[offset + 4 : end].decode("utf-8"), end


def zstd_module() -> Any:
    """Python's own zstd from 3.14 on; before that the backport, which rosbags depends on."""
    return load_extra("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", "bag")
