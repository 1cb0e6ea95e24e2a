"""Drives as poses alone: what structure from motion, and the sensors beside the camera, make of them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, Similarity
from campose_core.trajectory import Trajectory

START_NS = 1_700_000_000_000_000_000
LEVEL = Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # base (x forward) from camera (z forward)
BASE_FROM_CAM = Pose(Rotation.from_euler("y", -5, degrees=True) * LEVEL, np.array([0.1, 0.02, 0.6]))
HANGING = Pose(BASE_FROM_CAM.rotation * Rotation.from_euler("z", 180, degrees=True), BASE_FROM_CAM.translation)


def drive(seconds: float = 60.0, seed: int = 0, rate_hz: float = 5.0, speed: float = 0.7) -> Trajectory:
    """map_from_base on the floor: loops about two centres, from the map's origin on, x ahead."""
    rng = np.random.default_rng(seed)
    at = np.arange(0.0, seconds, 1 / rate_hz)
    period = rng.uniform(14.0, 20.0)
    turn_rate = 2 * np.pi / period * np.where((at // period) % 2 == 0, 1.0, -1.0) * rng.choice([-1.0, 1.0])
    yaw = np.append(0.0, np.cumsum(turn_rate)[:-1] / rate_hz)
    steps = speed / rate_hz * np.stack([np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)], axis=1)
    positions = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)[:-1]])
    stamps = START_NS + np.round(at * 1e9).astype(np.int64)
    return Trajectory(stamps, positions, Rotation.from_euler("z", yaw[:, None]), "map", "base_link")


def poses_of(trajectory: Trajectory) -> list[Pose]:
    return [trajectory.pose(i) for i in range(len(trajectory))]


def reconstructed(
    map_from_cam: Trajectory, map_from_sfm: Similarity, seed: int = 0, noise_m: float = 0.002, noise_deg: float = 0.03
) -> Trajectory:
    """sfm_from_cam as structure from motion would find it."""
    rng = np.random.default_rng([seed, 1])
    off = rng.normal(0, noise_m, (len(map_from_cam), 3))
    turn = Rotation.from_rotvec(rng.normal(0, np.radians(noise_deg), (len(map_from_cam), 3)))
    sfm_from_map = map_from_sfm.inverse()
    return Trajectory(
        map_from_cam.stamps_ns,
        sfm_from_map.transform(map_from_cam.positions + off),
        sfm_from_map.rotation * map_from_cam.rotations * turn,
        "sfm",
    )


def similarity(seed: int) -> Similarity:
    rng = np.random.default_rng([seed, 2])
    return Similarity(float(rng.uniform(0.2, 3.0)), Rotation.random(None, rng), rng.uniform(-5, 5, 3))


def errors(found: Similarity, sfm_from_cam: Trajectory, map_from_cam: Trajectory) -> tuple[float, float]:
    """Root mean square error in metres, and median error in degrees, over the path."""
    off = np.linalg.norm(found.transform(sfm_from_cam.positions) - map_from_cam.positions, axis=1)
    turned = ((found.rotation * sfm_from_cam.rotations).inv() * map_from_cam.rotations).magnitude()
    return float(np.sqrt(np.mean(off**2))), float(np.degrees(np.median(turned)))
