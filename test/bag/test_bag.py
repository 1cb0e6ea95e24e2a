"""Bags of every kind, whole and damaged, as recordings."""

import re
import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import START_NS, TOPIC, Messages, image_entries, jpeg, picture, write_bag
from rosbags import rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from campose_core.bag.decoding import decoded
from campose_core.bag.decompression import zstd_module
from campose_core.bag.file import open_bag
from campose_core.bag.image_messages import VIDEO_TYPES
from campose_core.bag.images import header_stamp_ns
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError, UsageError
from campose_core.pixels.image_codec import decode_image

KINDS = ["ros1", "sqlite3", "mcap", "mcap-zstd"]


def bag(path, kind="mcap", entries=None):
    entries = image_entries(12, kind == "ros1") if entries is None else entries
    return write_bag(path / f"walk{'.bag' if kind == 'ros1' else ''}", entries, kind)


def data_file(path):
    return path if path.is_file() else next(file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))


def cut(path, share):
    file = data_file(path)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    return path


def assert_is_walk(frames, count=12):
    assert [frame.stamp_ns for frame in frames] == [START_NS + i * 100_000_000 for i in range(count)]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, picture(i))
        assert frame.name == f"{i:06d}"
        assert frame.camera_frame == "camera_optical"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_bag_gives_the_pictures_with_their_header_stamps(tmp_path, kind):
    recording = open_recording(bag(tmp_path, kind))
    assert_is_walk(list(recording.frames()))
    assert_is_walk(list(recording.frames()))  # again from the start
    assert recording.dropped == {}
    assert recording.describe() == {"kind": "bag", "path": str(tmp_path / recording.path.name), "topic": TOPIC}
    assert recording.name == "walk"
    assert recording.camera is None


@pytest.mark.parametrize("kind", KINDS[1:])
def test_metadata_is_not_needed_and_a_folder_may_be_called_bag(tmp_path, kind):
    folder = bag(tmp_path, kind).rename(tmp_path / "walk.bag")
    assert_is_walk(list(open_recording(folder).frames()))
    (folder / "metadata.yaml").write_text("rosbag2_bagfile_information: {")
    assert_is_walk(list(open_recording(folder).frames()))
    (folder / "metadata.yaml").unlink()
    assert_is_walk(list(open_recording(folder).frames()))
    assert_is_walk(list(open_recording(data_file(folder)).frames()))


def test_a_split_bag_is_read_part_by_part_and_a_missing_part_is_named(tmp_path):
    whole = list(image_entries(24))
    folder = tmp_path / "split"
    folder.mkdir()
    for i in range(12):  # split_10 comes after split_9
        part = write_bag(tmp_path / f"part{i}", whole[2 * i : 2 * i + 2])
        shutil.copy(data_file(part), folder / f"split_{i}.mcap")
    assert_is_walk(list(open_recording(folder).frames()), 24)

    names = [f"split_{i}.mcap" for i in range(13)]
    (folder / "metadata.yaml").write_text(f"rosbag2_bagfile_information: {{relative_file_paths: {names}}}")
    with pytest.raises(CaptureError, match=r"parts of the bag are missing: split_12\.mcap"):
        open_recording(folder)


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
def test_compressed_images_keep_their_jpeg_bytes(tmp_path, kind):
    files = [jpeg(picture(i)) for i in range(3)]
    make = Messages(kind == "ros1")
    entries = [(f"{TOPIC}/compressed", i, make.compressed(START_NS + i, data)) for i, data in enumerate(files)]
    frames = list(open_recording(bag(tmp_path, kind, entries)).frames())
    assert [frame.jpeg for frame in frames] == files
    assert np.abs(frames[2].image.astype(int) - picture(2)).mean() < 5


def test_the_topic_is_chosen_or_the_topics_are_listed(tmp_path):
    make = Messages()
    entries = [*image_entries(3, topic="/left/image"), *image_entries(2, topic="/right/image", compressed=True)]
    path = bag(tmp_path, entries=[*entries, ("/left/camera_info", START_NS, make.camera_info(START_NS))])
    listed = r"/left/image \(3 Image\); /right/image \(2 CompressedImage\)"
    with pytest.raises(CaptureError, match=f"choose one with --topic: {listed}"):
        open_recording(path)
    with pytest.raises(CaptureError, match=f"no image topic '/camera'; it has: {listed}"):
        open_recording(path, "/camera")
    with pytest.raises(CaptureError, match=f"no image topic '/left/camera_info'; it has: {listed}"):
        open_recording(path, "/left/camera_info")
    assert len(list(open_recording(path, "/right/image").frames())) == 2


