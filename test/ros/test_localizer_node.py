"""The node over DDS: images of a painted wall in, poses before the wall out."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, BEST_EFFORT, Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from drives import PERIOD_NS, START_NS, Drive
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from nav_msgs.msg import Path as PathMessage
from nav_msgs.srv import LoadMap
from node_process import NodeProcess, StartNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from wall import compressed_message, floor, picture, raw_message, standing_at

from campose_core.bag.ros_messages import pose_of
from campose_core.geometry import pose_error

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def localizer(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    node = start_node(
        "localizer", scene=wall_scene, image_topic="/cam", camera_info_topic="/cam_info", image_transport="compressed"
    )
    node.wait_for_output("listening to /cam/compressed")
    return node


@pytest.fixture(scope="module")
def drive(localizer: NodeProcess, client: Client) -> Drive:
    return Drive(client, "localizer", "/cam", "compressed")


def check_walk(drive: Drive) -> None:
    """A walk gives poses from the third image on, with the images' stamps, where the camera was."""
    drive.settle()
    places = np.arange(3.0, 3.5, 0.1)
    sent = {}
    for x in places:
        sent[drive.next_ns] = float(x)
        drive.show(float(x))
    for stamp_ns, x in sent.items():
        message = drive.pose_of(stamp_ns, drive.raw_poses)
        assert message.header.frame_id == drive.pose_of(stamp_ns, drive.poses).header.frame_id == "map"
        distance_m, angle = pose_error(pose_of(message.pose), standing_at(x))
        assert distance_m < 0.01
        assert angle < 0.01


def test_compressed_images_become_poses_with_their_stamps(drive: Drive) -> None:
    check_walk(drive)


def test_raw_images_become_poses_with_their_stamps(start_node: StartNode, wall_scene: Path, client: Client) -> None:
    node = start_node("raw", scene=wall_scene, image_topic="/rawcam", camera_info_topic="/rawcam_info")
    node.wait_for_output("listening to /rawcam")
    check_walk(Drive(client, "raw", "/rawcam", "raw"))
    assert node.stop() == 0


def test_the_pose_is_snapped_to_the_walkable_floor_and_the_raw_one_is_not(drive: Drive) -> None:
    drive.settle(3.0)
    status = drive.show(3.0, y=1.4)
    assert float(status["snap_distance_m"]) == 0.0
    for y in (1.2, 1.0, 0.8, 0.6, 0.4, 0.2, 0.12):
        status = drive.show(3.0, y=y)
    assert status["state"] == "TRACKING"
    # Walkable begins at 0.05 m of wall and 0.2 m of radius.
    assert float(status["snap_distance_m"]) == pytest.approx(0.13, abs=0.03)
    last_ns = drive.next_ns - PERIOD_NS
    snapped, raw = drive.pose_of(last_ns, drive.poses).pose, drive.pose_of(last_ns, drive.raw_poses).pose
    assert snapped.position.y == pytest.approx(0.25, abs=0.03)
    assert raw.position.y == pytest.approx(0.12, abs=0.02)
    assert (snapped.position.z, snapped.orientation) == (raw.position.z, raw.orientation)


def test_the_map_reaches_who_subscribes_late(drive: Drive) -> None:
    received = drive.client.collect(OccupancyGrid, "/map", LATCHED)
    (message,) = drive.client.until(lambda: received, "the map")
    expected = floor()
    assert (message.info.height, message.info.width) == expected.shape
    assert message.header.frame_id == "map"
    np.testing.assert_array_equal(np.array(message.data).reshape(expected.shape), expected.occupancy)


def test_covariance_and_path_accompany_the_pose(drive: Drive) -> None:
    covariances = drive.client.collect(PoseWithCovarianceStamped, "/localizer/pose_with_covariance")
    paths = drive.client.collect(PathMessage, "/localizer/path", LATCHED)
    drive.settle(3.0)
    drive.client.until(lambda: drive.show(3.0) and covariances, "a covariance")
    drive.client.until(lambda: paths, "a path")
    matrix = np.array(covariances[-1].pose.covariance).reshape(6, 6)
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert np.sqrt(np.diag(matrix)[:3]).max() < 0.05
    assert len(paths[-1].poses) >= 1


def test_the_newest_image_wins(drive: Drive) -> None:
    drive.settle(3.0)
    before = len(drive.status)
    messages = [compressed_message(drive.next_ns + i * 10_000_000, picture(standing_at(3.0))) for i in range(20)]
    newest = drive.next_ns + 19 * 10_000_000
    for message in messages:
        drive.images.publish(message)
    drive.client.until(lambda: stamps(drive.status)[-1] == newest, "the newest image is processed")
    processed = stamps(drive.status[before:])
    assert processed == sorted(processed)
    assert len(processed) < 20
    drive.next_ns = newest + PERIOD_NS


