"""What a node leaves behind in a map that is no longer its own, and where its robot no longer is."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, stamps, values
from drives import PERIOD_NS, Drive
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from nav_msgs.srv import LoadMap
from node_process import StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile

from campose_core.scene.scene import Scene

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
POSES = "/moved/pose_with_covariance"


@pytest.fixture(scope="module")
def drive(start_node: StartNode, wall_scene: Path, client: Client) -> Drive:
    """To a node that believes one image."""
    node = start_node("moved", scene=wall_scene, image_topic="/moved_eye", camera_info_topic="/moved_eye_info",
                      confirmations=1, publish_tf=False)  # fmt: skip
    node.wait_for_output("listening to /moved_eye")
    return Drive(client, "moved", "/moved_eye", "raw")


def five_metres_on(wall_scene: Path, folder: Path) -> Path:
    """The same wall in another map."""
    scene = Scene.open(shutil.copytree(wall_scene, folder / "elsewhere"))
    assert scene.alignment is not None
    map_from_sfm = scene.alignment.map_from_sfm
    moved = replace(map_from_sfm, translation=map_from_sfm.translation + np.array([5.0, 0.0, 0.0]))
    replace(scene, alignment=replace(scene.alignment, map_from_sfm=moved)).save()
    return scene.path


def shown(drive: Drive, x: float) -> int:
    """The stamp of an image that was answered."""
    assert drive.show(x)["answered"] == "True"
    return drive.next_ns - PERIOD_NS


def test_neither_the_kept_pose_nor_a_speed_goes_over_into_another_map(
    drive: Drive, wall_scene: Path, tmp_path: Path
) -> None:
    client = drive.client
    speeds, before = client.collect(Odometry, "/moved/odometry"), client.collect(PoseWithCovarianceStamped, POSES)
    told = [shown(drive, 3.0) for _ in range(3)][1:]
    client.until(lambda: stamps(speeds) == told, "speeds")
    kept = client.collect(PoseWithCovarianceStamped, POSES, LATCHED)
    client.until(lambda: stamps(kept) == told[-1:], "the pose that is kept for later ones")
    load = client.call(LoadMap, "/moved/load_scene", LoadMap.Request(map_url=str(five_metres_on(wall_scene, tmp_path))))
    assert load.result == LoadMap.Response.RESULT_SUCCESS
    late = client.collect(PoseWithCovarianceStamped, POSES, LATCHED)
    client.within(1.0, lambda: False)
    assert not late
    status = client.diagnosis("moved", lambda s: s.name == "moved: localization", "the new map")
    assert values(status)["state"] == "INITIALIZING"

    first, second = shown(drive, 3.0), shown(drive, 3.0)
    client.until(lambda: stamps(late) == [first, second], "poses in the new map")
    assert late[-1].pose.pose.position.x == pytest.approx(8.0, abs=0.05)
    client.until(lambda: stamps(before)[-2:] == [first, second], "who listened before goes on to hear")
    client.until(lambda: second in stamps(speeds), "a speed")
    assert first not in stamps(speeds)
    assert abs(speeds[-1].twist.twist.linear.x) < 0.5


def test_a_robot_that_is_carried_has_no_speed_on_the_way(drive: Drive) -> None:
    speeds = drive.client.collect(Odometry, "/moved/odometry")
    path = [shown(drive, x) for x in (2.0, 2.0, 4.0, 4.0)]
    drive.client.until(lambda: path[-1] in stamps(speeds), "a speed")
    assert path[2] not in stamps(speeds)
    assert path[1] in stamps(speeds)