@pytest.mark.parametrize("kind", ["ros1", "sqlite3", "mcap"])
def test_topics_without_messages_and_of_depth_are_not_asked_about_where_one_of_pictures_is(tmp_path, kind):
    """`ros2 bag record -a` subscribes to the topics of all transports, of which most publishers use none."""
    make = Messages(kind == "ros1")
    depth = make.compressed(START_NS, b"")
    depth.format = "16UC1; compressedDepth png"
    entries = [*image_entries(3, kind == "ros1"), ("/camera/depth/image/compressedDepth", START_NS, depth)]
    unused = {f"{TOPIC}/compressed": "sensor_msgs/msg/CompressedImage", "/other/image": "sensor_msgs/msg/Image"}
    path = write_bag(tmp_path / "walk.bag", entries, kind, unused)
    recording = open_recording(path)
    assert (recording.topic, len(list(recording.frames()))) == (TOPIC, 3)
    with pytest.raises(CaptureError, match="/other/image: the topic is empty"):
        list(open_recording(path, "/other/image").frames())
    two = write_bag(tmp_path / "two.bag", [*entries, *image_entries(2, kind == "ros1", topic="/right")], kind, unused)
    with pytest.raises(CaptureError, match=rf"choose one with --topic: {TOPIC} \(3 Image\); /right \(2 Image\)$"):
        open_recording(two)
    none = write_bag(tmp_path / "none.bag", entries[-1:], kind, unused)
    with pytest.raises(CaptureError, match=r"/compressedDepth \(1 CompressedImage\); .*; /other/image \(0 Image\)$"):
        open_recording(none)


def test_a_bag_without_images_says_what_it_holds(tmp_path):
    path = bag(tmp_path, entries=[("/camera_info", START_NS, Messages().camera_info(START_NS))])
    with pytest.raises(CaptureError, match=r"no image topic; it holds /camera_info \(sensor_msgs/msg/CameraInfo\)"):
        open_recording(path)


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
def test_repeated_backward_and_zero_stamps_are_dropped_and_counted(tmp_path, kind):
    make = Messages(kind == "ros1")
    stamps = [5, 7, 7, 6, 0, 9, 9, 9, 2, 11]
    entries = [(TOPIC, 100 + i, make.image(stamp, picture(i))) for i, stamp in enumerate(stamps)]
    recording = open_recording(bag(tmp_path, kind, entries))
    frames = list(recording.frames())
    assert [(frame.stamp_ns, frame.name) for frame in frames] == [
        (5, "000000"), (7, "000001"), (9, "000005"), (11, "000009"),
    ]  # fmt: skip
    assert recording.dropped == {"repeated stamp": 3, "backward stamp": 2, "zero stamp": 1}


def test_images_that_cannot_be_decoded_are_dropped_and_only_all_of_them_are_an_error(tmp_path):
    make = Messages()
    good = list(image_entries(3))
    strange = make.image(START_NS + 10**9, picture(3), encoding="cmyk")
    junk = (TOPIC, START_NS + 2 * 10**9, "sensor_msgs/msg/Image", b"\x00\x01\x00\x00junk")
    (tmp_path / "some").mkdir()
    zstd_junk = (TOPIC, START_NS + 3 * 10**9, "sensor_msgs/msg/Image", b"\x28\xb5\x2f\xfdjunk")
    entries = [*good, (TOPIC, START_NS + 10**9, strange), junk, zstd_junk]
    recording = open_recording(bag(tmp_path / "some", entries=entries))
    assert len(list(recording.frames())) == 3
    assert recording.dropped == {"undecodable image": 1, "undecodable message": 2}

    recording = open_recording(bag(tmp_path, entries=[(TOPIC, 1, strange), junk]))
    with pytest.raises(CaptureError, match=r"no usable image on /camera/image_raw: unknown image encoding 'cmyk'"):
        list(recording.frames())


