"""Video files: true time stamps, upright pixels, and what is left of damaged ones."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from recordings import picture

from campose_core.capture.sources.video import VideoRecording
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.trajectory import read_tum


def write_video(path, ticks, time_base=Fraction(1, 1000), options=None, make=picture, b_frames=0):
    """A video of `image(i)` at ticks[i] * time_base."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = time_base
        stream.options = {"crf": "4", "g": "10", "bf": str(b_frames)}
        for i, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(make(i), format="rgb24")
            frame.pts, frame.time_base = int(tick), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def uneven_ticks(count):
    """Milliseconds between 20 and 150 apart, as a phone records in bad light."""
    steps = np.random.default_rng(5).integers(20, 150, count)
    return np.cumsum(steps) - steps[0]


def assert_alike(image, index):
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    distances = {i: np.abs(image.astype(int) - picture(i)).mean() for i in range(max(0, index - 3), index + 4)}
    assert min(distances, key=distances.__getitem__) == index, distances


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_stamps_of_variable_rate_video_are_those_it_was_written_with(tmp_path, suffix, b_frames):
    ticks = uneven_ticks(40)
    recording = VideoRecording(write_video(tmp_path / f"walk.{suffix}", ticks, b_frames=b_frames))
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == [int(tick) * 1_000_000 for tick in ticks]
    for i in range(0, 40, 7):
        assert_alike(frames[i].image, i)
        assert frames[i].name == f"{i:06d}"
    assert [f.stamp_ns for f in recording.frames()] == [f.stamp_ns for f in frames]  # again from the start
    assert recording.dropped == {}
    assert recording.camera is None
    assert recording.describe() == {"kind": "video", "path": str(tmp_path / f"walk.{suffix}")}


def test_stamps_are_exact_for_time_bases_that_no_float_holds(tmp_path):
    path = write_video(tmp_path / "ntsc.mp4", np.arange(60) * 1001, Fraction(1, 30000))
    expected = [round(Fraction(i * 1001, 30000) * 10**9) for i in range(60)]
    assert [frame.stamp_ns for frame in VideoRecording(path).frames()] == expected


def test_thinning_takes_the_frame_nearest_to_each_point_of_the_grid(tmp_path):
    ticks = uneven_ticks(80)
    frames = list(VideoRecording(write_video(tmp_path / "walk.mp4", ticks)).frames(fps=4.0))
    points = np.arange(0, ticks[-1] + 125, 250)
    nearest = [np.abs(ticks - point).argmin() for point in points]
    nearest = [i for i, point in zip(nearest, points, strict=True) if abs(ticks[i] - point) <= 125]
    assert [int(frame.name) for frame in frames] == nearest
    for frame in frames[::5]:
        assert_alike(frame.image, int(frame.name))


@pytest.mark.parametrize("fps", [0.5, 3.0, 10.0, 29.97])
def test_thinned_frames_are_never_closer_than_the_grid_allows_and_gaps_stay(fps):
    rng = np.random.default_rng(int(fps * 100))
    stamps = np.cumsum(rng.integers(5_000_000, 60_000_000, 800))
    stamps[400:] += 20_000_000_000
    kept = np.array([stamp for stamp, _ in thinned(((int(s), None) for s in stamps), fps)])
    cells = np.rint((kept - stamps[0]) * fps / 1e9)
    assert (np.diff(cells) >= 1).all()
    assert kept[0] == stamps[0]
    assert len(kept) <= (stamps[-1] - stamps[0]) / 1e9 * fps + 2
    assert np.diff(kept).max() >= 20_000_000_000
    assert list(thinned([(1, "a"), (2, "b")], None)) == [(1, "a"), (2, "b")]


def test_a_regular_recording_keeps_all_frames_at_its_own_rate():
    stamps = [1_000_000_000 + i * 100_000_000 for i in range(50)]
    assert [s for s, _ in thinned([(s, None) for s in stamps], 10.0)] == stamps
    assert [s for s, _ in thinned([(s, None) for s in stamps], 5.0)] == stamps[::2]


