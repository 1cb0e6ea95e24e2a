"""Where a body should be at the next image, by its IMU."""

import numpy as np
import pytest
from imu_walks import NOISE, SECOND, imu_samples, visual_fixes
from scipy.spatial.transform import Rotation
from tracked_walks import Path

from campose_core.bag.imu import ImuSamples
from campose_core.geometry import Pose, pose_difference, pose_error
from campose_core.motion.imu_motion import ImuMotion
from campose_core.motion.model import MotionModel

BASE_FROM_IMU = Pose(Rotation.from_euler("xyz", [3.0, -8.0, 90.0], degrees=True), np.array([-0.2, 0.1, 0.3]))


def predictions(path, fixes, motion, blind):
    """(error, covariance) of the predictions at the stamps; what is blind is not believed."""
    found = {}
    for stamp_ns, (map_from_imu, _) in fixes.items():
        guess = motion.predict(stamp_ns)
        true = path.pose(stamp_ns / SECOND) * BASE_FROM_IMU.inverse()
        if guess is not None:
            error = pose_difference(guess.pose, true)
            found[stamp_ns] = (np.linalg.norm(error[:3]), float(error @ np.linalg.solve(guess.covariance, error)))
        if stamp_ns not in blind:
            seen = map_from_imu * BASE_FROM_IMU.inverse()
            motion.believe(stamp_ns, seen, np.diag([0.006**2] * 3 + [np.radians(0.2) ** 2] * 3))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_it_predicts_better_than_the_last_velocity_and_claims_no_more(seed):
    path = Path(seed, 30.0)
    samples, fixes = imu_samples(path, seed, rate_hz=100), visual_fixes(path, seed)
    blind = {stamp_ns for stamp_ns in fixes if (stamp_ns // SECOND) % 5 == 4}  # a second without images out of five
    by_imu = predictions(path, fixes, ImuMotion(BASE_FROM_IMU, samples, NOISE), blind)
    coasted = predictions(path, fixes, MotionModel(), blind)
    assert by_imu.keys() == coasted.keys()
    late = [stamp_ns for stamp_ns in blind if stamp_ns > 5 * SECOND]
    assert np.median([by_imu[s][0] for s in late]) < 0.25 * np.median([coasted[s][0] for s in late])
    assert np.mean([by_imu[s][1] for s in by_imu if s > 2 * SECOND]) < 12.0


def test_without_samples_it_coasts_and_after_a_wild_pose_it_starts_anew():
    path = Path(1, 12.0)
    fixes = visual_fixes(path, 1)
    nothing = ImuSamples([], [], [])
    plain, blind = MotionModel(), ImuMotion(BASE_FROM_IMU, nothing, NOISE)
    for stamp_ns, (pose, covariance) in list(fixes.items())[:20]:
        expected, found = plain.predict(stamp_ns), blind.predict(stamp_ns)
        if expected is not None:
            assert pose_error(found.pose, expected.pose) == (0.0, 0.0)
        plain.believe(stamp_ns, pose, covariance)
        blind.believe(stamp_ns, pose, covariance)
    motion = ImuMotion(Pose.identity(), nothing, NOISE)
    motion.take_imu(imu_samples(path, 1, rate_hz=100))
    elsewhere = np.array([30.0, 0.0, 0.0])
    for i, (stamp_ns, (pose, covariance)) in enumerate(fixes.items()):
        motion.predict(stamp_ns)
        carried = Pose(pose.rotation, pose.translation + elsewhere * (i >= 40))
        motion.believe(stamp_ns, carried, covariance)
        assert pose_error(motion.predict(stamp_ns).pose, carried)[0] < 0.1


def test_a_bag_that_starts_over_is_met_anew():
    path = Path(2, 8.0)
    fixes = visual_fixes(path, 2)
    motion = ImuMotion(Pose.identity(), imu_samples(path, 2, rate_hz=100), NOISE)
    for _ in range(2):
        assert motion.predict(next(iter(fixes))) is None
        for stamp_ns, (pose, covariance) in fixes.items():
            motion.predict(stamp_ns)
            motion.believe(stamp_ns, pose, covariance)