# Camera


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
@pytest.mark.parametrize(
    ("image_topic", "info_topic"),
    [
        ("/cam/image_raw", "/cam/camera_info"),
        ("/cam/image_raw/compressed", "/cam/camera_info"),
        ("/cam/image/compressed", "/cam/image/camera_info"),
        ("/image", "/camera_info"),
        ("/cam/image_raw", "/other/camera_info"),  # the only one
    ],
)
def test_camera_info_of_the_same_namespace_is_the_camera(tmp_path, kind, image_topic, info_topic):
    make = Messages(kind == "ros1")
    images = image_entries(1, kind == "ros1", image_topic.endswith("compressed"), image_topic)
    recording = open_recording(bag(tmp_path, kind, [*images, (info_topic, START_NS, make.camera_info(START_NS))]))
    expected = Camera("OPENCV", 64, 48, (50.0, 50.0, 31.5, 23.5, 0.1, 0.01, 0.0, 0.0))
    assert recording.camera == expected
    assert recording.calibrated is True


def test_rectified_images_have_the_projection_matrix_as_their_camera(tmp_path):
    info = ("/cam/camera_info", START_NS, Messages().camera_info(START_NS))
    path = bag(tmp_path, entries=[*image_entries(1, topic="/cam/image_rect_color"), info])
    assert open_recording(path).camera == Camera("PINHOLE", 64, 48, (25.0, 25.0, 30.0, 20.0))


def test_region_of_interest_and_binning_lead_to_the_image_that_was_sent(tmp_path):
    make = Messages()
    region = make.types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=20, y_offset=10, height=96, width=128, do_rectify=False
    )
    k = np.array([100.0, 0, 127.5, 0, 100.0, 95.5, 0, 0, 1])
    info = make.camera_info(START_NS, width=256, height=192, k=k, roi=region, binning_x=2, binning_y=2)
    path = bag(tmp_path, entries=[*image_entries(1, topic="/cam/image"), ("/cam/camera_info", START_NS, info)])
    camera = open_recording(path).camera
    assert (camera.width, camera.height) == (64, 48)
    full = Camera("OPENCV", 256, 192, (100.0, 100.0, 127.5, 95.5, 0.1, 0.01, 0.0, 0.0))
    point = [[0.1, 0.2, 1.0]]
    # A pixel of the sent image covers two by two of the sensor's; centres of pixels are at integers.
    np.testing.assert_allclose(camera.project(point), (full.project(point) - [20, 10] + 0.5) / 2 - 0.5)


EMPTY = {"k": np.zeros(9), "p": np.zeros(12), "d": np.zeros(0), "distortion_model": "", "width": 0, "height": 0}


def with_infos(path, *infos, image_topic="/cam/image", info_topic="/cam/camera_info"):
    """A recording whose camera_info are `infos`, each a dict of changes."""
    entries = [(info_topic, START_NS + i, Messages().camera_info(START_NS + i, **info)) for i, info in enumerate(infos)]
    return open_recording(bag(path, entries=[*image_entries(1, topic=image_topic), *entries]))


def test_camera_info_that_says_nothing_usable_is_no_camera_and_is_named(tmp_path, capsys):
    recording = with_infos(tmp_path, {"focal": 0.0})
    assert (recording.camera, recording.calibrated) == (None, False)
    assert "uncalibrated" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "model"),
    [
        ({"distortion_model": "of_our_own"}, "SIMPLE_RADIAL"),
        ({"distortion_model": "ftheta", "d": np.zeros(5)}, "OPENCV_FISHEYE"),
        ({"d": np.full(3, 0.1)}, "SIMPLE_RADIAL"),
        ({"d": np.full(5, np.nan)}, "SIMPLE_RADIAL"),
        ({"k": np.array([50.0, 0, 0, 0, 50, 0, 0, 0, 1])}, "SIMPLE_RADIAL"),
    ],
)
def test_a_camera_info_that_is_understood_in_part_keeps_its_focal_length_as_a_guess(tmp_path, capsys, changes, model):
    recording = with_infos(tmp_path, changes)
    assert (recording.camera.model, recording.camera.focal, recording.camera.centre) == (
        model,
        (50.0, 50.0),
        (31.5, 23.5),
    )
    assert recording.calibrated is False
    assert "its focal length is a first guess" in capsys.readouterr().err


