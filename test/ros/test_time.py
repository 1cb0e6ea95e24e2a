"""Time that is missing, stands still, goes back, or is not that of the images; all told on a steady clock."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import BEST_EFFORT, Client, values
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from drives import PERIOD_NS, START_NS, Drive
from nav_msgs.msg import Odometry
from node_process import StartNode
from rosgraph_msgs.msg import Clock
from wall import camera_info, picture, raw_message, stamp_message, standing_at

from campose_core.geometry import Pose
from campose_ros.conversions import pose_message

VIEW = picture(standing_at(3.0))


class Inputs:
    """The diagnostics of a node's inputs, and images that nobody waits for an answer to."""

    def __init__(self, client: Client, node: str) -> None:
        self.client, self.node = client, node
        self._heard = client.collect(DiagnosticArray, "/diagnostics")
        self.drive = Drive(client, node, f"/{node}_eye", "raw")

    def flash(self, stamp_ns: int) -> None:
        self.drive.info.publish(camera_info(stamp_ns))
        self.drive.images.publish(raw_message(stamp_ns, VIEW))

    def until(self, text: str, meanwhile: Callable[[], Any] = lambda: None, part: str = "inputs") -> DiagnosticStatus:
        """The next status of this part that says so; `meanwhile` is done about ten times a second."""
        seen, due = len(self._heard), 0.0

        def look() -> list[DiagnosticStatus]:
            nonlocal due
            if time.monotonic() > due:
                due = time.monotonic() + 0.1
                meanwhile()
            heard = [s for m in self._heard[seen:] for s in m.status if s.name == f"{self.node}: {part}"]
            return [status for status in heard if text in status.message]

        return self.client.until(look, f"{part}: {text}")[-1]


@pytest.fixture(scope="module")
def start(start_node: StartNode, wall_scene: Path, client: Client) -> Callable[..., Inputs]:
    def start(name: str, *arguments: str, **parameters: Any) -> Inputs:
        eye = f"/{name}_eye"
        node = start_node(
            name, *arguments, scene=wall_scene, image_topic=eye, camera_info_topic=f"{eye}_info", **parameters
        )
        node.wait_for_output(f"listening to {eye}")
        inputs = Inputs(client, name)
        inputs.process = node
        return inputs

    return start


def test_simulated_time_is_missed_followed_and_goes_back(start, client: Client) -> None:
    inputs = start("simulated", use_sim_time=True)
    status = inputs.until("use_sim_time is true and nobody publishes /clock: start the simulator")
    assert status.level == DiagnosticStatus.ERROR
    assert status.hardware_id == "/simulated"

    clock = client.publisher(Clock, "/clock")
    now_ns = START_NS

    def tick() -> None:
        nonlocal now_ns
        now_ns += PERIOD_NS
        clock.publish(Clock(clock=stamp_message(now_ns)))
        inputs.flash(now_ns)

    status = inputs.until("all inputs come", tick)
    for _ in range(20):  # a bag of two seconds and more: images a little older than the last are late, not a new start
        tick()
        client.within(0.05, lambda: False)
    assert status.level == DiagnosticStatus.OK
    assert abs(float(values(status)["image_clock_minus_stamp_s"])) < 0.5

    stopped_ns = now_ns
    status = inputs.until(f"/clock stands still at {stopped_ns * 1e-9:.2f} s")
    assert "is the simulation, or the bag, paused?" in status.message

    now_ns -= 3 * PERIOD_NS
    tick()
    inputs.process.wait_for_output("time went back by 0.2 s: images are too late until they have caught up")

    # The bag starts over: so does the node, and it finds its place again.
    now_ns = START_NS
    inputs.until("all inputs come", tick)
    inputs.process.wait_for_output(" s: starting over")
    inputs.drive.next_ns = now_ns + PERIOD_NS
    inputs.drive.settle(3.0)
    facts = values(inputs.until("", tick))
    assert facts["clock_jumps_back"] == "2"

    client.node.destroy_publisher(clock)
    inputs.until("nobody publishes it any more")
    assert inputs.process.stop() == 0


