"""A walk that is hard to map: short, six small pictures a second, smeared where the camera turns.

Somebody hurries once through the rooms of the rendered floor, phone in hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.localization.disturbances import image_motion, motion_blurred
from benchmarks.localization.worlds import drawn
from campose_core.camera import Camera
from campose_core.capture.building import build_world
from campose_core.capture.drive import BASE_FROM_CAM, WEST_TO_EAST, Limits, drive_by_way_of
from campose_core.capture.frame import Frame
from campose_core.capture.video_writer import write_video
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory, write_tum

RATE_HZ = 6.0
EXPOSURE_S = 1 / 50
LIMITS = Limits(speed=1.2, turn_rate=np.radians(95.0), acceleration=1.5)
CAMERA = Camera("PINHOLE", 540, 360, (450.0, 450.0, 269.5, 179.5))
HAND_HEIGHT_M = 0.75  # above the robot's camera
SWAY_DEG = (3.0, 2.5, 2.0)  # pitch, yaw, roll of a walking hand
STRIDE_HZ = 1.8


def hard_walk(out: Path, rate_hz: float = RATE_HZ, exposure_s: float = EXPOSURE_S) -> tuple[Path, Path]:
    """The walk as a video, and its true map_from_cam."""
    video, truth = out / "hard.mp4", out / "hard.tum"
    if not (video.is_file() and truth.is_file()):
        world = build_world("demo", 0)
        path = _swaying(drive_by_way_of(world, WEST_TO_EAST, 10 * rate_hz, LIMITS))
        fine = [pose for _, pose in path]
        stamps = [int(stamp) for stamp in path.stamps_ns[::10]]
        poses, after = fine[::10], fine[1::10]
        images = drawn(out / "hard.npy", world, CAMERA, poses)
        frames = []
        for number, (stamp_ns, pose, image) in enumerate(zip(stamps, poses, images, strict=True)):
            if number < len(after):
                motion = image_motion(CAMERA, pose, after[number]) * 10 * rate_hz * exposure_s
                length = float(np.linalg.norm(motion))
                image = motion_blurred(image, length, motion) if length > 1.0 else image
            frames.append(Frame(stamp_ns, image, "camera", str(stamp_ns)))
        write_video(video, frames)
        write_tum(truth, Trajectory.from_poses(stamps, poses))
    return video, truth


def _swaying(map_from_base: Trajectory) -> Trajectory:
    """map_from_cam of a camera in a walking hand."""
    poses = []
    for stamp_ns, pose in map_from_base:
        phase = 2 * np.pi * STRIDE_HZ * stamp_ns / 1e9
        angles = np.array(SWAY_DEG) * np.sin(phase * np.array([1.0, 0.5, 0.5]) + [0.0, 1.0, 2.0])
        step = np.array([0.0, 0.02 * np.sin(phase / 2), HAND_HEIGHT_M + 0.03 * np.sin(phase)])
        sway = Pose(Rotation.from_euler("xyz", angles, degrees=True), np.zeros(3))
        poses.append(pose * Pose(Rotation.identity(), step) * BASE_FROM_CAM * sway)
    return Trajectory.from_poses([int(s) for s in map_from_base.stamps_ns], poses)
