"""IMU samples out of bags."""

import numpy as np
import pytest
from bag_messages import imu_message
from recordings import START_NS, Messages, write_bag

from campose_core.bag.imu import ImuSamples, has_imu, read_imu
from campose_core.errors import CaptureError


@pytest.mark.parametrize("kind", ["ros1", "mcap", "sqlite3"])
def test_samples_come_back_as_they_were_written(tmp_path, kind):
    make = Messages(kind == "ros1")
    gyro, accel = np.random.default_rng(5).normal(size=(2, 8, 3))
    stamps = [START_NS + i * 5_000_000 for i in range(8)]
    entries = [("/imu/data", s, imu_message(make, s, w, a)) for s, w, a in zip(stamps, gyro, accel, strict=True)]
    entries.append(("/imu/data", stamps[-1] + 1, imu_message(make, stamps[3], gyro[0], accel[0])))  # goes back
    path = write_bag(tmp_path / "walk.bag", entries, kind)
    assert has_imu(path)
    samples = read_imu(path)
    assert samples.stamps_ns.tolist() == stamps
    assert samples.frame_id == "imu_link"
    np.testing.assert_array_equal(samples.gyro_rad_s, gyro)
    np.testing.assert_array_equal(samples.accel_m_s2, accel)
    assert samples.between(stamps[2], stamps[4]).stamps_ns.tolist() == stamps[2:5]
    assert len(samples.between(stamps[2] + 1, stamps[3] - 1)) == 0


def test_topics_are_chosen_or_listed_and_bad_samples_named(tmp_path):
    make = Messages()
    at_rest = (0.0, 0.0, 9.81)
    entries = [
        ("/imu/data", 1, imu_message(make, START_NS, (0.0, 0.0, 0.0), at_rest)),
        ("/imu/raw", 2, imu_message(make, START_NS, (0.0, float("nan"), 0.0), at_rest)),
        ("/imu/still", 3, imu_message(make, START_NS, (0.0, 0.0, 0.0), at_rest, turn_covariance=-1.0)),
        ("/info", 4, make.camera_info(START_NS)),
    ]
    path = write_bag(tmp_path / "walk", entries)
    listed = r"/imu/data \(1 Imu\); /imu/raw \(1 Imu\); /imu/still \(1 Imu\)"
    with pytest.raises(CaptureError, match=f"choose one of its IMU topics: {listed}"):
        read_imu(path)
    with pytest.raises(CaptureError, match=f"no IMU topic '/info'; it has: {listed}"):
        read_imu(path, "/info")
    with pytest.raises(CaptureError, match=r"message 0 on /imu/raw is not finite: turn rate .*nan"):
        read_imu(path, "/imu/raw")
    with pytest.raises(CaptureError, match="/imu/still says that the IMU measures no turn rate"):
        read_imu(path, "/imu/still")
    assert len(read_imu(path, "/imu/data")) == 1


def test_a_bag_without_imu_has_none(tmp_path):
    path = write_bag(tmp_path / "walk", [("/info", 4, Messages().camera_info(START_NS))])
    assert not has_imu(path)
    with pytest.raises(CaptureError, match="no IMU topic"):
        read_imu(path)


def test_samples_that_cannot_be_are_refused():
    still = np.zeros((3, 3))
    with pytest.raises(CaptureError, match="sample 2 is not later"):
        ImuSamples([1, 2, 2], still, still)
    with pytest.raises(CaptureError, match="3 stamps, 2 turn rates, 3 forces"):
        ImuSamples([1, 2, 3], still[:2], still)
    with pytest.raises(CaptureError, match="sample 1 is not"):
        ImuSamples([1, 2, 3], still, np.array([[0.0] * 3, [np.inf, 0, 0], [0.0] * 3]))
