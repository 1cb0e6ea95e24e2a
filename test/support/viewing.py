"""A small hand-made scene, and a viewer: a WebSocket client that decodes what a Foxglove server sends."""

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation
from websockets.sync.client import connect

from campose_core.camera import Camera
from campose_core.floor import FloorMap
from campose_core.geometry import Pose, Similarity
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

VIEWER_CLIENT = Path(__file__).parent / "viewer_client"
# Looking along +x of the map: the optical z axis is map x, the optical x axis is map -y.
LOOKING_EAST = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def walk(stamps_ns: list[int]) -> list[Pose]:
    return [
        Pose(LOOKING_EAST * Rotation.from_euler("y", 3 * i, degrees=True), [0.1 * i, 0.05 * i, 1.2])
        for i in range(len(stamps_ns))
    ]


def small_floor() -> FloorMap:
    """4 x 3 m, 5 cm cells, walled all round, a wall in the lower left that makes every direction distinguishable."""
    occupancy = np.zeros((60, 80), dtype=np.int8)
    occupancy[[0, -1], :] = occupancy[:, [0, -1]] = 100
    occupancy[10:14, 5:30] = 100
    occupancy[40:50, 60:70] = -1
    return FloorMap(occupancy, 0.05, (-1.0, -1.5, 0.25))


def small_scene(folder: Path, frames: int = 5) -> Scene:
    """Two sources of a few frames, each from stamp 1000 s on, 0.1 s apart; the last frame of the second has no pose."""
    camera = Camera("OPENCV", 64, 48, (60.0, 61.0, 31.5, 23.5, 0.1, -0.02, 0.001, -0.002))
    similarity = Similarity(2.0, Rotation.from_euler("xyz", [10, 20, 30], degrees=True), np.array([1.0, 2.0, 0.5]))
    rows = []
    for source in ("first", "second"):
        stamps_ns = [1_000_000_000_000 + 100_000_000 * i for i in range(frames)]
        for i, (stamp_ns, pose) in enumerate(zip(stamps_ns, walk(stamps_ns), strict=True)):
            name = f"{source}/{i:06d}.jpg"
            path = folder / "frames" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((48, 64, 3), 20 * i % 256, dtype=np.uint8)).save(path)
            unknown = source == "second" and i == frames - 1
            rows.append(SceneFrame(name, source, stamp_ns, "cam", "train", None if unknown else pose))
    scene = Scene(
        path=folder,
        name="small",
        cameras={"cam": camera},
        alignment=Alignment(similarity, "reference", Residual(median_m=0.01)),
        frames=tuple(rows),
    )
    scene.save()
    small_floor().save(folder / "floor")
    rng = np.random.default_rng(1)
    (folder / "sfm").mkdir(exist_ok=True)
    np.savez(
        folder / "sfm" / "landmarks.npz",
        xyz=similarity.inverse().transform(rng.uniform([2, -1, 0], [5, 1, 2], (50, 3))),  # before the cameras
        rgb=rng.integers(0, 256, (50, 3), dtype=np.uint8),
        frame_names=[frame.name for frame in scene.posed_frames()],
        observed_by=np.repeat(np.arange(2 * frames - 1), 10),
        observed=rng.integers(0, 50, 10 * (2 * frames - 1)),
    )
    return scene


