"""Recordings that nobody labelled, for MapNet+: how the camera moved is known, where it was is not.

By the odometry of a bag; of a recording without, by the scene's MeNet.
"""

from __future__ import annotations

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.bag_odometry import camera_odometry
from campose_core.capture.frame import Image
from campose_core.capture.recording import open_recording
from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.checkpoint import load
from campose_core.learning.material import Material
from campose_core.learning.preprocess import NetworkInput
from campose_core.progress import say, track
from campose_core.mapping.query_camera import RefinedCameras, camera_of_image, scene_camera
from campose_core.scene import Scene

RATE_HZ = 5.0
MENET = "menet"


def unlabelled_material(scene: Scene, path: str, network_input: NetworkInput, most_hz: float = RATE_HZ) -> Material:
    """The frames of a recording, `most_hz` a second, with poses odom_from_cam.

    Raises:
        LearningError: too few frames, or neither odometry nor a model `menet`. CaptureError: the recording cannot be
            read, or does not say where its camera sits on the robot.
    """
    recording = open_recording(path)
    first = next(iter(recording.frames()), None)
    odometry = camera_odometry(path, first.camera_frame) if first else None
    visual = None if odometry else _VisualOdometry(scene, path)
    refined = RefinedCameras(scene)
    names, stamps, pictures = [], [], []
    for frame in track(recording.frames(most_hz), f"frames of {recording.name}"):
        height, width = frame.image.shape[:2]
        camera = refined(camera_of_image(frame, recording.camera or scene_camera(scene, width, height)))
        pictures.append(network_input.prepare(frame.image, camera))
        names.append(f"{path}#{frame.name}")
        stamps.append(frame.stamp_ns)
        if visual:
            visual.add(frame.image, camera)
    if odometry:
        known, at_frames = odometry.interpolate(stamps)
        poses = [at_frames.pose(i) for i in range(len(at_frames))]
    else:
        known, poses = np.ones(len(names), dtype=bool), visual.odom_from_cams if visual else []
    if len(poses) < 2:
        raise LearningError(f"{path} has {len(poses)} frames with known motion: too few to learn from")
    say(f"{path}: {len(poses)} frames without labels, moved by {'odometry' if odometry else MENET}")
    return Material(
        tuple(name for name, is_known in zip(names, known, strict=True) if is_known),
        (path,) * len(poses),
        np.stack(pictures)[known],
        np.zeros((len(poses), 1, 1), dtype=np.float32),
        tuple(poses),
    )


class _VisualOdometry:
    """Motions by the scene's MeNet, one after the other."""

    def __init__(self, scene: Scene, path: str) -> None:
        if not (scene.models_dir / MENET).is_dir():
            raise LearningError(
                f"{path} has no odometry: record it (nav_msgs/Odometry), or train a MeNet with "
                f"`campose train {scene.path} --model {MENET}`"
            )
        self._model = load(scene.models_dir / MENET)
        self._before: Image | None = None
        self.odom_from_cams: list[Pose] = []

    def add(self, image: Image, camera: Camera) -> None:
        picture = self._model.network_input.prepare(image, camera)
        if self._before is None:
            self.odom_from_cams.append(Pose.identity())
        else:
            moved = self._model.relative(self._before, picture)
            before_from_now = Pose.identity() if moved is None else moved[0]
            self.odom_from_cams.append(self.odom_from_cams[-1] * before_from_now)
        self._before = picture
