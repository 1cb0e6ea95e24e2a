"""Compressed chunks and messages of bags, unpacked up to a bound: a file of 200 kB can claim to hold gigabytes.

rosbags unpacks by one-shot functions that know no bound; `bound_rosbags` puts these in their place.
"""

from __future__ import annotations

import bz2
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import IO, Any, TypeVar, cast

from campose_core.errors import CaptureError
from campose_core.extras import load_extra

# Recorders close a chunk after some megabytes, or after one message: 256 MiB are a raw image of 89 megapixels.
MAX_UNPACKED = 256 * 2**20
# A file of a bag as a whole, in one pass through it; of recordings of dark rooms it is 20.
MAX_RATIO, FREE = 200, 2**30
PIECE = 2**20
Item = TypeVar("Item")
_pass = threading.local()  # .left: what this thread may still unpack of the file that it reads


def zstd_module() -> Any:
    """Import Python's own zstd from 3.14 on; before that the backport, which rosbags depends on."""
    return load_extra("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd", "bag")


def unpack(data: bytes, compression: str, cut_off: bool = False) -> bytes:
    """Return what a chunk or a message holds.

    compression: zstd, lz4, bz2 or none. cut_off: whether its end may be missing; what is there is returned then.

    Raises:
        CaptureError: it unpacks to more than MAX_UNPACKED. ValueError: an unknown compression.
        OSError, ValueError, RuntimeError, EOFError, ZstdError: it is damaged.
    """
    if compression in ("", "none"):
        _spend(len(data))
        return bytes(data)
    parts, total = list[bytes](), 0
    while data:  # one frame behind the other
        decompressor = _decompressor(compression)
        parts.append(decompressor.decompress(data, MAX_UNPACKED + 1 - total))
        total += len(parts[-1])
        _spend(len(parts[-1]))
        if total > MAX_UNPACKED:
            parts.clear()  # an error keeps what its function held
            raise CaptureError(
                f"{len(data)} bytes of it unpack to more than {MAX_UNPACKED >> 20} MiB, which is read of no chunk and "
                "no message: if it is sound, record in smaller chunks or without compression"
            )
        if not decompressor.eof:
            if cut_off:
                break
            raise EOFError(f"a frame of {compression} without its end")
        data = decompressor.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def allowance(size: int, left: int | None = None) -> Iterator[None]:
    """Bound what is unpacked in the block of a file with `size` bytes, however often its index leads to one chunk.

    left: what is left of an earlier block's bound. Beyond it `unpack` raises CaptureError.
    """
    before = getattr(_pass, "left", None)
    _pass.left = FREE + MAX_RATIO * size if left is None else left
    try:
        yield
    finally:
        _pass.left = before


def in_one_pass(items: Iterable[Item], size: int) -> Iterator[Item]:
    """Yield what is read of a file with `size` bytes, all of it within one `allowance`."""
    iterator, left = iter(items), FREE + MAX_RATIO * size
    while True:
        with allowance(size, left):
            try:
                item = next(iterator)
            except StopIteration:
                return
            left = _pass.left
        yield item


def _spend(count: int) -> None:
    if getattr(_pass, "left", None) is None:
        return
    _pass.left -= count
    if _pass.left < 0:
        raise CaptureError(
            f"what it holds unpacks to more than {MAX_RATIO} times its size: if it is sound, record it without "
            "compression"
        )


def refuse_overlapping(chunks: Iterable[Any]) -> None:
    """Look at the index of an MCAP file, all of whose chunks of one time rosbags unpacks at once.

    Raises:
        CaptureError: those of some time have more than twice MAX_UNPACKED bytes.
    """
    changes = []
    for chunk in chunks:
        start, end = chunk.message_start_time, max(chunk.message_start_time, chunk.message_end_time)
        changes += [(start, 0, chunk.uncompressed_size), (end, 1, -chunk.uncompressed_size)]
    together = 0
    for _, _, change in sorted(changes):
        together += change
        if together > 2 * MAX_UNPACKED:
            raise CaptureError(f"its index says that chunks of {together / 2**20:.0f} MiB are of the same time")


@contextmanager
def open_packed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Open a whole file of a bag, packed with zstd, to be read; reading raises CaptureError beyond the bound."""
    with zstd_module().open(file, "rb") as unpacked:
        yield cast(IO[bytes], _Bounded(unpacked, FREE + MAX_RATIO * os.fstat(file.fileno()).st_size))


class _BoundedZstd:
    """What rosbags calls of the module zstd, with a bound."""

    @staticmethod
    def decompress(data: bytes) -> bytes:
        """Unpack a message."""
        return unpack(data, "zstd")

    @staticmethod
    def open(file: IO[bytes], mode: str) -> AbstractContextManager[IO[bytes]]:
        """Open a whole file of a bag to be unpacked."""
        return open_packed(file)


class _Bounded:
    """A stream that refuses to give more than `left` bytes."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, PIECE) if size >= 0 else PIECE)
        self._left -= len(data)
        if self._left < 0:
            raise CaptureError(
                f"a compressed file of it unpacks to more than {MAX_RATIO} times its size: if it is sound, unpack it "
                "with `unzstd`"
            )
        return data


def bound_rosbags() -> None:
    """Let rosbags unpack by `unpack`: its own functions fill the memory with whatever a file claims to hold."""
    from rosbags.rosbag1 import reader as reader1
    from rosbags.rosbag2 import reader as reader2
    from rosbags.rosbag2 import storage_mcap

    for compression in ("", "lz4", "zstd"):
        storage_mcap.DECOMPRESSORS[compression] = partial(_unpack_chunk, compression)
    for compression in ("lz4", "bz2"):
        reader1.decompressors[compression] = partial(unpack, compression=compression)
    vars(reader2)["zstd"] = _BoundedZstd


def _unpack_chunk(compression: str, data: bytes, size: int) -> bytes:
    """As rosbags calls it: `size` is what the chunk claims to hold, which it compares itself."""
    return unpack(data, compression)


def _decompressor(compression: str) -> Any:
    # Streaming: they take a bound, and give what there is where the one-shot functions refuse what is cut off.
    if compression == "zstd":
        return zstd_module().ZstdDecompressor()
    if compression == "lz4":
        return load_extra("lz4.frame", "bag").LZ4FrameDecompressor()
    if compression == "bz2":
        return bz2.BZ2Decompressor()
    raise ValueError(f"unknown compression {compression!r}")
