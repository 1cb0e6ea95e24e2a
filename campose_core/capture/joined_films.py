"""Video files that were put behind each other: how many one file holds, by walking the parts of its container."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

MOST_PARTS = 500_000  # of a file are looked at
CURE = "join them with `ffmpeg -f concat`"
EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675


def joined_films(path: Path, container: Any) -> str:
    """Return what to say of files behind each other that FFmpeg takes for one; empty of a single file.

    It stops at the second one of MP4 and FLV. Of Matroska it may read on, as if all had the streams of the first.
    """
    form, lost, count = container.format.name, "only the first is read", 1
    with path.open("rb") as file:
        if form.startswith("mov"):
            count = sum(kind == b"moov" for kind, _ in boxes(path))
        elif form == "flv":
            count = sum(_flv_headers(file))
        elif form.startswith("matroska"):
            count, lost = sum(kind == EBML for kind in _elements(file)), "all but the first may be lost or garbled"
    return f"{count} files behind each other, of which {lost}: {CURE}" if count > 1 else ""


def boxes(path: Path) -> list[tuple[bytes, int]]:
    """Return the kind and end of each box of an MP4 file (ISO 14496-12, 4.2), also of one that the file cuts off."""
    size, place = path.stat().st_size, 0
    found: list[tuple[bytes, int]] = []
    with path.open("rb") as file:
        while place + 8 <= size and len(found) < MOST_PARTS:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length or size - place
            if length < 8:
                break
            place += length
            found.append((head[4:8], place))
    return found


def _elements(file: BinaryIO) -> Iterator[int]:
    """Yield the kinds of the elements of a Matroska file (RFC 8794), and of those in what tells no length."""
    place = 0
    for _ in range(MOST_PARTS):
        file.seek(place)
        head = file.read(12)
        kind_bytes = 9 - head[0].bit_length() if head else 5
        if kind_bytes > 4 or len(head) <= kind_bytes or not head[kind_bytes]:  # damaged, or at its end
            return
        kind, head = int.from_bytes(head[:kind_bytes], "big"), head[kind_bytes:]
        length_bytes = 9 - head[0].bit_length()
        all_ones = (1 << 7 * length_bytes) - 1
        length = int.from_bytes(head[:length_bytes], "big") & all_ones
        place += kind_bytes + length_bytes
        if length != all_ones:
            place += length
        elif kind not in (SEGMENT, CLUSTER):
            return
        yield kind


def _flv_headers(file: BinaryIO) -> Iterator[bool]:
    """Yield of the parts of an FLV file (Adobe, Flash Video File Format 10.1, E) whether each is a header or a tag."""
    place = 0
    for _ in range(MOST_PARTS):
        file.seek(place)
        head = file.read(9)
        if len(head) < 9:
            return
        is_header = head[:3] == b"FLV"
        place += (int.from_bytes(head[5:9], "big") if is_header else 11 + int.from_bytes(head[1:4], "big")) + 4
        yield is_header
