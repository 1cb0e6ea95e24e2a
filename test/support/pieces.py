"""Pieces of a walk as a mapper leaves them, and odometry that is good or bad in one way."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, Similarity, pose_error
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.simulation.drive import BASE_FROM_CAM

Poses = Mapping[str, Pose]


def piece(
    true: Poses, names: Sequence[str], seed: int, noise_deg: float = 0.0, noise_m: float = 0.0
) -> dict[str, Pose]:
    """Poses of some images in a frame and at a scale of their own."""
    rng = np.random.default_rng(seed)
    own = Similarity(float(rng.uniform(0.2, 5.0)), Rotation.random(rng=rng), rng.normal(size=3))
    noisy = {
        name: Pose(
            true[name].rotation * Rotation.from_rotvec(np.radians(noise_deg) * rng.standard_normal(3)),
            true[name].translation + noise_m * rng.standard_normal(3),
        )
        for name in names
    }
    return {name: own.transform_pose(pose) for name, pose in noisy.items()}


def errors(world_from_cam: Poses, true: Poses, first: Sequence[str]) -> np.ndarray:
    """Of joined poses against the truth (N, 2), with the first piece as the common frame: metres and radians."""
    found = [world_from_cam[name] for name in first]
    map_from_world = align_to_poses(found, [true[name] for name in first]).map_from_sfm
    return np.array(
        [pose_error(map_from_world.transform_pose(pose), true[name]) for name, pose in world_from_cam.items()]
    )


def nodding(true: Poses, pitch_deg: float, seed: int = 0) -> dict[str, Pose]:
    """The same walk with a camera that nods from frame to frame, by so much (RMS)."""
    angles = np.radians(pitch_deg) * np.random.default_rng(seed).standard_normal(len(true))
    return {
        name: Pose(pose.rotation * Rotation.from_rotvec([angle, 0.0, 0.0]), pose.translation)
        for (name, pose), angle in zip(true.items(), angles, strict=True)
    }


def planar(true: Poses) -> dict[str, Pose]:
    """What a robot's localization in the plane keeps of a walk: x, y and yaw of a camera that it takes to be level."""
    kept = {}
    for name, pose in true.items():
        ahead = pose.rotation.apply([0.0, 0.0, 1.0])
        yaw = Rotation.from_rotvec([0.0, 0.0, np.arctan2(ahead[1], ahead[0])])
        kept[name] = Pose(yaw * BASE_FROM_CAM.rotation, pose.translation * [1.0, 1.0, 0.0])
    return kept


def drifting(true: Poses, drift: float, seed: int = 0) -> dict[str, Pose]:
    """Odometry in space whose every step and turn is wrong by the factor 1 + drift, and by a random part as large."""
    rng = np.random.default_rng(seed)
    names = list(true)
    found = {names[0]: true[names[0]]}
    for before, after in pairwise(names):
        step = true[before].inverse() * true[after]
        turn, way = 1.0 + drift + drift * rng.standard_normal(2)
        found[after] = found[before] * Pose(
            Rotation.from_rotvec(turn * step.rotation.as_rotvec()), way * step.translation
        )
    return found


def with_turn(odometry: Poses, names: Sequence[str], deg: float) -> dict[str, Pose]:
    """The same, which also turns on the spot by `deg` about z from the first of these frames to the last."""
    share = dict(zip(names, np.linspace(0.0, 1.0, len(names)), strict=True))
    centre, done, found = odometry[names[0]].translation, 0.0, {}
    for name, pose in odometry.items():
        done = share.get(name, done)
        turn = Rotation.from_rotvec([0.0, 0.0, np.radians(deg) * done])
        found[name] = Pose(turn * pose.rotation, centre + turn.apply(pose.translation - centre))
    return found
