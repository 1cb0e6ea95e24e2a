"""A robot's bag, played to the node over DDS: it says what a replay of the bag says."""

import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")
pytest.importorskip("rosbags", reason="replay needs rosbags: pip install 'campose_ros[bag]'")

from client import Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from node_process import StartNode
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from wall import CAMERA, picture, standing_at

from campose_core.bag.cdr import Cdr
from campose_core.bag.file import open_bag
from campose_core.bag.writer import IMAGE_TOPIC, INFO_TOPIC, new_bag
from campose_core.cli.main import main as campose
from campose_core.geometry import Pose
from campose_core.pixels.image_codec import encode_jpeg
from campose_core.trajectory import Trajectory, write_tum
from campose_ros.player import Player

START_NS, PERIOD_NS, COUNT = 1_700_000_000_500_000_000, 100_000_000, 40
HIDDEN = range(14, 26)
FIRST_ODOMETRY = -4
BASE_FROM_CAM = Pose(standing_at(0.0).rotation, np.array([0.1, 0.0, 0.3]))
BASE_FROM_IMU = Pose(Rotation.from_euler("z", 90, degrees=True), np.array([-0.1, 0.05, 0.1]))
GRAVITY = 9.80665
TURN_RATE = 2 * np.pi / 6.0  # of the sine along the wall


def camera_x(stamp_ns: int) -> float:
    """It speeds up and slows down, so that neither the last velocity nor the wheels alone say where it goes."""
    return float(3.0 - 0.9 * np.cos(TURN_RATE * 1e-9 * (stamp_ns - START_NS)))


def odometry(stamp_ns: int) -> Pose:
    """Drifts by 4 % along the wall, and away from it."""
    return Pose(Rotation.identity(), np.array([1.04 * camera_x(stamp_ns), 0.03e-9 * (stamp_ns - START_NS), 0.0]))


def force(stamp_ns: int) -> np.ndarray:
    """What an accelerometer feels in its own axes."""
    along = 0.9 * TURN_RATE**2 * np.cos(TURN_RATE * 1e-9 * (stamp_ns - START_NS))
    return BASE_FROM_IMU.rotation.inv().apply([along, 0.0, GRAVITY])


