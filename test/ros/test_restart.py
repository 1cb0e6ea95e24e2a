"""A node that begins where it was before a restart, and one that takes fewer images than the camera sends."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, stamps
from drives import START_NS, Drive
from node_process import NodeProcess, StartNode
from wall import compressed_message, picture, stamp_message, standing_at

from campose_core.bag.ros_messages import pose_of
from campose_core.geometry import Pose, pose_error

NAME, WAS_AT, BESIDE_THE_WALL = "restarted", 3.1, -20.0
SECOND = 10**9


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory") / "last_pose.json"


def begin(start_node: StartNode, wall_scene: Path, memory: Path) -> NodeProcess:
    node = start_node(
        NAME, scene=wall_scene, image_topic="/rcam", camera_info_topic="/rcam_info", image_transport="compressed",
        remembered_pose_file=memory,
    )  # fmt: skip
    node.wait_for_output("listening to /rcam/compressed", 60.0)
    return node


@pytest.fixture(scope="module")
def node(start_node: StartNode, client: Client, wall_scene: Path, memory: Path) -> NodeProcess:
    """Restarted where it was last seen."""
    first = begin(start_node, wall_scene, memory)
    drive = Drive(client, NAME, "/rcam", "compressed")
    drive.settle(3.0)
    assert drive.show(WAS_AT)["state"] == "TRACKING"
    drive.show(BESIDE_THE_WALL)
    assert "looking first" not in first.output()
    assert first.stop() == 0
    return begin(start_node, wall_scene, memory)


@pytest.fixture(scope="module")
def drive(node: NodeProcess, client: Client) -> Drive:
    drive = Drive(client, NAME, "/rcam", "compressed")
    drive.next_ns = START_NS + 100 * SECOND
    return drive


def activate_anew(client: Client, node: NodeProcess) -> int:
    """Returns how long the output was before."""
    before = len(node.output())
    assert client.change(NAME, "activate")
    return before


def poses_since(drive: Drive, first_ns: int) -> dict[int, Pose]:
    return {
        stamps([message])[0]: pose_of(message.pose) for message in drive.raw_poses if stamps([message])[0] >= first_ns
    }


def test_it_looks_first_where_it_was_and_answers_when_three_images_agree(
    node: NodeProcess, drive: Drive, memory: Path
) -> None:
    was = Pose.from_quat_xyzw(json.loads(memory.read_text())["map_from_base"][3:], standing_at(WAS_AT).translation)
    np.testing.assert_allclose(json.loads(memory.read_text())["map_from_base"][:3], was.translation, atol=0.02)
    assert "looking first where the robot was, at 3.1" in node.output()
    first_ns = drive.next_ns
    shown = [drive.show(WAS_AT + 0.05) for _ in range(3)]
    assert [status["state"] for status in shown] == ["INITIALIZING", "INITIALIZING", "TRACKING"]
    assert shown[2]["kind"] == "tracked"  # without a place to look first it is relocalized
    found = drive.pose_of(first_ns + 2 * (drive.next_ns - first_ns) // 3, drive.raw_poses)
    assert pose_error(pose_of(found.pose), standing_at(WAS_AT + 0.05))[0] < 0.01
    assert len(poses_since(drive, first_ns)) == 1


def test_carried_elsewhere_meanwhile_the_remembered_pose_is_never_published(
    node: NodeProcess, drive: Drive, client: Client, memory: Path
) -> None:
    assert drive.show(WAS_AT)["state"] == "TRACKING"
    assert client.change(NAME, "deactivate")
    before = activate_anew(client, node)
    assert "looking first where the robot was, at 3.1" in node.output()[before:]
    first_ns = drive.next_ns
    nowhere = [drive.show(BESIDE_THE_WALL) for _ in range(4)]
    assert {status["state"] for status in nowhere} == {"INITIALIZING"}
    shown = [drive.show(1.8, y=1.3) for _ in range(4)]
    assert shown[-1]["state"] == "TRACKING"
    drive.pose_of(drive.next_ns - (drive.next_ns - first_ns) // 8, drive.raw_poses)
    for pose in poses_since(drive, first_ns).values():
        assert pose_error(pose, standing_at(1.8, 1.3))[0] < 0.02


@pytest.mark.parametrize("text", ["max_speed: 0.3\n", '{"scene_digest": "1"}', '{"map_from_base": [1, 2, 3]'])
def test_a_file_that_holds_no_pose_is_one_line_and_stays_as_it_is(
    node: NodeProcess, drive: Drive, client: Client, memory: Path, text: str
) -> None:
    assert client.change(NAME, "deactivate")
    memory.write_text(text)
    before = activate_anew(client, node)
    drive.settle(3.0)
    assert client.change(NAME, "deactivate")
    lines = [line for line in node.output()[before:].splitlines() if str(memory) in line]
    assert len(lines) == 1
    assert lines[0].endswith("it is left alone: remove it, or name another file")
    assert "Traceback" not in node.output()
    assert memory.read_text() == text
    memory.unlink()
    assert client.change(NAME, "activate")


def test_what_was_remembered_in_another_map_is_not_offered_and_is_replaced(
    node: NodeProcess, drive: Drive, client: Client, memory: Path
) -> None:
    drive.settle(3.0)
    assert client.change(NAME, "deactivate")
    ours = json.loads(memory.read_text())
    memory.write_text(json.dumps(ours | {"scene_digest": "another", "map_from_base": [9.0, 9.0, 1.0, 0, 0, 0, 1]}))
    before = activate_anew(client, node)
    drive.settle(3.0)
    assert client.change(NAME, "deactivate")
    assert "looking first" not in node.output()[before:]
    replaced = json.loads(memory.read_text())
    assert replaced["scene_digest"] == ours["scene_digest"]
    np.testing.assert_allclose(replaced["map_from_base"][:3], standing_at(3.0).translation, atol=0.02)
    assert client.change(NAME, "activate")


def test_of_a_camera_of_30_hz_every_third_image_is_answered_at_10(
    node: NodeProcess, drive: Drive, client: Client
) -> None:
    drive.settle(3.0)
    assert client.set_parameter(NAME, "max_rate_hz", 10.0) == ""
    first_ns, message = drive.next_ns + SECOND, compressed_message(0, picture(standing_at(3.0)))
    sent = [first_ns + i * SECOND // 30 for i in range(13)]
    for number, stamp_ns in enumerate(sent):
        message.header.stamp = stamp_message(stamp_ns)

        def answered(stamp_ns: int = stamp_ns) -> bool:
            drive.images.publish(message)  # best effort: until it is answered
            return client.within(0.5, lambda: stamp_ns in stamps(drive.status))

        if number % 3 == 0:
            client.until(answered, f"image {number} is answered")
        else:
            drive.images.publish(message)
    assert [stamp_ns for stamp_ns in stamps(drive.status) if stamp_ns >= first_ns] == sent[::3]
    assert client.set_parameter(NAME, "max_rate_hz", 0.0) == ""
    assert node.stop() == 0
