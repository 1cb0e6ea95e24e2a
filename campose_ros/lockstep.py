"""Image by image: nothing more of a bag is published before the localizer is through with the last one."""

from __future__ import annotations

import time
from collections import defaultdict

from rclpy.node import Node

from campose_core.cli.console import say
from campose_core.session.rate_limit import RateLimit
from campose_ros.asked_localizer import AskedLocalizer
from campose_ros.recorder import Recorder

TIMEOUT_S = 10.0


class Lockstep:
    """Waits for what becomes of each image: a status, or a count of those that are refused or too late.

    Of what the localizer's max_rate_hz leaves out nothing is said: that follows from the stamps.

    Raises:
        LocalizationError: the localizer does not say its max_rate_hz.
    """

    def __init__(self, node: Node, recorder: Recorder, localizer: AskedLocalizer) -> None:
        self._node, self._recorder, self._localizer = node, recorder, localizer
        max_rate_hz = localizer.max_rate_hz()
        self._limits: defaultdict[str, RateLimit] = defaultdict(lambda: RateLimit(max_rate_hz))
        localizer.wait_for_report()
        self._left_out = localizer.left_out

    def wait(self, topic: str, stamp_ns: int) -> None:
        """Wait until the localizer is through with the image; a line on stderr when it was not in time."""
        if not self._limits[topic].accepts(stamp_ns):
            return
        deadline = time.monotonic() + TIMEOUT_S
        while not self._recorder.has_status(stamp_ns) and self._localizer.left_out == self._left_out:
            if time.monotonic() > deadline or not self._node.context.ok():
                why = f"the log of {self._localizer.name} says why"
                say(f"no answer to the image {stamp_ns} within {TIMEOUT_S:g} s: {why}")
                break
            time.sleep(0.002)
        self._left_out = self._localizer.left_out
