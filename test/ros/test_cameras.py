"""Two cameras on one robot, one raw and one compressed, and video: through the node, over DDS."""

from __future__ import annotations

import dataclasses
import importlib.util
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import ALL, Client, stamps, values
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from node_process import NodeProcess, StartNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from wall import CAMERA, camera_info, compressed_message, picture, raw_message, stamp_message, standing_at

from campose_core.bag.camera_info import camera_from_info
from campose_core.bag.ros_messages import pose_of
from campose_core.frame import Frame
from campose_core.geometry import Pose, pose_error
from campose_core.localization.estimators.structure import StructureEstimator
from campose_core.scene.scene import Scene
from campose_ros.parameter_refusal import refusal

START_NS, PERIOD_NS, APART_NS = 1_700_000_000_000_000_000, 100_000_000, 7_000_000
# They look 40 degrees apart. The base stands where `standing_at` says.
MOUNTINGS = {
    "left": standing_at(0.0).inverse() * standing_at(-0.2, 1.6, 0.35),
    "right": standing_at(0.0).inverse() * standing_at(0.2, 1.55, -0.35),
}
WHITE = np.full((CAMERA.height, CAMERA.width, 3), 250, np.uint8)


def seven(pose: Pose) -> list[float]:
    return [*map(float, pose.translation), *map(float, pose.quat_xyzw)]


@pytest.fixture(scope="module")
def node(start_node: StartNode, wall_scene: Path) -> NodeProcess:
    cameras = {f"{name}.base_from_camera": seven(mounting) for name, mounting in MOUNTINGS.items()}
    node = start_node(
        "robot", scene=wall_scene, cameras="[left, right]", **cameras, **{"right.image_transport": "compressed"}
    )
    node.wait_for_output("listening to /right/image/compressed")
    return node