@pytest.mark.parametrize(
    ("shown", "matrix"),
    [
        (lambda image: image, (1, 0, 0, 1)),
        (lambda image: np.rot90(image, -1), (0, 1, -1, 0)),
        (lambda image: np.rot90(image, 2), (-1, 0, 0, -1)),
        (lambda image: np.rot90(image, 1), (0, -1, 1, 0)),
        (np.fliplr, (-1, 0, 0, 1)),  # a front camera, as in a mirror
        (np.flipud, (1, 0, 0, -1)),
        (lambda image: image.swapaxes(0, 1), (0, 1, 1, 0)),
        (lambda image: np.rot90(image, 2).swapaxes(0, 1), (0, -1, -1, 0)),
    ],
)
def test_the_display_matrix_is_applied_to_the_pixels(tmp_path, shown, matrix):
    path = write_video(tmp_path / "walk.mp4", np.arange(5) * 40)
    upright = [frame.image for frame in VideoRecording(path).frames()]
    # ISO 14496-12, track header: the matrix {a, b, u, c, d, v, x, y, w}, a to d in 16.16, 40 bytes behind its version.
    a, b, c, d = (value * 65536 for value in matrix)
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    for turned, image in zip(VideoRecording(path).frames(), upright, strict=True):
        np.testing.assert_array_equal(turned.image, shown(image))
        assert turned.image.flags.c_contiguous


# The box of Google's "Spherical Video RFC", which FFmpeg (libavformat/mov.c, mov_parse_uuid_spherical) reads.
SPHERICAL = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
TAGS = (("Spherical", "true"), ("Stitched", "true"), ("StitchingSoftware", "x"), ("ProjectionType", "equirectangular"))


def test_a_panorama_is_refused_with_what_to_export(tmp_path):
    path = write_video(tmp_path / "walk.mp4", np.arange(5) * 40)
    tags = "".join(f"<GSpherical:{name}>{value}</GSpherical:{name}>" for name, value in TAGS)
    box = b"uuid" + SPHERICAL + f"<rdf:SphericalVideo>{tags}</rdf:SphericalVideo>".encode()
    box = struct.pack(">I", len(box) + 4) + box
    content = bytearray(path.read_bytes())
    movie, track = (content.index(kind) - 4 for kind in (b"moov", b"trak"))
    end = track + int.from_bytes(content[track : track + 4], "big")
    content[end:end] = box
    for place in (movie, track):
        size = int.from_bytes(content[place : place + 4], "big") + len(box)
        content[place : place + 4] = struct.pack(">I", size)
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"walk\.mp4: a panorama of a 360 degree camera, .*export a flat view"):
        list(VideoRecording(path).frames())


@pytest.mark.parametrize("is_interlaced", [True, False])
def test_interlaced_images_are_told_with_the_cure(tmp_path, capsys, is_interlaced):
    path = tmp_path / "camcorder.mpg"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct"} if is_interlaced else {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(i), format="rgb24")))
        container.mux(stream.encode())
    recording = VideoRecording(path)
    assert len(list(recording.frames())) == len(list(recording.frames())) == 8
    assert capsys.readouterr().err.count("its images are interlaced, as it says") == is_interlaced


def write_streams(path, streams, count=12):
    """streams: (codec, width, height, frames, disposition); pixels tell by their brightness which one it is."""
    from av.stream import Disposition

    with av.open(str(path.absolute()), "w") as container:
        made = []
        for codec, width, height, frames, disposition in streams:
            stream = container.add_stream(codec, rate=30)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.disposition = Disposition[disposition] if disposition else Disposition(0)
            made.append((stream, frames))
        for i in range(count):
            for number, (stream, frames) in enumerate(made):
                if i < frames:
                    flat = np.full((stream.height, stream.width, 3), 50 + 50 * number, np.uint8)
                    frame = av.VideoFrame.from_ndarray(flat, format="rgb24")
                    frame.pts = i
                    container.mux(stream.encode(frame))
        for stream, _ in made:
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("streams", "chosen"),
    [
        ([("libx264", 32, 24, 12, "default"), ("libx264", 64, 48, 12, None)], 1),  # a preview
        ([("libx264", 64, 48, 12, None), ("libx264", 32, 24, 12, "default")], 0),
        ([("mjpeg", 128, 96, 1, "attached_pic"), ("libx264", 64, 48, 12, "default")], 1),  # a thumbnail
        ([("libx264", 64, 48, 12, "default"), ("mjpeg", 128, 96, 1, None)], 0),  # one that nothing marks
        ([("libx264", 64, 48, 12, None), ("libx264", 64, 48, 12, "default")], 1),
    ],
)
def test_of_several_streams_the_largest_that_moves_is_taken_and_named(tmp_path, capsys, streams, chosen):
    path = write_streams(tmp_path / "walk.mp4", streams)
    frames = list(VideoRecording(path).frames())
    assert len(frames) == 12
    assert {frame.image.shape[:2] for frame in frames} == {(48, 64)}
    assert np.abs(frames[0].image.mean() - (50 + 50 * chosen)) < 5
    assert f"{path}: of its video streams 64x48 h264 is taken, not " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a:b.mp4", "file:walk.mp4", "2026-11-29T10:00:00.mp4"])
