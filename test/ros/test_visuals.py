"""What the node shows to people, over DDS."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, stamps
from drives import Drive
from nav_msgs.msg import OccupancyGrid
from node_process import StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker
from wall import WALL_WIDTH, WALL_Y

from campose_core.pixels.image_codec import decode_bytes
from campose_core.scene.scene import Scene
from campose_core.visualization.matches import EXPECTED, SEEN
from campose_core.visualization.scene_landmarks import read_landmarks

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def drive(start_node: StartNode, wall_scene: Path, client: Client) -> Drive:
    topics = {"image_topic": "/seen", "camera_info_topic": "/seen_info", "image_transport": "compressed"}
    node = start_node("shown", scene=wall_scene, path_spacing_m=0.05, **topics)
    node.wait_for_output("listening to /seen/compressed")
    return Drive(client, "shown", "/seen", "compressed")


def test_the_scene_is_shown_to_whoever_comes_late(drive: Drive, wall_scene: Path) -> None:
    client = drive.client
    grids = client.collect(OccupancyGrid, "/shown/walkable", LATCHED)
    maps = client.collect(OccupancyGrid, "/map", LATCHED)
    clouds = client.collect(PointCloud2, "/shown/landmarks", LATCHED)
    client.until(lambda: grids and maps and clouds, "the scene is shown")
    walkable, occupied = np.array(grids[0].data) == 0, np.array(maps[0].data) == 100
    assert walkable.any()
    assert not (walkable & occupied).any()
    points = np.frombuffer(clouds[0].data, np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 4)]))["xyz"]
    landmarks = read_landmarks(Scene.open(wall_scene))
    assert landmarks is not None
    np.testing.assert_allclose(points, landmarks.xyz, atol=1e-5)
    np.testing.assert_allclose(points[:, 1], WALL_Y, atol=1e-3)
    assert 0 <= points[:, 0].min() < points[:, 0].max() <= WALL_WIDTH


def test_images_are_drawn_with_their_landmarks_while_somebody_looks(drive: Drive) -> None:
    drive.settle()
    pictures = drive.client.collect(CompressedImage, "/shown/matches/compressed")
    stamp_ns = drive.next_ns
    drive.show(3.1)
    drive.client.until(lambda: stamp_ns in stamps(pictures), "the image with its landmarks")
    (message,) = [message for message in pictures if stamps([message]) == [stamp_ns]]
    drawing = decode_bytes(message.data.tobytes()).astype(int)
    assert drawing.shape == (240, 320, 3)
    for color in (SEEN, EXPECTED):
        assert (np.abs(drawing - color).max(axis=2) < 60).sum() > 50


def reaching(trails: list[Marker], x: float) -> Marker | None:
    """The newest trail, if it goes so far."""
    return trails[-1] if trails and max((point.x for point in trails[-1].points), default=0.0) > x else None


def test_the_trail_grows_and_a_restart_clears_it(drive: Drive) -> None:
    trails = drive.client.collect(Marker, "/shown/trail", LATCHED)
    drive.settle(3.0)
    for x in np.arange(3.0, 3.4, 0.1):
        drive.show(float(x))
    marker = drive.client.until(lambda: reaching(trails, 3.28), "the trail is that long")
    assert marker.header.frame_id == "map"
    assert len(marker.colors) == len(marker.points)
    assert len(marker.points) >= 6
    assert drive.client.call(Trigger, "/shown/reset", Trigger.Request()).success
    drive.client.until(lambda: not trails[-1].points, "the trail is empty")
