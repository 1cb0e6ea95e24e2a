"""Nouns of this package as Foxglove messages, one function for each thing. Everything lies in the frame `map`.

Imports foxglove when it is imported; `server.py` and `mcap.py` do that after they have seen that it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence

import foxglove.messages as fox
import numpy as np
from foxglove.messages import PackedElementFieldNumericType as Numeric
from numpy.typing import NDArray

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.trajectory import Trajectory

MAP_FRAME = "map"
RGBA = ("red", "green", "blue", "alpha")
UNKNOWN, FREE, OCCUPIED, WALKABLE = (128, 128, 128, 90), (215, 215, 215, 255), (40, 40, 40, 255), (178, 223, 196, 255)
# A path is not drawn across an interval without poses that is longer than this.
PATH_GAP_NS = 1_000_000_000


def timestamp(stamp_ns: int) -> fox.Timestamp:
    return fox.Timestamp(stamp_ns // 10**9, stamp_ns % 10**9)


def _pose(map_from_b: Pose) -> fox.Pose:
    return fox.Pose(position=_vector(map_from_b.translation), orientation=_quaternion(map_from_b))


def _vector(xyz: Array) -> fox.Vector3:
    x, y, z = (float(v) for v in xyz)
    return fox.Vector3(x=x, y=y, z=z)


def _quaternion(pose: Pose) -> fox.Quaternion:
    x, y, z, w = (float(v) for v in pose.quat_xyzw)
    return fox.Quaternion(x=x, y=y, z=z, w=w)


def _color_fields(offset: int) -> list[fox.PackedElementField]:
    return [fox.PackedElementField(name=n, offset=offset + i, type=Numeric.Uint8) for i, n in enumerate(RGBA)]


def floor_grid(floor: FloorMap, walkable: NDArray[np.bool_] | None, stamp_ns: int) -> fox.Grid:
    """The floor map in colours. `walkable` (rows, cols): cells a robot may stand on, None when not known.

    Foxglove's row 0 lies at the grid's origin, as row 0 of an OccupancyGrid does: no flip.
    """
    occupancy = floor.occupancy
    colors = np.empty((*occupancy.shape, 4), dtype=np.uint8)
    colors[:] = UNKNOWN
    known = occupancy >= 0
    # Cells between free and occupied (map mode `scale`) are shaded between the two colours.
    share = np.clip(occupancy[known, None], 0, 100) / 100.0
    colors[known] = np.round((1 - share) * np.array(FREE) + share * np.array(OCCUPIED))
    if walkable is not None:
        colors[walkable] = WALKABLE
    x, y, yaw = (float(v) for v in floor.origin)
    map_from_grid = Pose.from_quat_xyzw([0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)], [x, y, 0.0])
    return fox.Grid(
        timestamp=timestamp(stamp_ns),
        frame_id=MAP_FRAME,
        pose=_pose(map_from_grid),
        column_count=occupancy.shape[1],
        cell_size=fox.Vector2(x=float(floor.resolution), y=float(floor.resolution)),
        row_stride=4 * occupancy.shape[1],
        cell_stride=4,
        fields=_color_fields(0),
        data=colors.tobytes(),
    )


def point_cloud(xyz: Array, rgb: NDArray[np.uint8], stamp_ns: int) -> fox.PointCloud:
    """Points (N, 3) in metres with colours (N, 3)."""
    points = np.zeros(len(xyz), dtype=[("xyz", "<f4", 3), ("rgba", "u1", 4)])
    points["xyz"], points["rgba"][:, :3], points["rgba"][:, 3] = xyz, rgb, 255
    axes = [fox.PackedElementField(name=n, offset=4 * i, type=Numeric.Float32) for i, n in enumerate("xyz")]
    return fox.PointCloud(
        timestamp=timestamp(stamp_ns),
        frame_id=MAP_FRAME,
        pose=_pose(Pose.identity()),
        point_stride=points.itemsize,
        fields=[*axes, *_color_fields(12)],
        data=points.tobytes(),
    )


def path_lines(path: Sequence[Trajectory], color: str, stamp_ns: int) -> fox.SceneUpdate:
    """A path as lines, interrupted where poses are missing. `color` is '#rrggbb'."""
    r, g, b = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    lines = []
    for trajectory in path:
        after_gaps = np.flatnonzero(np.diff(trajectory.stamps_ns) > PATH_GAP_NS) + 1
        for positions in np.split(trajectory.positions, after_gaps):
            points = [fox.Point3(x=float(x), y=float(y), z=float(z)) for x, y, z in positions]
            lines.append(
                fox.LinePrimitive(
                    type=fox.LinePrimitiveLineType.LineStrip,
                    pose=_pose(Pose.identity()),
                    thickness=2.0,
                    scale_invariant=True,  # thickness in pixels
                    points=points,
                    color=fox.Color(r=r, g=g, b=b, a=1.0),
                )
            )
    entity = fox.SceneEntity(timestamp=timestamp(stamp_ns), frame_id=MAP_FRAME, id="path", lines=lines)
    return fox.SceneUpdate(entities=[entity])


def pose_in_map(map_from_b: Pose, stamp_ns: int) -> fox.PoseInFrame:
    return fox.PoseInFrame(timestamp=timestamp(stamp_ns), frame_id=MAP_FRAME, pose=_pose(map_from_b))


def transform(map_from_child: Pose, child_frame: str, stamp_ns: int) -> fox.FrameTransform:
    return fox.FrameTransform(
        timestamp=timestamp(stamp_ns),
        parent_frame_id=MAP_FRAME,
        child_frame_id=child_frame,
        translation=_vector(map_from_child.translation),
        rotation=_quaternion(map_from_child),
    )


def jpeg_image(jpeg: bytes, camera_frame: str, stamp_ns: int) -> fox.CompressedImage:
    return fox.CompressedImage(timestamp=timestamp(stamp_ns), frame_id=camera_frame, data=jpeg, format="jpeg")


def calibration(camera: Camera, camera_frame: str, stamp_ns: int) -> fox.CameraCalibration:
    """Intrinsics of the picture as taken. Foxglove's distortion models take OpenCV's coefficients, as COLMAP's do."""
    named = dict(zip(MODEL_PARAMS[camera.model], camera.params, strict=True))
    distortion_model, names = {
        "OPENCV_FISHEYE": ("kannala_brandt", ["k1", "k2", "k3", "k4"]),
        "FULL_OPENCV": ("rational_polynomial", ["k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"]),
    }.get(camera.model, ("plumb_bob", ["k1", "k2", "p1", "p2", "k3"]))
    intrinsics = camera.matrix()
    return fox.CameraCalibration(
        timestamp=timestamp(stamp_ns),
        frame_id=camera_frame,
        width=camera.width,
        height=camera.height,
        distortion_model=distortion_model,
        D=[named.get(name, 0.0) for name in names],
        K=intrinsics.ravel().tolist(),
        R=np.eye(3).ravel().tolist(),
        P=np.hstack([intrinsics, np.zeros((3, 1))]).ravel().tolist(),
    )


def log_line(text: str, stamp_ns: int) -> fox.Log:
    return fox.Log(timestamp=timestamp(stamp_ns), level=fox.LogLevel.Info, message=text, name="campose")