def k_of(focal, across, down):
    return np.array([focal, 0, across, 0, focal, down, 0, 0, 1.0])


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 256, "height": 192, "k": k_of(50.0, 31.5, 23.5), "binning_x": 4, "binning_y": 4},  # of the binned
        {"k": k_of(100.0, 63.5, 47.5)},  # of a larger mode
        {"k": k_of(1000.0, 639.5, 479.5)},
        {"k": k_of(25.0, 15.5, 11.5)},
        {"k": k_of(50 / 64, 0.5, 0.5)},  # of an image one pixel wide
        {"k": k_of(50 * 6e-5, 32 * 6e-5, 24 * 6e-5)},  # in metres
    ],
)
def test_a_k_of_another_size_leaves_the_focal_length_in_proportion_as_a_guess(tmp_path, capsys, changes):
    recording = with_infos(tmp_path, changes)
    assert recording.calibrated is False
    assert recording.camera.focal[0] == pytest.approx(50.0, rel=0.2)
    said = re.search(r"K of camera_info is of images of about (\S+) pixels", capsys.readouterr().err)
    assert said
    assert "e+" not in said[1]


def test_a_region_beyond_the_sensor_and_a_skew_are_named(tmp_path, capsys):
    region = Messages().types["sensor_msgs/msg/RegionOfInterest"](
        x_offset=20, y_offset=10, height=48, width=64, do_rectify=False
    )
    beyond = with_infos(tmp_path / "region", {"roi": region})
    assert (beyond.camera.centre, beyond.calibrated) == ((31.5, 23.5), False)
    assert "the region of interest of camera_info (64x48 from 20, 10) is not inside" in capsys.readouterr().err
    skewed = with_infos(tmp_path / "skew", {"k": np.array([50.0, 5, 31.5, 0, 50, 23.5, 0, 0, 1])})
    assert (skewed.camera.focal[0], skewed.calibrated) == (50.0, False)
    assert "has a skew (K[0][1] is 5)" in capsys.readouterr().err


def test_cameras_that_take_turns_on_one_topic_are_refused_and_a_renamed_one_is_not(tmp_path):
    def named(*frames):
        for (topic, log_ns, message), frame in zip(image_entries(len(frames)), frames, strict=True):
            message.header.frame_id = frame
            yield topic, log_ns, message

    renamed = open_recording(bag(tmp_path / "renamed", entries=named("", "cam", "cam", "", "camera", "camera")))
    assert len(list(renamed.frames())) == 6
    turns = open_recording(bag(tmp_path / "turns", entries=named("left", "right", "left", "right")))
    with pytest.raises(CaptureError, match="of the frames right and left in turns: several cameras publish on one"):
        list(turns.frames())


def test_depth_is_no_picture_and_an_odd_size_is_said_whole(tmp_path):
    make = Messages()
    depth = make.image(START_NS, np.zeros((48, 64, 4), np.uint8), encoding="32FC1")
    compressed = make.compressed(START_NS, b"")
    compressed.format = "16UC1; compressedDepth png"
    odd = make.image(START_NS, np.zeros((48, 63, 2), np.uint8), encoding="yuv422_yuy2")
    cure = "choose the topic of a camera .--topic, of the node image_topic."
    depths = {f"32FC1 is depth.*: {cure}": depth, f"compressedDepth is depth.*: {cure}": compressed}
    said = {**depths, "an even size, got 63x48": odd}
    for row, (words, message) in enumerate(said.items()):
        recording = open_recording(bag(tmp_path / str(row), entries=[(TOPIC, START_NS, message)]))
        with pytest.raises(CaptureError, match=words):
            list(recording.frames())


@pytest.mark.parametrize("first", [EMPTY, {"focal": 0.0}, {"distortion_model": "of_our_own"}])
def test_the_first_camera_info_that_is_calibrated_counts(tmp_path, capsys, first):
    recording = with_infos(tmp_path, first, first, {"focal": 60.0})
    assert recording.calibrated is True
    assert recording.camera.focal == (60.0, 60.0)
    said = capsys.readouterr().err
    assert ("the first 2 of /cam/camera_info are left out" in said) == (
        "distortion_model" not in first or first is EMPTY
    )


