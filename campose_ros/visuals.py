"""What the node publishes for people to look at: the walkable floor, the landmarks, the trail, and images with matches.

Made while somebody subscribes, and never before the pose of an image is out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from nav_msgs.msg import OccupancyGrid
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, PointCloud2
from visualization_msgs.msg import Marker

from campose_core.floor import UNKNOWN, FloorMap
from campose_core.frame import Frame, Image
from campose_core.localization.result import LocalizationResult
from campose_core.visualization.matches import draw_result, encode_drawing
from campose_core.visualization.scene_landmarks import read_landmarks
from campose_core.visualization.trail import Trail
from campose_ros.conversions import MESSAGES, header
from campose_ros.loading import LoadedScene
from campose_ros.parameters import LocalizerParameters
from campose_ros.plain_log import fault_line
from campose_ros.worker import LatestWorker

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
NEWEST = QoSProfile(depth=1)
# Nav2 refuses a map without cells, and would keep the one before.
NO_FLOOR = FloorMap(np.full((1, 1), UNKNOWN, dtype=np.int8), resolution=1.0)
DRAWING_INTERVAL_S = 0.1  # at least, between two images with matches: each costs 9 ms of a core at 640x480


class _Seen(NamedTuple):
    image: Image
    camera_frame: str
    result: LocalizationResult


class Visuals:
    """The publishers; `create(type, topic, qos)` makes them, and takes them down."""

    def __init__(
        self, node: LifecycleNode, create: Callable[[type, str, QoSProfile], Any], parameters: LocalizerParameters
    ) -> None:
        self._node, self._frame_id = node, parameters.map_frame
        self._walkable = create(OccupancyGrid, parameters.walkable_topic, LATCHED)
        self._landmarks = create(PointCloud2, parameters.landmarks_topic, LATCHED)
        self._trail_publisher = create(Marker, parameters.trail_topic, LATCHED)
        self._matches = create(CompressedImage, f"{parameters.matches_topic}/compressed", NEWEST)
        self._trail = Trail(MESSAGES, self._frame_id)
        self._trail_grew = False
        self._drawn_at = -DRAWING_INTERVAL_S
        self._worker = LatestWorker(self._draw, "matches")

    def publish_scene(self, loaded: LoadedScene) -> None:
        """Publish what stands still, latched: when the node becomes active, and when another scene was loaded.

        What the scene lacks is unknown or empty, so that nothing of an earlier one stays.
        """
        stamp_ns = self._node.get_clock().now().nanoseconds
        walkable, landmarks = loaded.walkable, read_landmarks(loaded.scene)
        floor = NO_FLOOR if walkable is None else walkable.floor
        cells = np.zeros(NO_FLOOR.shape, dtype=bool) if walkable is None else walkable.walkable
        self._walkable.publish(MESSAGES.walkable_grid(self._frame_id, stamp_ns, floor, cells))
        self._landmarks.publish(
            PointCloud2(header=header(self._frame_id, stamp_ns))
            if landmarks is None
            else landmarks.cloud(MESSAGES, self._frame_id, stamp_ns)
        )

    def show(self, parameters: LocalizerParameters, frame: Frame, result: LocalizationResult) -> None:
        """Show what became of an image. Called on the worker's thread, when the pose is out."""
        self._trail.add(result, parameters.path_length, parameters.path_spacing_m)
        self._trail_grew = True
        now = time.monotonic()
        if now - self._drawn_at >= DRAWING_INTERVAL_S and self._matches.get_subscription_count():
            self._drawn_at = now
            self._worker.submit("", result.stamp_ns, _Seen(frame.image, frame.camera_frame, result))

    def _draw(self, source: str, waiting: Sequence[_Seen]) -> None:
        seen = waiting[-1]
        try:
            jpeg = encode_drawing(draw_result(seen.image, seen.result))
            self._matches.publish(MESSAGES.compressed_image(seen.camera_frame, seen.result.stamp_ns, jpeg))
        except Exception as error:
            if self._node.context.ok():
                self._node.get_logger().error(fault_line(error), throttle_duration_sec=5.0)

    def publish_trail(self) -> None:
        """Publish the trail, if it grew and somebody looks. Called now and then: its cost grows with its length."""
        if self._trail_grew and self._trail_publisher.get_subscription_count():
            self._trail_grew = False
            self._trail_publisher.publish(self._trail.message())

    def clear_trail(self) -> None:
        """Begin a new trail, and publish that it is empty."""
        self._trail.clear()
        self._trail_publisher.publish(self._trail.message())

    def close(self) -> None:
        """End the thread that draws."""
        self._worker.stop()