def test_a_bag_that_starts_over_starts_the_localizer_over(drive: Drive) -> None:
    drive.settle(2.5)
    status = drive.show(3.5, stamp_ns=START_NS - 10**9)
    assert (status["state"], status["answered"]) == ("INITIALIZING", "False")
    assert [drive.show(3.5)["state"] for _ in range(2)] == ["INITIALIZING", "TRACKING"]


def test_relocalize_and_initialpose_make_it_forget(drive: Drive) -> None:
    drive.settle()
    response = drive.client.call(Trigger, "/localizer/relocalize", Trigger.Request())
    assert response.success, response.message
    assert drive.show(3.0)["state"] == "INITIALIZING"
    drive.settle()
    drive.client.publisher(PoseWithCovarianceStamped, "/initialpose", ALL).publish(PoseWithCovarianceStamped())
    drive.client.until(lambda: drive.show(3.0)["state"] == "INITIALIZING", "initialpose arrived")


def test_an_image_that_cannot_be_decoded_is_refused_and_reported(drive: Drive) -> None:
    message = compressed_message(drive.next_ns, picture(standing_at(3.0)))
    message.data = message.data[:300]
    for _ in range(3):
        drive.images.publish(message)
    status = drive.client.diagnosis(
        "localizer", lambda s: int(values(s).get("images_refused", 0)) > 0, "an image was refused"
    )
    assert status.level == DiagnosticStatus.ERROR
    drive.settle()


def test_diagnostics_tell_state_rate_latency_and_support(drive: Drive) -> None:
    drive.settle()
    status = drive.client.diagnosis(
        "localizer", lambda s: s.message == "localized", "localized", lambda: drive.show(3.0)
    )
    facts = values(status)
    assert status.level == DiagnosticStatus.OK
    assert facts["state"] == "TRACKING"
    assert float(facts["input_rate_hz"]) > 0
    assert float(facts["latency_median_ms"]) > 0
    assert int(facts["support"]) > 20
    assert facts["snap_distance_m"] == "0.000"


def test_silence_of_the_camera_is_diagnosed_and_logged(drive: Drive, localizer: NodeProcess) -> None:
    drive.settle()
    status = drive.client.diagnosis("localizer", lambda s: "no image on /cam/compressed" in s.message, "silence")
    assert status.level == DiagnosticStatus.ERROR
    assert values(status)["state"] == "LOST"
    assert status.message.endswith("is the camera running?")
    localizer.wait_for_output("is the camera running?")


def test_lost_and_found_are_logged(drive: Drive, localizer: NodeProcess) -> None:
    drive.settle()
    before = localizer.output()
    grey = np.full_like(picture(standing_at(3.0)), 128)
    first_ns = drive.next_ns
    for i in range(30):
        drive.images.publish(compressed_message(first_ns + i * PERIOD_NS, grey))
        drive.next_ns = first_ns + (i + 1) * PERIOD_NS
        drive.client.within(0.2, lambda: stamps(drive.status)[-1] >= drive.next_ns - PERIOD_NS)
    drive.settle()
    drive.client.until(lambda: "TRACKING" in localizer.output()[len(before) :], "the log says TRACKING again")
    assert "LOST: no pose found in the image" in localizer.output()[len(before) :]


@pytest.mark.parametrize(
    ("topic", "parameters", "advice"),
    [
        ("/seen", {"reliable_images": True}, "never connects to that: set reliable_images to false"),
        ("/seen/compressed", {}, "/seen/compressed; set image_transport to compressed"),
        ("/seen/compressed", {"image_topic": "/seen/compressed"}, "not sensor_msgs/msg/Image: set image_transport to"),
        ("/other/compressed", {}, "nobody publishes it; other image topics: /"),
        ("/seen", {"image_topic": "/seen_info"}, "is sensor_msgs/msg/CameraInfo, not sensor_msgs/msg/Image: is image_"),
    ],
    ids=["reliability", "transport", "type of a transport", "topic", "type"],
)
def test_the_reason_of_a_silence_is_found(
    start_node: StartNode, wall_scene: Path, client: Client, topic: str, parameters: dict[str, Any], advice: str
) -> None:
    kind = CompressedImage if topic.endswith("compressed") else Image
    publishers = [client.node.create_publisher(kind, topic, BEST_EFFORT)]
    publishers.append(client.node.create_publisher(CameraInfo, "/seen_info", ALL))
    node = start_node(
        "unseeing", **{"scene": wall_scene, "estimator": "retrieval", "image_topic": "/seen", **parameters}
    )
    status = client.diagnosis("unseeing", lambda s: advice in s.message, advice)
    assert status.level == DiagnosticStatus.ERROR
    assert node.stop() == 0
    for publisher in publishers:
        client.node.destroy_publisher(publisher)


