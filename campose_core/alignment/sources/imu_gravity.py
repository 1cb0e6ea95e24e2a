"""Up alone, by the accelerometer of an IMU."""

from __future__ import annotations

import numpy as np

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.solvers.gravity import up_by_gravity
from campose_core.alignment.sources.base import Borrowed, Part
from campose_core.alignment.sources.recordings import MOUNTED_DEG, RecordedSource, having, mounting, topics
from campose_core.bag.imu import IMU, read_imu
from campose_core.capture.mapped_recordings import MAX_GAP_NS
from campose_core.errors import AlignmentError


class ImuGravity(RecordedSource):
    """Topics of sensor_msgs/Imu; of several recordings, each counts by its duration."""

    what = "up alone, by sensor_msgs/Imu"
    lends = frozenset({Part.LEVEL})

    def names(self) -> list[str]:
        return topics(self.mapped.recordings, [IMU])

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        up, off_deg, sigma = np.zeros(3), 0.0, 0.0
        for recording in having(self.mapped.recordings, name):
            imu = read_imu(recording.path, name, recording.clock)
            camera_from_imu = mounting(recording, recording.camera_frame, imu.frame_id.lstrip("/"), name)
            answered, walked = recording.walked.interpolate(imu.stamps_ns, MAX_GAP_NS)
            if not answered.any():
                raise AlignmentError(
                    f"{recording.path}: {name} has no time in common with the frames, "
                    f"{recording.walked.interval_text()}"
                )
            sfm_from_imu = walked.rotations * camera_from_imu.rotation
            gravity = up_by_gravity(walked.stamps_ns, sfm_from_imu, imu.accel_m_s2[answered])
            up = up + gravity.windows * gravity.up
            off_deg = max(off_deg, gravity.median_deg)
            sigma = max(sigma, float(np.hypot(MOUNTED_DEG, gravity.median_deg / np.sqrt(gravity.windows))))
        note = f"gravity {name}: a second's acceleration differs from up by {off_deg:.2g} deg (median)"
        return Evidence(f"gravity {name}", up=up / np.linalg.norm(up), up_deg=sigma, notes=(note,))
