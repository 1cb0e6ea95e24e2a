"""The intrinsics of a recording's frames: given, or estimated from the landmarks of some of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.sources.image_folder import ImageFolder
from campose_core.errors import CaptureError
from campose_core.features.base import ImageFeatures
from campose_core.frame import Frame, Recording
from campose_core.landmark_map.camera_estimate import (
    CameraEstimate,
    agrees_with_guess,
    estimate_cameras,
    of_shape,
)
from campose_core.landmark_map.focal_length import FrameMatches
from campose_core.landmark_map.intrinsics import camera_of_image, scene_camera
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.similar_keyframes import SimilarKeyframes
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)

# Frames of each size that are looked at, spread over the recording; no even step, which may show one lens of two.
SAMPLE_HZ, SAMPLE = 15.0, 20

Size = tuple[int, int]
Taken = tuple[str, int, int]  # by which camera of a folder of several, width, height


@dataclass(frozen=True)
class RecordingCameras:
    """known: the intrinsics of all frames, where they are given; else `estimates` by camera and image size.

    scene: where neither is, whose own camera is taken. taken_by: which camera took a frame, by the frame's name, of a
    folder with several.
    """

    scene: Scene
    known: Camera | None = None
    estimates: dict[Taken, list[CameraEstimate]] = field(default_factory=dict)
    taken_by: dict[str, str] = field(default_factory=dict)

    def of(self, frame: Frame) -> Camera:
        """Return the intrinsics at the frame's size; between two stretches of different focal lengths either may be
        right, and the `focal_sigma` says so.

        Raises:
            LocalizationError: known ones are of another shape, or the scene has none.
        """
        if self.known is not None:
            return camera_of_image(frame, self.known)
        height, width = frame.image.shape[:2]
        stretches = self.estimates.get((self.taken_by.get(frame.name, ""), width, height))
        return camera_at(stretches, frame.stamp_ns) if stretches else scene_camera(self.scene, width, height)

    def all(self) -> list[CameraEstimate]:
        """Every estimate."""
        return [estimate for stretches in self.estimates.values() for estimate in stretches]


def lines_of(stretches: Sequence[CameraEstimate], guess: Camera | None) -> list[str]:
    """Return what was estimated of the frames of one size, for people. guess: what EXIF says of their camera."""
    lines = []
    if len(stretches) > 1:
        at = ", ".join(
            f"between {before.last_ns * 1e-9:.2f} and {after.first_ns * 1e-9:.2f} s"
            for before, after in pairwise(stretches)
        )
        lines.append(f"the focal length changes {at}: a lens or zoom switches there")
    lines += [estimate.text() for estimate in stretches]
    if guess is not None:
        width, height = stretches[0].camera.width, stretches[0].camera.height
        focal = [one.focal[0] for one in of_shape(guess, width, height)]
        if focal and not any(agrees_with_guess(focal[0], estimate.camera) for estimate in stretches):
            lines.append(f"EXIF says {focal[0]:.0f} pixels, which does not fit: cropped, or taken with a digital zoom")
    return lines


def camera_at(stretches: Sequence[CameraEstimate], stamp_ns: int) -> Camera:
    """Return the camera of a stamp; between two stretches the earlier one's, as unsure as they differ."""
    for before, after in pairwise(stretches):
        if stamp_ns <= before.last_ns:
            return before.camera
        if stamp_ns < after.first_ns:
            apart = abs(float(np.log(after.camera.focal[0] / before.camera.focal[0])))
            return replace(before.camera, focal_sigma=max(apart, before.camera.focal_sigma, after.camera.focal_sigma))
    return stretches[-1].camera


