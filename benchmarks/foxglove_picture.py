"""A picture of what a viewer has after a while: `python benchmarks/foxglove_picture.py ws://127.0.0.1:8765 OUT.png`.

A WebSocket client subscribes to every topic of config/foxglove_layout.json that the server offers, decodes the messages
by the schemas that came with them, and draws them as the panels of the layout do: nothing else is known to it. Needs
pyvista, matplotlib, websockets and rosbags.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation
from websockets.sync.client import connect

LAYOUT = Path(__file__).resolve().parents[1] / "config" / "foxglove_layout.json"
SNAPPED, RAW, TRUE, FRUSTUM, BACKGROUND = "#1f77b4", "#ff7f0e", "#9467bd", "#ffd166", "#1e1e24"
STATES = {"TRACKING": "#2ca02c", "INITIALIZING": "#e0a800", "LOST": "#d62728"}


def receive(address: str, seconds: float) -> dict[str, list[tuple[int, Any]]]:
    """Topic -> (log time, message) of what came in so many seconds, or until the clock went back."""
    named = set(re.findall(r'"(/[\w/]+)', LAYOUT.read_text())) | {"/tf", "/tf_static"}
    found: dict[str, list[tuple[int, Any]]] = {}
    channels: dict[int, tuple[str, str, Any]] = {}
    newest_ns, deadline = 0, time.monotonic() + seconds
    with connect(address, subprotocols=["foxglove.sdk.v1"], max_size=None) as socket:
        while time.monotonic() < deadline:
            data = socket.recv(timeout=10)
            if isinstance(data, str):
                said = json.loads(data)
                for channel in said.get("channels", []):
                    if channel["topic"] in named and channel["encoding"] == "cdr":
                        store = get_typestore(Stores.EMPTY)
                        store.register(get_types_from_msg(channel["schema"], channel["schemaName"]))
                        channels[channel["id"]] = channel["topic"], channel["schemaName"], store
                # A server announces a channel a moment before it knows it: what it did not know is asked for again.
                if "channels" in said or said.get("message", "").startswith("Unknown channel"):
                    asked = [{"id": number, "channelId": number} for number in channels]
                    socket.send(json.dumps({"op": "subscribe", "subscriptions": asked}))
            elif data[0] == 1:
                number, log_ns = struct.unpack_from("<IQ", data, 1)
                topic, name, store = channels[number]
                if log_ns < newest_ns - 10**9:
                    break
                newest_ns = max(newest_ns, log_ns)
                found.setdefault(topic, []).append((log_ns, store.deserialize_cdr(data[13:], name)))
    return found


def matrix(pose: Any) -> np.ndarray:
    """4 x 4 of geometry_msgs/Pose or Transform."""
    p = pose.position if hasattr(pose, "position") else pose.translation
    q = pose.orientation if hasattr(pose, "orientation") else pose.rotation
    homogeneous = np.eye(4)
    homogeneous[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    homogeneous[:3, 3] = p.x, p.y, p.z
    return homogeneous


def camera_in_map(found: dict[str, list[tuple[int, Any]]], frame: str) -> np.ndarray | None:
    """Up the tree of the newest transforms."""
    links = {
        link.child_frame_id: (link.header.frame_id, matrix(link.transform))
        for topic in ("/tf_static", "/tf")
        for _, message in found.get(topic, [])
        for link in message.transforms
    }
    pose = np.eye(4)
    while frame in links:
        frame, step = links[frame]
        pose = step @ pose
    return pose if frame == "map" else None


def view_3d(found: dict[str, list[tuple[int, Any]]], size: tuple[int, int]) -> np.ndarray:
    """The 3D panel: the last message of each topic."""
    os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    import pyvista

    plotter = pyvista.Plotter(off_screen=True, window_size=size, lighting="none")
    plotter.set_background(BACKGROUND)
    newest = {topic: messages[-1][1] for topic, messages in found.items()}
    middle, extent = np.zeros(3), 5.0
    for topic in ("/map", "/localizer/walkable"):
        if topic in newest:
            grid = newest[topic]
            cells = grid.data.reshape(grid.info.height, grid.info.width)
            corner, metres = matrix(grid.info.origin), grid.info.resolution
            wide, high = grid.info.width * metres, grid.info.height * metres
            plane = pyvista.Plane(center=(wide / 2, high / 2, 0.0), i_size=wide, j_size=high)
            plane = plane.transform(corner, inplace=False)
            colors = np.zeros((*cells.shape, 4), np.uint8)
            if topic == "/map":
                colors[cells == 0], colors[cells < 0], colors[cells > 50] = (
                    (215,) * 3 + (255,),
                    (48, 48, 54, 255),
                    (20, 20, 20, 255),
                )
            else:
                colors[cells == 0] = 178, 223, 196, 255
            plotter.add_mesh(plane, texture=pyvista.Texture(colors[::-1].copy()))
            middle, extent = (corner @ [wide / 2, high / 2, 0, 1])[:3], max(wide, high)
    if "/localizer/landmarks" in newest:
        cloud = newest["/localizer/landmarks"]
        points = cloud.data.view(np.dtype([("xyz", "<f4", 3), ("bgr", "u1", 4)]))
        rgb = np.ascontiguousarray(points["bgr"][:, 2::-1])
        plotter.add_mesh(pyvista.PolyData(np.ascontiguousarray(points["xyz"])), scalars=rgb, rgb=True, point_size=4)
    if "/reference/path" in newest:
        xyz = np.array([matrix(pose.pose)[:3, 3] for pose in newest["/reference/path"].poses])
        xyz[:, 2] += 0.02  # else it lies in the floor
        plotter.add_mesh(pyvista.lines_from_points(xyz), color=TRUE, line_width=2)
    if "/localizer/trail" in newest:
        marker = newest["/localizer/trail"]
        ends = np.array([[p.x, p.y, p.z] for p in marker.points])
        colors = np.array([[c.r, c.g, c.b] for c in marker.colors[::2]])
        if len(ends):
            lines = pyvista.PolyData(ends, lines=np.insert(np.arange(len(ends)).reshape(-1, 2), 0, 2, axis=1))
            lines = lines.transform(matrix(marker.pose), inplace=False)
            plotter.add_mesh(lines, scalars=(255 * colors).astype(np.uint8), rgb=True, line_width=5)
    for topic, color, length in (("/localizer/pose", SNAPPED, 0.7), ("/reference/pose", TRUE, 0.5)):
        if topic in newest:
            pose = matrix(newest[topic].pose)
            arrow = pyvista.Arrow(start=pose[:3, 3], direction=pose[:3, 0], scale=length)
            plotter.add_mesh(arrow, color=color)
    if "/localizer/pose_with_covariance" in newest:
        raw = newest["/localizer/pose_with_covariance"].pose
        variances, axes = np.linalg.eigh(raw.covariance.reshape(6, 6)[:3, :3])
        ellipsoid = pyvista.ParametricEllipsoid(*np.maximum(2 * np.sqrt(variances), 0.02))
        placed = np.eye(4)
        placed[:3, :3], placed[:3, 3] = axes, matrix(raw.pose)[:3, 3]
        plotter.add_mesh(ellipsoid.transform(placed, inplace=False), color=RAW, opacity=0.6)
    if "/camera/camera_info" in newest:
        info = newest["/camera/camera_info"]
        pose = camera_in_map(found, info.header.frame_id)
        if pose is not None:
            (fx, _, cx), (_, fy, cy), _ = info.k.reshape(3, 3)
            corners = np.array(
                [[x, y] for x, y in ((0, 0), (info.width, 0), (info.width, info.height), (0, info.height))]
            )
            rays = np.column_stack([(corners - [cx, cy]) / [fx, fy], np.ones(4)]) * 0.8
            outer = rays @ pose[:3, :3].T + pose[:3, 3]
            for i in range(4):
                for end in (pose[:3, 3], outer[(i + 1) % 4]):
                    plotter.add_mesh(pyvista.Line(outer[i], end), color=FRUSTUM, line_width=2)
    plotter.camera.focal_point = middle
    plotter.camera.position = middle + extent * np.array([0.0, -0.62, 0.78])
    plotter.camera.up = (0, 0, 1)
    plotter.camera.view_angle = 45
    return np.asarray(plotter.screenshot(return_img=True))


def values(message: Any, name: str | None = None) -> dict[str, str]:
    return {pair.key: pair.value for line in message.status if name in (None, line.name) for pair in line.values}


def panels(found: dict[str, list[tuple[int, Any]]]) -> Figure:
    """3D, image, states and plots."""
    figure = Figure(figsize=(12.8, 7.2), facecolor=BACKGROUND)
    left = figure.add_axes((0.0, 0.30, 0.60, 0.70))
    left.imshow(view_3d(found, (1000, 660)))
    left.set_axis_off()
    picture = next(
        found[t][-1][1] for t in ("/localizer/matches/compressed", "/camera/image_raw/compressed") if t in found
    )
    right = figure.add_axes((0.61, 0.42, 0.385, 0.57))
    right.imshow(Image.open(io.BytesIO(picture.data.tobytes())))
    right.set_axis_off()
    begin_ns = min(messages[0][0] for messages in found.values())
    statuses = [((at - begin_ns) / 1e9, values(m)) for at, m in found.get("/localizer/status", [])]
    bottom = {
        "landmarks that agree": [("support", 1.0, "#2ca02c", statuses)],
        "latency, ms": [("latency_s", 1e3, "#9467bd", statuses)],
        "position error, cm": [
            (
                "position_m",
                100.0,
                color,
                [((at - begin_ns) / 1e9, values(m, name)) for at, m in found.get("/error", [])],
            )
            for name, color in (("raw", RAW), ("snapped", SNAPPED))
        ],
    }
    for i, (title, lines) in enumerate(bottom.items()):
        axes = _dark(figure.add_axes((0.035 + 0.20 * i, 0.055, 0.155, 0.18)), title)
        for key, scale, color, rows in lines:
            known = [(t, scale * float(row[key])) for t, row in rows if key in row]
            if known:
                axes.plot(*zip(*known, strict=True), color=color, linewidth=1.3)
        axes.set_ylim(bottom=0)
    states = _dark(figure.add_axes((0.64, 0.33, 0.34, 0.035)), "state")
    for (t, row), (after, _) in zip(statuses, [*statuses[1:], (statuses[-1][0] + 0.1, {})], strict=True):
        states.barh(0, after - t, left=t, color=STATES.get(row["state"], "#888888"))
    states.set_yticks([])
    pose = found["/localizer/pose"][-1][1].pose.position
    said = [f"/localizer/pose   x {pose.x:.3f}   y {pose.y:.3f}   z {pose.z:.3f}"]
    said += [f"{key}: {value}" for key, value in statuses[-1][1].items()]
    figure.text(0.64, 0.26, "\n".join(said), color="white", fontsize=8, family="monospace", va="top")
    return figure


def _dark(axes: Any, title: str) -> Any:
    axes.set_facecolor(BACKGROUND)
    axes.set_title(title, color="white", fontsize=8, loc="left")
    axes.tick_params(colors="#bbbbbb", labelsize=7)
    for spine in axes.spines.values():
        spine.set_color("#555555")
    return axes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("address")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to listen")
    options = parser.parse_args()
    found = receive(options.address, options.seconds)
    print(", ".join(f"{topic} {len(messages)}" for topic, messages in sorted(found.items())))
    data = io.BytesIO()
    panels(found).savefig(data, format="png", dpi=100)
    # 256 colours: a picture for a page
    Image.open(data).convert("RGB").quantize(256).save(options.out, optimize=True)


if __name__ == "__main__":
    main()