def test_a_projection_of_zeros_says_nothing_against_a_good_k(tmp_path, capsys):
    raw = with_infos(tmp_path / "raw", {"p": np.zeros(12)})
    assert (raw.camera.model, raw.camera.focal, raw.calibrated) == ("OPENCV", (50.0, 50.0), True)
    straight = {"p": np.zeros(12), "d": np.zeros(5)}
    rectified = with_infos(tmp_path / "rect", straight, image_topic="/cam/image_rect")
    assert (rectified.camera.model, rectified.camera.focal, rectified.calibrated) == ("PINHOLE", (50.0, 50.0), True)
    assert not capsys.readouterr().err
    doubtful = with_infos(tmp_path / "both", {"p": np.zeros(12)}, image_topic="/cam/image_rect")
    assert (doubtful.camera.model, doubtful.camera.focal, doubtful.calibrated) == ("PINHOLE", (50.0, 50.0), False)
    assert "P of camera_info is all zero: K is taken" in capsys.readouterr().err


def of_frame(frame, **changes):
    return Messages().camera_info(START_NS, header=Messages().header(START_NS, frame), **changes)


@pytest.mark.parametrize(
    ("image_topic", "infos", "chosen"),
    [
        ("/stereo/left/image", {"/camera_info_left": "camera_optical"}, "/camera_info_left"),
        ("/left/image_rect", {"/left/camera_info_rect": "camera_optical"}, "/left/camera_info_rect"),
        ("/cam/image", {"/driver/calibration": ""}, "/driver/calibration"),
        ("/left/image", {"/camera_info_left": "l", "/camera_info_right": "r"}, None),
        ("/left/image", {"/camera_info_left": "camera_optical", "/camera_info_right": "r"}, "/camera_info_left"),
        ("/left/image_rect", {"/left/camera_info_rect": "camera_optical", "/left/camera_info_raw": "camera_optical"},
         "/left/camera_info_rect"),
        ("/eye/image", {"/a/info": "camera_optical", "/b/info": "camera_optical"}, None),
    ],
)  # fmt: skip
def test_camera_info_under_another_name_is_found_or_named(tmp_path, capsys, image_topic, infos, chosen):
    entries = [(topic, START_NS, of_frame(frame)) for topic, frame in infos.items()]
    recording = open_recording(bag(tmp_path, entries=[*image_entries(2, topic=image_topic), *entries]))
    said = capsys.readouterr().err
    assert recording.info_topic == chosen
    assert (recording.camera is not None, recording.calibrated) == (chosen is not None,) * 2
    if chosen:
        assert f"the intrinsics of {image_topic} are taken from {chosen}" in said
    else:
        assert f"no camera_info is used for {image_topic}: of {', '.join(infos)} " in said


def test_the_camera_info_of_another_camera_is_not_taken(tmp_path, capsys):
    images = [*image_entries(1, topic="/left/image"), *image_entries(1, topic="/right/image")]
    info = ("/left/camera_info", START_NS, of_frame("camera_optical"))
    recording = open_recording(bag(tmp_path / "two", entries=[*images, info]), topic="/right/image")
    assert recording.camera is None
    other = ("/info", START_NS, of_frame("camera_optical", width=32, height=24))
    assert open_recording(bag(tmp_path / "size", entries=[*image_entries(1), other])).camera is None
    assert capsys.readouterr().err.count("none fits in frame and size; give the intrinsics with --camera FILE") == 2


# Damage


@pytest.mark.parametrize("kind", ["ros1", "mcap", "mcap-zstd"])
@pytest.mark.parametrize("share", [0.35, 0.7, 0.97])
def test_a_bag_that_was_cut_off_gives_what_is_whole(tmp_path, capsys, kind, share):
    recording = open_recording(cut(bag(tmp_path, kind, image_entries(30, kind == "ros1")), share))
    frames = list(recording.frames())
    assert 30 * share - 2 <= len(frames) <= 30
    assert_is_walk(frames, len(frames))
    assert recording.dropped["bag damaged or cut off"] == 1
    said = capsys.readouterr().err
    assert "is cut off: whole up to byte" in said
    assert f"{len(frames)} images read" in said


