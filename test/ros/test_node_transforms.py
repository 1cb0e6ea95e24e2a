"""/tf in and out of a real node: who is where, at which time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, BEST_EFFORT, Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from drives import PERIOD_NS, Drive
from nav_msgs.msg import Odometry
from node_process import NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from tf_messages import tf2_msgs  # noqa: F401
from wall import camera_info, picture, raw_message, stamp_message, standing_at

from campose_core.bag.ros_messages import pose_of, pose_of_transform
from campose_core.geometry import Pose, pose_error
from campose_ros.conversions import pose_message, transform_stamped
from campose_ros.parameters import pose_of_numbers

LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OPTICAL = Rotation.from_euler("xz", [-90, -90], degrees=True)
MAST_FROM_CAM = Pose(OPTICAL, np.array([0.05, 0.0, 0.3]))
MOUNTED = [0.1, 0.0, 0.4, -0.5, 0.5, -0.5, 0.5]
ODOM_FROM_BASE = Pose(Rotation.from_euler("z", 0.3), np.array([2.0, -1.0, 0.0]))


def mast(degrees: float) -> Pose:
    return Pose(Rotation.from_euler("z", degrees, degrees=True), np.array([0.1, 0.0, 0.5]))


@pytest.fixture(scope="module")
def start(tf2_msgs: None, start_node: StartNode, wall_scene: Path) -> StartNode:  # noqa: F811
    """A node whose images are on /NAME_eye."""

    def start(name: str, **parameters: Any) -> NodeProcess:
        eye = f"/{name}_eye"
        node = start_node(name, scene=wall_scene, image_topic=eye, camera_info_topic=f"{eye}_info", **parameters)
        node.wait_for_output(f"listening to {eye}")
        return node

    return start


def transforms(client: Client, topic: str = "/tf") -> list[Any]:
    from tf2_msgs.msg import TFMessage

    return client.collect(TFMessage, topic)


def tell(client: Client, publisher: Any, parent: str, child: str, stamp_ns: int, pose: Pose) -> None:
    from tf2_msgs.msg import TFMessage

    publisher.publish(TFMessage(transforms=[transform_stamped(parent, child, stamp_ns, pose)]))


def of(messages: list[Any], child: str) -> list[Any]:
    return [link for message in messages for link in message.transforms if link.child_frame_id == child]


def base_from_cam(degrees: float) -> Pose:
    return mast(degrees) * MAST_FROM_CAM


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """remembered_pose_file of one node after the other."""
    return tmp_path_factory.mktemp("memory") / "pose.json"


def test_without_odometry_the_base_hangs_in_the_map(start: StartNode, client: Client, memory: Path) -> None:
    frames = {"map_frame": "hall", "base_frame": "body", "remembered_pose_file": memory}
    node = start("alone", publish_tf=True, transform_tolerance=0.5, base_from_camera=MOUNTED, **frames)
    said = transforms(client)
    drive = Drive(client, "alone", "/alone_eye", "raw")
    drive.settle(3.0)
    stamp_ns = drive.next_ns
    drive.show(3.02)
    pose = drive.pose_of(stamp_ns, drive.poses)
    link = client.until(lambda: [k for k in of(said, "body") if stamps([k]) == [stamp_ns]], "the transform")[-1]
    assert link.header.frame_id == "hall"
    assert max(pose_error(pose_of_transform(link), pose_of(pose.pose))) < 1e-9

    # The images hang in the tree too, until somebody else says where: a frame has one parent.
    seen = of(said, "camera_optical")[-1]
    assert seen.header.frame_id == "body"
    assert max(pose_error(pose_of_transform(seen), pose_of_numbers(MOUNTED))) < 1e-9
    from tf2_msgs.msg import TFMessage

    urdf = client.node.create_publisher(TFMessage, "/tf_static", LATCHED)
    tell(client, urdf, "mast", "camera_optical", 0, MAST_FROM_CAM)

    def withdrawn() -> bool:
        stamp_ns = drive.next_ns
        drive.show(3.02)
        client.until(lambda: [k for k in of(said, "body") if stamps([k]) == [stamp_ns]], "the transform")
        return not client.within(0.1, lambda: stamps(of(said, "camera_optical")[-1:]) == [stamp_ns])

    assert any(withdrawn() for _ in range(20))
    client.node.destroy_publisher(urdf)
    assert node.stop() == 0
    kept = json.loads(memory.read_text())["map_from_base"]
    np.testing.assert_allclose(kept[:3], pose_of(drive.poses[-1].pose).translation, atol=0.05)


def test_with_odometry_its_origin_hangs_in_the_map(start: StartNode, client: Client, memory: Path) -> None:
    node = start(
        "wheeled", publish_tf=True, use_odometry=True, odom_topic="/wheels", odom_frame="start",
        transform_tolerance=0.2, remembered_pose_file=memory,
    )  # fmt: skip
    if memory.is_file():  # of the node of the test before
        node.wait_for_output("looking first where the robot was")
    said = transforms(client)
    wheels = client.publisher(Odometry, "/wheels", BEST_EFFORT)
    drive = Drive(client, "wheeled", "/wheeled_eye", "raw")

    def roll(stamp_ns: int) -> None:
        message = Odometry(child_frame_id="base_link")
        message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "start"
        message.pose.pose = pose_message(ODOM_FROM_BASE)
        wheels.publish(message)

    for _ in range(60):
        # Best effort: what is lost is made good by the next image.
        roll(drive.next_ns - 10_000_000)
        roll(drive.next_ns + 10_000_000)
        client.within(0.1, lambda: False)
        drive.show(3.0)
        if client.within(0.2, lambda: of(said, "start")):
            break
    link = of(said, "start")[-1]
    image_ns = stamps([link])[0] - 200_000_000
    pose = drive.pose_of(image_ns, drive.poses)
    assert link.header.frame_id == "map"
    map_from_base = pose_of_transform(link) * ODOM_FROM_BASE
    assert max(pose_error(map_from_base, pose_of(pose.pose))) < 1e-6
    assert of(said, "base_link") == []  # odom -> base is the odometry's: a frame has one parent
    assert node.stop() == 0


def test_the_place_of_a_camera_on_a_turning_mast_is_looked_up(start: StartNode, client: Client) -> None:
    from tf2_msgs.msg import TFMessage

    node = start("turning", base_from_camera_tf=True)
    static = client.publisher(TFMessage, "/tf_static", LATCHED)
    moving = client.publisher(TFMessage, "/tf", ALL)
    drive = Drive(client, "turning", "/turning_eye", "raw")
    frame = "camera_optical"

    diagnostics = client.collect(DiagnosticArray, "/diagnostics")

    def complaint(text: str, stamp_ns: int) -> DiagnosticStatus:
        """What the diagnostics say when images from this stamp on, a nanosecond apart, are refused."""
        image, info = raw_message(stamp_ns, picture(standing_at(3.0))), camera_info(stamp_ns)

        def look() -> list[DiagnosticStatus]:
            image.header.stamp.nanosec += 1
            drive.info.publish(info)
            drive.images.publish(image)
            return [s for m in diagnostics for s in m.status if s.name == "turning: localization" and text in s.message]

        return client.until(look, text)[-1]

    first_ns = drive.next_ns
    early_ns = first_ns - 250_000_000
    status = complaint(f"no transform names 'base_link' or '{frame}'; tf has no frame at all", early_ns)
    assert status.level == DiagnosticStatus.ERROR

    tell(client, static, "mast", frame, 0, MAST_FROM_CAM)
    complaint("no transform names 'base_link'; tf has camera_optical, mast", early_ns)
    tell(client, moving, "base_link", "mast", first_ns, mast(0))
    complaint("the stamp is 0.250 s older than the oldest transform base_link -> mast", early_ns)
    complaint("the stamp is 0.250 s newer than the newest transform base_link -> mast", first_ns + 250_000_000)

    # The mast turns by a degree an image, and tf tells it only between them.
    for i in range(40):
        tell(client, moving, "base_link", "mast", first_ns + int((i + 0.5) * PERIOD_NS), mast(i + 0.5))
    for i in range(10, 25):
        stamp_ns = first_ns + i * PERIOD_NS
        status = drive.show(3.0, stamp_ns=stamp_ns)
        if status["state"] == "TRACKING" and i > 15:
            raw = drive.pose_of(stamp_ns, drive.raw_poses)
            truth = standing_at(3.0) * base_from_cam(i).inverse()
            distance_m, angle = pose_error(pose_of(raw.pose), truth)
            assert distance_m < 0.01
            assert angle < 0.01
    assert status["state"] == "TRACKING"
    facts = values(client.diagnosis("turning", lambda s: s.name == "turning: inputs", "inputs"))
    assert facts["tf"] == "ok"
    assert node.stop() == 0
