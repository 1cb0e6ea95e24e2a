"""Images to which odometry, or an IMU, said nothing: how many of the last ones, and why."""

from __future__ import annotations

from collections import deque

from campose_ros.input_watch import InputWatch

IMAGES = 20  # the last ones of a camera
SHARE = 0.2  # of them; one image that was faster than its odometry is no fault
REFUSED = "refused: "  # how the session says that it took none of it
NEEDED_HZ, SLOW_HZ = 10.0, 8.0  # what is measured in a few seconds is not exact


class MissingMotion:
    """Told of each image on the worker's thread; asked on the executor's. watch: of the subscription."""

    def __init__(self, what: str, watch: InputWatch) -> None:
        self._what, self._watch = what, watch
        self._reasons: dict[str, deque[str]] = {}  # by camera; empty: it had some

    def take(self, camera: str, reason: str) -> None:
        """Take in why an image of a camera had none; empty where it had."""
        reasons = self._reasons.get(camera, deque(maxlen=IMAGES)).copy()
        reasons.append(reason)
        self._reasons[camera] = reasons  # another one: who reads it meanwhile goes on with the old

    def fault(self) -> str:
        """Say of each camera to which images it said nothing, and why; empty while it says enough."""
        interval_s = self._watch.interval_s
        is_slow = interval_s > 1.0 / SLOW_HZ
        slow = f"it comes {1.0 / interval_s:.1f} times a second, {NEEDED_HZ:.0f} are needed" if is_slow else ""
        found = []
        for camera, reasons in list(self._reasons.items()):
            missing = [reason for reason in reasons if reason]
            if len(missing) <= SHARE * len(reasons):
                continue
            of = f" of {camera}" if camera else ""
            images = "the last image" if len(missing) == len(reasons) else f"{len(missing)} of {len(reasons)} images"
            is_refused = missing[-1].startswith(REFUSED)  # then its rate is not what is wrong
            because = missing[-1] if is_refused else slow or missing[-1]
            found.append(f"no {self._what} from {self._watch.topic} for {images}{of}: {because}")
        return "; ".join(found)
