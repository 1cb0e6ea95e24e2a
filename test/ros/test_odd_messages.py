"""Odd messages, brought to a running node over DDS and, as the same bytes in a bag, to `campose replay`.

Both are adapters around one session: the same is refused, in the same words, and the next image fares alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from node_process import NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import serialize_message
from recordings import write_bag
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from tf_messages import tf2_msgs  # noqa: F401
from wall import camera_info, picture, raw_message, stamp_message, standing_at

from campose_core.cli.main import main
from campose_core.evaluation.estimates import read_estimates
from campose_core.geometry import Pose
from campose_ros.conversions import pose_message, transform_stamped

START_NS, PERIOD_NS = 1_700_000_000_123_456_789, 100_000_000
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OPTICAL = "camera_optical"
MAST_FROM_CAM = Pose(Rotation.from_euler("xz", [-90, -90], degrees=True), np.array([0.05, 0.0, 0.3]))
VIEW = picture(standing_at(3.0))
IMAGE, INFO, ODOM, INITIALPOSE = "/odd/camera", "/odd/camera_info", "/odd/odom", "/odd/initialpose"


class Robot:
    """Tells the node what it sees and hears, and keeps what it told for a bag."""

    def __init__(self, client: Client, node: NodeProcess) -> None:
        from tf2_msgs.msg import TFMessage

        self.client, self.node = client, node
        self.status = client.collect(DiagnosticArray, "/odd/status")
        kinds = {IMAGE: Image, INFO: CameraInfo, ODOM: Odometry, INITIALPOSE: PoseWithCovarianceStamped}
        self._publishers = {topic: client.publisher(kind, topic, ALL) for topic, kind in kinds.items()}
        self._publishers["/tf"] = client.publisher(TFMessage, "/tf", ALL)
        self._publishers["/tf_static"] = client.publisher(TFMessage, "/tf_static", LATCHED)
        self.now_ns = START_NS
        self.told: list[tuple[str, int, str, bytes]] = []

    def tell(self, topic: str, message: Any) -> None:
        kind = type(message)
        msgtype = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
        self.told.append((topic, self.now_ns + len(self.told), msgtype, serialize_message(message)))
        self._publishers[topic].publish(message)

    def see(self, inputs: dict[str, Any] | None = None) -> str:
        """The state after an image in the usual course of things, but for `inputs`."""
        self.now_ns += PERIOD_NS
        usual = {INFO: camera_info(self.now_ns), "/tf": tf(mast(self.now_ns)), ODOM: odometry(self.now_ns)}
        told = {**usual, **(inputs or {})}
        for topic, message in told.items():
            if topic != IMAGE:
                self.tell(topic, message)
        image = raw_message(self.now_ns, VIEW)
        self.tell(IMAGE, image)
        for _ in range(10):  # best effort: messages may be lost on a busy machine
            if self.client.within(1.0, lambda: self.now_ns in stamps(self.status)):
                return next(values(m.status[0])["state"] for m in self.status if stamps([m]) == [self.now_ns])
            self._publishers[INFO].publish(told[INFO])
            self._publishers[IMAGE].publish(image)
        raise AssertionError(f"no status for {self.now_ns}: {self.node.output()[-2000:]}")

    def insist(self, topic: str, message: Any, words: str) -> None:
        """Tell it until the node has written these words since `mark`."""
        self.tell(topic, message)
        for _ in range(80):  # the log names a kind at most every five seconds
            if self.client.within(0.2, lambda: words in self.node.output()[self.mark :]):
                return
            self._publishers[topic].publish(message)
        raise AssertionError(f"{words!r} did not come: {self.node.output()[self.mark :][-2000:]}")

    def begin(self) -> None:
        """From here on, messages make a bag of their own."""
        self.told = []
        self.mark = len(self.node.output())
        self.tell("/tf_static", tf(transform_stamped("mast", OPTICAL, 0, MAST_FROM_CAM)))
        for _ in range(5):
            state = self.see()
        assert state == "TRACKING"


def tf(*links: Any) -> Any:
    from tf2_msgs.msg import TFMessage

    return TFMessage(transforms=links)


def mast(stamp_ns: int, child: str = "mast", **rotation: float) -> Any:
    message = transform_stamped("base_link", child, stamp_ns, Pose(Rotation.identity(), np.array([0.1, 0.0, 0.5])))
    for name, value in rotation.items():
        setattr(message.transform.rotation, name, value)
    return message


def odometry(stamp_ns: int, child: str = "base_link", x: float = 0.0, w: float = 1.0) -> Odometry:
    message = Odometry(child_frame_id=child)
    message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "odom"
    message.pose.pose.position.x, message.pose.pose.orientation.w = x, w
    return message


def initialpose(frame_id: str, w: float = 1.0) -> PoseWithCovarianceStamped:
    message = PoseWithCovarianceStamped()
    message.header.frame_id = frame_id
    message.pose.pose = pose_message(Pose.identity())
    message.pose.pose.orientation.w = w
    return message


def uncalibrated(stamp_ns: int) -> CameraInfo:
    message = camera_info(stamp_ns)
    message.k = np.zeros(9)
    return message


class Odd(NamedTuple):
    """make: the message at a stamp; words: what is said of it; and of the image after it, where it costs that one."""

    topic: str
    make: Callable[[int], Any]
    words: str
    image_words: str = ""


LENGTH = "a quaternion (x, y, z, w) must be of length 1, got [0.0, 0.0, 0.0, "
NO_MAST = "image refused: tf does not say where 'camera_optical' sits on 'base_link': the stamp is 0.100 s newer than"
CASES = {
    "link_length": Odd("/tf", lambda t: tf(mast(t, "a", w=2.0), mast(t)), f"tf base_link -> a refused: {LENGTH}2.0]"),
    "link_nan": Odd(
        "/tf", lambda t: tf(mast(t), mast(t, "b", x=math.nan)),
        "tf base_link -> b refused: a quaternion (x, y, z, w) must be 4 finite numbers, got [nan, 0.0, 0.0, 1.0]",
    ),
    "link_stamp": Odd("/tf", lambda t: tf(mast(0, "c"), mast(t)), "tf base_link -> c refused: its stamp is zero"),
    "no_link": Odd("/tf", lambda t: tf(mast(0)), "tf base_link -> mast refused: its stamp is zero", NO_MAST),
    "odometry_length": Odd(ODOM, lambda t: odometry(t, w=0.5), f"odometry refused: {LENGTH}0.5]"),
    "odometry_nan": Odd(
        ODOM, lambda t: odometry(t, x=math.nan),
        "odometry refused: a translation must be 3 finite numbers, got [nan, 0.0, 0.0]",
    ),
    "odometry_stamp": Odd(ODOM, lambda _: odometry(0), "odometry refused: its stamp is zero"),
    "odometry_child": Odd(
        ODOM, lambda t: odometry(t, child="base_footprint"),
        "odometry refused: it is of base_footprint, and base_frame is base_link",
    ),
    "initialpose_frame": Odd(
        INITIALPOSE, lambda _: initialpose("odom"), "initialpose refused: it is in odom, and map_frame is map"
    ),
    "initialpose_length": Odd(INITIALPOSE, lambda _: initialpose("map", w=0.0), f"initialpose refused: {LENGTH}0.0]"),
    # What was known of the camera before stays. (An image without a stamp is no such message: a replay, which has the
    # whole bag, puts it in its place; test_time.py has what the node says.)
    "uncalibrated": Odd(INFO, uncalibrated, "camera_info refused: camera_info is empty (K is all zero)"),
}  # fmt: skip


@pytest.fixture(scope="module")
def robot(tf2_msgs: None, start_node: StartNode, client: Client, wall_scene: Path) -> Robot:  # noqa: F811
    node = start_node(
        "odd", scene=wall_scene, image_topic=IMAGE, camera_info_topic=INFO, odom_topic=ODOM,
        initialpose_topic=INITIALPOSE, use_odometry=True, base_from_camera_tf=True,
    )  # fmt: skip
    node.wait_for_output(f"listening to {IMAGE}")
    return Robot(client, node)


def line_with(words: str, text: str) -> str:
    """What is said from these words on, to the end of the line."""
    (line, *_) = [line for line in text.splitlines() if words in line]
    return line[line.index(words) :].removesuffix("\x1b[0m").split(" (")[0]


@pytest.mark.parametrize("name", CASES)
def test_the_node_and_the_replay_of_its_bag_refuse_the_same_in_the_same_words(
    robot: Robot, wall_scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    odd = CASES[name]
    robot.begin()
    odd_ns = robot.now_ns + PERIOD_NS
    message = odd.make(odd_ns)
    robot.insist(odd.topic, message, odd.words)
    if odd.image_words:
        robot.now_ns = odd_ns
        robot.insist(IMAGE, raw_message(odd_ns, VIEW), odd.image_words)
        state = None
    else:
        state = robot.see({odd.topic: message})
        assert state == "TRACKING"

    bag, out = write_bag(tmp_path / "bag", robot.told), tmp_path / "out"
    told = {topic for topic, *_ in robot.told}
    capsys.readouterr()
    arguments = ["--topic", IMAGE, "--odom", ODOM, "--base-frame", "base_link", "--poses-only"]
    arguments += ["--initialpose", INITIALPOSE] if INITIALPOSE in told else []
    assert main(["replay", str(bag), "--scene", str(wall_scene), "--out", str(out), *arguments]) == 0
    replayed, running = capsys.readouterr().err, robot.node.output()[robot.mark :]
    for words in filter(None, (odd.words, odd.image_words)):
        assert line_with(words, replayed) == line_with(words, running)
    outcomes = {outcome.stamp_ns: outcome.status for outcome in read_estimates(out / "pose_raw.tum").outcomes}
    assert outcomes.get(odd_ns) == state
