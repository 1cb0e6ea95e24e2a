"""A HEIC file around one image of HEVC, as phones write it: ISO/IEC 23008-12."""

import io
import struct

import av
import numpy as np


def box(kind: str, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind.encode()) + data


def full_box(kind: str, *content: bytes) -> bytes:
    return box(kind, bytes(4), *content)


def heic(pixels: np.ndarray, quarter_turns: int = 0, exif: bytes = b"") -> bytes:
    """Of an image (H, W, 3) of even sizes from 64 pixels on, to be shown turned counter-clockwise.

    exif: a TIFF header and what belongs to it, as `PIL.Image.Exif.tobytes` returns it.
    """
    height, width = pixels.shape[:2]
    configuration, coded = _encoded(pixels)
    told = struct.pack(">I", 0) + exif.removeprefix(b"Exif\0\0")  # where the TIFF header begins
    properties = box(
        "iprp",
        box("ipco", box("hvcC", configuration), full_box("ispe", struct.pack(">II", width, height)),
            box("irot", bytes([quarter_turns]))),
        full_box("ipma", struct.pack(">IHB", 1, 1, 3), bytes([0x81, 0x02, 0x83])),
    )  # fmt: skip

    def meta(offset: int) -> bytes:
        return full_box(
            "meta",
            full_box("hdlr", bytes(4), b"pict", bytes(13)),
            full_box("pitm", struct.pack(">H", 1)),
            full_box(
                "iinf", struct.pack(">H", 2), box("infe", b"\x02\0\0\0", struct.pack(">HH", 1, 0), b"hvc1\0"),
                box("infe", b"\x02\0\0\0", struct.pack(">HH", 2, 0), b"Exif\0"),
            ),
            full_box("iref", box("cdsc", struct.pack(">HHH", 2, 1, 1))),
            full_box(
                "iloc", b"\x44\x00", struct.pack(">HHHHII", 2, 1, 0, 1, offset, len(coded)),
                struct.pack(">HHHII", 2, 0, 1, offset + len(coded), len(told)),
            ),
            properties,
        )  # fmt: skip

    kind = box("ftyp", b"heic", bytes(4), b"mif1heic")
    return kind + meta(len(kind) + len(meta(0)) + 8) + box("mdat", coded, told)


def _encoded(pixels: np.ndarray) -> tuple[bytes, bytes]:
    """The decoder's configuration (hvcC), and the image as MP4 holds it: each part after its length."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=1, options={"x265-params": "log-level=none", "crf": "4"})
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "yuv420p"
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *stream.encode()]:
            packet.pts = packet.dts = 0  # x265 makes up a dts for a lone frame, at times one that no MP4 can hold
            out.mux(packet)
    file.seek(0)
    with av.open(file) as read:
        video = read.streams.video[0]
        packet = next(packet for packet in read.demux(video) if packet.size)
        return bytes(video.codec_context.extradata), bytes(packet)
