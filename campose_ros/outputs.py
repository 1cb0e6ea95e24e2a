"""What the node publishes of each image and of the scene."""

from __future__ import annotations

from collections import deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Path
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile

from campose_core.floor import FloorMap
from campose_core.geometry import Pose
from campose_core.localization.localizer import LocalizationResult
from campose_ros.conversions import (
    occupancy_grid,
    pose_stamped,
    pose_with_covariance,
    status_message,
)
from campose_ros.parameters import LocalizerParameters
from campose_ros.transforms import Transforms

RELIABLE = QoSProfile(depth=10)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Outputs:
    """The publishers of a configured node; they are silent until it is active.

    Raises:
        MissingDependency: publish_tf without tf2.
    """

    def __init__(self, node: LifecycleNode, parameters: LocalizerParameters, transforms: Transforms) -> None:
        self._node, self._parameters, self._transforms = node, parameters, transforms
        create = node.create_lifecycle_publisher
        self._pose = create(PoseStamped, parameters.pose_topic, RELIABLE)
        self._pose_raw = create(PoseStamped, parameters.pose_raw_topic, RELIABLE)
        self._covariance = create(PoseWithCovarianceStamped, parameters.pose_with_covariance_topic, RELIABLE)
        self._status = create(DiagnosticArray, parameters.status_topic, QoSProfile(depth=100))
        self._path = create(Path, parameters.path_topic, LATCHED)
        self._map = create(OccupancyGrid, parameters.map_topic, LATCHED)
        self._walked: deque[PoseStamped] = deque(maxlen=parameters.path_length)
        self._walked_to: Pose | None = None
        self._path_grew = False

    def publish(self, result: LocalizationResult, latency_s: float, odom_from_base: Pose | None) -> None:
        """Poses, status and transform of one image; all with its stamp. Called on the worker's thread."""
        frame_id, stamp_ns = self._parameters.map_frame, result.stamp_ns
        if result.map_from_base is not None and result.covariance is not None:
            self._pose_raw.publish(pose_stamped(frame_id, stamp_ns, result.map_from_base))
            self._covariance.publish(pose_with_covariance(frame_id, stamp_ns, result.map_from_base, result.covariance))
        if result.on_floor is not None:
            self._pose.publish(pose_stamped(frame_id, stamp_ns, result.on_floor))
            self._broadcast(stamp_ns, result.on_floor, odom_from_base)
            self._extend_path(stamp_ns, result.on_floor)
        self._status.publish(status_message(self._node.get_name(), result, latency_s))

    def _broadcast(self, stamp_ns: int, map_from_base: Pose, odom_from_base: Pose | None) -> None:
        """One parent per frame (REP-105): odom -> base is the odometry's where there is one."""
        parameters = self._parameters
        if not parameters.publish_tf:
            return
        if not parameters.use_odometry:
            self._transforms.broadcast(parameters.map_frame, parameters.base_frame, stamp_ns, map_from_base)
        elif odom_from_base is not None:
            map_from_odom = map_from_base * odom_from_base.inverse()
            self._transforms.broadcast(parameters.map_frame, parameters.odom_frame, stamp_ns, map_from_odom)
        else:
            self._node.get_logger().warning(
                f"no odometry on {parameters.odom_topic} around the image's stamp: no transform is broadcast",
                throttle_duration_sec=10.0,
            )

    def _extend_path(self, stamp_ns: int, map_from_base: Pose) -> None:
        if self._walked_to is not None:
            step_m = np.linalg.norm(map_from_base.translation - self._walked_to.translation)
            if step_m < self._parameters.path_spacing_m:
                return
        self._walked_to = map_from_base
        self._walked.append(pose_stamped(self._parameters.map_frame, stamp_ns, map_from_base))
        self._path_grew = True

    def publish_path(self) -> None:
        """The path, if it grew. Called now and then: its cost grows with its length."""
        if self._path_grew and self._walked:
            self._path_grew = False
            poses = list(self._walked)
            self._path.publish(Path(header=poses[-1].header, poses=poses))

    def clear_path(self) -> None:
        self._walked.clear()
        self._walked_to = None

    def publish_map(self, floor: FloorMap) -> OccupancyGrid:
        message = occupancy_grid(self._parameters.map_frame, self._node.get_clock().now().nanoseconds, floor)
        self._map.publish(message)
        return message

    def close(self) -> None:
        for publisher in (self._pose, self._pose_raw, self._covariance, self._status, self._path, self._map):
            self._node.destroy_lifecycle_publisher(publisher)
