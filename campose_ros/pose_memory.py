"""Where the robot last was for sure, kept over a restart in `remembered_pose_file`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from campose_core.errors import CamposeError
from campose_core.localization.remembered_pose import remember, remembered
from campose_core.localization.result import LocalizationResult
from campose_core.motion.model import UncertainPose
from campose_ros.home_paths import from_home
from campose_ros.worker import LatestWorker

if TYPE_CHECKING:
    from rclpy.node import Node


class PoseMemory:
    """Of one map, whose digest it goes by; does nothing without a path, or where the file holds something else.

    The file is written on a thread of its own: until a memory card has it, seconds can pass, in which neither images
    nor callbacks should wait.
    """

    def __init__(self, node: Node, path: str, digest: str) -> None:
        self._node, self._path, self._digest = node, from_home(path), digest
        self._newest: LocalizationResult | None = None
        self._written: LocalizationResult | None = None
        self._recalled: UncertainPose | None = None
        self._worker: LatestWorker[LocalizationResult] | None = None
        if not path:
            return
        try:
            self._recalled = remembered(self._path, digest)
        except CamposeError as error:
            node.get_logger().warning(f"remembered_pose_file: {error}")
            return
        self._worker = LatestWorker(self._write, "remember")

    def recall(self) -> UncertainPose | None:
        """Return where the robot was; None where nothing was remembered, or of another map."""
        return self._recalled

    def take(self, sure: LocalizationResult) -> None:
        """Take in a pose that may be remembered; `keep` has it written."""
        self._newest = sure

    def keep(self) -> None:
        """Have the newest pose written soon, if it is not yet."""
        newest = self._newest
        if self._worker is not None and newest is not None and newest is not self._written:
            self._worker.submit("", newest.stamp_ns, newest)

    def close(self) -> None:
        """Write the newest pose, if it is not yet, and end the thread."""
        if self._worker is None:
            return
        self._worker.stop()
        if self._newest is not None and self._newest is not self._written:
            self._write("", [self._newest])

    def _write(self, source: str, waiting: Sequence[LocalizationResult]) -> None:
        sure = waiting[-1]
        if sure.map_from_base is None:
            return
        try:
            remember(self._path, sure.map_from_base, sure.stamp_ns, self._digest)
            self._written = sure
        except OSError as error:
            if self._node.context.ok():
                self._node.get_logger().warning(
                    f"remembered_pose_file {self._path} cannot be written: {error.strerror}",
                    throttle_duration_sec=60.0,
                )
