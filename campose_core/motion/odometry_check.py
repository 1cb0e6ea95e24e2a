"""Whether an odometry goes as landmarks show.

One that drifts or slips does, about; one of another frame, unit or source does not.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from campose_core.geometry import pose_error
from campose_core.motion.drift import LEAST_M, LEAST_RAD, Way
from campose_core.motion.model import MotionOptions, UncertainPose

STEPS, JUMPS = 20, 5  # of the last steps, so many that no body can do; odometry that starts anew jumps once
WAYS, WRONG_WAYS = 3, 2  # of the last ways; one may be slip, or end where a place was mistaken
# Of a way, or of a turn. Tyres and floors make a tenth, wheels that slip a third; another axis makes 1.4,
# another sign 2.
WRONG_SHARE = 0.5
JUDGED_M, JUDGED_RAD = 0.3, 0.25  # of a way that is judged by its length, by its turn: landmarks err by centimetres


class OdometryCheck:
    """Told of each step of the odometry, and of each way whose two ends landmarks have seen.

    fault: why the odometry is of no use, and the cure; empty where it is. Another thread may read it.
    """

    def __init__(self) -> None:
        self.fault = ""
        self._jumps: deque[bool] = deque(maxlen=STEPS)
        self._ways: deque[str] = deque(maxlen=WAYS)  # what is wrong with each

    def step(self, options: MotionOptions, *, jumps: bool) -> None:
        """Count a step, which jumps beyond what a body of such options can do."""
        self._jumps.append(jumps)
        self.fault = self._jumping(options) or self._astray()

    def way(self, way: Way, start: UncertainPose, end: UncertainPose) -> bool:
        """Judge a way between two poses in the map; return whether it was long enough to."""
        metres, degrees = pose_error(start.pose, end.pose)
        length_m, turned_rad = max(way.length_m, metres), max(way.turned_rad, float(np.radians(degrees)))
        off_m, off_deg = pose_error(start.pose * way.start_from_now, end.pose)
        if length_m < LEAST_M and turned_rad < LEAST_RAD:
            return False
        wrong = ""
        if length_m >= JUDGED_M and off_m > WRONG_SHARE * length_m:
            wrong = f"{off_m:.1f} m off on the last {length_m:.1f} m"
        elif turned_rad >= JUDGED_RAD and np.radians(off_deg) > WRONG_SHARE * turned_rad:
            wrong = f"{off_deg:.0f} deg off on the last {np.degrees(turned_rad):.0f} deg of turning"
        self._ways.append(wrong)
        return True

    def _jumping(self, options: MotionOptions) -> str:
        jumps = sum(self._jumps)
        if jumps < JUMPS:
            return ""
        return (
            f"the odometry is not used: {jumps} of its last {len(self._jumps)} steps are jumps beyond max_speed_mps "
            f"{options.max_speed_mps:g} or max_turn_rate_radps {options.max_turn_rate_radps:.3g}: is it in metres, and "
            "published by one node alone?"
        )

    def _astray(self) -> str:
        wrong = [text for text in self._ways if text]
        if len(wrong) < WRONG_WAYS:
            return ""
        return (
            f"the odometry contradicts what images show, and is not used ({wrong[-1]}): is it of base_frame, in "
            "metres, and base_from_camera where the camera sits?"
        )
