"""An IMU that is mounted otherwise, or measures in another unit, is found out by the images and carries no pose on."""

import numpy as np
import pytest
from imu_walks import NOISE, SECOND, imu_samples, visual_fixes
from scipy.spatial.transform import Rotation
from tracked_walks import Path

from campose_core.bag.imu import ImuSamples
from campose_core.geometry import Pose, pose_error
from campose_core.motion.imu_motion import ImuMotion

TURNED = Pose(Rotation.from_euler("z", 90, degrees=True), np.zeros(3))
UPSIDE_DOWN = Pose(Rotation.from_euler("x", 180, degrees=True), np.zeros(3))
CARRIED = np.array([5.0, 0.0, 0.0])
TILTED = Pose(Rotation.from_euler("x", 30, degrees=True), np.zeros(3))
TILTED_BY_8, TILTED_BY_1 = (Pose(Rotation.from_euler("x", deg, degrees=True), np.zeros(3)) for deg in (8, 1))


def blind_errors(motion: ImuMotion, samples: ImuSamples, path: Path) -> list[tuple[float, float]]:
    """(error m, standard deviation m in the worst direction) of what it measured, of each fourth second."""
    motion.take_imu(samples)
    found = []
    for stamp_ns, (pose, covariance) in visual_fixes(path, 4).items():
        motion.predict(stamp_ns)
        measured = motion.measured()
        if stamp_ns > 10 * SECOND and (stamp_ns // SECOND) % 4 == 3:
            if measured is not None:
                sigma_m = float(np.sqrt(np.linalg.eigvalsh(measured.covariance[:3, :3])[-1]))
                found.append((pose_error(measured.pose, path.pose(stamp_ns / SECOND))[0], sigma_m))
        else:
            motion.believe(stamp_ns, pose, covariance)
    return found


@pytest.mark.parametrize("mounted", [TURNED, UPSIDE_DOWN, TILTED])
def test_one_that_is_mounted_otherwise_carries_nothing_on_and_is_named(mounted: Pose) -> None:
    path = Path(4, 16.0)
    motion = ImuMotion(mounted, noise=NOISE)
    found = blind_errors(motion, imu_samples(path, 4, rate_hz=100), path)
    assert all(error_m < max(0.3, 4 * sigma_m) for error_m, sigma_m in found)
    assert "base_from_imu" in motion.fault


@pytest.mark.parametrize(
    ("mounted", "rate_hz", "is_named"),
    [(TURNED, 4.0, True), (TURNED, 10.0, True), (TILTED_BY_8, 10.0, True), (TILTED_BY_1, 4.0, False)],
    ids=["turned 4 Hz", "turned 10 Hz", "tilted by 8", "tilted by 1"],
)
def test_on_a_robot_that_drives_on_a_floor_what_was_found_out_stays(
    mounted: Pose, rate_hz: float, is_named: bool
) -> None:
    """Where it drives straight on, an IMU that is turned about the vertical is right."""
    path = Path(2, 30.0, planar=True)
    motion = ImuMotion(mounted, imu_samples(path, 2, rate_hz=100))
    faults = []
    for stamp_ns, (pose, covariance) in visual_fixes(path, 2, rate_hz).items():
        motion.predict(stamp_ns)
        motion.believe(stamp_ns, pose, covariance)
        if stamp_ns > 20 * SECOND:
            faults.append(bool(motion.fault))
    assert set(faults) == {is_named}


def test_one_in_degrees_a_second_is_named() -> None:
    path = Path(4, 16.0)
    right = imu_samples(path, 4, rate_hz=100)
    motion = ImuMotion(Pose.identity(), noise=NOISE)
    found = blind_errors(motion, ImuSamples(right.stamps_ns, np.degrees(right.gyro_rad_s), right.accel_m_s2), path)
    assert not found
    assert "rad/s" in motion.fault


def test_a_right_one_is_used_and_one_mistaken_place_is_forgiven() -> None:
    path = Path(4, 16.0)
    motion = ImuMotion(Pose.identity(), noise=NOISE)
    samples = imu_samples(path, 4, rate_hz=100)
    found = blind_errors(motion, samples, path)
    assert len(found) >= 10
    assert max(error_m for error_m, _ in found) < 0.15
    assert not motion.fault
    fixes = visual_fixes(path, 4)
    motion = ImuMotion(Pose.identity(), samples, NOISE)
    for stamp_ns, (pose, covariance) in fixes.items():
        motion.predict(stamp_ns)
        mistaken = Pose(pose.rotation, pose.translation + CARRIED) if stamp_ns == 12 * SECOND else pose
        motion.believe(stamp_ns, mistaken, covariance)
    assert not motion.fault