@pytest.mark.parametrize("compression", ["lz4", "bz2"])
def test_compressed_chunks_of_a_ros1_bag_are_read_whole_and_cut(tmp_path, compression):
    from rosbags import rosbag1

    make = Messages(ros1=True)
    path = tmp_path / "chunks.bag"
    writer = rosbag1.Writer(path)
    writer.set_compression(getattr(rosbag1.Writer.CompressionFormat, compression.upper()))
    writer.chunk_threshold = 20_000
    with writer:
        connection = writer.add_connection(TOPIC, "sensor_msgs/msg/Image", typestore=make.store)
        for _, log_ns, message in image_entries(12, ros1=True):
            writer.write(connection, log_ns, make.serialize(message))
    assert_is_walk(list(open_recording(path).frames()))
    frames = list(open_recording(cut(path, 0.6)).frames())
    assert 4 <= len(frames) < 12
    assert_is_walk(frames, len(frames))


def test_chunked_and_zstd_compressed_mcap_is_read_whole_and_cut(tmp_path):
    path = tmp_path / "walk.mcap"
    write_chunked_mcap(path, "sensor_msgs/msg/Image", "ros2")
    assert_is_walk(list(open_recording(path).frames()))
    frames = list(open_recording(cut(path, 0.6)).frames())
    assert 4 <= len(frames) < 12
    assert_is_walk(frames, len(frames))


def test_mcap_of_other_recorders_needs_neither_profile_nor_new_type_names(tmp_path):
    path = tmp_path / "walk.mcap"
    write_chunked_mcap(path, "sensor_msgs/Image", "")
    recording = open_recording(path)
    assert_is_walk(list(recording.frames()))
    assert recording.dropped == {}


@pytest.mark.parametrize("left_out", [("repeat_channels",), ("repeat_schemas",), ("repeat_channels", "use_statistics")])
@pytest.mark.parametrize("in_folder", [False, True])
def test_mcap_whose_index_leaves_its_topics_out_is_read_from_front_to_back(tmp_path, left_out, in_folder):
    """mcap.dev/spec: the repetition of schemas and channels in the summary is optional; ros2/rosbag2's storage options
    noRepeatedSchemas, noRepeatedChannels and noStatistics (mcap::McapWriterOptions) leave it out."""
    path = tmp_path / "bag" / "walk.mcap" if in_folder else tmp_path / "walk.mcap"
    path.parent.mkdir(exist_ok=True)
    write_chunked_mcap(path, "sensor_msgs/msg/Image", "ros2", **dict.fromkeys(left_out, False))
    assert_is_walk(list(open_recording(path.parent if in_folder else path).frames()))


@pytest.mark.parametrize(("encoding", "words"), [("json", "in json, not of ROS"), ("protobuf", "in protobuf, not of")])
def test_mcap_of_other_messages_is_named_in_our_words(tmp_path, encoding, words):
    path = write_chunked_mcap(tmp_path / "other.mcap", "robot.Picture", "", encoding)
    with pytest.raises(CaptureError, match=f"other.mcap: its messages are {words}.* save the images as a video"):
        open_recording(path)


def test_mcap_that_was_made_of_a_ros1_bag_is_read(tmp_path):
    path = write_chunked_mcap(tmp_path / "ros1.mcap", "sensor_msgs/Image", "ros1", "ros1")
    assert_is_walk(list(open_recording(path).frames()))


@pytest.mark.parametrize("in_log", [12, 7])
@pytest.mark.parametrize("metadata", [True, False])
def test_what_a_recorder_left_in_the_log_of_its_database_is_read_and_the_recording_stays_as_it_is(
    tmp_path, in_log, metadata
):
    """ros2/rosbag2#521: the recorder was killed, and SQLite has not moved its messages into the file yet."""
    recorded = data_file(bag(tmp_path, "sqlite3"))
    killed = tmp_path / "killed"
    killed.mkdir()
    connection = sqlite3.connect(recorded)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma wal_autocheckpoint=0")
    rows = connection.execute("select * from messages order by id").fetchall()
    connection.execute("delete from messages where id > ?", (len(rows) - in_log,))
    connection.commit()
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.executemany(f"insert into messages values ({','.join('?' * len(rows[0]))})", rows[-in_log:])
    connection.commit()
    for file in [*recorded.parent.glob("*.db3*"), *([recorded.parent / "metadata.yaml"] if metadata else [])]:
        if not file.name.endswith("-shm"):
            shutil.copy(file, killed)
    connection.close()
    before = {file.name: file.read_bytes() for file in killed.iterdir()}
    assert_is_walk(list(open_recording(killed).frames()))
    assert_is_walk(list(open_recording(killed / recorded.name).frames()))
    assert {file.name: file.read_bytes() for file in killed.iterdir()} == before


