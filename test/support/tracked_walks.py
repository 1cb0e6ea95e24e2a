"""Walks of a tracked body with a camera on it, without images."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from campose_core.geometry import Pose, Similarity
from campose_core.trajectory import Trajectory

SECOND = 1_000_000_000


@dataclass(frozen=True, eq=False)
class TrackedWalk:
    """What was recorded of a walk (frames at the camera's clock, tracker at its own), and the truth."""

    stamps_ns: np.ndarray
    sfm_from_cams: list[Pose]
    tracker: Trajectory
    body_from_cam: Pose
    offset_ns: int
    map_from_sfm: Similarity


class Path:
    """A smooth way of a body through random places: x, y, z and roll, pitch, yaw (rad), about 0.5 m/s."""

    def __init__(self, seed: int, seconds: float = 40.0, planar: bool = False) -> None:
        generator = np.random.default_rng(seed)
        knots = np.arange(0.0, seconds + 4.0, 2.0)
        places = np.cumsum(generator.normal(0, [0.8, 0.8, 0.05], (len(knots), 3)), axis=0)
        angles = np.cumsum(generator.normal(0, [0.0, 0.0, 0.8], (len(knots), 3)), axis=0)
        angles[:, :2] += generator.normal(0, 0.3, (len(knots), 2))
        if planar:
            places[:, 2], angles[:, :2] = 0.0, 0.0
        self.seconds = seconds
        self.position = CubicSpline(knots, places)
        self._angles = CubicSpline(knots, angles)

    def rotation(self, t) -> Rotation:
        return Rotation.from_euler("ZYX", self._angles(t)[..., ::-1])

    def pose(self, t: float) -> Pose:
        return Pose(self.rotation(t), self.position(t))


def tracked_walk(
    seed: int,
    planar: bool = False,
    noise_m: float = 0.002,
    noise_deg: float = 0.1,
    offset_s: float | None = None,
    seconds: float = 40.0,
    tracker_hz: float = 60.0,
) -> TrackedWalk:
    """The tracker saw some seconds more at either end than the camera; both are noisy, the camera a little less."""
    generator = np.random.default_rng(seed + 1000)
    path = Path(seed, seconds, planar)
    offset_ns = round((generator.uniform(-1e3, 1e3) if offset_s is None else offset_s) * SECOND)
    body_from_cam = Pose(Rotation.random(random_state=seed), generator.uniform(-0.3, 0.3, 3))
    sfm_from_map = Similarity(
        float(np.exp(generator.uniform(-2, 2))), Rotation.random(random_state=seed + 1), generator.normal(0, 5, 3)
    )

    def shaken(pose: Pose, share: float) -> Pose:
        turn = Rotation.from_rotvec(np.radians(share * noise_deg) * generator.normal(size=3) / np.sqrt(3))
        return Pose(pose.rotation * turn, pose.translation + share * noise_m * generator.normal(size=3) / np.sqrt(3))

    camera_s = np.arange(3.0, seconds - 3.0, 0.2) + generator.uniform(0, 0.01)
    sfm = [sfm_from_map.transform_pose(shaken(path.pose(t) * body_from_cam, 0.5)) for t in camera_s]
    tracker_s = np.arange(0.0, seconds, 1.0 / tracker_hz)
    tracker = Trajectory.from_poses(
        [round(t * SECOND) + offset_ns for t in tracker_s], [shaken(path.pose(t), 1.0) for t in tracker_s]
    )
    stamps_ns = np.array([round(t * SECOND) for t in camera_s])
    return TrackedWalk(stamps_ns, sfm, tracker, body_from_cam, offset_ns, sfm_from_map.inverse())