def damaged(scene: Path, folder: Path, name: str) -> Path:
    """A copy of the scene in which half of a file is gone."""
    copy = folder / Path(name).stem
    shutil.copytree(scene, copy)
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2])
    return copy


def test_another_scene_is_loaded_or_refused(drive: Drive, wall_scene: Path, tmp_path: Path) -> None:
    for url, code in (
        (tmp_path, LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        (tmp_path / "nothing", LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        (tmp_path / ("x" * 300), LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        ("/dev/zero", LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        ("http://host/scene", LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        ("file:///a%00b", LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST),
        (damaged(wall_scene, tmp_path, "scene.yaml"), LoadMap.Response.RESULT_INVALID_MAP_METADATA),
        (damaged(wall_scene, tmp_path, "sfm/landmarks.npz"), LoadMap.Response.RESULT_INVALID_MAP_DATA),
    ):
        load = drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=str(url)))
        assert load.result == code, url
    drive.settle()
    load = drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=wall_scene.as_uri()))
    assert load.result == LoadMap.Response.RESULT_SUCCESS
    assert (load.map.info.height, load.map.info.width) == floor().shape
    assert drive.show(3.0)["state"] == "INITIALIZING"


def test_a_scene_without_a_floor_leaves_no_map_of_the_one_before(
    drive: Drive, wall_scene: Path, tmp_path: Path
) -> None:
    maps = drive.client.collect(OccupancyGrid, "/map", LATCHED)
    walkable = drive.client.collect(OccupancyGrid, "/localizer/walkable", LATCHED)
    shutil.copytree(wall_scene, tmp_path / "outdoors")
    shutil.rmtree(tmp_path / "outdoors" / "floor")
    for scene, cells in ((tmp_path / "outdoors", 1), (wall_scene, floor().occupancy.size)):
        load = drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=str(scene)))
        assert load.result == LoadMap.Response.RESULT_SUCCESS
        for shown in (maps, walkable):
            drive.client.until(lambda shown=shown, n=cells: shown and len(shown[-1].data) == n, f"{cells} cells")
        if cells == 1:
            assert list(maps[-1].data) == [-1]


@pytest.mark.parametrize("name", ["../victim", "/victim", "sub/../../victim", ".bashrc"])
def test_loading_a_hostile_scene_writes_nothing(drive: Drive, wall_scene: Path, tmp_path: Path, name: str) -> None:
    """It holds what an update would have left that was killed, and names files beside the scene."""
    scene = tmp_path / "kitchen"
    shutil.copytree(wall_scene, scene)
    journal = scene / ".update"
    (journal / "new").mkdir(parents=True)
    (journal / "new" / "keep").write_text("new")
    (journal / "victim").write_text("owned")
    target = f"{tmp_path}/victim" if name.startswith("/") else name
    (journal / "paths.json").write_text(json.dumps([target]))
    (tmp_path / "victim").write_text("mine")
    before = tree(tmp_path)
    drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=str(scene)))
    assert tree(tmp_path) == before
    load = drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=str(wall_scene)))
    assert load.result == LoadMap.Response.RESULT_SUCCESS


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def test_a_name_stays_in_its_line_of_the_log(drive: Drive, localizer: NodeProcess) -> None:
    """Of a scene, and of a frame that somebody sends."""
    before = len(localizer.output())
    scene, frame = "/no\x1b[2J\n[INFO] [0.0] [localizer]: forged scene\r", "odd\x1b[1A\nforged frame\u202e"
    load = drive.client.call(LoadMap, "/localizer/load_scene", LoadMap.Request(map_url=scene))
    assert load.result == LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST
    start = PoseWithCovarianceStamped()
    start.header.frame_id = frame
    starts = drive.client.publisher(PoseWithCovarianceStamped, "/initialpose", ALL)
    starts.publish(start)
    drive.client.until(lambda: "forged frame" in localizer.output()[before:], "the frame is in the log")
    said = localizer.output()[before:]
    assert all(c == "\n" or c.isprintable() for c in said)
    assert not [line for line in said.splitlines() if "forged" in line and not line.startswith(("[ERROR]", "[WARN]"))]
    assert r"\x1b[2J\n[INFO]" in said
    assert r"\x1b[1A\nforged frame\u202e" in said


