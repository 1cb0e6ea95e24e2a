"""Drives through the simulated floor, and the odometry of the robot that drives."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from campose_core.geometry import pose_error
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, START_NS, Limits, camera_trajectory, drifting_odometry, drive


@pytest.mark.parametrize(("size", "seed"), [("small", 0), ("small", 1), *(("demo", seed) for seed in range(5))])
def test_drives_touch_nothing_and_stay_within_the_limits(size, seed):
    world, limits = build_world(size, seed), Limits()
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outline = 0.15 * np.stack([np.cos(around), np.sin(around)], axis=1)
    for name in ("mapping", "later"):
        map_from_base = drive(world, name, rate_hz=20.0)
        assert map_from_base.stamps_ns[0] == START_NS
        assert (map_from_base.positions[:, 2] == 0).all()
        body = map_from_base.positions[:, None, :2] + outline
        assert world.free(body.reshape(-1, 2)).all()
        steps = np.linalg.norm(np.diff(map_from_base.positions, axis=0), axis=1)
        turns = (map_from_base.rotations[:-1].inv() * map_from_base.rotations[1:]).magnitude()
        assert steps.max() * 20 < limits.speed + 1e-3
        assert turns.max() * 20 < limits.turn_rate + 1e-3
        # It looks where it goes.
        forward = map_from_base.rotations[:-1].apply([1.0, 0.0, 0.0])
        moving = steps > 0.005
        along = (np.diff(map_from_base.positions, axis=0) * forward).sum(1)[moving] / steps[moving]
        assert along.min() > np.cos(np.radians(10))


def test_the_same_world_gives_the_same_drive():
    first, second = (drive(build_world("demo", 2), "later") for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)


def test_the_later_drive_is_another_path_in_rooms_already_seen():
    world = build_world("demo", 0)
    mapping, later = drive(world, "mapping"), drive(world, "later")
    distance, nearest = cKDTree(mapping.positions).query(later.positions)
    assert 0.15 < np.median(distance) < 0.5
    assert distance.max() < 0.8
    # Whichever way it looks, the mapping drive looked that way within a metre and a half.
    headings = [np.array([pose.yaw() for _, pose in drive_]) for drive_ in (mapping, later)]
    near = cKDTree(mapping.positions).query_ball_point(later.positions, 1.5)
    gaps = [
        np.abs(np.angle(np.exp(1j * (headings[0][i] - heading)))).min()
        for i, heading in zip(near, headings[1], strict=True)
    ]
    assert np.degrees(np.max(gaps)) < 30
    assert len(nearest) == len(later)


def test_the_camera_looks_ahead_and_a_little_up():
    map_from_base = drive(build_world("small"), "later")
    map_from_cam = camera_trajectory(map_from_base)
    np.testing.assert_allclose(map_from_cam.positions[:, 2], 0.6, atol=1e-9)
    forward, down = map_from_cam.rotations.apply([0, 0, 1.0]), map_from_cam.rotations.apply([0, 1.0, 0])
    np.testing.assert_allclose(np.degrees(np.arcsin(forward[:, 2])), 5.0, atol=1e-6)
    assert (down[:, 2] < -0.99).all()
    for i in (0, 7, len(map_from_base) - 1):
        distance, angle = pose_error(map_from_base.pose(i) * BASE_FROM_CAM, map_from_cam.pose(i))
        assert distance < 1e-9
        assert angle < 1e-6


def test_odometry_drifts_by_what_is_asked():
    map_from_base = drive(build_world("demo", 0), "mapping")
    true = np.linalg.norm(np.diff(map_from_base.positions, axis=0), axis=1).sum()
    exact = drifting_odometry(map_from_base, drift=0.0)
    odom_from_map = map_from_base.pose(0).inverse()
    for i in range(0, len(exact), 50):
        distance, angle = pose_error(exact.pose(i), odom_from_map * map_from_base.pose(i))
        assert distance < 1e-6
        assert angle < 1e-6
    for drift in (0.01, 0.03):
        odometry = drifting_odometry(map_from_base, drift, seed=3)
        counted = np.linalg.norm(np.diff(odometry.positions, axis=0), axis=1).sum()
        assert 0.7 * drift < abs(counted / true - 1) < 1.3 * drift
        np.testing.assert_array_equal(odometry.stamps_ns, map_from_base.stamps_ns)
        np.testing.assert_array_equal(odometry.positions, drifting_odometry(map_from_base, drift, seed=3).positions)
        assert (odometry.frame_id, odometry.child_frame_id) == ("odom", "base_link")