def cameras_of_recording(scene: Scene, recording: Recording, given: Camera | None = None) -> RecordingCameras:
    """`given`, else what the recording measured, else what its frames tell of their focal length.

    Raises:
        CaptureError: no frame can be read. MappingError: the landmarks are damaged.
    """
    known = given or (recording.camera if recording.calibrated else None)
    path = scene.sfm_dir / "landmarks.npz"
    if known is not None:
        return RecordingCameras(scene, known)
    if not path.is_file():  # of a scene with trained models alone
        return RecordingCameras(scene, recording.camera)
    landmarks = Landmarks.load(path)
    estimates: dict[Taken, list[CameraEstimate]] = {}
    taken_by: dict[str, str] = {}
    for label, part in _by_camera(recording).items():
        taken_by |= dict.fromkeys(part.frame_names(), label) if isinstance(part, ImageFolder) else {}
        before = dict(part.dropped)
        what = f"{recording.name}{label and f' ({label})'} has no {'calibrated ' if part.camera else ''}intrinsics"
        try:
            sampled = _sampled(part, landmarks)
        except CaptureError:
            if part is recording:
                raise
            continue  # no image of this camera can be decoded; they are counted when they are read again
        for (width, height), frames in sampled.items():
            stretches = estimate_cameras(frames, width, height, scene.cameras, part.camera)
            estimates[label, width, height] = stretches
            for line in lines_of(stretches, part.camera):
                log.info(f"{what}: {line}")
        part.dropped.clear()  # these frames are read again
        part.dropped.update(before)
    return RecordingCameras(scene, None, estimates, taken_by)


def _by_camera(recording: Recording) -> dict[str, Recording]:
    """Return the images of each camera by its label, where a folder has those of several; else all."""
    parts = recording.by_camera() if isinstance(recording, ImageFolder) else []
    return {part.camera_label: part for part in parts} if len(parts) > 1 else {"": recording}


def cameras_when_asked(scene: Scene, recording: Recording) -> Callable[[Frame], Camera]:
    """`cameras_of_recording`, which begin to be estimated with the first frame that is asked about."""

    @cache
    def cameras() -> RecordingCameras:
        return cameras_of_recording(scene, recording)

    return lambda frame: cameras().of(frame)


def frame_matches(
    stamp_ns: int, features: ImageFeatures, keyframes: SimilarKeyframes, landmarks: Landmarks
) -> FrameMatches:
    """Return what an image may show of the landmarks of those keyframes that look most like it."""
    if len(features.pixels) == 0:
        return FrameMatches(stamp_ns, np.zeros((0, 2)), np.zeros((0, 3)))
    seen, shown = keyframes.match(features, keyframes.similar(features))
    return FrameMatches(stamp_ns, features.pixels[seen].astype(np.float64), landmarks.xyz[shown])


@dataclass
class _Sample:
    """Up to SAMPLE of a stream of unknown length: one, at random, of every `step` frames."""

    step: int = 1
    count: int = 0
    due: int = 0
    kept: list[FrameMatches] = field(default_factory=list)

    def is_due(self, generator: np.random.Generator) -> bool:
        if self.count % self.step == 0:
            self.due = self.count + int(generator.integers(self.step))
        self.count += 1
        return self.count - 1 == self.due

    def keep(self, matches: FrameMatches, generator: np.random.Generator) -> None:
        self.kept.append(matches)
        if len(self.kept) > SAMPLE:
            pairs = len(self.kept) // 2
            self.kept = [self.kept[row] for row in 2 * np.arange(pairs) + generator.integers(2, size=pairs)]
            self.step *= 2


def _sampled(recording: Recording, landmarks: Landmarks) -> dict[Size, list[FrameMatches]]:
    """Return matches of some frames of each size."""
    extract, keyframes = landmarks.extractor(), SimilarKeyframes(landmarks)
    samples: dict[Size, _Sample] = {}
    generator = np.random.default_rng(0)
    for frame in recording.frames(SAMPLE_HZ):
        height, width = frame.image.shape[:2]
        sample = samples.setdefault((width, height), _Sample())
        if sample.is_due(generator):
            features = extract(frame.image)
            sample.keep(frame_matches(frame.stamp_ns, features, keyframes, landmarks), generator)
    return {size: sample.kept for size, sample in samples.items()}