def test_a_log_that_is_none_and_a_database_that_is_none_are_named_with_the_cure(tmp_path):
    path = tmp_path / "walk_0.db3"
    path.write_bytes(b"")
    path.with_name("walk_0.db3-wal").write_bytes(b"messages")
    with pytest.raises(CaptureError, match=r"its database is damaged.*`sqlite3 \S+/walk_0\.db3 \.recover` may"):
        open_recording(path)


@pytest.mark.parametrize("kind", ["sqlite3", "mcap"])
def test_packed_files_without_metadata_are_read(tmp_path, kind):
    """ros2/rosbag2#990: `--compression-mode file`, and the recorder was killed before it wrote metadata.yaml."""
    recorded = data_file(bag(tmp_path, kind))
    folder = tmp_path / "packed"
    folder.mkdir()
    packed = folder / f"{recorded.name}.zstd"
    packed.write_bytes(zstd_module().compress(recorded.read_bytes()))
    assert_is_walk(list(open_recording(folder).frames()))
    assert_is_walk(list(open_recording(packed).frames()))
    shutil.copy(recorded, folder)  # of which the packed one was being made
    packed.write_bytes(packed.read_bytes()[:1000])
    assert_is_walk(list(open_recording(folder).frames()))
    with pytest.raises(CaptureError, match=rf"{packed.name}: its compression is damaged or cut off: copy"):
        open_recording(packed)