@contextmanager
def campose_view(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`campose view` in its own process, and the address it says it serves on."""
    command = [sys.executable, "-m", "campose_core.cli.main", "view", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith("serving "):
                break
        else:
            raise AssertionError(f"campose view ended: {''.join(lines)}")
        yield process, line.split(" on ")[1].split()[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def viewers_client(script: str, *arguments: str) -> Any:
    """What a script of `viewer_client` prints; `make test` installs the packages of npm that it is written with."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt install nodejs npm")
    if not (VIEWER_CLIENT / "node_modules").is_dir():
        pytest.skip(f"the viewers' packages are not installed: npm ci --prefix {VIEWER_CLIENT}")
    ran = subprocess.run([node, VIEWER_CLIENT / script, *arguments], capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


class PlaybackState(NamedTuple):
    """What a server says of its clock; status 0 is playing, 1 paused."""

    status: int
    now_ns: int
    speed: float
    did_seek: bool
    answers: str


class Viewer:
    """A client as the Foxglove app is one: subprotocol foxglove.sdk.v1, JSON control, binary messages."""

    def __init__(self, address: str, origin: str | None = None) -> None:
        """origin: of the web page that it is, as a browser sends it; None for a program."""
        self._connection = connect(
            address, subprotocols=["foxglove.sdk.v1"], max_size=None, open_timeout=10, origin=origin
        )
        self.info: dict[str, Any] = {}
        self.channels: dict[str, dict[str, Any]] = {}
        self.clock: list[int] = []
        self.statuses: list[dict[str, Any]] = []
        self.playback: list[PlaybackState] = []

    def __enter__(self) -> "Viewer":
        self.socket = self._connection.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._connection.__exit__(*exception)

    def send(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def control(self, play: bool, speed: float = 1.0, seek_ns: int | None = None, timeout: float = 10) -> PlaybackState:
        """Press the buttons of the app, and wait for the answer."""
        request = f"request {len(self.playback)}".encode()
        fields = (3, not play, speed, seek_ns is not None, seek_ns or 0, len(request))
        self.socket.send(struct.pack("<BBf?QI", *fields) + request)
        while not self.playback or self.playback[-1].answers != request.decode():
            self._take(timeout)
        return self.playback[-1]

    def await_topics(self, topics: set[str], timeout: float = 10) -> None:
        while not topics <= set(self.channels):
            self._take(timeout)

    def subscribe(self, *topics: str) -> None:
        self.await_topics(set(topics))
        ids = [self.channels[topic]["id"] for topic in topics]
        self._asked = {"op": "subscribe", "subscriptions": [{"id": i, "channelId": i} for i in ids]}
        self.send(**self._asked)

    def await_messages(self, *topics: str, count: int = 1, timeout: float = 10) -> dict[str, list[tuple[int, Any]]]:
        """Subscribe, and wait until each topic has brought `count` messages: (log time ns, decoded message)."""
        self.subscribe(*topics)
        return self.messages(*topics, count=count, timeout=timeout)

    def messages(self, *topics: str, count: int = 1, timeout: float = 10) -> dict[str, list[tuple[int, Any]]]:
        """Of topics that were subscribed to: the next `count` and more of each."""
        found: dict[str, list[tuple[int, Any]]] = {topic: [] for topic in topics}
        while any(len(messages) < count for messages in found.values()):
            taken = self._take(timeout)
            if taken is not None and taken[0] in found:
                found[taken[0]].append(taken[1:])
        return found

    def _take(self, timeout: float) -> tuple[str, int, Any] | None:
        data = self.socket.recv(timeout=timeout)
        if isinstance(data, str):
            message = json.loads(data)
            if message["op"] == "serverInfo":
                self.info = message
            elif message["op"] == "advertise":
                self.channels.update({channel["topic"]: channel for channel in message["channels"]})
            elif message["op"] == "status":
                self.statuses.append(message)
                if message["message"].startswith("Unknown channel"):
                    self.send(**self._asked)  # the server announces a channel a moment before it knows it
            return None
        if data[0] == 2:
            self.clock.append(struct.unpack_from("<Q", data, 1)[0])
            return None
        if data[0] == 5:
            self.playback.append(PlaybackState(*struct.unpack_from("<BQf?", data, 1), data[19:].decode()))
            return None
        assert data[0] == 1
        subscription, log_time = struct.unpack_from("<IQ", data, 1)
        channel = next(c for c in self.channels.values() if c["id"] == subscription)
        message = decode(channel["encoding"], channel["schemaName"], channel["schema"].encode(), data[13:])
        return channel["topic"], log_time, message


def decode(encoding: str, schema_name: str, schema: bytes, data: bytes) -> Any:
    """A message by the schema that came with it."""
    assert encoding == "cdr"
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(schema.decode(), schema_name))
    return store.deserialize_cdr(data, schema_name)


def pose_of(message: Any) -> Pose:
    """A pose out of geometry_msgs/Pose."""
    q, p = message.orientation, message.position
    return Pose.from_quat_xyzw([q.x, q.y, q.z, q.w], [p.x, p.y, p.z])


def stamp_of(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def values(diagnostics: Any) -> dict[str, str]:
    """Of a DiagnosticArray with one line."""
    (status,) = diagnostics.status
    return {pair.key: pair.value for pair in status.values}


def layout_texts(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys included."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from layout_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from layout_texts(inner)
    elif isinstance(value, str):
        yield value


def layout_topics(layout: dict[str, Any]) -> set[str]:
    """Every topic that the panels of a layout name, wherever it stands."""
    return {text.split(".")[0] for text in layout_texts(layout["configById"]) if text.startswith("/")}


def panel_names(node: Any) -> Iterator[str]:
    """The panels that the tree of a layout places."""
    if isinstance(node, str):
        yield node
        return
    assert set(node) == {"direction", "first", "second", "splitPercentage"}
    assert node["direction"] in ("row", "column")
    assert 0 < node["splitPercentage"] < 100
    yield from panel_names(node["first"])
    yield from panel_names(node["second"])


def at_message_path(path: str, message: Any) -> list[Any]:
    """What the app finds in a message by a path such as `/topic.status[0].values[:]{key=="state"}.value`."""
    found = [message]
    for part in re.findall(r"\.\w+|\[(?:\d+|:)\]|\{.*?\}", path[path.index(".") :]):
        if part.startswith("."):
            found = [getattr(one, part[1:]) for one in found]
        elif part == "[:]":
            found = [item for one in found for item in one]
        elif part.startswith("["):
            found = [one[int(part[1:-1])] for one in found]
        else:
            key, value = re.fullmatch(r'\{(\w+)=="(.*)"\}', part).groups()  # type: ignore[union-attr]
            found = [one for one in found if getattr(one, key) == value]
    return found
