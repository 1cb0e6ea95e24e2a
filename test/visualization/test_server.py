import json
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from viewing import Viewer, campose_view, layout_topics, pose_of, small_scene, stamp_of, values

from campose_core.geometry import pose_error
from campose_core.scene.scene import Scene
from campose_core.visualization.topics import TYPES
from campose_core.walkable import load_walkable

REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = "name,source,stamp_ns,camera,split,x,y,z,qx,qy,qz,qw\n"
STANDING_STILL = {"/map", "/localizer/walkable", "/localizer/landmarks", "/reference/path", "/diagnostics"}
OF_A_FRAME = {
    "/localizer/pose", "/tf", "/camera/image_raw/compressed", "/camera/camera_info", "/localizer/matches/compressed",
    "/localizer/status",
}  # fmt: skip
POSE, IMAGE = "/localizer/pose", "/camera/image_raw/compressed"


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return small_scene(tmp_path_factory.mktemp("viewed") / "scene")


@pytest.fixture(scope="module")
def address(scene):
    with campose_view(str(scene.path), "--port", "0") as (_, address):
        yield address


def run_view(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "campose_core.cli.main", "view", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_shows_the_scene(scene, address):
    with Viewer(address) as viewer:
        viewer.await_topics(STANDING_STILL | OF_A_FRAME)
        kinds = {topic: (channel["schemaName"], channel["encoding"]) for topic, channel in viewer.channels.items()}
        assert kinds == {topic: (TYPES[topic], "cdr") for topic in STANDING_STILL | OF_A_FRAME}
        layout = json.loads((REPOSITORY / "config" / "foxglove_layout.json").read_text())
        assert set(viewer.channels) <= layout_topics(layout) | {"/tf"}
        found = viewer.await_messages(*viewer.channels)
        shown = viewer.messages(POSE, IMAGE, "/localizer/status", count=2)  # all are subscribed to by now

    walkable = load_walkable(scene.path / "floor")
    grid, walk_grid = found["/map"][0][1], found["/localizer/walkable"][0][1]
    assert (grid.info.height, grid.info.width) == walkable.floor.shape
    np.testing.assert_array_equal(grid.data.reshape(walkable.floor.shape), walkable.floor.occupancy)
    np.testing.assert_array_equal(walk_grid.data.reshape(walkable.floor.shape) == 0, walkable.walkable)

    with np.load(scene.sfm_dir / "landmarks.npz") as arrays:
        in_map = scene.alignment.map_from_sfm.transform(arrays["xyz"])
    cloud = found["/localizer/landmarks"][0][1]
    data = cloud.data.reshape(-1, cloud.point_step)
    np.testing.assert_allclose(np.ascontiguousarray(data[:, :12]).view("<f4"), in_map, rtol=1e-6)

    pictures = {frame.name: frame for frame in scene.frames}
    whole = {at_ns for at_ns, _ in shown[POSE]} & {at_ns for at_ns, _ in shown[IMAGE]}
    statuses = [(at_ns, status) for at_ns, status in shown["/localizer/status"] if at_ns in whole]
    assert statuses
    for stamp_ns, status in statuses:
        frame = pictures[values(status)["image"]]
        pose = next(message for at_ns, message in shown[POSE] if at_ns == stamp_ns)
        assert stamp_of(pose) == stamp_ns
        assert max(pose_error(pose_of(pose.pose), frame.map_from_cam)) < 1e-7
        image = next(message for at_ns, message in shown[IMAGE] if at_ns == stamp_ns)
        assert image.data.tobytes() == scene.frame_path(frame).read_bytes()
        (link,) = found["/tf"][0][1].transforms
        frames = {link.child_frame_id, image.header.frame_id, found["/camera/camera_info"][0][1].header.frame_id}
        assert len(frames) == 1
    (said,) = found["/diagnostics"][0][1].status
    assert "10 frames, 9 with a pose" in said.message
    assert values(found["/diagnostics"][0][1])["landmarks"] == "50"


def test_who_comes_late_sees_what_stands_still(tmp_path):
    scene = small_scene(tmp_path / "scene", frames=100)  # 21 s until it starts again, which would log all of it too
    with campose_view(str(scene.path), "--port", "0") as (_, address), Viewer(address) as early:
        early.await_messages("/map", POSE)
        with Viewer(address) as late:
            late.await_messages(*STANDING_STILL)
        early.send(op="unsubscribe", subscriptionIds=[early.channels["/map"]["id"]])
        early.await_messages("/map")
        assert early.clock == sorted(early.clock)


def test_frames_come_in_stamp_order_and_start_again(scene, address):
    with Viewer(address) as viewer:
        # One more than there are: whoever came just before the last frame would see the show start again twice in two.
        found = viewer.await_messages(IMAGE, count=len(scene.frames) + 1)[IMAGE]
        stamps = [stamp_ns for stamp_ns, _ in found]
        (restart,) = [i for i in range(1, len(stamps)) if stamps[i] <= stamps[i - 1]]
        assert stamps[restart] == scene.frames[0].stamp_ns
        # The clock goes back with the frames: a viewer then forgets what it drew. It may come a little after them.
        while not (back := [after for before, after in pairwise(viewer.clock) if after < before]):
            viewer.messages(IMAGE)
        assert back[0] == scene.frames[0].stamp_ns


def test_the_app_stops_the_clock_and_moves_it(tmp_path):
    scene = small_scene(tmp_path / "scene", frames=100)
    begin_ns = scene.frames[0].stamp_ns
    with campose_view(str(scene.path), "--port", "0") as (_, address), Viewer(address) as viewer:
        viewer.await_messages(IMAGE)
        assert viewer.info["dataStartTime"]["sec"] * 10**9 == begin_ns
        paused = viewer.control(play=False)
        assert (paused.status, paused.did_seek) == (1, False)
        there_ns = begin_ns + 5_000_000_000
        moved = viewer.control(play=False, seek_ns=there_ns)
        assert (moved.status, moved.now_ns, moved.did_seek) == (1, there_ns, True)
        # Standing still it shows the images that led there, and what is latched.
        while True:
            stamps = [stamp_ns for stamp_ns, _ in viewer.messages(IMAGE)[IMAGE]]
            if stamps[-1] == there_ns:
                break
        assert viewer.control(play=False).now_ns == there_ns
        fast = viewer.control(play=True, speed=4.0)
        assert (fast.status, fast.speed) == (0, 4.0)
        stamps = [stamp_ns for stamp_ns, _ in viewer.messages(IMAGE, count=10)[IMAGE]]
        assert stamps == sorted(stamps)
        assert stamps[0] > there_ns
        back = viewer.control(play=True, speed=float("nan"), seek_ns=0)  # before the beginning
        assert (back.now_ns - begin_ns < 10**9, back.speed) == (True, 1.0)


@pytest.mark.parametrize(
    "junk",
    [
        "", "{", "[]", '{"op": 7}', '{"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 99999}]}',
        '{"op": "unsubscribe", "subscriptionIds": [-1, "x"]}', '{"op": "setParameters", "parameters": [{"name": "x"}]}',
        b"", b"\x01", b"\xff" * 100, bytes(200_000),
    ],
    ids=range(11),
)  # fmt: skip
def test_junk_leaves_the_server_alive(address, junk):
    with Viewer(address) as hostile:
        hostile.await_topics({"/map"})
        hostile.socket.send(junk)
        with Viewer(address) as other:
            assert other.await_messages("/map", POSE)[POSE]


def test_clients_can_only_look(address):
    with Viewer(address) as viewer:
        viewer.await_topics({"/map"})
        assert sorted(viewer.info["capabilities"]) == ["playbackControl", "time"]
        fields = {"id": 1, "topic": "/initialpose", "encoding": "json", "schemaName": ""}
        viewer.send(op="advertise", channels=[fields])
        viewer.socket.send(b"\x01" + (1).to_bytes(4, "little") + b"{}")
        viewer.await_messages(POSE)
        refusal = "Server does not support clientPublish capability"
        assert refusal in [status["message"] for status in viewer.statuses]
    with Viewer(address) as other:
        other.await_messages(POSE)
        assert "/initialpose" not in other.channels


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_when_told(scene, number):
    with campose_view(str(scene.path), "--port", "0") as (process, address):
        with Viewer(address) as viewer:
            viewer.await_messages(POSE)
            process.send_signal(number)
            assert process.wait(timeout=10) == 0
        assert "Traceback" not in process.stderr.read()


def test_only_this_machine_can_look_unless_told_otherwise(scene):
    with campose_view(str(scene.path), "--port", "0") as (_, address):
        port = int(address.rsplit(":", 1)[1])
        # Another address of this machine stands for the network.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)
    with campose_view(str(scene.path), "--host", "0.0.0.0", "--port", "0") as (process, address):
        port = int(address.rsplit(":", 1)[1])
        with Viewer(f"ws://127.0.0.2:{port}") as viewer:
            assert viewer.await_messages(POSE)
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_a_wide_open_host_is_warned_of_first(scene):
    process = subprocess.Popen(
        [sys.executable, "-m", "campose_core.cli.main", "view", str(scene.path), "--host", "0.0.0.0", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr.readline().startswith("warning: listening on 0.0.0.0")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_busy_port_is_one_clear_line(scene):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_view(str(scene.path), "--port", port)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "choose another port" in line


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        (lambda path: (path / "scene.yaml").unlink(), 1, "is not a scene"),
        (lambda path: (path / "sfm/landmarks.npz").write_bytes(b"PK\x03\x04 cut"), 1, "landmarks.npz is damaged"),
        (lambda path: np.savez(path / "sfm/landmarks.npz", xyz=np.zeros((3, 2))), 1, "landmarks.npz is damaged"),
        (lambda path: (path / "floor/map.pgm").unlink(), 1, "map.pgm"),
        (lambda path: (path / "frames/first/000000.jpg").unlink(), 1, "first/000000.jpg"),
        (lambda path: (path / "frames.csv").write_text(HEADER), 1, "no frames"),
    ],
)  # fmt: skip
def test_a_spoilt_scene_is_one_clear_line(tmp_path, spoil, code, words):
    small_scene(tmp_path / "scene", frames=2)
    spoil(tmp_path / "scene")
    done = run_view(str(tmp_path / "scene"), "--port", "0")
    assert done.returncode == code
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_port_that_does_not_exist(scene):
    done = run_view(str(scene.path), "--port", "70000")
    assert (done.returncode, "70000" in done.stderr) == (2, True)
