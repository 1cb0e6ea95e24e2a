"""The motion of a body by its IMU: where it should be when the next image is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campose_core.bag.imu import ImuSamples
from campose_core.capture.mapped_recordings import clock_of
from campose_core.frame import Recording
from campose_core.geometry import Array, Pose, covariance_at_lever
from campose_core.inertial.error_state_filter import ImuNoise, ImuState, advance, corrected, start_at
from campose_core.inertial.mounting import mounted_imu
from campose_core.motion.imu_check import ImuCheck
from campose_core.motion.model import MotionModel, MotionOptions, UncertainPose
from campose_core.statistics import checked_covariance

CONTRADICTION = 30.0  # squared Mahalanobis distance of a pose: the filter, not the image, is taken to be wrong
LONGEST_BLIND_S = 10.0
IMU_FAULT = (
    "the IMU contradicts what images show, and is not used: is base_from_imu where it sits (of the frame of its "
    "messages), are its turn rates in rad/s, its stamps those of the images' clock, and is the map level?"
)
JUDGED = 50  # samples, whose force must be gravity's in the median: not in g, and not without it
NO_SAMPLES = ImuSamples(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros((0, 3)))


class ImuMotion(MotionModel):
    """As MotionModel, with the IMU's word where there are samples up to the stamp, and a believed pose before.

    The map must be level (z up). base_from_imu: where the IMU sits. What the IMU says of ways without images is as
    unsure as it was wrong on those with images, and not heard at all while it contradicts them.
    """

    def __init__(
        self,
        base_from_imu: Pose,
        samples: ImuSamples = NO_SAMPLES,
        noise: ImuNoise | None = None,
        options: MotionOptions | None = None,
    ) -> None:
        self._samples, self._base_from_imu, self._noise = samples, base_from_imu, noise or ImuNoise()
        self._check = ImuCheck(self._noise)
        super().__init__(options)

    def take_imu(self, samples: ImuSamples) -> None:
        """Take in what the IMU measured since; what is not needed is forgotten, as is all when stamps go back."""
        if len(self._samples) and samples.stamps_ns[0] <= self._samples.stamps_ns[-1]:
            self._samples = NO_SAMPLES
        newest_ns = int(samples.stamps_ns[-1])
        needed_ns = newest_ns if self._state is None else min(self._state.stamp_ns, newest_ns)
        kept = self._samples.between(needed_ns - 1_000_000_000, 2**62)
        self._samples = ImuSamples(
            np.concatenate([kept.stamps_ns, samples.stamps_ns]),
            np.concatenate([kept.gyro_rad_s, samples.gyro_rad_s]),
            np.concatenate([kept.accel_m_s2, samples.accel_m_s2]),
            samples.frame_id,
        )

    def reset(self) -> None:
        super().reset()
        self._state: ImuState | None = None
        self._fixed_ns = 0
        self._check.forget()

    def predict(self, stamp_ns: int, odom_from_base: Pose | None = None) -> UncertainPose | None:
        """Predict `map_from_base` at the stamp, by the IMU where it can, otherwise as MotionModel does."""
        without = super().predict(stamp_ns, odom_from_base)
        state = self._moved_to(stamp_ns)
        return without if state is None or self._check.is_wrong else self._at_base(state)

    def measured(self) -> UncertainPose | None:
        """Return the last prediction where it was the IMU's."""
        if self._state is None or self._check.is_wrong:
            return None
        pose, covariance = self._at_base(self._state)
        return UncertainPose(pose, covariance * self._check.inflation)

    @property
    def fault(self) -> str:
        return IMU_FAULT if self._check.is_wrong else ""

    def believe(self, stamp_ns: int, map_from_base: Pose, covariance: Array, camera: str = "") -> None:
        state = self._moved_to(stamp_ns)
        super().believe(stamp_ns, map_from_base, covariance, camera)
        seen = self._at_imu(UncertainPose(map_from_base, checked_covariance(covariance)))
        contradicted = False
        if state is not None:
            self._state, distance = corrected(state, *seen)
            contradicted = distance > CONTRADICTION
            state = None if contradicted else self._state
        if state is None:
            speed = self.options.max_speed_mps / 3.0
            self._state = start_at(stamp_ns, seen.pose, seen.covariance, np.zeros(3), speed, self._noise)
        self._fixed_ns = stamp_ns
        assert self._state is not None, "corrected, or begun"
        self._check.take(self._samples, self._state, seen, contradicted=contradicted)

    def _moved_to(self, stamp_ns: int) -> ImuState | None:
        """Return the filter's state at the stamp, which it keeps; None where nothing is known of it."""
        if self._state is not None:
            moved = None
            if self._state.stamp_ns <= stamp_ns <= self._fixed_ns + LONGEST_BLIND_S * 1e9:
                moved = advance(self._state, self._samples, stamp_ns, self._noise)
            self._state = None if moved is None else moved[0]
        return self._state

    def _at_base(self, state: ImuState) -> UncertainPose:
        map_from_base = state.pose * self._base_from_imu.inverse()
        lever_in_map = map_from_base.translation - state.position
        return UncertainPose(map_from_base, covariance_at_lever(state.pose_covariance, lever_in_map))

    def _at_imu(self, base: UncertainPose) -> UncertainPose:
        map_from_imu = base.pose * self._base_from_imu
        lever_in_map = map_from_imu.translation - base.pose.translation
        return UncertainPose(map_from_imu, covariance_at_lever(base.covariance, lever_in_map))


def imu_motion(recording: Recording, topic: str, base_from_cam: Pose) -> ImuMotion:
    """Make the motion by the IMU on a topic of the recording's bag, whose TF says where it sits beside the camera.

    Its samples come message by message (`take_imu`), as to a running node; of these the first tell their unit here.

    Raises:
        CaptureError: no such topic, samples in another unit, or no static transforms from the camera to the IMU.
    """
    path = Path(recording.describe()["path"])
    camera_frame = next(recording.frames()).camera_frame
    _, cam_from_imu = mounted_imu(path, topic, camera_frame, clock_of(recording.describe()), at_most=JUDGED)
    return ImuMotion(base_from_cam * cam_from_imu)