@pytest.fixture(scope="module")
def robot_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a robot records it: images come 30 ms after their stamp, odometry and IMU of other rates between them; in the
    middle the camera looks beside the wall."""
    path, cdr = tmp_path_factory.mktemp("bags") / "robot", Cdr()
    ros, messages, zero = cdr.messages, [], np.zeros(3)
    for i in range(COUNT):
        stamp_ns = START_NS + i * PERIOD_NS
        image = picture(standing_at(-20.0 if i in HIDDEN else camera_x(stamp_ns)))
        info, jpeg = ros.camera_info("camera", stamp_ns, CAMERA), encode_jpeg(image, 92)
        messages.append((stamp_ns + 1_000_000, INFO_TOPIC, info))
        messages.append((stamp_ns + 30_000_000, IMAGE_TOPIC, ros.compressed_image("camera", stamp_ns, jpeg)))
    for i in range(FIRST_ODOMETRY, 120):
        stamp_ns = START_NS + i * 37_000_000 + 11_000_000
        messages.append(
            (stamp_ns, "/odom", ros.odometry("odom", "base_link", stamp_ns, odometry(stamp_ns), zero, zero))
        )
    for i in range(450):
        stamp_ns = START_NS + i * 10_000_000 + 3_000_000
        imu = ros.make(
            "sensor_msgs/msg/Imu",
            header=ros.header("imu", stamp_ns),
            orientation=ros.quaternion(Pose.identity()),
            orientation_covariance=np.array([-1.0, *np.zeros(8)]),
            angular_velocity=ros.vector(zero),
            angular_velocity_covariance=np.zeros(9),
            linear_acceleration=ros.vector(force(stamp_ns)),
            linear_acceleration_covariance=np.zeros(9),
        )
        messages.append((stamp_ns, "/imu", imu))
    mounting = ros.tf(ros.transform_stamped("camera", "imu", START_NS, BASE_FROM_CAM.inverse() * BASE_FROM_IMU))
    messages.append((START_NS, "/tf_static", mounting))
    with new_bag(path, cdr, ()) as output:
        for log_ns, topic, message in sorted(messages, key=lambda entry: entry[0]):
            output.write(topic, log_ns, message)
    return path


def numbers(pose: Pose) -> list[float]:
    return [float(value) for value in (*pose.translation, *pose.quat_xyzw)]


MOVED_BY = {
    "odometry": ({"use_odometry": True, "odom_topic": "/odom"}, ["--odom", "/odom"]),
    "imu": ({"use_imu": True, "imu_topic": "/imu", "base_from_imu": numbers(BASE_FROM_IMU)}, ["--imu", "/imu"]),
}


@pytest.mark.parametrize("moved_by", MOVED_BY)
def test_the_node_and_a_replay_of_its_bag_say_the_same(
    start_node: StartNode, client: Client, wall_scene: Path, robot_bag: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], moved_by: str,
) -> None:  # fmt: skip
    parameters, replayed_by = MOVED_BY[moved_by]
    name = f"same_{moved_by}"
    node = start_node(
        name, scene=wall_scene, image_topic=IMAGE_TOPIC.removesuffix("/compressed"), camera_info_topic=INFO_TOPIC,
        image_transport="compressed", reliable_images=True, base_from_camera=numbers(BASE_FROM_CAM), **parameters,
    )  # fmt: skip
    node.wait_for_output(f"listening to {IMAGE_TOPIC}", 60.0)
    kinds = {
        "pose": PoseStamped, "pose_raw": PoseStamped, "pose_with_covariance": PoseWithCovarianceStamped,
        "status": DiagnosticArray,
    }  # fmt: skip
    live = {topic: client.collect(kind, f"/{name}/{topic}") for topic, kind in kinds.items()}
    truth = tmp_path / "truth.tum"  # of the camera, for both
    stamps_ns = [START_NS + i * PERIOD_NS for i in range(COUNT)]
    write_tum(truth, Trajectory.from_poses(stamps_ns, [standing_at(camera_x(stamp_ns)) for stamp_ns in stamps_ns]))
    out = [f"--out={tmp_path / 'live'}", f"--node={name}", f"--reference={truth}"]
    command = [sys.executable, "-m", "campose_ros.replay_node", str(robot_bag), *out, "--reliable", "--lockstep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        client.until(lambda: process.poll() is not None, "the bag is played", 90.0)
        assert process.stdout is not None
        live_table = process.stdout.read()
    client.until(lambda: len(live["status"]) == COUNT, "every image is answered")
    assert node.stop() == 0
    mounted = ["--base-from-camera", *map(str, numbers(BASE_FROM_CAM))]
    arguments = ["replay", str(robot_bag), "--scene", str(wall_scene), "--out", str(tmp_path), *replayed_by]
    assert campose([*arguments, *mounted, "--reference", str(truth)]) == 0
    errors = [
        re.findall(r"^pose_raw +(.*)", table, flags=re.MULTILINE) for table in (live_table, capsys.readouterr().out)
    ]
    assert errors[0]
    assert errors[0][0].split()[:4] == errors[1][0].split()[:4]

    replayed: dict[str, list[Any]] = {topic: [] for topic in kinds}
    with open_bag(tmp_path / "bag") as bag:
        for message in bag.serialized({f"/localizer/{topic}" for topic in kinds}):
            topic = message.topic.rsplit("/", 1)[1]
            replayed[topic].append(deserialize_message(message.data, kinds[topic]))
            assert len(serialize_message(replayed[topic][-1])) == len(message.data)  # rclpy's padding is not zero
    for topic in kinds:
        assert stamps(sorted(live[topic], key=lambda m: stamps([m]))) == stamps(replayed[topic])
    for topic in ("pose", "pose_raw"):
        for one, other in zip(live[topic], replayed[topic], strict=True):
            assert flat(one.pose) == pytest.approx(flat(other.pose), abs=1e-9)
    for one, other in zip(live["pose_with_covariance"], replayed["pose_with_covariance"], strict=True):
        np.testing.assert_allclose(one.pose.covariance, other.pose.covariance, rtol=1e-6, atol=1e-12)
    timed = ("latency_s", "estimate_s")
    for one, other in zip(live["status"], replayed["status"], strict=True):
        assert one.status[0].message == other.status[0].message
        for key, value in values(one.status[0]).items():
            assert key in timed or values(other.status[0])[key] == value, key
    states = [values(message.status[0])["state"] for message in replayed["status"]]
    assert states == ["INITIALIZING"] * 2 + ["PREDICTED" if i in HIDDEN else "TRACKING" for i in range(2, COUNT)]
    off_m = {
        stamp_ns: abs(one.pose.position.x - camera_x(stamp_ns) + BASE_FROM_CAM.translation[0])
        for one, (stamp_ns,) in ((message, stamps([message])) for message in live["pose_raw"])
    }
    assert max(off_m.values()) < 0.06  # the last velocity, carried on, is 0.3 m off
    assert off_m[stamps_ns[HIDDEN.stop]] < 0.01


def flat(pose: Any) -> list[float]:
    """Of a message."""
    q = pose.orientation
    return [pose.position.x, pose.position.y, pose.position.z, q.x, q.y, q.z, q.w]


def test_clock_goes_from_the_first_message_of_a_bag_to_its_last(client: Client, robot_bag: Path) -> None:
    with open_bag(robot_bag) as bag:
        player = Player(client.node, bag, client.node.get_name(), reliable=True)
        clock = client.collect(Clock, "/clock")
        client.collect(CompressedImage, IMAGE_TOPIC)
        player.wait_for_subscriber(10.0, lambda: None)
        playing = threading.Thread(target=player.play, args=(4.0, lambda stamp_ns: None))
        playing.start()
        client.until(lambda: not playing.is_alive(), "the bag is played", 30.0)
    times_ns = [message.clock.sec * 10**9 + message.clock.nanosec for message in clock]
    assert len(times_ns) > COUNT // 2
    assert times_ns[0] == START_NS + FIRST_ODOMETRY * 37_000_000 + 11_000_000  # the first message of the bag
    assert times_ns == sorted(times_ns)
    assert times_ns[-1] == pytest.approx(START_NS + COUNT * PERIOD_NS, abs=1e9)