def test_images_of_another_time_are_localized_and_told(start, client: Client) -> None:
    inputs = start("wall_clock")
    inputs.drive.settle(3.0)

    status = inputs.until("days before the node's clock: synchronise the clocks", lambda: inputs.drive.show(3.0))
    assert status.level == DiagnosticStatus.WARN
    inputs.until("localized", lambda: inputs.drive.show(3.0), "localization")

    ahead_ns = 4_000_000_000
    status = inputs.until("s after the node's clock", lambda: inputs.flash(time.time_ns() + ahead_ns))
    inputs.until("/wall_clock_eye", lambda: inputs.flash(time.time_ns() + ahead_ns))
    inputs.until("all inputs come", lambda: inputs.flash(time.time_ns()))

    def simulated_ns() -> int:
        return START_NS + time.monotonic_ns()

    clock = client.node.create_publisher(Clock, "/clock", BEST_EFFORT)
    inputs.until("somebody publishes /clock: set use_sim_time to true", lambda: inputs.flash(simulated_ns()))
    client.node.destroy_publisher(clock)


def test_images_without_a_stamp_are_refused_and_two_that_quarrel_are_told(start, client: Client) -> None:
    inputs = start("stampless")
    status = inputs.until("what comes on /stampless_eye has a stamp of zero", lambda: inputs.flash(0))
    assert status.level == DiagnosticStatus.WARN
    inputs.until("the image's stamp is zero: its driver must stamp it", lambda: inputs.flash(0), "localization")

    def quarrel() -> None:
        now_ns = time.time_ns()
        inputs.flash(now_ns)
        inputs.flash(now_ns - 300_000_000)

    # Of two images that come at once the node reads the newer alone: on a busy machine only their camera_info quarrels.
    status = inputs.until("go back and forth: it is published by /robot", quarrel)
    assert status.message.startswith("the stamps on /stampless_eye")


def test_stamps_that_stand_still_are_told_with_their_cause_and_no_image_counts_twice(start) -> None:
    inputs, frozen_ns = start("frozen"), time.time_ns()
    inputs.until("the stamps on /frozen_eye stand still in ", lambda: inputs.flash(frozen_ns))
    status = inputs.until("no new image on /frozen_eye for ", lambda: inputs.flash(frozen_ns), "localization")
    assert status.message.endswith(": its stamps stand still: its driver stamps wrongly")
    assert status.level == DiagnosticStatus.ERROR
    facts = values(status)
    assert facts["images_processed"] == "1"
    assert int(facts["images_too_late"]) > 2
    inputs.until("all inputs come", lambda: inputs.flash(time.time_ns()))


def test_odometry_that_is_silent_late_or_early_is_told(start, client: Client) -> None:
    inputs = start("rolling", use_odometry=True, odom_topic="/rolling_wheels")
    status = inputs.until("no odometry on /rolling_wheels for ", lambda: inputs.flash(time.time_ns()))
    assert status.level == DiagnosticStatus.ERROR
    assert "nobody publishes it" in status.message
    wheels = client.publisher(Odometry, "/rolling_wheels", BEST_EFFORT)

    def roll(behind_s: float) -> None:
        now_ns = time.time_ns()
        for ahead_ns in (-20_000_000, 20_000_000):
            message = Odometry(child_frame_id="base_link")
            message.header.stamp = stamp_message(now_ns + ahead_ns - int(behind_s * 1e9))
            message.pose.pose = pose_message(Pose.identity())
            wheels.publish(message)
        inputs.flash(now_ns)

    status = inputs.until("no odometry from /rolling_wheels for the last image: the image is 2.", lambda: roll(2.3))
    assert "s newer than the newest" in status.message
    assert "/rolling_wheels is stamped 2." in status.message
    assert status.level == DiagnosticStatus.WARN
    status = inputs.until("s older than all that is kept", lambda: roll(-35.0))
    assert values(status)["odometry"].startswith("no odometry from /rolling_wheels")
    status = inputs.until("all inputs come", lambda: roll(0.0))
    assert values(status)["odometry"] == "ok"
