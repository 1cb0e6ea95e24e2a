"""A robot that goes on for long while what it hears is now and then broken: its node leaks nothing and tells no lie."""

import random
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, stamps
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from nav_msgs.srv import LoadMap
from node_process import StartNode
from process_resources import held_by
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_srvs.srv import SetBool, Trigger
from wall import CAMERA, camera_info, jpeg, picture, stamp_message, standing_at

from campose_core.bag.ros_messages import pose_of
from campose_core.geometry import pose_error
from campose_ros.conversions import pose_message

START_NS, PERIOD_NS, HOUR_NS = 1_700_000_000_123_456_789, 33_333_333, 3600 * 10**9
STEP_M = 0.05  # between places that have a picture
FAULT_SHARE = 0.15
PAUSE_S = 1.0  # longer than the node's patience
WRONG_M = 0.1  # for a pose that says it is surer than that
MAX_GROWTH_MB = 12.0  # of allocators and pools; a kept image a second would be more in either run


def at(place: int) -> float:
    """Metres along the wall."""
    return 2.0 + STEP_M * place


class Robot:
    """Goes to and fro before the wall, 30 images a second.

    truth: where it may say that it was at each image. One that shows another place than the wheels went to leaves two:
    recognized, it is there; carried on by the wheels, where these are.
    """

    def __init__(self, client: Client, scene: Path) -> None:
        self.client, self.scene = client, scene
        self.dice = random.Random(7)
        self.images = client.publisher(CompressedImage, "/soak_cam/compressed")
        self.infos = client.publisher(CameraInfo, "/soak_cam_info", ALL)
        self.odometry = client.publisher(Odometry, "/soak_odom")
        self.starts = client.publisher(PoseWithCovarianceStamped, "/soak_start", ALL)
        self.raw = client.collect(PoseStamped, "/soak/pose_raw")
        self.snapped = client.collect(PoseStamped, "/soak/pose")
        self.told = client.collect(PoseWithCovarianceStamped, "/soak/pose_with_covariance")
        self.views = [jpeg(picture(standing_at(at(i)))) for i in range(41)]
        self.darkness = jpeg(np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8))
        self.truth: dict[int, tuple[float, ...]] = {}
        self.count = self.right = 0
        self.faults: list[Callable[[int, int], None]] = [
            self.drop, self.dark, self.cut, self.no_stamp, self.long_ago, self.far_ahead, self.new_frame, self.kidnap,
            self.odd_info, self.odd_odometry, self.odd_start, self.pause, self.ask,
        ]  # fmt: skip

    def live(self, seconds: float) -> None:
        """As the clock on the wall goes; what comes late is not made up for."""
        end = time.monotonic() + seconds
        while (due := time.monotonic() + PERIOD_NS * 1e-9) < end:
            self.count += 1
            stamp_ns = START_NS + self.count * PERIOD_NS
            place = round(20 + 20 * np.sin(0.02 * self.count))
            self.infos.publish(camera_info(stamp_ns))
            self.odometry.publish(self.odometer(stamp_ns, place))
            if self.dice.random() < FAULT_SHARE:
                self.dice.choice(self.faults)(stamp_ns, place)
            else:
                self.show(stamp_ns, place)
            self.client.within(due - time.monotonic(), lambda: False)
            if self.count % 300 == 0:
                self.judge()

    def show(self, stamp_ns: int, place: int, frame: str = "camera") -> None:
        self.truth[stamp_ns] = (at(place),)
        self.send(stamp_ns, self.views[place], frame)

    def send(self, stamp_ns: int, data: bytes, frame: str = "camera") -> None:
        message = CompressedImage(format="jpeg", data=array("B", data))
        message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), frame
        self.images.publish(message)

    def odometer(self, stamp_ns: int, place: int) -> Odometry:
        message = Odometry(child_frame_id="base_link")
        message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "odom"
        message.pose.pose = pose_message(standing_at(at(place)))
        return message

    def drop(self, stamp_ns: int, place: int) -> None:
        """No image."""

    def dark(self, stamp_ns: int, place: int) -> None:
        """Nothing is to be seen; odometry may carry the pose on, and be right."""
        self.truth[stamp_ns] = (at(place),)
        self.send(stamp_ns, self.darkness)

    def cut(self, stamp_ns: int, place: int) -> None:
        self.truth[stamp_ns] = ()
        self.send(stamp_ns, self.views[place][: self.dice.randrange(len(self.views[place]) // 4)])

    def no_stamp(self, stamp_ns: int, place: int) -> None:
        self.send(0, self.views[place])

    def long_ago(self, stamp_ns: int, place: int) -> None:
        self.show(stamp_ns - HOUR_NS, place)

    def far_ahead(self, stamp_ns: int, place: int) -> None:
        self.show(stamp_ns + HOUR_NS, place)

    def new_frame(self, stamp_ns: int, place: int) -> None:
        self.show(stamp_ns, place, f"frame {self.count}\x1b[2J\n")

    def kidnap(self, stamp_ns: int, place: int) -> None:
        """Farther than what counts as the same place: nearer, it is there, and wheels carry it on from there."""
        elsewhere = self.dice.choice([i for i in range(41) if abs(i - place) * STEP_M > WRONG_M + STEP_M / 2])
        self.show(stamp_ns, elsewhere)
        self.truth[stamp_ns] = at(elsewhere), at(place)

    def odd_info(self, stamp_ns: int, place: int) -> None:
        message = camera_info(stamp_ns)
        message.k = [float("nan")] * 9 if self.dice.random() < 0.5 else [0.0] * 9
        self.infos.publish(message)

    def odd_odometry(self, stamp_ns: int, place: int) -> None:
        message = self.odometer(stamp_ns, place)
        message.pose.pose.position.x = self.dice.choice([float("nan"), float("inf"), 1e308])
        message.header.frame_id = self.dice.choice(["odom", f"odd {self.count}"])
        self.odometry.publish(message)
        self.show(stamp_ns, place)

    def odd_start(self, stamp_ns: int, place: int) -> None:
        message = PoseWithCovarianceStamped()
        message.header.frame_id = self.dice.choice(["map", "mop"])
        message.pose.pose.position.x = self.dice.choice([float("nan"), 3.0])
        message.pose.pose.orientation.w = self.dice.choice([0.0, 1.0])
        self.starts.publish(message)
        self.show(stamp_ns, place)

    def pause(self, stamp_ns: int, place: int) -> None:
        self.count += round(PAUSE_S * 30)
        self.client.within(PAUSE_S, lambda: False)

    def ask(self, stamp_ns: int, place: int) -> None:
        """One of the services, with something that it refuses or that starts all over."""
        what = self.dice.randrange(5)
        if what == 0:
            assert self.client.call(Trigger, "/soak/relocalize", Trigger.Request()).success
        elif what == 1:
            assert self.client.call(Trigger, "/soak/reset", Trigger.Request()).success
        elif what == 2:
            for enabled in (False, True):
                assert self.client.call(SetBool, "/soak/set_enabled", SetBool.Request(data=enabled)).success
        elif what == 3:
            scene = self.scene if self.dice.random() < 0.5 else f"/no\x1b[2J\n{self.count}"
            self.client.call(LoadMap, "/soak/load_scene", LoadMap.Request(map_url=str(scene)))
        else:
            assert not self.client.ask_transition("soak", self.dice.choice([0, 1, 3, 9, 99, 255]))

    def judge(self) -> None:
        """Hold all poses that came against the truth, and forget them and it."""
        for messages in (self.raw, self.snapped, self.told):
            for message, stamp_ns in zip(messages, stamps(messages), strict=True):
                self.judge_one(message, stamp_ns)
            messages.clear()
        for stamp_ns in [ns for ns in self.truth if ns < START_NS + (self.count - 900) * PERIOD_NS]:
            del self.truth[stamp_ns]

    def judge_one(self, message: Any, stamp_ns: int) -> None:
        places = self.truth.get(stamp_ns)
        assert places, f"a pose at {stamp_ns}, when nothing was to be seen"
        place = message.pose if isinstance(message, PoseStamped) else message.pose.pose
        found = pose_of(place)
        assert np.isfinite([*found.translation, *found.rotation.as_quat()]).all()
        if isinstance(message, PoseWithCovarianceStamped):
            covariance = np.reshape(message.pose.covariance, (6, 6))
            assert np.isfinite(covariance).all()
            sigma_m = np.sqrt(np.linalg.eigvalsh(covariance[:3, :3])[-1])
            error_m = min(pose_error(found, standing_at(x))[0] for x in places)
            assert error_m < max(WRONG_M, 5.0 * sigma_m), f"{error_m:.2f} m off and sure of {sigma_m:.3f} m"
            self.right += error_m < WRONG_M


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("seconds", [15.0, pytest.param(1800.0, marks=pytest.mark.long)])
def test_faults_for_long_leave_nothing_behind_and_make_no_pose_wrong(
    start_node: StartNode, client: Client, wall_scene: Path, seconds: float
) -> None:
    node = start_node(
        "soak", scene=wall_scene, image_topic="/soak_cam", camera_info_topic="/soak_cam_info",
        image_transport="compressed", use_odometry=True, odom_topic="/soak_odom", initialpose_topic="/soak_start",
    )  # fmt: skip
    node.wait_for_output("listening to")
    robot = Robot(client, wall_scene)
    robot.live(seconds / 3)
    warm = held_by(node.process.pid)
    robot.live(2 * seconds / 3)
    robot.judge()
    after = held_by(node.process.pid)
    assert robot.right > 0.05 * robot.count, "it knows where it is, also on a busy machine"
    assert after.threads == warm.threads
    assert after.files == warm.files
    assert after.memory_mb - warm.memory_mb < MAX_GROWTH_MB, f"{warm} became {after}"
    assert all(c == "\n" or c.isprintable() for c in node.output())
    assert "internal fault" not in node.output()
    assert node.stop_impatiently() == 0
