"""ROS 2 messages from the nouns of campose_core and back, built once for the node, for bags and for viewers.

Nothing of ROS is imported: the message classes come from whoever needs them, rclpy's in the node (`campose_ros`),
those of rosbags in a file (`capture/bag_cdr.py`). Both take the same keywords; they differ in what an array is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import GeometryError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose

# Above the floor map, that viewers show one over the other and not in turns.
WALKABLE_Z_M, LINES_Z_M = 0.01, 0.05
OK, WARN = "OK", "WARN"  # levels of a DiagnosticStatus
MAX_LENGTH_ERROR = 0.01  # of a quaternion: rounding is made good, anything else is no rotation


def _pose(position: Any, rotation: Any) -> Pose:
    """Of a geometry_msgs Point or Vector3, and a Quaternion, of rclpy or of rosbags.

    Raises:
        GeometryError: they make no pose: a number that is none, or a quaternion whose length is not 1.
    """
    quat_xyzw = [float(rotation.x), float(rotation.y), float(rotation.z), float(rotation.w)]
    if abs(math.hypot(*quat_xyzw) - 1.0) > MAX_LENGTH_ERROR:
        raise GeometryError(f"a quaternion (x, y, z, w) must be of length 1, got {quat_xyzw}")
    return Pose.from_quat_xyzw(quat_xyzw, [float(position.x), float(position.y), float(position.z)])


def pose_of(message: Any) -> Pose:
    """Read the pose of a geometry_msgs Pose.

    Raises:
        GeometryError: it holds no pose.
    """
    return _pose(message.position, message.orientation)


def pose_of_transform(message: Any) -> Pose:
    """Read parent_from_child of a geometry_msgs TransformStamped.

    Raises:
        GeometryError: it holds no transform.
    """
    return _pose(message.transform.translation, message.transform.rotation)


class RosMessages:
    """One method for each message; every field is set.

    kind: the class of a type such as "geometry_msgs/msg/Pose". array: what a field of unbounded length holds, out of
    a numpy array of the field's own dtype.
    """

    def __init__(self, kind: Callable[[str], Any], array: Callable[[NDArray[Any]], Any]) -> None:
        self.kind = kind
        self.array = array

    def make(self, msgtype: str, **fields: Any) -> Any:
        """Build a message of type `msgtype`, such as "geometry_msgs/msg/Pose", out of all its fields."""
        return self.kind(msgtype)(**fields)

    def time(self, stamp_ns: int) -> Any:
        """Build a Time from nanoseconds."""
        return self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)

    def header(self, frame_id: str, stamp_ns: int) -> Any:
        """Build a Header of a frame at a stamp."""
        return self.make("std_msgs/msg/Header", stamp=self.time(stamp_ns), frame_id=frame_id)

    def _xyz(self, msgtype: str, values: Array) -> Any:
        x, y, z = map(float, values)
        return self.make(msgtype, x=x, y=y, z=z)

    def point(self, xyz: Array) -> Any:
        """Build a Point from xyz (3,), metres."""
        return self._xyz("geometry_msgs/msg/Point", xyz)

    def vector(self, xyz: Array) -> Any:
        """Build a Vector3 from xyz (3,), in whatever unit."""
        return self._xyz("geometry_msgs/msg/Vector3", xyz)

    def quaternion(self, pose: Pose) -> Any:
        """Build a Quaternion from the rotation of a pose."""
        x, y, z, w = map(float, pose.quat_xyzw)
        return self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)

    def pose(self, pose: Pose) -> Any:
        """Build a Pose, which names neither of its frames."""
        position, orientation = self.point(pose.translation), self.quaternion(pose)
        return self.make("geometry_msgs/msg/Pose", position=position, orientation=orientation)

    def pose_stamped(self, frame_id: str, stamp_ns: int, pose: Pose) -> Any:
        """Build a PoseStamped of `pose`, in the frame `frame_id`."""
        header = self.header(frame_id, stamp_ns)
        return self.make("geometry_msgs/msg/PoseStamped", header=header, pose=self.pose(pose))

    def pose_with_covariance(self, frame_id: str, stamp_ns: int, pose: Pose, covariance: Array) -> Any:
        """Build a PoseWithCovarianceStamped of `pose`, in the frame `frame_id`.

        covariance: (6, 6) over (x, y, z, rx, ry, rz), fixed axes of `frame_id`: ROS's own order (REP-103).
        """
        uncertain = self.make(
            "geometry_msgs/msg/PoseWithCovariance",
            pose=self.pose(pose),
            covariance=np.asarray(covariance, dtype=np.float64).reshape(36),
        )
        header = self.header(frame_id, stamp_ns)
        return self.make("geometry_msgs/msg/PoseWithCovarianceStamped", header=header, pose=uncertain)

    def path(self, frame_id: str, stamp_ns: int, poses: Sequence[Any]) -> Any:
        """Build a Path in the frame `frame_id`. poses: PoseStamped messages."""
        return self.make("nav_msgs/msg/Path", header=self.header(frame_id, stamp_ns), poses=list(poses))

    def transform_stamped(self, parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> Any:
        """Build a TransformStamped, the link from the frame `child` to its `parent`."""
        transform = self.make(
            "geometry_msgs/msg/Transform",
            translation=self.vector(parent_from_child.translation),
            rotation=self.quaternion(parent_from_child),
        )
        header = self.header(parent, stamp_ns)
        return self.make("geometry_msgs/msg/TransformStamped", header=header, child_frame_id=child, transform=transform)

    def odometry(
        self, frame_id: str, child: str, stamp_ns: int, odom_from_base: Pose, linear: Array, angular: Array
    ) -> Any:
        """Build an Odometry of the body `child` in the frame `frame_id`.

        linear, angular: speeds (3,) in the frame of the base, m/s and rad/s.
        """
        twist = self.make("geometry_msgs/msg/Twist", linear=self.vector(linear), angular=self.vector(angular))
        # Zero covariance means "unknown" (sensor_msgs and nav_msgs convention): nothing is invented here.
        unknown = np.zeros(36)
        return self.make(
            "nav_msgs/msg/Odometry",
            header=self.header(frame_id, stamp_ns),
            child_frame_id=child,
            pose=self.make("geometry_msgs/msg/PoseWithCovariance", pose=self.pose(odom_from_base), covariance=unknown),
            twist=self.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=unknown),
        )

    def tf(self, *transforms: Any) -> Any:
        """Build a TFMessage of TransformStamped messages. Only for files and viewers: pip has no tf2_msgs for rclpy."""
        return self.make("tf2_msgs/msg/TFMessage", transforms=list(transforms))

    def occupancy_grid(self, frame_id: str, stamp_ns: int, floor: FloorMap) -> Any:
        """Build an OccupancyGrid of a floor map, which lies in the frame `frame_id`."""
        return self._grid(frame_id, stamp_ns, floor, floor.occupancy, 0.0)

    def walkable_grid(self, frame_id: str, stamp_ns: int, floor: FloorMap, walkable: NDArray[np.bool_]) -> Any:
        """Return the cells of `floor` that a robot may stand on (rows, cols): free (0), all others unknown (-1)."""
        return self._grid(frame_id, stamp_ns, floor, np.where(walkable, np.int8(0), np.int8(-1)), WALKABLE_Z_M)

    def _grid(self, frame_id: str, stamp_ns: int, floor: FloorMap, cells: NDArray[Any], z: float) -> Any:
        x, y, yaw = floor.origin
        height, width = floor.shape
        info = self.make(
            "nav_msgs/msg/MapMetaData",
            map_load_time=self.time(stamp_ns),
            resolution=float(floor.resolution),
            width=width,
            height=height,
            origin=self.pose(Pose.from_quat_xyzw([0, 0, np.sin(yaw / 2), np.cos(yaw / 2)], [x, y, z])),
        )
        data = self.array(np.ascontiguousarray(cells, dtype=np.int8).reshape(-1))
        header = self.header(frame_id, stamp_ns)
        return self.make("nav_msgs/msg/OccupancyGrid", header=header, info=info, data=data)

    def point_cloud(self, frame_id: str, stamp_ns: int, xyz: Array, rgb: NDArray[np.uint8]) -> Any:
        """Build a PointCloud2 of points xyz (N, 3), metres in the frame `frame_id`, with colours rgb (N, 3)."""
        points = np.zeros(len(xyz), dtype=[("xyz", "<f4", 3), ("bgra", "u1", 4)])
        points["xyz"], points["bgra"][:, :3], points["bgra"][:, 3] = xyz, rgb[:, ::-1], 255
        field = self.kind("sensor_msgs/msg/PointField")
        # `rgb` is PCL's: the bytes of 0x00RRGGBB, little end first, called a float.
        names = ("x", "y", "z", "rgb")
        return self.make(
            "sensor_msgs/msg/PointCloud2",
            header=self.header(frame_id, stamp_ns),
            height=1,
            width=len(points),
            fields=[field(name=n, offset=4 * i, datatype=field.FLOAT32, count=1) for i, n in enumerate(names)],
            is_bigendian=False,
            point_step=points.itemsize,
            row_step=points.nbytes,
            data=self.array(points.view(np.uint8).reshape(-1)),
            is_dense=True,
        )

    def color(self, rgba: Sequence[float]) -> Any:
        """Build a ColorRGBA from four numbers 0 to 1."""
        r, g, b, a = map(float, rgba)
        return self.make("std_msgs/msg/ColorRGBA", r=r, g=g, b=b, a=a)

    def lines(
        self, frame_id: str, stamp_ns: int, name: str, width_m: float, points: Sequence[Any], colors: Sequence[Any]
    ) -> Any:
        """Build a Marker of separate lines: `points` (Point messages) two by two, each with its colour (`color`)."""
        marker = self.kind("visualization_msgs/msg/Marker")
        nothing = self.array(np.zeros(0, dtype=np.uint8))
        header = self.header(frame_id, stamp_ns)
        return marker(
            header=header,
            ns=name,
            id=0,
            type=marker.LINE_LIST,
            action=marker.ADD,
            pose=self.pose(Pose.from_quat_xyzw([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, LINES_Z_M])),
            scale=self.vector(np.array([width_m, 0.0, 0.0])),
            color=self.color((1.0, 1.0, 1.0, 1.0)),
            lifetime=self.make("builtin_interfaces/msg/Duration", sec=0, nanosec=0),
            frame_locked=False,
            points=list(points),
            colors=list(colors),
            texture_resource="",
            texture=self.make("sensor_msgs/msg/CompressedImage", header=header, format="", data=nothing),
            uv_coordinates=[],
            text="",
            mesh_resource="",
            mesh_file=self.make("visualization_msgs/msg/MeshFile", filename="", data=nothing),
            mesh_use_embedded_materials=False,
        )

    def compressed_image(self, frame_id: str, stamp_ns: int, jpeg: bytes) -> Any:
        """Build a CompressedImage of an RGB image as a JPEG file."""
        return self.make(
            "sensor_msgs/msg/CompressedImage",
            header=self.header(frame_id, stamp_ns),
            format="rgb8; jpeg compressed bgr8",
            data=self.array(np.frombuffer(jpeg, dtype=np.uint8)),
        )

    def camera_info(self, frame_id: str, stamp_ns: int, camera: Camera) -> Any:
        """Build a CameraInfo: intrinsics of the image as taken."""
        model, distortion = _distortion(camera)
        k = camera.matrix()
        roi = self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(frame_id, stamp_ns),
            height=camera.height,
            width=camera.width,
            distortion_model=model,
            d=self.array(distortion),
            k=k.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.hstack([k, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def diagnostics(self, stamp_ns: int, name: str, level: str, text: str, values: Mapping[str, object]) -> Any:
        """Build a DiagnosticArray with one line; viewers plot values that are numbers by their key.

        level: OK or WARN.
        """
        pairs = [self.make("diagnostic_msgs/msg/KeyValue", key=key, value=str(value)) for key, value in values.items()]
        status = self.make(
            "diagnostic_msgs/msg/DiagnosticStatus",
            level=getattr(self.kind("diagnostic_msgs/msg/DiagnosticStatus"), level),
            name=name,
            message=text,
            hardware_id="",
            values=pairs,
        )
        return self.make("diagnostic_msgs/msg/DiagnosticArray", header=self.header("", stamp_ns), status=[status])

    def error(self, stamp_ns: int, name: str, metres: float, radians: float) -> Any:
        """Build a DiagnosticArray that says how far an estimate is from the truth.

        name: `raw`, `snapped`, or of another estimate.
        """
        values = {"position_m": f"{metres:.6f}", "rotation_deg": f"{np.degrees(radians):.6f}"}
        return self.diagnostics(stamp_ns, name, OK, "against the reference", values)


def _distortion(camera: Camera) -> tuple[str, Array]:
    """CameraInfo's distortion_model and D, in OpenCV's order."""
    known = dict(zip(MODEL_PARAMS[camera.model], camera.params, strict=True))

    def numbers(*names: str) -> Array:
        return np.array([known.get(name, 0.0) for name in names])

    if camera.model == "OPENCV_FISHEYE":
        return "equidistant", numbers("k1", "k2", "k3", "k4")
    if camera.model == "FULL_OPENCV":
        return "rational_polynomial", numbers("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
    if camera.model == "OPENCV_THIN_PRISM":
        names = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")
        return "rational_polynomial", numbers(*names)
    return "plumb_bob", numbers("k1", "k2", "p1", "p2", "k3")
