"""Video packets one by one: images with the stamps of their packets, from a key image on, out of bags too."""

from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from campose_core.bag.image_messages import VIDEO_TYPES, ImageDecoder, base_topic, video_name
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError
from campose_core.frame import Image
from campose_core.pixels.video_packets import PacketDecoder, codec_of

av = pytest.importorskip("av", reason="video needs PyAV: pip install 'campose_ros[robot]'")

START_NS, PERIOD_NS = 1_700_000_000_123_456_789, 33_333_333
GOP = 8
ENCODERS = {
    "h264": ("libx264", {"tune": "zerolatency"}),
    "h265": ("libx265", {"x265-params": "log-level=none:bframes=0"}),
}


def stamp(index: int) -> int:
    return START_NS + index * PERIOD_NS


def pan(count: int = 20) -> list[Image]:
    """A camera that moves along a painted wall."""
    rng = np.random.default_rng(4)
    wall = sum(gaussian_filter(rng.normal(size=(120, 480, 3)), (s, s, 0)) * s for s in (2.0, 6.0))
    wall = 0.3 * wall + 0.7 * wall.mean(axis=2, keepdims=True)  # no loud colours
    wall = np.clip(128 + 40 * wall / wall.std(), 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(wall[:, 4 * i : 4 * i + 160]) for i in range(count)]


