"""Bags and videos written from frames, read back by rosbags and by this package."""

import io

import numpy as np
import pytest
from PIL import Image
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from campose_core.bag.writer import write_bag
from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.capture.sources.video import VideoRecording
from campose_core.capture.video_writer import write_video
from campose_core.errors import CaptureError
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.trajectory import Trajectory

CAMERA = Camera("PINHOLE", 96, 64, (80.0, 81.0, 47.2, 31.9))
STAMPS = 1_700_000_000_123_456_789 + np.cumsum([0, 100_000_000, 90_000_001, 250_000_000, 33_333_333])


def frames(stamps=STAMPS, size=(64, 96)):
    rng = np.random.default_rng(0)
    for i, stamp in enumerate(stamps):
        coarse = Image.fromarray(rng.integers(0, 255, (4, 6, 3), dtype=np.uint8))
        image = np.asarray(coarse.resize(size[::-1], Image.Resampling.BICUBIC))
        yield Frame(int(stamp), image, "camera_optical_frame", f"{i:06d}")


def odometry() -> Trajectory:
    stamps = STAMPS[0] + np.arange(0, 480_000_000, 20_000_000)
    yaw = np.linspace(0, 1, len(stamps))
    positions = np.stack([np.linspace(0, 0.5, len(stamps)), yaw**2, 0 * yaw], axis=1)
    return Trajectory(stamps, positions, Rotation.from_rotvec(np.outer(yaw, [0, 0, 1])), "odom", "base_link")


def stamp_ns(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """All messages of a written bag by topic, and its path."""
    path = tmp_path_factory.mktemp("bags") / "drive.bag"
    assert write_bag(path, frames(), CAMERA, odometry(), BASE_FROM_CAM) == len(STAMPS)
    store = get_typestore(Stores.ROS2_JAZZY)
    found: dict[str, list] = {}
    logged = []
    with Reader(path) as reader:
        for connection, time, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            found.setdefault(connection.topic, []).append(message)
            logged.append(time)
    assert logged == sorted(logged)
    return found, path


def test_images_and_their_stamps_come_back(messages):
    found, path = messages
    pictures = found["/camera/image_raw/compressed"]
    assert [stamp_ns(message) for message in pictures] == STAMPS.tolist()
    assert [stamp_ns(message) for message in found["/camera/camera_info"]] == STAMPS.tolist()
    for message, frame in zip(pictures, frames(), strict=True):
        decoded = np.asarray(Image.open(io.BytesIO(message.data.tobytes())))
        assert np.abs(decoded.astype(int) - frame.image).mean() < 4
        assert message.header.frame_id == "camera_optical_frame"
    recording = BagRecording(path)
    assert [frame.stamp_ns for frame in recording.frames()] == STAMPS.tolist()
    assert recording.camera == CAMERA


def test_the_mounting_and_the_odometry_come_back(messages):
    found, _ = messages
    (static,) = found["/tf_static"][0].transforms
    assert (static.header.frame_id, static.child_frame_id) == ("base_link", "camera_optical_frame")
    given = odometry()
    assert len(found["/odom"]) == len(found["/tf"]) == (given.stamps_ns <= STAMPS[-1]).sum()
    for i, (odom, tf) in enumerate(zip(found["/odom"], found["/tf"], strict=True)):
        (transform,) = tf.transforms
        assert stamp_ns(odom) == stamp_ns(transform) == given.stamps_ns[i]
        read = odom.pose.pose
        turn, place = transform.transform.rotation, transform.transform.translation
        for pose in (
            Pose.from_quat_xyzw([read.orientation.x, read.orientation.y, read.orientation.z, read.orientation.w],
                                [read.position.x, read.position.y, read.position.z]),
            Pose.from_quat_xyzw([turn.x, turn.y, turn.z, turn.w], [place.x, place.y, place.z]),
        ):  # fmt: skip
            distance, angle = pose_error(pose, given.pose(i))
            assert distance < 1e-9
            assert angle < 1e-6
    q, t = static.transform.rotation, static.transform.translation
    distance, angle = pose_error(Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [t.x, t.y, t.z]), BASE_FROM_CAM)
    assert distance < 1e-9
    assert angle < 1e-6


@pytest.mark.parametrize(
    "camera",
    [
        Camera("SIMPLE_RADIAL", 96, 64, (80.0, 47.0, 31.0, -0.1)),
        Camera("OPENCV", 96, 64, (80.0, 81.0, 47.0, 31.0, -0.1, 0.02, 0.003, -0.002)),
        Camera("FULL_OPENCV", 96, 64, (80.0, 81.0, 47.0, 31.0, 0.1, 0.02, 0.003, -0.002, 0.01, 0.2, 0.03, 0.04)),
        Camera("OPENCV_FISHEYE", 96, 64, (80.0, 81.0, 47.0, 31.0, 0.1, 0.02, 0.03, 0.004)),
    ],
)
def test_a_distortion_survives_camera_info(tmp_path, camera):
    write_bag(tmp_path / "bag", frames(STAMPS[:1]), camera)
    read = BagRecording(tmp_path / "bag").camera
    assert read is not None
    points = np.random.default_rng(1).uniform((-0.5, -0.4, 1.0), (0.5, 0.4, 2.0), (50, 3))
    np.testing.assert_allclose(read.project(points), camera.project(points), atol=1e-9)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: [], "no frames"),
        (lambda: frames(STAMPS[[0, 2, 1]]), "000002.*not later"),
        (lambda: frames(size=(48, 96)), "96x48.*96x64"),
    ],
)
def test_bad_frames_are_refused_and_leave_the_old_bag(tmp_path, bad, message):
    path = tmp_path / "drive.bag"
    write_bag(path, frames(), CAMERA)
    with pytest.raises(CaptureError, match=message):
        write_bag(path, bad(), CAMERA)
    assert [frame.stamp_ns for frame in BagRecording(path).frames()] == STAMPS.tolist()
    assert [entry.name for entry in tmp_path.iterdir()] == ["drive.bag"]


def test_a_video_keeps_stamps_and_pictures(tmp_path):
    stamps = 1_000_000_000 + np.array([0, 100_000_000, 233_333_333, 250_000_000, 900_000_000])
    assert write_video(tmp_path / "drive.mp4", frames(stamps)) == len(stamps)
    read = list(VideoRecording(tmp_path / "drive.mp4").frames())
    np.testing.assert_allclose([frame.stamp_ns for frame in read], stamps, atol=1e9 / 90_000)
    for frame, given in zip(read, frames(stamps), strict=True):
        assert np.abs(frame.image.astype(int) - given.image).mean() < 6


def test_a_video_refuses_odd_sizes_and_no_frames(tmp_path):
    for bad, message in (([], "no frames"), (frames(size=(63, 96)), "even"), (frames(STAMPS[[1, 0]]), "not later")):
        with pytest.raises(CaptureError, match=message):
            write_video(tmp_path / "drive.mp4", bad)
    assert not list(tmp_path.iterdir())
