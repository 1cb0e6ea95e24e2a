"""Between ROS messages and the nouns of campose_core. Nothing here keeps state."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, PoseStamped, PoseWithCovarianceStamped, Quaternion, TransformStamped, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from campose_core.errors import GeometryError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.localization.localizer import LocalizationResult, Status


def stamp_ns_of(stamp: Time) -> int:
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def time_message(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def header(frame_id: str, stamp_ns: int) -> Header:
    return Header(stamp=time_message(stamp_ns), frame_id=frame_id)


def pose_message(pose: Pose) -> PoseMessage:
    message = PoseMessage()
    message.position.x, message.position.y, message.position.z = map(float, pose.translation)
    x, y, z, w = map(float, pose.quat_xyzw)
    message.orientation.x, message.orientation.y, message.orientation.z, message.orientation.w = x, y, z, w
    return message


def pose_of(message: PoseMessage) -> Pose:
    """
    Raises:
        GeometryError: the message holds no valid pose.
    """
    return _pose(message.position, message.orientation)


def _pose(position: Point | Vector3, rotation: Quaternion) -> Pose:
    quat_xyzw = (rotation.x, rotation.y, rotation.z, rotation.w)
    if abs(np.linalg.norm(quat_xyzw) - 1.0) > 0.01:  # rounding is made good, anything else is not a rotation
        raise GeometryError(f"a quaternion (x, y, z, w) must be of length 1, got {quat_xyzw!r}")
    return Pose.from_quat_xyzw(quat_xyzw, (position.x, position.y, position.z))


def pose_stamped(frame_id: str, stamp_ns: int, pose: Pose) -> PoseStamped:
    return PoseStamped(header=header(frame_id, stamp_ns), pose=pose_message(pose))


def pose_with_covariance(frame_id: str, stamp_ns: int, pose: Pose, covariance: Array) -> PoseWithCovarianceStamped:
    """`covariance` (6, 6) over (x, y, z, rx, ry, rz), fixed axes of `frame_id`: ROS's own order (REP-103)."""
    message = PoseWithCovarianceStamped(header=header(frame_id, stamp_ns))
    message.pose.pose = pose_message(pose)
    message.pose.covariance = covariance.reshape(36).tolist()
    return message


def transform_stamped(parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> TransformStamped:
    message = TransformStamped(header=header(parent, stamp_ns), child_frame_id=child)
    pose = pose_message(parent_from_child)
    translation = message.transform.translation
    translation.x, translation.y, translation.z = pose.position.x, pose.position.y, pose.position.z
    message.transform.rotation = pose.orientation
    return message


def pose_of_transform(message: TransformStamped) -> Pose:
    """`parent_from_child`.

    Raises:
        GeometryError: the message holds no valid transform.
    """
    return _pose(message.transform.translation, message.transform.rotation)


def occupancy_grid(frame_id: str, stamp_ns: int, floor: FloorMap) -> OccupancyGrid:
    message = OccupancyGrid(header=header(frame_id, stamp_ns))
    message.info.map_load_time = message.header.stamp
    message.info.resolution = floor.resolution
    message.info.height, message.info.width = floor.shape
    x, y, yaw = floor.origin
    message.info.origin = pose_message(Pose.from_quat_xyzw([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)], [x, y, 0.0]))
    message.data = array("b", np.ascontiguousarray(floor.occupancy, dtype=np.int8).tobytes())
    return message


def key_values(values: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=str(value)) for key, value in values.items()]


def status_message(name: str, result: LocalizationResult, latency_s: float) -> DiagnosticArray:
    """What became of one image. The header stamp is the image's; `latency_s` from its arrival to its pose."""
    message = DiagnosticArray(header=header("", result.stamp_ns))
    tracked = result.status is Status.TRACKING and result.map_from_base is not None and not result.off_map
    snap_distance = "" if result.snap_distance_m is None else f"{result.snap_distance_m:.4f}"
    values = {
        "state": result.status.value,
        "answered": result.map_from_base is not None,
        "off_map": result.off_map,
        "kind": "" if result.kind is None else result.kind.value,
        "support": result.support,
        "latency_s": f"{latency_s:.6f}",
        "estimate_s": f"{result.latency_s:.6f}",
        "snap_distance_m": snap_distance,
    }
    level = DiagnosticStatus.OK if tracked else DiagnosticStatus.WARN
    text = result.reason or ("too far from walkable floor to snap" if result.off_map else "pose published")
    message.status = [DiagnosticStatus(level=level, name=name, message=text, values=key_values(values))]
    return message