def encoded(images: list[Image], codec: str = "h264") -> list[bytes]:
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = images[0].shape[1], images[0].shape[0], "yuv420p"
    encoder.time_base, encoder.gop_size = Fraction(1, 30), GOP
    encoder.options = {"crf": "12", "preset": "ultrafast", **options}
    packets = []
    for index, image in enumerate(images):
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts = index
        packets += [bytes(packet) for packet in encoder.encode(picture)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    assert len(packets) == len(images)
    return packets


def check_alike(decoded: Image, image: Image) -> None:
    """As far as video goes, which halves the resolution of colours."""
    assert decoded.shape == image.shape
    assert np.abs(decoded.astype(int) - image).mean() < 4


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_each_packet_gives_its_picture_at_once(codec: str) -> None:
    images = pan()
    decoder = PacketDecoder(codec_of(codec))
    for index, data in enumerate(encoded(images, codec)):
        (picture,) = decoder.feed(stamp(index), data)
        assert picture.stamp_ns == stamp(index)
        check_alike(picture.pixels(), images[index])


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_one_who_comes_late_waits_for_a_key_picture_and_says_how_long(codec: str) -> None:
    images = pan()
    packets = encoded(images, codec)
    decoder = PacketDecoder(codec_of(codec))
    for waited, index in enumerate(range(3, GOP), start=1):
        with pytest.raises(CaptureError, match=f"waiting for a key image.*, {waited} packets so far"):
            decoder.feed(stamp(index), packets[index])
    for index in range(GOP, len(packets)):
        (picture,) = decoder.feed(stamp(index), packets[index])
        check_alike(picture.pixels(), images[index])
    assert decoder.waited_for == 0


def test_after_a_damaged_packet_it_goes_on_from_the_next_key_picture() -> None:
    images = pan()
    packets = encoded(images)
    packets[3] = packets[3][:6] + bytes(range(256)) * 3
    decoder, good = PacketDecoder("h264"), []
    for index, data in enumerate(packets):
        try:
            good += [(index, picture.pixels()) for picture in decoder.feed(stamp(index), data)]
        except CaptureError:
            assert 3 <= index < GOP
    for index, pixels in good:
        if index < 3 or index >= GOP:
            check_alike(pixels, images[index])
    assert {index for index, _ in good} >= {0, 1, 2, *range(GOP, len(packets))}


def test_a_stream_is_told_by_what_its_message_calls_it() -> None:
    assert {codec_of(name) for name in ("h264", "libx264", "h264_nvenc;yuv420p;bgr8;bgr8", "H.264")} == {"h264"}
    assert {codec_of(name) for name in ("h265", "hevc", "libx265", "hevc_vaapi")} == {"hevc"}
    assert codec_of("rgb8; jpeg compressed bgr8") is None
    assert video_name(SimpleNamespace(header=None, format="rgb8; jpeg compressed bgr8")) is None
    assert [base_topic(t) for t in ("/a/image/ffmpeg", "/a/image/compressed", "/a/image")] == ["/a/image"] * 3


def test_video_of_a_codec_that_is_not_read_is_refused_by_name() -> None:
    message = SimpleNamespace(timestamp=SimpleNamespace(sec=1, nanosec=0), frame_id="eye", data=b"", format="av1")
    with pytest.raises(CaptureError, match="'av1' is not read, known are h264 and h265"):
        ImageDecoder().feed(message)


def write_video_bag(path: Path, images: list[Image], msgtype: str, skip: int = 0) -> None:
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for name, definition in VIDEO_TYPES.items():
        store.register(get_types_from_msg(definition, name))
    types = store.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topic = writer.add_connection("/camera/image/video", msgtype, typestore=store)
        for index, data in list(enumerate(encoded(images)))[skip:]:
            time = types["builtin_interfaces/msg/Time"](*divmod(stamp(index), 10**9))
            header, data = types["std_msgs/msg/Header"](time, "eye"), np.frombuffer(data, np.uint8)
            if msgtype.startswith("foxglove"):
                message = types[msgtype](time, "eye", data, "h264")
            elif msgtype.startswith("ffmpeg"):
                message = types[msgtype](header, 160, 120, "libx264", index, int(index % GOP == 0), False, data)
            else:
                message = types[msgtype](header, "h264", data)
            writer.write(topic, stamp(index), store.serialize_cdr(message, msgtype))


@pytest.mark.parametrize(
    "msgtype",
    [
        "foxglove_msgs/msg/CompressedVideo",
        "ffmpeg_image_transport_msgs/msg/FFMPEGPacket",
        "sensor_msgs/msg/CompressedImage",
    ],
)
def test_a_bag_of_video_is_a_recording(tmp_path: Path, msgtype: str) -> None:
    images = pan()
    write_video_bag(tmp_path / "drive", images, msgtype)
    recording = open_recording(tmp_path / "drive")
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == [stamp(i) for i in range(len(images))]
    assert {frame.camera_frame for frame in frames} == {"eye"}
    for frame, image in zip(frames, images, strict=True):
        check_alike(frame.image, image)


def test_fewer_frames_of_a_video_are_the_same_pictures(tmp_path: Path) -> None:
    """Thinning leaves out images, not packets."""
    images = pan()
    write_video_bag(tmp_path / "drive", images, "foxglove_msgs/msg/CompressedVideo")
    frames = list(open_recording(tmp_path / "drive").frames(fps=6.0))
    assert 3 <= len(frames) <= 5
    for frame in frames:
        check_alike(frame.image, images[(frame.stamp_ns - START_NS) // PERIOD_NS])


def test_a_bag_that_begins_in_the_middle_of_a_video_says_what_it_waited_for(tmp_path: Path) -> None:
    images = pan()
    write_video_bag(tmp_path / "drive", images, "foxglove_msgs/msg/CompressedVideo", skip=3)
    recording = open_recording(tmp_path / "drive")
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == [stamp(i) for i in range(GOP, len(images))]
    assert recording.dropped == {"undecodable image": GOP - 3}


def golomb(number: int) -> str:
    """The exponential Golomb code that H.264 counts in, as bits."""
    binary = f"{number + 1:b}"
    return "0" * (len(binary) - 1) + binary


def unit(header: bytes, *bits: str) -> bytes:
    """A unit of a byte stream: of its bits, with the one that ends them, and bytes that keep start codes out of it."""
    text = "".join(bits) + "1"
    text += "0" * (-len(text) % 8)
    payload = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    return b"\0\0\0\1" + header + payload.replace(b"\0\0\0", b"\0\0\3\0").replace(b"\0\0\1", b"\0\0\3\1")


@pytest.mark.parametrize(("side", "refused"), [(640, False), (16_000, True)])
def test_a_packet_of_40_bytes_that_says_it_is_of_256_megapixels_takes_no_memory_for_them(
    side: int, refused: bool
) -> None:
    sizes = golomb(side // 16 - 1) * 2
    parameters = unit(b"\x67\x42\x00\x33", golomb(0), golomb(0), golomb(2), golomb(1), "0", sizes, "1100")
    pictures = unit(b"\x68", golomb(0), golomb(0), "00", golomb(0) * 3, "000", golomb(0) * 3, "000")
    key = unit(b"\x65", golomb(0), golomb(7), golomb(0), "0000", golomb(0), "00", golomb(0), "0" * 64)
    packet = parameters + pictures + key
    assert len(packet) < 50
    with pytest.raises(CaptureError, match="damaged packet") if refused else nullcontext():
        PacketDecoder("h264").feed(0, packet)
