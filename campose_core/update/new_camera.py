"""The intrinsics with which a new recording is looked for in a map."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from campose_core.camera import Camera
from campose_core.capture.extract import is_assumed
from campose_core.errors import MappingError
from campose_core.landmark_map.camera_estimate import estimate_cameras
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.recording_cameras import SAMPLE, frame_matches, lines_of
from campose_core.landmark_map.similar_keyframes import SimilarKeyframes
from campose_core.scene.scene import Scene
from campose_core.statistics import evenly_spaced
from campose_core.update.frame_localization import NewFrame

log = logging.getLogger(__name__)


def new_camera(
    scene: Scene,
    name: str,
    frames: Sequence[NewFrame],
    landmarks: Landmarks,
    mapped: Mapping[str, Camera],
    refined: RefinedCameras,
) -> tuple[Camera, bool]:
    """Return the camera of the recording, and whether mapping has refined it already; one that is only guessed is
    estimated.

    mapped, refined: the cameras of the scene before the recording came.

    Raises:
        MappingError: its focal length stays open, or changes on the way.
    """
    camera = refined(scene.cameras[name])
    if scene.sources[name]["calibrated"]:
        return camera, camera in mapped.values()
    width, height, keyframes = camera.width, camera.height, SimilarKeyframes(landmarks)
    seen = [frame for frame in frames if len(frame.pixels)]
    sample = [seen[row] for row in evenly_spaced(len(seen), SAMPLE)]
    matches = [frame_matches(frame.stamp_ns, frame.features, keyframes, landmarks) for frame in sample]
    if not matches:
        return camera, False
    assumed = is_assumed(camera)
    estimates = estimate_cameras(matches, width, height, mapped, None if assumed else camera)
    said = "; ".join(lines_of(estimates, None if assumed else camera))
    if len(estimates) > 1:
        raise MappingError(f"{name}: {said}; cut the recording there, and update with each part. Nothing is changed")
    if estimates[0].is_open and estimates[0].frames:
        raise MappingError(f"{name}: {said}. Nothing is changed")
    log.info(f"update: {name}: {said}")
    return replace(estimates[0].camera, focal_sigma=0.0), bool(estimates[0].own)
