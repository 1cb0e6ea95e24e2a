"""GPS fixes out of bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campose_core.bag.clock import AS_RECORDED, BagClock
from campose_core.bag.file import open_bag
from campose_core.bag.gps_fixes import GpsFixes
from campose_core.bag.stamps import StampedRows
from campose_core.errors import CaptureError

NAV_SAT_FIX = "sensor_msgs/msg/NavSatFix"
NO_FIX, COVARIANCE_UNKNOWN = -1, 0  # sensor_msgs/NavSatStatus, sensor_msgs/NavSatFix


def read_gps(path: Path | str, topic: str, clock: BagClock = AS_RECORDED) -> GpsFixes:
    """Read the fixes on one topic, at their header stamps.

    clock: of the images that they are compared with. Messages that say they have no fix, hold no latitude or
    longitude, or are not later than the one before are left out, with a line on stderr.

    Raises:
        CaptureError: not a readable bag, or not one usable fix on this topic.
    """
    path = Path(path)
    rows: list[tuple[float, ...]] = []
    frame_id, without = "", 0
    with open_bag(path) as bag:
        stamped = StampedRows(path, topic, clock)
        for number, (log_ns, message) in enumerate(bag.messages(topic)):
            if isinstance(message, CaptureError):
                raise CaptureError(f"{path}: message {number} on {topic} is {message}")
            place = float(message.latitude), float(message.longitude)
            on_earth = bool(np.isfinite(place).all()) and abs(place[0]) <= 90 and abs(place[1]) <= 180
            if message.status.status == NO_FIX or not on_earth:
                without += 1
                continue
            frame_id = message.header.frame_id.lstrip("/")
            variances = np.asarray(message.position_covariance, dtype=np.float64)[[0, 4]]
            known = message.position_covariance_type != COVARIANCE_UNKNOWN and (variances > 0).all()
            sigma = float(np.sqrt(variances.mean())) if known else np.nan
            stamped.add(message, log_ns)
            rows.append((*place, float(message.altitude), sigma))
    chosen, stamps_ns = stamped.ordered(without, "no fix, or a stamp that does not increase")
    if not len(chosen):
        raise CaptureError(f"{path}: no usable fix on {topic} ({without} messages without one)")
    latitude, longitude, altitude, sigma_m = np.array(rows)[chosen].T
    return GpsFixes(stamps_ns, latitude, longitude, altitude, sigma_m, frame_id)
