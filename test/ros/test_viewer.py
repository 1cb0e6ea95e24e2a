"""The viewer node between a real localizer and real WebSocket clients."""

import io
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")
pytest.importorskip("foxglove", reason="the viewer needs foxglove-sdk: pip install 'campose_ros[view]'")

from client import ALL, BEST_EFFORT, Client, stamps, values
from drives import Drive
from geometry_msgs.msg import PoseStamped
from node_process import NodeProcess, StartNode
from PIL import Image as PillowImage
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage
from viewing import Viewer, viewers_client
from wall import CAMERA, floor, stamp_message
from websockets.exceptions import InvalidStatus

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
IMAGES = "/cam/compressed"
StartViewer = Callable[..., NodeProcess]


@pytest.fixture(scope="module")
def start_viewer(ros_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartViewer]:
    started: list[NodeProcess] = []

    def start(**parameters: Any) -> NodeProcess:
        given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        command = [sys.executable, "-m", "campose_ros.viewer_node", "--ros-args", *given]
        started.append(NodeProcess(command, tmp_path_factory.mktemp("viewer") / "output.txt"))
        return started[-1]

    yield start
    for viewer in started:
        if viewer.process.poll() is None:
            viewer.process.kill()
            viewer.process.wait()


def address_of(viewer: NodeProcess) -> str:
    viewer.wait_for_output(" on ws://")
    return viewer.output().split(" on ")[1].split()[0]


@pytest.fixture(scope="module")
def drive(start_node: StartNode, client: Client, wall_scene: Path) -> Drive:
    start_node(
        "localizer", scene=wall_scene, image_topic="/cam", camera_info_topic="/cam_info", image_transport="compressed"
    )
    return Drive(client, "localizer", "/cam", "compressed")


@pytest.fixture(scope="module")
def address(start_viewer: StartViewer) -> str:
    return address_of(start_viewer(port=0, topics="['/extra/.*']", image_rate_hz=0.1))


def subscribed(client: Client, viewer: Viewer, *topics: str) -> None:
    """Look at topics, and wait until the viewer node has its subscriptions."""
    before = {topic: client.node.count_subscribers(topic) for topic in topics}
    viewer.await_topics(set(topics))
    viewer.await_messages("/map")  # the server announces a channel a moment before it lets anybody subscribe
    viewer.subscribe(*topics)
    client.until(lambda: all(client.node.count_subscribers(t) > before[t] for t in topics), f"{topics} are subscribed")


def test_it_shows_the_image_the_pose_and_the_status(drive: Drive, client: Client, address: str) -> None:
    moving = ("/localizer/pose", "/localizer/status", IMAGES, "/cam_info")
    with Viewer(address) as viewer:
        subscribed(client, viewer, *moving)
        client.until(lambda: drive.images.get_subscription_count() == 2, "the viewer takes images")
        drive.settle()
        shown = viewer.messages(*moving)
    pose = shown["/localizer/pose"][0][1]
    sent = drive.pose_of(*stamps([pose]), drive.poses)
    assert (pose.pose.position.x, pose.pose.orientation.w) == (sent.pose.position.x, sent.pose.orientation.w)
    states = {values(message.status[0])["state"] for _, message in shown["/localizer/status"]}
    assert states <= {"INITIALIZING", "TRACKING"}
    picture = shown[IMAGES][0][1]
    assert PillowImage.open(io.BytesIO(picture.data)).size == (CAMERA.width, CAMERA.height)
    assert shown["/cam_info"][0][1].k[0] == CAMERA.matrix()[0, 0]


def test_the_map_is_shown_to_who_comes_first_and_who_comes_late(drive: Drive, address: str) -> None:
    with Viewer(address) as first:
        grids = [first.await_messages("/map")["/map"][0]]
        with Viewer(address) as second:
            grids += second.await_messages("/map")["/map"]
    assert first.channels["/map"]["schemaEncoding"] == "ros2msg"
    for _, grid in grids:
        assert (grid.info.height, grid.info.width) == floor().occupancy.shape
        np.testing.assert_array_equal(grid.data, floor().occupancy.ravel())


def test_the_viewers_own_client_sees_what_is_latched_late_and_again(drive: Drive, address: str) -> None:
    latched = ("/map", "/localizer/walkable", "/localizer/landmarks")
    seen = viewers_client("connect.mjs", address, "/diagnostics", *latched)
    for time in ("late", "again"):
        assert seen[time]["/map"]["data"] == floor().occupancy.ravel().tolist()
        assert set(seen[time]) == set(latched)


