"""Simulated time as seen from a steady clock: whether it came, and whether it goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration

from campose_core.session.session import LATE_NS

if TYPE_CHECKING:
    from rclpy.node import Node

PATIENCE_S = 2.0


class ClockWatch:
    """Asked now and then (`fault`), it compares what the node's clock says with a steady one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._now_ns = 0
        self._since = time.monotonic()
        self.jumps_back = 0
        back = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False)
        self._jumps = node.get_clock().create_jump_callback(back, post_callback=self._jumped_back)

    def _jumped_back(self, jump: Any) -> None:
        self.jumps_back += 1
        back_ns = -jump.delta.nanoseconds
        then = "starting over" if back_ns > LATE_NS else "images are too late until they have caught up"
        self._node.get_logger().info(f"time went back by {back_ns * 1e-9:.1f} s: {then}")

    def fault(self) -> str:
        """Say what is wrong with /clock, and the cure; empty when nothing is, or the node does not use it."""
        now_ns, steady = self._node.get_clock().now().nanoseconds, time.monotonic()
        if now_ns != self._now_ns:
            self._now_ns, self._since = now_ns, steady
        still_s = steady - self._since
        if not self._node.get_parameter("use_sim_time").value or still_s <= PATIENCE_S:
            return ""
        published = self._node.count_publishers("/clock") > 0
        if not now_ns:
            why = "nothing comes on /clock" if published else "nobody publishes /clock"
            return (
                f"use_sim_time is true and {why}: start the simulator, play the bag with `ros2 bag play --clock`, or "
                "set use_sim_time to false"
            )
        why = "is the simulation, or the bag, paused?" if published else "nobody publishes it any more"
        return f"/clock stands still at {now_ns * 1e-9:.2f} s for {still_s:.0f} s: {why}"