def test_a_file_name_may_hold_a_colon(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / name, np.arange(5) * 40)
    assert len(list(VideoRecording(Path(name)).frames())) == 5


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("265", "libx265")])
@pytest.mark.parametrize(
    ("rate", "used", "said"),
    [(25, 25, "25 images a second, as it says"), (90_000, 30, "30 images a second, since it does not say")],
)
def test_a_raw_stream_has_the_rate_it_names_or_thirty(tmp_path, capsys, suffix, codec, rate, used, said):
    path = tmp_path / f"walk.{suffix}"
    with av.open(str(path), "w", format="h264" if suffix == "h264" else "hevc") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        # A constant quantizer: a bit rate shared by 90,000 images a second leaves each next to none.
        stream.options = {"x265-params": "log-level=none:qp=10"} if codec == "libx265" else {"qp": "10"}
        for i in range(20):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    recording = VideoRecording(path)
    frames = list(recording.frames())
    assert [frame.stamp_ns for frame in frames] == [round(i * 10**9 / used) for i in range(20)]
    for i in range(0, 20, 5):
        assert_alike(frames[i].image, i)
    assert recording.dropped == {}
    assert said in recording.describe()["stamps"]
    list(recording.frames())
    assert capsys.readouterr().err.count(said) == 1


def test_a_phone_video_is_upright(shared_data):
    path = shared_data / "phone_video" / "checkerboard.mp4"
    recording = VideoRecording(path)
    frames = list(recording.frames(fps=2.0))
    assert all(frame.image.shape == (1280, 720, 3) for frame in frames)
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0))
    assert stored.rotation == -90  # to be turned clockwise
    np.testing.assert_array_equal(frames[0].image, np.rot90(stored.to_ndarray(format="rgb24"), -1))
    assert frames[0].stamp_ns == 66_666_667
    assert recording.dropped == {}