class Robot:
    """Shows the node what its cameras see; each image is published until it is answered."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.status = client.collect(DiagnosticArray, "/robot/status")
        self.poses = client.collect(PoseStamped, "/robot/pose_raw")
        self.images = {
            "left": client.publisher(Image, "/left/image"),
            "right": client.publisher(CompressedImage, "/right/image/compressed"),
        }
        infos = [client.publisher(CameraInfo, f"/{name}/camera_info", ALL) for name in MOUNTINGS]
        for info in infos:
            info.publish(camera_info(START_NS))
        self.now_ns = START_NS

    def sees(self, name: str, x: float) -> np.ndarray:
        return picture(standing_at(x) * MOUNTINGS[name])

    def send(self, name: str, stamp_ns: int, pixels: np.ndarray) -> None:
        message = raw_message if name == "left" else compressed_message
        self.images[name].publish(message(stamp_ns, pixels))

    def show(self, name: str, x: float, pixels: np.ndarray | None = None) -> dict[str, str]:
        """The status of the image of one camera of the robot at x."""
        self.now_ns += APART_NS if name == "right" else PERIOD_NS - APART_NS
        stamp_ns, pixels = self.now_ns, self.sees(name, x) if pixels is None else pixels
        for _ in range(10):
            self.send(name, stamp_ns, pixels)
            if self.client.within(1.0, lambda: stamp_ns in stamps(self.status)):
                return next(values(m.status[0]) for m in self.status if stamps([m]) == [stamp_ns])
        raise AssertionError(f"no status for the {name} image of {stamp_ns}")

    def error(self, x: float) -> tuple[float, float]:
        """Of the pose of the last image that was shown: metres, radians."""
        found = self.client.until(lambda: [p for p in self.poses if stamps([p]) == [self.now_ns]], "its pose")
        return pose_error(pose_of(found[0].pose), standing_at(x))

    def settle(self, x: float) -> None:
        for _ in range(4):
            states = [self.show(name, x)["state"] for name in MOUNTINGS]
        assert states == ["TRACKING"] * 2


@pytest.fixture(scope="module")
def robot(node: NodeProcess, client: Client) -> Robot:
    return Robot(client)


def test_both_cameras_tell_where_the_base_is(robot: Robot) -> None:
    robot.settle(2.8)
    for i in range(6):
        for name in MOUNTINGS:
            x = 2.8 + 0.02 * i
            assert robot.show(name, x)["answered"] == "True"
            error_m, error_rad = robot.error(x)
            assert error_m < 0.02
            assert error_rad < 0.01


@pytest.mark.parametrize("blind", ["left", "right"])
def test_one_camera_that_faces_a_white_wall_is_carried_by_the_other(robot: Robot, blind: str) -> None:
    robot.settle(2.8)
    for i in range(16):  # images in a row would be LOST after 15 misses
        x = 2.8 + 0.02 * i
        for name in MOUNTINGS:
            status = robot.show(name, x, WHITE if name == blind else None)
            assert status["state"] == "TRACKING"
            assert status["answered"] == str(name != blind)
            if name != blind:
                assert robot.error(x)[0] < 0.02


def test_a_camera_that_goes_on_to_contradict_the_other_is_named_with_the_cure(robot: Robot) -> None:
    robot.settle(2.8)
    contradiction = "left and right contradict each other: check base_from_camera"

    def contradict() -> None:
        assert robot.show("left", 2.8)["answered"] == "True"
        told = robot.show("right", 2.8, robot.sees("right", 3.8))
        assert (told["state"], told["answered"]) == ("TRACKING", "False")

    for _ in range(12):
        contradict()
    # Both go on: a camera that is silent is told of as well, as an error.
    status = robot.client.diagnosis("robot", lambda s: contradiction in s.message, "it", contradict)
    assert (status.name, status.level) == ("robot: inputs", DiagnosticStatus.WARN)
    robot.settle(2.8)


def test_one_camera_whose_images_are_refused_is_a_warning_and_the_level_stays_while_the_other_serves(
    robot: Robot,
) -> None:
    """Its camera_info is that of an upright image."""
    client, info = robot.client, robot.client.publisher(CameraInfo, "/right/camera_info", ALL)
    diagnostics = client.collect(DiagnosticArray, "/diagnostics")
    robot.settle(2.8)
    info.publish(camera_info(robot.now_ns, dataclasses.replace(CAMERA, width=CAMERA.height, height=CAMERA.width)))

    def show_both() -> None:
        assert robot.show("left", 2.8)["state"] == "TRACKING"
        robot.send("right", robot.now_ns + APART_NS, robot.sees("right", 2.8))
        client.within(0.05, lambda: False)

    refused = "right: the image is 320x240, its camera 240x320"
    status = client.diagnosis("robot", lambda s: refused in s.message, "it", show_both)
    assert (status.name, status.level) == ("robot: inputs", DiagnosticStatus.WARN)
    diagnostics.clear()
    for _ in range(15):
        show_both()
    told = [s for m in diagnostics for s in m.status]
    levels = [s.level for s in told if s.name == "robot: localization"]
    assert levels
    assert DiagnosticStatus.ERROR not in levels
    assert all(refused in s.message for s in told if s.name == "robot: inputs")
    info.publish(camera_info(robot.now_ns))
    robot.settle(2.8)
    client.diagnosis("robot", lambda s: s.name == "robot: inputs" and refused not in s.message, "it is forgotten")


def test_an_image_that_comes_too_late_is_dropped_and_counted(robot: Robot) -> None:
    robot.settle(3.0)
    late_ns = robot.now_ns - 3_000_000
    for _ in range(5):
        robot.send("left", late_ns, robot.sees("left", 3.0))
        robot.client.within(0.1, lambda: False)
    assert robot.show("right", 3.0)["state"] == "TRACKING"  # not after a new start
    assert late_ns not in stamps(robot.status)
    robot.client.diagnosis("robot", lambda s: int(values(s).get("images_too_late", 0)) > 0, "late images")


def test_diagnostics_name_the_camera_that_is_silent_and_the_robot_is_not_lost(robot: Robot) -> None:
    diagnostics = robot.client.collect(DiagnosticArray, "/diagnostics")
    robot.settle(3.0)
    for _ in range(40):
        assert robot.show("right", 3.0)["state"] == "TRACKING"
        inputs = [s.message for m in diagnostics for s in m.status if s.name == "robot: inputs"]
        if any("no image on /left/image for" in message for message in inputs):
            return
        robot.client.within(0.1, lambda: False)
    raise AssertionError(f"not diagnosed: {inputs}")


def test_video_of_a_driver_in_compressed_images(robot: Robot) -> None:
    """Packets of H.264: those that are not localized are decoded all the same."""
    av = pytest.importorskip("av", reason="video needs PyAV: pip install 'campose_ros[robot]'")
    robot.settle(3.0)
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 240, "yuv420p", Fraction(1, 10)
    encoder.gop_size, encoder.options = 100, {"tune": "zerolatency", "crf": "16", "preset": "ultrafast"}
    errors_m = []
    for i in range(12):
        x = 3.0 + 0.02 * i
        shown = av.VideoFrame.from_ndarray(robot.sees("right", x), format="rgb24")
        shown.pts = i
        (packet,) = encoder.encode(shown)
        robot.now_ns += PERIOD_NS
        stamp_ns = robot.now_ns
        message = CompressedImage(format="h264")
        message.header.stamp, message.header.frame_id = stamp_message(stamp_ns), "right_optical"
        message.data = bytes(packet)
        robot.images["right"].publish(message)  # once: a packet twice is not a stream
        if i % 4 == 3:  # the others may be dropped for newer ones
            robot.client.until(lambda stamp_ns=stamp_ns: stamp_ns in stamps(robot.status), "the video's image")
            errors_m.append(robot.error(x)[0])
    assert max(errors_m) < 0.02


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("plumb_bob", [-0.15, 0.03, 0.001, -0.001, 0.0]), ("equidistant", [0.05, -0.01, 0.002, 0.0])],
)
def test_a_raw_image_and_a_rectified_one_tell_the_same_pose(
    wall_scene: Path, model: str, distortion: list[float]
) -> None:
    """K and D describe the one, P the other."""
    info = camera_info()
    info.distortion_model, info.d = model, distortion
    info.p = [240.0, 0.0, 155.0, 0.0, 0.0, 240.0, 121.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    estimator, truth, found = StructureEstimator.load(Scene.open(wall_scene)), standing_at(3.0), []
    for rectified in (False, True):
        camera = camera_from_info(info, rectified)
        (estimate,) = estimator.estimate(Frame(START_NS, picture(truth, camera), "eye", ""), camera)
        found.append(estimate.map_from_cam)
        assert pose_error(estimate.map_from_cam, truth)[0] < 0.01
    assert pose_error(*found)[1] < 0.003


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"cameras": "[a, b]"}, "a and b would sit in the same place: set a.base_from_camera and b.base_from_camera"),
        (
            {
                "cameras": "[a, b]",
                "image_transport": "compressed",
                "a.image_topic": "/x",
                "b.image_topic": "/x/compressed",
            },
            "the cameras a and b have the same images: /x/compressed",
        ),
        ({"image_transport": "ffmpeg"}, "image_transport needs the messages of ffmpeg_image_transport_msgs"),
    ],
    ids=["place", "topic", "package"],
)
def test_cameras_that_cannot_be_are_refused_with_the_cure(
    start_node: StartNode, wall_scene: Path, given: dict[str, str], reason: str
) -> None:
    if given.get("image_transport") == "ffmpeg" and importlib.util.find_spec("ffmpeg_image_transport_msgs"):
        pytest.skip("the messages are installed")
    start_node("refused", scene=wall_scene, **given).wait_for_output(reason)


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("cameras", [""], False),
        ("cameras", ["front", "rear_2"], False),
        ("cameras", ["front", "front"], True),
        ("cameras", ["front", ""], True),
        ("cameras", ["front.left"], True),
        ("front.image_transport", "ffmpeg", False),
        ("front.image_transport", "theora", True),
        ("front.image_topic", "7/image", True),
        ("front.base_from_camera", [0.0] * 7, True),
    ],
)
def test_the_parameters_of_a_camera_are_checked_as_those_at_the_top(name: str, value: object, refused: bool) -> None:
    assert bool(refusal(name, value)) == refused
