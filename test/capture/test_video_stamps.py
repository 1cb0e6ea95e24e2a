"""Stamps of videos that keep them in another way, or not at all: raw streams, AVI, joined files, cuts of an editor."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from recordings import jpeg, picture

from campose_core.capture.sources.video import VideoRecording
from campose_core.capture.video_stamps import ShownOrder
from campose_core.errors import CaptureError

PERIOD_NS = 100_000_000
COUNT = 30


def written(path, codec="libx264", options=None, ticks=range(COUNT), rate=10, form=None, pix_fmt="yuv420p", muxer=None):
    """Write picture(i) at ticks[i] / rate."""
    with av.open(str(path), "w", format=form, container_options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate, options={"g": "10", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.bit_rate = 0 if codec == "libsvtav1" else 4_000_000
        for i, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame.pts, frame.time_base = tick, 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def shown(recording):
    """(stamp_ns, which picture it is) of each frame."""
    pictures = np.array([picture(i) for i in range(COUNT)]).astype(int)
    found = []
    for frame in recording.frames():
        found.append((frame.stamp_ns, int(np.abs(pictures - frame.image).mean(axis=(1, 2, 3)).argmin())))
    return found


@pytest.mark.parametrize(
    ("name", "codec", "form", "rate", "used", "said"),
    [
        ("walk.mjpeg", "mjpeg", "mjpeg", 10, 30, "30 images a second, since it does not say"),
        ("walk.obu", "libsvtav1", "obu", 10, 30, "30 images a second, since it does not say"),
        ("walk.m2v", "mpeg2video", "mpeg2video", 24, 24, "24 images a second, as it says"),
        ("walk.m4v", "mpeg4", "m4v", 1000, 30, "30 images a second, since it does not say"),  # the unit of its clock
    ],
)
def test_any_raw_stream_has_the_rate_it_names_or_thirty(tmp_path, capsys, name, codec, form, rate, used, said):
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {"preset": "12", "crf": "20", "svtav1-params": "lp=1"} if codec == "libsvtav1" else {}
    recording = VideoRecording(written(tmp_path / name, codec, options, rate=rate, form=form, pix_fmt=pix_fmt))
    assert shown(recording) == [(round(i * 10**9 / used), i) for i in range(COUNT)]
    assert f"{tmp_path / name}: a raw stream without time stamps: {said}" in capsys.readouterr().err
    assert said in recording.describe()["stamps"]


def test_jpeg_files_behind_each_other_are_a_raw_stream(tmp_path):
    (tmp_path / "walk.mjpg").write_bytes(b"".join(jpeg(picture(i)) for i in range(COUNT)))
    recording = VideoRecording(tmp_path / "walk.mjpg")
    assert shown(recording) == [(round(i * 10**9 / 30), i) for i in range(COUNT)]
    assert "30 images a second, since it does not say" in recording.describe()["stamps"]


AVI = [
    ("libx264", {"bf": "0"}),
    ("libx264", {"bf": "2"}),
    ("libx264", {"bf": "5", "b-pyramid": "normal", "b-adapt": "0"}),
    ("mpeg4", {"bf": "2"}),
    ("mpeg2video", {"bf": "2"}),
    ("mjpeg", {}),
]


@pytest.mark.parametrize(("codec", "options"), AVI)
def test_images_of_an_avi_are_stamped_in_the_order_in_which_they_are_shown(tmp_path, codec, options):
    rate = 25 if codec == "mpeg2video" else 10
    path = written(
        tmp_path / "walk.avi", codec, options, rate=rate, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    recording = VideoRecording(path)
    assert shown(recording) == [(i * 10**9 // rate, i) for i in range(COUNT)]
    assert recording.dropped == {}


@pytest.mark.parametrize(("rate", "steps"), [(10, [1, 1, 4]), (1000, [100])])
def test_images_that_an_avi_shows_longer_leave_gaps_and_none_is_missing(tmp_path, capsys, rate, steps):
    """Of webcams that drop images: chunks without data, which AVI counts."""
    ticks = np.cumsum([0, *(steps * COUNT)][:COUNT]).tolist()
    recording = VideoRecording(written(tmp_path / "walk.avi", options={"bf": "0"}, ticks=ticks, rate=rate))
    assert shown(recording) == [(tick * 10**9 // rate, i) for i, tick in enumerate(ticks)]
    assert recording.dropped == {}
    assert capsys.readouterr().err == ""


def test_an_mp4_that_stamps_packets_by_their_order_is_read_likewise(tmp_path):
    """Of cameras whose muxer knows nothing of B-frames: no `ctts` box, so that pts is dts (ISO 14496-12, 8.6.1.3)."""
    path = tmp_path / "walk.mp4"
    right = written(tmp_path / "right.mp4", options={"bf": "3", "b-adapt": "0"})
    with av.open(str(right)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(packet for packet in source.demux(video=0) if packet.size):
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 10), stream
            container.mux(packet)
    assert shown(VideoRecording(path)) == [(i * PERIOD_NS, i) for i in range(COUNT)]


def test_a_damaged_stretch_of_an_avi_shifts_no_image_behind_it(tmp_path):
    path = written(tmp_path / "walk.avi", options={"bf": "2"})
    content = bytearray(path.read_bytes())
    frames = [i for i in range(len(content)) if content[i : i + 4] == b"00dc"][:COUNT]
    content[frames[13] + 12 : frames[14]] = bytes(frames[14] - frames[13] - 12)
    path.write_bytes(content)
    recording = VideoRecording(path)
    found = shown(recording)
    assert 25 <= len(found) < COUNT
    behind = [(stamp, index) for stamp, index in found if stamp >= 20 * PERIOD_NS]
    assert behind == [(i * PERIOD_NS, i) for i in range(20, COUNT)]


def test_no_more_images_wait_than_a_decoder_holds_back():
    order, given = ShownOrder[str](), []
    for stamp in range(40):
        order.sent(stamp)
        if stamp != 7:  # it was lost
            given += order.shown(stamp, f"image {stamp}", 4)
            assert len(given) >= stamp - 5
    assert [*given, *order.rest()] == [(i, f"image {i}") for i in range(40) if i != 7]


@pytest.mark.parametrize(("suffix", "times"), [("ts", 2), ("ts", 3), ("mpg", 2)])
def test_joined_files_go_on_where_the_clock_starts_again(tmp_path, capsys, suffix, times):
    codec, rate = ("mpeg2video", 25) if suffix == "mpg" else ("libx264", 10)
    path = written(tmp_path / f"walk.{suffix}", codec, {"bf": "2"}, rate=rate)
    once = shown(VideoRecording(path))
    assert [index for _, index in once] == list(range(COUNT))
    path.write_bytes(path.read_bytes() * times)
    recording = VideoRecording(path)
    found = shown(recording)
    assert [index for _, index in found] == list(range(COUNT)) * times
    assert [stamp for stamp, _ in found] == [once[0][0] + i * 10**9 // rate for i in range(COUNT * times)]
    assert recording.dropped == {}
    assert capsys.readouterr().err.count("its clock goes back by ") == 1
    assert "its clock goes back by " in recording.describe()["stamps"]


def test_the_second_of_joined_files_may_be_longer(tmp_path):
    path = written(tmp_path / "walk.ts", options={"bf": "2"})
    longer = shown(VideoRecording(path))
    short = written(tmp_path / "short.ts", options={"bf": "2"}, ticks=range(8))
    path.write_bytes(short.read_bytes() + path.read_bytes())
    found = shown(VideoRecording(path))
    assert [index for _, index in found] == [*range(8), *range(COUNT)]
    assert [stamp for stamp, _ in found] == [longer[0][0] + i * PERIOD_NS for i in range(8 + COUNT)]


def test_a_single_wrong_stamp_moves_no_image_behind_it(tmp_path):
    path = written(tmp_path / "walk.ts", options={"bf": "0"})
    once = shown(VideoRecording(path))
    content = bytearray(path.read_bytes())
    images = [i for i in range(len(content)) if content[i : i + 4] == b"\x00\x00\x01\xe0"]  # ISO 13818-1, 2.4.3.7
    assert len(images) == COUNT
    content[images[20] + 9 : images[20] + 14] = content[images[2] + 9 : images[2] + 14]
    path.write_bytes(content)
    assert shown(VideoRecording(path)) == once


@pytest.mark.parametrize(
    ("suffix", "options", "said"),
    [
        ("mp4", {}, "of which only the first is read"),
        ("flv", {}, "of which only the first is read"),
        ("mkv", {}, "of which all but the first may be lost or garbled"),
        ("mkv", {"live": "1"}, "of which all but the first may be lost or garbled"),  # clusters without a length
    ],
)
def test_files_behind_each_other_that_are_taken_for_one_are_told(tmp_path, capsys, suffix, options, said):
    path = written(tmp_path / f"walk.{suffix}", muxer=options)
    assert len(shown(VideoRecording(path))) == COUNT
    assert capsys.readouterr().err == ""
    path.write_bytes(path.read_bytes() * 3)
    assert len(shown(VideoRecording(path))) >= COUNT
    assert f"{path}: 3 files behind each other, {said}: " in capsys.readouterr().err


def test_a_clock_of_33_bits_that_is_full_goes_on_and_the_last_image_lasts_as_long_as_others(tmp_path, capsys):
    start = (2**33 // 9000) - 2005  # of a clock of 90 kHz in tenths of a second: full within
    recording = VideoRecording(written(tmp_path / "walk.ts", ticks=[start + 100 * i for i in range(COUNT)]))
    found = shown(recording)
    assert [index for _, index in found] == list(range(COUNT))
    assert {int(step) for step in np.diff([stamp for stamp, _ in found])} == {10_000_000_000}
    assert recording.dropped == {}  # the end lies ten seconds behind the last stamp
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("first", "length"), [(0, 12), (4, 26), (13, 10), (5, 25)])
def test_what_an_editor_cut_away_is_not_missing(tmp_path, capsys, first, length):
    path = written(tmp_path / "walk.mp4", options={"bf": "2"})
    content = bytearray(path.read_bytes())
    # ISO 14496-12, 8.6.6: version and flags, count, then duration (movie's unit, 1 ms here), media time, rate.
    place = content.index(b"elst") + 12
    duration, media_time = struct.unpack(">Ii", content[place : place + 8])
    assert duration == COUNT * 100
    with av.open(str(path)) as container:
        tick = 1 / container.streams.video[0].time_base / 10
    content[place : place + 8] = struct.pack(">Ii", length * 100, media_time + int(first * tick))
    path.write_bytes(content)
    recording = VideoRecording(path)
    assert shown(recording) == [(i * PERIOD_NS, first + i) for i in range(length)]
    assert recording.dropped == {}
    assert capsys.readouterr().err == ""


def test_an_mp4_that_was_cut_in_its_index_says_so_and_what_helps(tmp_path):
    path = written(tmp_path / "walk.mp4")
    content = path.read_bytes()
    said = set()
    for end in range(content.index(b"moov") + 4, content.index(b"stco"), 16):
        path.write_bytes(content[:end])
        with pytest.raises(CaptureError, match=r"walk\.mp4: .*cut off .*`untrunc`") as error:
            list(VideoRecording(path).frames())
        said.add(str(error.value).partition("walk.mp4: ")[2][:20])
    assert "cut off in the index" in said