@pytest.mark.parametrize("name", ["mapping", "query"])
def test_video_stamps_are_those_of_its_reference_trajectory(shared_data, name):
    frames = VideoRecording(shared_data / "redkitchen" / f"{name}.mp4").frames()
    reference = read_tum(shared_data / "redkitchen" / f"{name}.tum")
    assert [frame.stamp_ns for frame in frames] == reference.stamps_ns.tolist()


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", {"movflags": "faststart"}),
        ("mkv", {}),
        ("avi", {}),
        ("mp4", {"movflags": "+frag_keyframe+empty_moov"}),
    ],
)
def test_a_video_that_was_cut_off_gives_what_it_holds(tmp_path, capsys, suffix, options):
    def noisy(index):
        return np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)

    ticks = np.arange(100) * (40 if suffix != "avi" else 1)
    time_base = Fraction(1, 1000) if suffix != "avi" else Fraction(1, 25)
    path = write_video(tmp_path / f"walk.{suffix}", ticks, time_base, options, noisy)
    content = path.read_bytes()
    whole = [frame.stamp_ns for frame in VideoRecording(path).frames()]
    assert len(whole) == 100
    assert capsys.readouterr().err == ""

    path.write_bytes(content[: len(content) * 6 // 10])
    recording = VideoRecording(path)
    stamps = [frame.stamp_ns for frame in recording.frames()]
    assert 50 <= len(stamps) <= 62
    assert stamps == whole[: len(stamps)]
    if "frag" not in options.get("movflags", ""):  # a fragmented file promises nothing about its length
        assert recording.dropped["file cut off or damaged"] >= 1
        assert f"{path}: cut off or damaged: " in capsys.readouterr().err


def test_a_damaged_stretch_is_dropped_and_the_rest_kept(tmp_path):
    path = write_video(tmp_path / "walk.mp4", np.arange(60) * 40, options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    recording = VideoRecording(path)
    frames = list(recording.frames())
    assert 30 <= len(frames) < 60
    assert sum(recording.dropped.values()) >= 1
    assert_alike(frames[0].image, 0)
    assert (np.diff([frame.stamp_ns for frame in frames]) > 0).all()


def test_files_that_hold_no_video_are_refused_by_name(tmp_path):
    whole = write_video(tmp_path / "walk.mp4", np.arange(20) * 40).read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.txt").write_text("not a video")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    for name in ("no_index.mp4", "empty.mp4", "text.txt"):
        with pytest.raises(CaptureError, match=f"{name}: not a readable video .*may have lost the index"):
            VideoRecording(tmp_path / name)
    with pytest.raises(CaptureError, match=r"sound\.wav: holds no video stream"):
        VideoRecording(tmp_path / "sound.wav")


def test_a_video_without_one_decodable_frame_is_an_error(tmp_path):
    path = write_video(tmp_path / "walk.mp4", np.arange(20) * 40, options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    content[start:] = bytes(len(content) - start)
    path.write_bytes(content)
    with pytest.raises(CaptureError, match="not one frame can be decoded"):
        list(VideoRecording(path).frames())


def write_stream(path, codec, pix_fmt, frames, ratio=None, first_tick=0, rate=10):
    """frames: arrays in `pix_fmt`, or RGB; ratio: of the width of a pixel to its height. `rate` images a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = ratio
        for tick, pixels in enumerate(frames, start=first_tick):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.ndim == 3 else pix_fmt)
            frame.pts, frame.time_base = tick, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("ratio", "size"), [(Fraction(4, 3), (85, 48)), (Fraction(3, 4), (64, 64)), (1, (64, 48))])
def test_pixels_that_are_not_square_become_so_with_a_line(tmp_path, capsys, ratio, size):
    recording = VideoRecording(write_stream(tmp_path / "dv.mp4", "libx264", "yuv420p", [picture(0)] * 3, ratio))
    assert {frame.image.shape[:2] for frame in recording.frames()} == {size[::-1]}
    assert ("stretched to {}x{}".format(*size) in capsys.readouterr().err) == (ratio != 1)


def test_images_of_another_size_are_not_squeezed_into_the_first(tmp_path):
    parts = [
        write_stream(tmp_path / f"{width}.ts", "libx264", "yuv420p", [picture(0, width, height)] * 20, ratio, rate=25)
        for width, height, ratio in ((64, 48, Fraction(4, 3)), (96, 48, 1))
    ]
    (tmp_path / "walk.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    sizes = [frame.image.shape[:2] for frame in VideoRecording(tmp_path / "walk.ts").frames()]
    assert sizes == [(48, 85)] * 20 + [(48, 96)] * 20


def test_a_thermal_video_of_16_bits_is_stretched_in_all_images_alike(tmp_path, capsys):
    celsius = [np.tile(np.arange(64, dtype=np.uint16) + 29000 + 20 * n, (48, 1)) for n in range(12)]
    recording = VideoRecording(write_stream(tmp_path / "thermal.mkv", "ffv1", "gray16le", celsius))
    images = [frame.image for frame in recording.frames()]
    assert np.ptp(images[0]) > 30
    one_place = [int(image[0, 40, 0]) for image in images]
    assert one_place == sorted(one_place)
    assert one_place[-1] > one_place[0]
    assert "are stretched to 8 bits, in all images alike" in capsys.readouterr().err


@pytest.mark.parametrize("pix_fmt", ["rgb48le", "gbrp16le"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_colour_of_16_bits_that_uses_fewer_is_not_dark(tmp_path, capsys, pix_fmt, bits):
    images = [np.clip(picture(n).astype(np.uint16) * 3, 0, 255) for n in range(12)]
    path = tmp_path / "camera.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        for image in images:
            deep = (image << (bits - 8)).astype(np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(deep, format="rgb48le").reformat(format=pix_fmt)))
        container.mux(stream.encode())
    recording = VideoRecording(path)
    for frame, image in zip(recording.frames(), images, strict=True):
        np.testing.assert_array_equal(frame.image, image)
    assert ("values" in recording.describe()) == (bits < 16)
    assert ("keep the upper 8 of these, in all images alike" in capsys.readouterr().err) == (bits < 16)


def test_images_of_256_megapixels_in_a_small_file_are_not_decoded(tmp_path):
    packed = io.BytesIO()
    Image.new("1", (16_000, 16_000)).save(packed, "PNG")
    with av.open(str(tmp_path / "large.mov"), "w") as container:
        stream = container.add_stream("png", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        packet = av.Packet(packed.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 10)
        container.mux(packet)
    with pytest.raises(CaptureError, match=r"large\.mov: not one frame can be decoded \(1 x undecodable packet\)"):
        list(VideoRecording(tmp_path / "large.mov").frames())


def test_a_video_that_begins_later_is_not_taken_for_cut_off(tmp_path):
    recording = VideoRecording(
        write_stream(tmp_path / "late.mkv", "libx264", "yuv420p", [picture(n) for n in range(12)], first_tick=36000)
    )
    assert [frame.stamp_ns for frame in recording.frames()] == [3_600_000_000_000 + n * 100_000_000 for n in range(12)]
    assert not recording.dropped