def test_images_of_foxglove_are_read(tmp_path):
    store = get_typestore(Stores.ROS2_JAZZY)
    msgtype = "foxglove_msgs/msg/CompressedImage"
    store.register(get_types_from_msg(VIDEO_TYPES[msgtype], msgtype))
    stamp = store.types["builtin_interfaces/msg/Time"](sec=7, nanosec=0)
    data = np.frombuffer(jpeg(picture(2)), np.uint8)
    message = store.types[msgtype](timestamp=stamp, frame_id="eye", data=data, format="jpeg")
    with rosbag2.Writer(tmp_path / "bag", version=9, storage_plugin=rosbag2.StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera", msgtype, typestore=store)
        writer.write(connection, 7, store.serialize_cdr(message, msgtype))
    (frame,) = open_recording(tmp_path / "bag").frames()
    assert (frame.stamp_ns, frame.camera_frame, frame.image.shape) == (7 * 10**9, "eye", (48, 64, 3))


def write_chunked_mcap(path, schema, profile, encoding="cdr", **summary):
    mcap_writer = pytest.importorskip("mcap.writer")
    make = Messages(ros1=encoding == "ros1")
    with path.open("wb") as file:
        writer = mcap_writer.Writer(file, chunk_size=20_000, compression=mcap_writer.CompressionType.ZSTD, **summary)
        writer.start(profile, "test")
        schema_id = writer.register_schema(schema, "ros2msg", b"")
        channel_id = writer.register_channel(TOPIC, encoding, schema_id)
        for i, (_, log_ns, message) in enumerate(image_entries(12, encoding == "ros1")):
            noise = np.random.default_rng(i).integers(0, 256, 5000, dtype=np.uint8)  # chunks that do not shrink away
            message.data = np.concatenate([message.data, noise])
            writer.add_message(channel_id, log_ns, make.serialize(message), log_ns)
        writer.finish()
    return path


def test_a_cut_sqlite_bag_gives_what_is_whole_or_says_how_to_rescue_it(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    recording = open_recording(cut(bag(tmp_path / "a", "sqlite3", image_entries(30)), 0.999))
    frames = list(recording.frames())
    assert_is_walk(frames, len(frames))
    assert len(frames) >= 28
    assert recording.dropped["bag damaged or cut off"] == 1
    assert "images read" in capsys.readouterr().err
    with pytest.raises(
        CaptureError, match=r"its database is damaged, or lacks what a bag has; `sqlite3 \S+ \.recover` may rescue"
    ):
        open_recording(cut(bag(tmp_path, "sqlite3"), 0.5))


@pytest.fixture(scope="module")
def small_bags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags")
    kinds = ("ros1", "sqlite3", "mcap")
    return {
        kind: data_file(write_bag(folder / f"{kind}.bag", image_entries(3, kind == "ros1"), kind)) for kind in kinds
    }


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_get_beyond_a_capture_error(small_bags, data):
    path = small_bags[data.draw(st.sampled_from(sorted(small_bags)))]
    content = path.read_bytes()
    damaged = bytearray(content)
    # Mostly in the structure at both ends: in between lie the pixels.
    place = st.one_of(st.integers(0, 1200), st.integers(1, 1200).map(lambda i: len(content) - i))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(place)] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        stamps = [frame.stamp_ns for frame in open_recording(path, TOPIC).frames()]
    except CaptureError:
        return
    finally:
        path.write_bytes(content)
    assert 0 < len(stamps) <= 3
    assert stamps == sorted(set(stamps))


# What a path may be


def test_paths_that_are_no_recording_are_refused_with_what_is_understood(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.bag").write_text("not a bag")
    (tmp_path / "zero.mcap").write_bytes(b"")
    for name in ("missing.mp4", "empty"):
        with pytest.raises(CaptureError, match=f"{name}: .*a recording is a video file, a folder of images, a ROS 1"):
            open_recording(tmp_path / name)
    with pytest.raises(CaptureError, match=r"zero\.mcap: cannot be read as a bag"):
        open_recording(tmp_path / "zero.mcap")
    with pytest.raises(CaptureError, match=r"text\.bag"):
        open_recording(tmp_path / "text.bag")
    (tmp_path / "empty" / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match="is not a bag: leave out --topic /camera"):
        open_recording(tmp_path / "empty", "/camera")


# Real bags


def test_real_bags_are_read(shared_data):
    from campose_core.trajectory import read_tum

    recording = open_recording(shared_data / "bags" / "fiducials_aruco_images.bag")
    (frame,) = recording.frames()
    assert frame.image.shape == (960, 1280, 3)
    assert frame.stamp_ns == 1491682360314066469
    assert recording.camera.model == "OPENCV"

    amber = open_recording(shared_data / "bags" / "amber_soccer_goal_12.mcap")
    frames = list(amber.frames())
    assert [frame.image.shape for frame in frames] == [(480, 640, 3)] * 2

    kitchen = open_recording(shared_data / "redkitchen" / "query.bag")
    stamps = np.array([frame.stamp_ns for frame in kitchen.frames()])
    reference = read_tum(shared_data / "redkitchen" / "query.tum").stamps_ns
    np.testing.assert_allclose(stamps - stamps[0], reference - reference[0], atol=1000)
    assert kitchen.camera == Camera("PINHOLE", 640, 480, (525.0, 525.0, 320.0, 240.0))


@pytest.mark.parametrize("kind", KINDS)
def test_several_topics_come_serialized_in_recorded_order(tmp_path, kind):
    ros1 = kind == "ros1"
    make, entries = Messages(ros1), list(image_entries(4, ros1))
    entries += [("/camera/camera_info", log_ns + 1, make.camera_info(log_ns)) for _, log_ns, _ in entries]
    path = write_bag(tmp_path / "bag.bag", sorted(entries, key=lambda entry: entry[1]), kind)
    with open_bag(path) as bag:
        messages = list(bag.serialized({TOPIC, "/camera/camera_info"}))
        assert "float64[9] k" in bag.definition("/camera/camera_info").text
        assert list(bag.serialized(set())) == []
    assert [message.log_ns for message in messages] == sorted(log_ns for _, log_ns, _ in entries)
    assert [message.topic for message in messages] == [TOPIC, "/camera/camera_info"] * 4
    decoded_images = [decoded(message.data, message.msgtype) for message in messages[::2]]
    assert [header_stamp_ns(image) for image in decoded_images] == [START_NS + i * 100_000_000 for i in range(4)]
    np.testing.assert_array_equal(decode_image(decoded_images[3]), picture(3))
