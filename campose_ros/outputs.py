"""What the node publishes of each image and of the scene."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid, Odometry, Path
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from std_msgs.msg import Float64MultiArray

from campose_core.geometry import Pose
from campose_core.localization.result import LocalizationResult
from campose_core.visualization.walked_path import WalkedPath
from campose_ros.bootstrap import Bootstrap, StartingPose, upright
from campose_ros.conversions import (
    MESSAGES,
    header,
    occupancy_grid,
    pose_stamped,
    pose_with_covariance,
    status_message,
)
from campose_ros.covariance_floor import at_least
from campose_ros.diagnostics import name_of
from campose_ros.endpoints import other_publishers
from campose_ros.loading import LoadedScene
from campose_ros.odometry_output import TwistOfPoses, odometry_message
from campose_ros.parameters import LocalizerParameters
from campose_ros.status_numbers import numbers_message
from campose_ros.transforms import Transforms
from campose_ros.visuals import LATCHED, NO_FLOOR, Visuals

RELIABLE = QoSProfile(depth=10)


class Outputs:
    """The publishers of a configured node; they are silent until it is active."""

    def __init__(self, node: LifecycleNode, parameters: LocalizerParameters, transforms: Transforms) -> None:
        self._node, self._parameters, self._transforms = node, parameters, transforms
        self._bootstrap, self._twists = Bootstrap(), TwistOfPoses()
        self._told_amcl: PoseWithCovarianceStamped | None = None
        self._publishers: list[Any] = []
        try:
            self._create(parameters)
            self.visuals = Visuals(node, self._publisher, parameters)
        except BaseException:
            self._destroy()
            raise
        self._walked = WalkedPath(MESSAGES, parameters.map_frame)
        self._path_grew = self._has_map = False

    def _create(self, parameters: LocalizerParameters) -> None:
        create = self._publisher
        self._pose = create(PoseStamped, parameters.pose_topic, RELIABLE)
        self._pose_raw = create(PoseStamped, parameters.pose_raw_topic, RELIABLE)
        self._covariance = self._latched_pose()
        self._odometry = create(Odometry, parameters.odometry_topic, RELIABLE)
        self._status = create(DiagnosticArray, parameters.status_topic, QoSProfile(depth=100))
        self._numbers = create(Float64MultiArray, parameters.status_numbers_topic, QoSProfile(depth=100))
        self._path = create(Path, parameters.path_topic, LATCHED)
        self._map = create(OccupancyGrid, parameters.map_topic, LATCHED)
        if parameters.bootstrap_amcl:
            self._amcl = create(PoseWithCovarianceStamped, parameters.amcl_initialpose_topic, RELIABLE)
            # We listen as well, mostly to the same topic.
            heard_by_us = self._node.resolve_topic_name(parameters.initialpose_topic) == self._amcl.topic_name
            self._own_ears = int(heard_by_us)

    def _latched_pose(self) -> Any:
        """As AMCL's, for whoever comes later."""
        return self._publisher(PoseWithCovarianceStamped, self._parameters.pose_with_covariance_topic, LATCHED)

    def _publisher(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        self._publishers.append(self._node.create_lifecycle_publisher(kind, topic, qos))
        return self._publishers[-1]

    def publish(
        self,
        parameters: LocalizerParameters,
        result: LocalizationResult,
        latency_s: float,
        odom_from_base: Pose | None,
    ) -> None:
        """Publish poses, status and transform of one image; all with its stamp. Called on the worker's thread.

        parameters: those that the image was localized with.
        """
        frame_id, stamp_ns = parameters.map_frame, result.stamp_ns
        twist, covariance = self._twists.take(result, parameters.localizer_options()), None
        if result.map_from_base is not None and result.covariance is not None:
            covariance = at_least(result.covariance, parameters.covariance_floor_m, parameters.covariance_floor_rad)
            self._pose_raw.publish(pose_stamped(frame_id, stamp_ns, result.map_from_base))
            self._covariance.publish(pose_with_covariance(frame_id, stamp_ns, result.map_from_base, covariance))
            if twist is not None:
                self._odometry.publish(
                    odometry_message(MESSAGES, frame_id, parameters.base_frame, result, covariance, twist)
                )
        if result.on_floor is not None:
            self._pose.publish(pose_stamped(frame_id, stamp_ns, result.on_floor))
            self._broadcast(parameters, stamp_ns, result.on_floor, odom_from_base)
        self._path_grew |= self._walked.add(result, parameters.path_length, parameters.path_spacing_m)
        if parameters.bootstrap_amcl:
            self._tell_amcl(
                self._bootstrap.take(
                    result,
                    odom_from_base,
                    parameters.max_speed_mps,
                    listeners=max(0, self._amcl.get_subscription_count() - self._own_ears),
                )
            )
        self._status.publish(status_message(name_of(self._node), result, latency_s))
        self._numbers.publish(numbers_message(result, covariance, latency_s))

    def _broadcast(
        self, parameters: LocalizerParameters, stamp_ns: int, map_from_base: Pose, odom_from_base: Pose | None
    ) -> None:
        """One parent per frame (REP-105): odom -> base is the odometry's where there is one.

        map -> odom hardly changes, so it may be dated ahead; map -> base is where the robot was at the stamp.
        """
        if not parameters.publish_tf:
            return
        if parameters.planar_tf:
            map_from_base = upright(map_from_base)
            odom_from_base = None if odom_from_base is None else upright(odom_from_base)
        if not parameters.use_odometry:
            self._transforms.broadcast(parameters.map_frame, parameters.base_frame, stamp_ns, map_from_base)
        elif odom_from_base is not None:
            map_from_odom = map_from_base * odom_from_base.inverse()
            valid_until_ns = stamp_ns + round(parameters.transform_tolerance * 1e9)
            self._transforms.broadcast(parameters.map_frame, parameters.odom_frame, valid_until_ns, map_from_odom)
        else:
            self._node.get_logger().warning(
                f"no odometry on {parameters.odom_topic} around the image's stamp: no transform is broadcast",
                throttle_duration_sec=10.0,
            )

    def broadcast_camera(self, parameters: LocalizerParameters, frame: str, stamp_ns: int, base_from_cam: Pose) -> None:
        """Hang a camera whose place parameters say into the tree of frames, where viewers look for its images."""
        if parameters.publish_tf and frame not in (parameters.base_frame, parameters.odom_frame, parameters.map_frame):
            self._transforms.broadcast_camera(parameters.base_frame, frame, stamp_ns, base_from_cam)

    def _tell_amcl(self, start: StartingPose | None) -> None:
        if start is None:
            return
        message = pose_with_covariance(self._parameters.map_frame, *start)
        self._told_amcl = message  # before it can come back to us
        self._amcl.publish(message)
        self._node.get_logger().info(f"AMCL is told to start where the robot stands, on {self._amcl.topic_name}")

    def start_over(self) -> None:
        """Take the next pose for that of a robot that was found anew. Called on the worker's thread, or without it."""
        self._bootstrap, self._twists = Bootstrap(), TwistOfPoses()

    def is_ours(self, message: PoseWithCovarianceStamped) -> bool:
        """Tell whether an initialpose is the one that AMCL was told: it instructs AMCL, not us."""
        told = self._told_amcl
        return told is not None and (message.header, message.pose.pose) == (told.header, told.pose.pose)

    def publish_path(self) -> None:
        """Publish the path, if it grew. Called now and then: its cost grows with its length."""
        if self._path_grew:
            self._path_grew = False
            self._path.publish(self._walked.message())
        self.visuals.publish_trail()

    def clear_path(self) -> None:
        """Begin a new path; that nobody goes on to show the old one, an empty one is published."""
        self._walked.clear()
        self._path_grew = False
        now_ns = self._node.get_clock().now().nanoseconds
        self._path.publish(Path(header=header(self._parameters.map_frame, now_ns)))
        self.visuals.clear_trail()

    def leave_scene(self) -> None:
        """Have nothing of the scene go on: neither a path, nor a speed, nor the pose that is kept for later ones."""
        self.clear_path()
        self.start_over()
        old, self._covariance = self._covariance, self._latched_pose()
        if old.is_activated:
            self._covariance.on_activate(None)
        self._publishers.remove(old)
        self._node.destroy_lifecycle_publisher(old)

    def publish_scene(self, loaded: LoadedScene) -> OccupancyGrid:
        """Publish what stands still, latched; returns the map.

        A map of an earlier scene is replaced by an unknown one, but where there was none, that topic is left to others.

        Raises:
            SceneError: the scene's landmarks are damaged; nothing was published.
        """
        self.visuals.publish_scene(loaded)
        frame_id, now_ns = self._parameters.map_frame, self._node.get_clock().now().nanoseconds
        had_map, self._has_map = self._has_map, loaded.walkable is not None
        message = occupancy_grid(frame_id, now_ns, loaded.walkable.floor if loaded.walkable is not None else NO_FLOOR)
        if had_map or self._has_map:
            self._map.publish(message)
        return message

    def other_map(self) -> str:
        """Say who else publishes the map that this node publishes; empty where nobody does."""
        others = other_publishers(self._node, self._map.topic_name) if self._has_map else []
        if not others:
            return ""
        return (
            f"{self._map.topic_name} is published by {' and '.join(others)} as well, and who listens gets either map: "
            "end one of them (map_server is not needed), or set map_topic to another name"
        )

    def close(self) -> None:
        """Take all publishers down."""
        self.visuals.close()
        self._destroy()

    def _destroy(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