def test_a_parameter_in_use_is_not_changed(drive: Drive) -> None:
    reason = drive.client.set_parameter("localizer", "map_frame", "world")
    assert reason == "map_frame is read when the node is configured: `cleanup` it first"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_busy_node_cleanly(
    start_node: StartNode, wall_scene: Path, client: Client, number: int
) -> None:
    name = f"ends_{number}"
    node = start_node(name, scene=wall_scene, image_topic=f"/{name}", camera_info_topic=f"/{name}_info")
    node.wait_for_output("listening to")
    drive = Drive(client, name, f"/{name}", "raw")
    drive.show(3.0)
    message = raw_message(drive.next_ns, picture(standing_at(3.0)))
    for _ in range(5):
        drive.images.publish(message)
    before = len(node.output())
    assert node.stop_impatiently(number) == 0
    assert node.output()[before:] == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_in_the_last_moment_changes_no_exit_code(ros_environment: dict[str, str], number: int) -> None:
    """Python drops its handlers before it takes itself apart, when a signal would kill it."""
    script = Path(__file__).parents[1] / "support" / "interrupted.py"
    command = [sys.executable, str(script), str(int(number)), "nothing", "campose_ros.localizer_node"]
    ended = subprocess.run([*command, "--ros-args", "-p", "scene:=5"], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "campose_localizer: scene must be a text, got 5\n")


