"""Walks that are hard to map: short, six small images a second, smeared where the camera turns.

Somebody hurries once through the rooms of the rendered floor, phone in hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.localization.disturbances import image_motion
from benchmarks.localization.worlds import drawn
from campose_core.bag.writer import write_bag
from campose_core.camera import Camera
from campose_core.capture.video_writer import write_video
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.matrix.conditions.light import motion_blurred
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, WEST_TO_EAST, Limits, drifting_odometry, drive_by_way_of
from campose_core.trajectory import Trajectory, write_tum

RATE_HZ = 6.0
FINE = 10  # poses for each image, to know how it moves while it is taken
CAMERA = Camera("PINHOLE", 540, 360, (450.0, 450.0, 269.5, 179.5))
HAND_HEIGHT_M = 0.75  # above the robot's camera
SWAY_DEG = (3.0, 2.5, 2.0)  # pitch, yaw, roll of a walking hand
STRIDE_HZ = 1.8


@dataclass(frozen=True)
class Walk:
    name: str
    limits: Limits
    exposure_s: float


HURRIED = Walk("hurried", Limits(speed=1.2, turn_rate=np.radians(95.0), acceleration=1.5), 1 / 50)
FASTER = Walk("faster", Limits(speed=1.3, turn_rate=np.radians(110.0), acceleration=1.5), 1 / 30)


def hard_walk(out: Path, walk: Walk) -> tuple[Path, Path]:
    """The walk as a bag with the odometry of its feet (2 % drift, no better known than the sway of the hand), as a
    video beside it, and its true map_from_cam."""
    bag, truth = out / f"{walk.name}.bag", out / f"{walk.name}.tum"
    if not bag.is_dir():
        world = build_world("demo", 0)
        base = drive_by_way_of(world, WEST_TO_EAST, FINE * RATE_HZ, walk.limits)
        fine = [pose * _hand(stamp_ns) for stamp_ns, pose in base]
        stamps, poses, after = [int(s) for s in base.stamps_ns[::FINE]], fine[::FINE], fine[1::FINE]
        images = drawn(out / f"{walk.name}.npy", world, CAMERA, poses)
        frames = []
        for number, (stamp_ns, pose, image) in enumerate(zip(stamps, poses, images, strict=True)):
            if number < len(after):
                motion = image_motion(CAMERA, pose, after[number]) * FINE * RATE_HZ * walk.exposure_s
                length = float(np.linalg.norm(motion))
                image = motion_blurred(image, length, motion) if length > 1.0 else image
            frames.append(Frame(stamp_ns, image, "camera_optical_frame", str(stamp_ns)))
        write_video(bag.with_suffix(".mp4"), frames)
        write_tum(truth, Trajectory.from_poses(stamps, poses))
        still = Pose(Rotation.identity(), np.array([0.0, 0.0, HAND_HEIGHT_M])) * BASE_FROM_CAM
        write_bag(bag, frames, CAMERA, drifting_odometry(base.select(np.arange(0, len(base), FINE))), still)
    return bag, truth


def _hand(stamp_ns: int) -> Pose:
    """base_from_cam of a camera in a walking hand."""
    phase = 2 * np.pi * STRIDE_HZ * stamp_ns / 1e9
    angles = np.array(SWAY_DEG) * np.sin(phase * np.array([1.0, 0.5, 0.5]) + [0.0, 1.0, 2.0])
    step = np.array([0.0, 0.02 * np.sin(phase / 2), HAND_HEIGHT_M + 0.03 * np.sin(phase)])
    sway = Pose(Rotation.from_euler("xyz", angles, degrees=True), np.zeros(3))
    return Pose(Rotation.identity(), step) * BASE_FROM_CAM * sway
