"""Recordings that nobody labelled, for MapNet+: how the camera moved is known, where it was is not.

By the odometry of a bag; of a recording without, by the scene's MeNet.
"""

from __future__ import annotations

import logging

import numpy as np

from campose_core.bag.odometry import camera_odometry
from campose_core.capture.mapped_recordings import clock_of
from campose_core.capture.recording import open_recording
from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.recording_cameras import cameras_of_recording
from campose_core.learning.material import Material
from campose_core.learning.networks import MENET
from campose_core.learning.visual_odometry import VisualOdometry
from campose_core.pixels.network_input import NetworkInput
from campose_core.progress import track
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)

RATE_HZ = 5.0


def unlabelled_material(scene: Scene, path: str, network_input: NetworkInput, most_hz: float = RATE_HZ) -> Material:
    """Read the frames of a recording, `most_hz` a second, with poses odom_from_cam.

    Raises:
        LearningError: too few frames, neither odometry nor a model `menet`, or a gap that MeNet cannot tell the motion
            of. CaptureError: the recording cannot be read, or does not say where its camera sits on the robot.
    """
    recording = open_recording(path)
    first = next(iter(recording.frames()), None)
    odometry = camera_odometry(path, first.camera_frame, clock_of(recording.describe())) if first else None
    visual = None if odometry else VisualOdometry.load(scene)
    refined, cameras = RefinedCameras(scene), cameras_of_recording(scene, recording)
    names, stamps, images, visual_poses = [], [], [], list[Pose]()
    for frame in track(recording.frames(most_hz), f"frames of {recording.name}"):
        camera = refined(cameras.of(frame))
        images.append(network_input.prepare(frame.image, camera))
        names.append(f"{path}#{frame.name}")
        stamps.append(frame.stamp_ns)
        if visual:
            moved = visual.moved(frame.stamp_ns, frame.image, camera)
            if moved is None and visual_poses:
                raise LearningError(
                    f"{path}: {MENET} cannot tell how the camera came to frame {frame.name}: it knows motions of at "
                    f"most {visual.reach_s:.1f} s; cut the recording there"
                )
            visual_poses.append(visual_poses[-1] * moved[0] if moved else Pose.identity())
    if odometry:
        known, at_frames = odometry.interpolate(stamps)
        poses = [at_frames.pose(i) for i in range(len(at_frames))]
    else:
        known, poses = np.ones(len(names), dtype=bool), visual_poses
    if len(poses) < 2:
        raise LearningError(f"{path} has {len(poses)} frames with known motion: too few to learn from")
    log.info(f"{path}: {len(poses)} frames without labels, moved by {'odometry' if odometry else MENET}")
    return Material(
        tuple(name for name, is_known in zip(names, known, strict=True) if is_known),
        (path,) * len(poses),
        np.stack(images)[known],
        np.zeros((len(poses), 1, 1), dtype=np.float32),
        tuple(poses),
    )