@pytest.fixture(scope="module")
def managed(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    """A node that waits for a lifecycle manager; each test leaves it unconfigured."""
    topics = {"image_topic": "/managed", "camera_info_topic": "/managed_info"}
    return start_node("managed", scene=wall_scene, autostart=False, estimator="retrieval", **topics)


def test_lifecycle_transitions(managed: NodeProcess, client: Client) -> None:
    assert client.state("managed") == "unconfigured"
    assert not client.call(Trigger, "/managed/relocalize", Trigger.Request()).success
    for _ in range(3):
        for transition, state in (
            ("configure", "inactive"), ("activate", "active"), ("deactivate", "inactive"),
            ("activate", "active"), ("deactivate", "inactive"), ("cleanup", "unconfigured"),
        ):  # fmt: skip
            assert client.change("managed", transition), transition
            assert client.state("managed") == state
    assert client.change("managed", "configure")
    assert client.change("managed", "activate")
    drive = Drive(client, "managed", "/managed", "raw")
    drive.settle()
    assert client.change("managed", "deactivate")
    client.until(lambda: drive.images.get_subscription_count() == 0, "it unsubscribes")
    assert client.change("managed", "cleanup")


def break_landmarks(scene: Path) -> None:
    whole = (scene / "sfm" / "landmarks.npz").read_bytes()
    (scene / "sfm" / "landmarks.npz").write_bytes(whole[: len(whole) // 2])


def break_model(scene: Path) -> None:
    folder = scene / "models" / "posenet"
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text("architecture: [posenet\n")
    (folder / "weights.safetensors").write_bytes(b"not weights")


@pytest.mark.parametrize(
    ("estimator", "damage", "reason"),
    [
        ("structure", break_landmarks, "landmarks.npz is damaged"),
        ("posenet", break_model, "pip install 'campose_ros[train]'"),  # torch is out of reach, as on a robot
        ("mapnet", lambda scene: None, "has no estimator 'mapnet'; it offers structure, retrieval"),
        ("structure", lambda scene: (scene / "scene.yaml").unlink(), "is not a scene (no scene.yaml)"),
        ("structure", lambda scene: (scene / "floor" / "map.yaml").write_text("image: map.pgm"), "map.yaml"),
    ],
    ids=["landmarks", "no torch", "unknown estimator", "no scene", "floor map"],
)
def test_a_damaged_scene_fails_configure_with_the_reason(
    managed: NodeProcess, wall_scene: Path, client: Client, tmp_path: Path, estimator: str, damage: Any, reason: str
) -> None:
    scene = tmp_path / "scene"
    shutil.copytree(wall_scene, scene)
    damage(scene)
    assert client.set_parameter("managed", "scene", str(scene)) == ""
    assert client.set_parameter("managed", "estimator", estimator) == ""
    assert not client.change("managed", "configure")
    status = client.diagnosis("managed", lambda s: s.level == DiagnosticStatus.ERROR and reason in s.message, reason)
    assert status.message.startswith("configure failed: ")
    assert client.state("managed") == "unconfigured"
    assert "Traceback" not in managed.output()
    # The node is alive: with a good scene it configures.
    assert client.set_parameter("managed", "scene", str(wall_scene)) == ""
    assert client.set_parameter("managed", "estimator", "retrieval") == ""
    assert client.change("managed", "configure")
    assert client.change("managed", "cleanup")


def test_a_node_that_starts_without_a_scene_stays_and_says_so(start_node: StartNode, client: Client) -> None:
    node = start_node("sceneless", publish_tf=True)
    status = client.diagnosis("sceneless", lambda s: s.level == DiagnosticStatus.ERROR, "an error")
    assert status.message == "configure failed: no scene is given: set the parameter `scene` to a scene folder"
    assert client.state("sceneless") == "unconfigured"
    assert node.stop() == 0


def test_parameters_out_of_range_are_refused(managed: NodeProcess, client: Client) -> None:
    set_parameter = partial(client.set_parameter, "managed")
    assert "max_speed_mps" in set_parameter("max_speed_mps", -1.0)
    assert "max_speed_mps" in set_parameter("max_speed_mps", float("nan"))
    assert "raw, compressed" in set_parameter("image_transport", "theora")
    assert set_parameter("autostart", "no")
    assert set_parameter("max_speed_mps", 1.5) == ""


def test_whole_numbers_are_taken_where_numbers_with_a_point_are_meant(managed: NodeProcess, client: Client) -> None:
    """As `ros2 param set` sends them."""
    set_parameter = partial(client.set_parameter, "managed")
    assert set_parameter("max_speed_mps", 2) == ""
    assert "max_speed_mps" in set_parameter("max_speed_mps", 0)
    assert set_parameter("initial_pose.x", 1) == ""
    assert set_parameter("base_from_camera", [0, 0, 0, 0, 0, 0, 1]) == ""
    assert set_parameter("base_from_camera", [0, 0, 1])
    assert set_parameter("confirmations", 2.5)
    assert set_parameter("confirmations", 3) == ""
    assert set_parameter("publish_tf", 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_speed_mps", -1.0), ("max_speed_mps", "fast"), ("image_transport", "theora"), ("image_topic", "/a b")],
)
def test_a_bad_parameter_on_the_command_line_is_one_line(start_node: StartNode, name: str, value: Any) -> None:
    node = start_node("misspelt", **{name: value})
    assert node.process.wait(20) == 1
    assert name in node.output()
    assert "Traceback" not in node.output()


def test_tf_without_its_messages_fails_configure(managed: NodeProcess, client: Client) -> None:
    if importlib.util.find_spec("tf2_msgs") is not None:
        pytest.skip("this installation has tf2_msgs")
    assert client.set_parameter("managed", "publish_tf", True) == ""
    assert not client.change("managed", "configure")
    client.diagnosis("managed", lambda s: "tf2_msgs, which is not installed: apt" in s.message, "it is missing")
    assert client.set_parameter("managed", "publish_tf", False) == ""


def test_without_camera_info_the_images_wait_or_the_scene_is_asked(
    start_node: StartNode, wall_scene: Path, client: Client
) -> None:
    node = start_node("uncalibrated", scene=wall_scene, image_topic="/bare")
    node.wait_for_output("listening to /bare")
    images = client.publisher(Image, "/bare")
    stop = threading.Event()

    def keep_publishing() -> None:
        message = raw_message(START_NS, picture(standing_at(3.0)))
        while not stop.wait(0.2):
            message.header.stamp.nanosec += 1
            images.publish(message)

    thread = threading.Thread(target=keep_publishing)
    thread.start()
    try:
        status = client.diagnosis("uncalibrated", lambda s: "no intrinsics" in s.message, "no intrinsics")
        assert "camera_source:=scene" in status.message
        info, empty = client.publisher(CameraInfo, "/camera_info", ALL), CameraInfo(width=320, height=240)
        client.diagnosis(
            "uncalibrated", lambda s: "no intrinsics: camera_info: " in s.message, "it is uncalibrated",
            lambda: info.publish(empty),  # again: best effort may lose the first
        )  # fmt: skip
        assert node.stop() == 0
        node = start_node("by_scene", scene=wall_scene, image_topic="/bare", camera_source="scene", use_odometry=True)
        received = client.collect(DiagnosticArray, "/by_scene/status")
        client.until(lambda: len(received) >= 3, "images are processed")
        wheels = client.publisher(Odometry, "/odom", BEST_EFFORT)
        for _ in range(10):  # best effort: one may be lost
            wheels.publish(Odometry(child_frame_id="base_footprint"))
            time.sleep(0.1)
        node.wait_for_output("odometry refused: it is of base_footprint, and base_frame is base_link")
    finally:
        stop.set()
        thread.join()