def test_a_topic_is_subscribed_to_only_while_somebody_looks(drive: Drive, client: Client, address: str) -> None:
    topic = "/localizer/pose_raw"
    others = client.node.count_subscribers(topic)
    with Viewer(address) as one:
        subscribed(client, one, topic)
        with Viewer(address) as two:
            two.subscribe(topic)
            two.send(op="unsubscribe", subscriptionIds=[two.channels[topic]["id"]])
            drive.settle()
            one.messages(topic)
        assert client.node.count_subscribers(topic) == others + 1
    client.until(lambda: client.node.count_subscribers(topic) == others, "the subscription ends with the last client")


def test_clients_cannot_change_anything(drive: Drive, client: Client, address: str) -> None:
    topic = "/initialpose"
    with Viewer(address) as viewer:
        viewer.await_topics({"/map"})
        assert viewer.info["capabilities"] == []
        wanted = {"id": 1, "topic": topic, "encoding": "json", "schemaName": "geometry_msgs/msg/Pose"}
        viewer.send(op="advertise", channels=[wanted])
        viewer.socket.send(b"\x01" + struct.pack("<I", 1) + b"{}")
        viewer.send(op="setParameters", parameters=[{"name": "port", "value": 1}])
        viewer.await_messages("/map")
        refusals = " ".join(status["message"] for status in viewer.statuses)
    assert "clientPublish" in refusals
    assert "parameters" in refusals
    assert client.node.count_publishers(topic) == 0


def test_a_web_page_of_another_origin_sees_nothing(address: str) -> None:
    with pytest.raises(InvalidStatus):
        Viewer(address, origin="https://evil.example")
    with Viewer(address, origin="https://app.foxglove.dev") as viewer:
        viewer.await_topics({"/map"})


def test_it_follows_publishers_that_come_later_and_offer_something_else(
    drive: Drive, client: Client, address: str
) -> None:
    topic = "/extra/place"
    volatile = client.node.create_publisher(PoseStamped, topic, BEST_EFFORT)
    with Viewer(address) as viewer:
        subscribed(client, viewer, topic)
        client.node.destroy_publisher(volatile)
        latched = client.node.create_publisher(PoseStamped, topic, LATCHED)
        message = PoseStamped()
        message.header.stamp = stamp_message(7)
        latched.publish(message)
        ((_, shown), *_) = viewer.messages(topic)[topic]
    assert stamps([shown]) == [7]
    client.node.destroy_publisher(latched)


def test_images_are_limited_and_nothing_else_is(drive: Drive, client: Client, address: str) -> None:
    images = client.node.create_publisher(CompressedImage, "/extra/image", ALL)
    poses = client.node.create_publisher(PoseStamped, "/extra/pose", ALL)
    with Viewer(address) as viewer:
        subscribed(client, viewer, "/extra/image", "/extra/pose")
        client.until(lambda: images.get_subscription_count() and poses.get_subscription_count(), "they are subscribed")
        for number in range(20):
            images.publish(CompressedImage(data=bytes([number])))
            poses.publish(PoseStamped())
        shown = viewer.messages("/extra/pose", "/extra/image")
        received = {topic: len(messages) for topic, messages in shown.items()}
        while received["/extra/pose"] < 20:
            received["/extra/pose"] += len(viewer.messages("/extra/pose")["/extra/pose"])
    assert received["/extra/image"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_says_when_the_port_is_taken(start_viewer: StartViewer, number: int) -> None:
    viewer = start_viewer(port=0)
    port = address_of(viewer).rpartition(":")[2]
    refused = start_viewer(port=port)
    assert refused.process.wait(30) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in refused.output()
    assert "Traceback" not in refused.output()
    with Viewer(address_of(viewer)):
        assert viewer.stop(number) == 0
    assert "Traceback" not in viewer.output()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"topics": "['/(']"}, "topics must be regular expressions, got '/('"),
        ({"localizer": "my robot"}, "the name of a node is made of letters, digits, _ and slashes, got 'my robot'"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    start_viewer: StartViewer, parameters: dict[str, str], said: str
) -> None:
    viewer = start_viewer(port=0, **parameters)
    assert viewer.process.wait(30) == 2
    assert said in viewer.output()
    assert "Traceback" not in viewer.output()
