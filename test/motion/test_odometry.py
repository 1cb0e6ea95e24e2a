"""Odometry at the stamps of images."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose
from campose_core.motion.odometry import OdometryBuffer


def test_odometry_between_its_poses():
    buffer = OdometryBuffer(max_gap_s=0.5)
    quarter = Rotation.from_euler("z", np.pi / 2)
    buffer.add(0, Pose.identity())
    buffer.add(400_000_000, Pose(quarter, np.array([2.0, 0.0, 0.0])))
    between = buffer.at(100_000_000)
    assert between is not None
    assert between.translation[0] == pytest.approx(0.5)
    assert between.yaw() == pytest.approx(np.pi / 8)
    assert buffer.at(-1) is None
    ahead = buffer.at(480_000_000)  # the image was faster than the odometry
    assert ahead is not None
    assert ahead.translation[0] == pytest.approx(2.4)
    assert ahead.yaw() == pytest.approx(1.2 * np.pi / 2)
    assert buffer.at(500_000_001) is None
    buffer.add(400_000_000, Pose(quarter, np.array([4.0, 0.0, 0.0])))  # sent twice: what was before stays
    again = buffer.at(100_000_000)
    assert again is not None
    assert again.translation[0] == pytest.approx(1.0)
    assert buffer.at(400_000_000) is buffer.at(400_000_000)  # as it was sent, whatever comes after
    buffer.add(2_000_000_000, Pose.identity())
    assert buffer.at(1_000_000_000) is None
    buffer.add(100_000_000, Pose.identity())
    assert buffer.at(2_000_000_000) is None


def test_the_way_between_two_stamps_is_told_in_even_steps():
    buffer = OdometryBuffer()
    for i in range(100):  # 50 Hz, there and back
        buffer.add(20_000_000 * i, Pose(Rotation.identity(), np.array([min(i, 99 - i) * 0.01, 0.0, 0.0])))
    way = buffer.between(190_000_000, 1_500_000_000)
    stamps = [stamp_ns for stamp_ns, _ in way]
    assert stamps[0] >= 290_000_000
    assert stamps[-1] < 1_500_000_000
    assert set(np.diff(stamps)) == {100_000_000}
    assert max(pose.translation[0] for _, pose in way) > 0.4
    assert buffer.between(1_500_000_000, 1_520_000_000) == []
