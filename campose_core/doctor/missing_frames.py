"""Frames that found no place in the map, in stretches of time, and why: told from their images.

An image is judged against those of the same recording that did find their place: what is dark or sharp depends on the
camera and the building. Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
brightfield microscopy", ICPR 2000) over that of the image, so that a blank wall does not pass for a blurred one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from campose_core.errors import SceneError
from campose_core.features.sift import SiftExtractor
from campose_core.geometry import Pose, pose_error
from campose_core.image_files import opened
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.statistics import evenly_spaced

IMAGES = 9  # looked at in each stretch
COMPARED = 40  # images with a place, of each recording
DARK_LEVEL = 50.0  # grey level
BLANK_CONTRAST, BLANK_SHARE = 12.0, 0.2  # grey levels; of the recording's own, more of which is left by any blur
SHARE = 0.4  # of what the recording's other images have
MIN_FEATURES = 60  # three times what a pose needs
FAST_DEG_S, FAST_WIDTHS_S = 60.0, 1.0  # turned between the neighbours; moved, in median depths
GAP = 4.0  # in medians of the time between two frames

REASONS = {
    "unreadable": "its images cannot be read",
    "dark": "too dark",
    "blurred": "blurred",
    "blank": "looks at something blank",
    "few features": "few features to match",
    "fast": "turned or moved too fast",
    "gap": "the recording has a gap there",
    "not connected": "features are there, but match nothing in the map",
}


class ImageFacts(NamedTuple):
    """brightness: mean grey level. contrast: its standard deviation. sharpness: see above. features: SIFT's number."""

    brightness: float
    contrast: float
    sharpness: float
    features: float


@dataclass(frozen=True, eq=False)
class MissingStretch:
    """Consecutive frames of one recording without a pose.

    start_s, end_s: since the recording's first frame. before, after: the neighbours with a pose, None at the ends.
    place: map_from_cam of the middle between them where that is known. reason: a key of REASONS.
    facts, usual: medians over the stretch and over the recording's frames with a pose; None where there are none.
    """

    source: str
    start_s: float
    end_s: float
    frames: int
    reason: str
    before: str | None
    after: str | None
    place: tuple[float, float, float] | None
    facts: ImageFacts | None
    usual: ImageFacts | None


def missing_stretches(scene: Scene, poses: Mapping[str, Pose], depth: float) -> list[MissingStretch]:
    """List those of a mapped scene: `poses` (by frame name) in the map or the sfm frame; depth: of its landmarks.

    Raises:
        MissingDependency: OpenCV is not installed, and there are such frames.
    """
    found = []
    for source, frames in _recordings(scene):
        if all(frame.name in poses for frame in frames):
            continue
        measure = _Measure(scene)
        posed = [frame for frame in frames if frame.name in poses]
        usual = measure.median(_sample(posed, COMPARED))
        usual_step = float(np.median(np.diff([f.stamp_ns for f in frames]))) / 1e9 if len(frames) > 1 else 0.0
        for rows in _runs([frame.name not in poses for frame in frames]):
            stretch = [frames[row] for row in rows]
            before = frames[rows[0] - 1] if rows[0] > 0 else None
            after = frames[rows[-1] + 1] if rows[-1] + 1 < len(frames) else None
            facts = measure.median(_sample(stretch, IMAGES))
            reason = _by_image(facts, usual)
            if reason == "not connected":
                reason = _by_motion(before, stretch, after, poses, usual_step, depth)
            names = [None if side is None else side.name for side in (before, after)]
            sides = [poses[side.name].translation for side in (before, after) if side is not None]
            place = np.mean(sides, axis=0) if sides else None
            first_ns = frames[0].stamp_ns
            found.append(
                MissingStretch(
                    source, (stretch[0].stamp_ns - first_ns) / 1e9, (stretch[-1].stamp_ns - first_ns) / 1e9,
                    len(stretch), reason, names[0], names[1],
                    None if place is None else (float(place[0]), float(place[1]), float(place[2])), facts, usual,
                )
            )  # fmt: skip
    return sorted(found, key=lambda stretch: -stretch.frames)


def poor_pictures(scene: Scene) -> dict[str, dict[str, int]]:
    """Count, for a scene that is not mapped yet, how many of a sample of frames of each source are of little use.

    Unreadable, dark, blank or with few features: {"looked at": n, reason: count}. Nothing tells blur before other
    images have found a place.

    Raises:
        MissingDependency: OpenCV is not installed.
    """
    measure, counts = _Measure(scene), {}
    for source, frames in _recordings(scene):
        sample = _sample(frames, COMPARED)
        reasons = [_by_image(measure.median([frame]), None) for frame in sample]
        counts[source] = {"looked at": len(sample)} | {
            reason: reasons.count(reason) for reason in REASONS if reason in reasons and reason != "not connected"
        }
    return counts


class _Measure:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._extract = SiftExtractor()

    def median(self, frames: Sequence[SceneFrame]) -> ImageFacts | None:
        """Return medians over the frames that can be read; None when none can."""
        rows = [facts for frame in frames if (facts := self._facts(frame)) is not None]
        return ImageFacts(*(float(v) for v in np.median(rows, axis=0))) if rows else None

    def _facts(self, frame: SceneFrame) -> ImageFacts | None:
        try:
            with opened(self._scene.frame_path(frame), SceneError) as file:
                image = np.asarray(file.convert("L"))
        except SceneError:
            return None
        half = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].astype(np.float32)
        half = half.reshape(half.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        contrast = float(half.std())
        sharpness = float(ndimage.laplace(half).var()) / max(contrast**2, 1.0)
        return ImageFacts(float(half.mean()), contrast, sharpness, float(len(self._extract(image).pixels)))


def _recordings(scene: Scene) -> Iterator[tuple[str, list[SceneFrame]]]:
    ordered = sorted(scene.frames, key=lambda frame: (frame.source, frame.stamp_ns))
    for source, frames in groupby(ordered, key=lambda frame: frame.source):
        yield source, list(frames)


def _runs(missing: Sequence[bool]) -> list[list[int]]:
    """Rows of each run of True."""
    return [[row for row, _ in run] for is_one, run in groupby(enumerate(missing), key=lambda pair: pair[1]) if is_one]


def _sample(frames: Sequence[SceneFrame], count: int) -> list[SceneFrame]:
    if not frames:
        return []
    return [frames[i] for i in evenly_spaced(len(frames), count)]


def _by_image(facts: ImageFacts | None, usual: ImageFacts | None) -> str:
    if facts is None:
        return "unreadable"
    known = usual or facts._replace(brightness=np.inf, sharpness=0.0, contrast=0.0, features=0.0)
    if facts.brightness < DARK_LEVEL and facts.brightness < SHARE * known.brightness:
        return "dark"
    few = facts.features < max(MIN_FEATURES, SHARE / 2 * known.features)
    if few and facts.contrast < max(BLANK_SHARE * known.contrast, BLANK_CONTRAST):
        return "blank"
    if facts.sharpness < SHARE * known.sharpness:
        return "blurred"
    return "few features" if few else "not connected"


def _by_motion(
    before: SceneFrame | None,
    stretch: Sequence[SceneFrame],
    after: SceneFrame | None,
    poses: Mapping[str, Pose],
    usual_step: float,
    depth: float,
) -> str:
    """Whether the camera moved too fast for frames to follow from their neighbours."""
    sides = [*([before] if before else []), *stretch, *([after] if after else [])]
    if len(sides) > 1 and np.diff([f.stamp_ns for f in sides]).max() / 1e9 > GAP * usual_step:
        return "gap"
    if before is None or after is None:
        return "not connected"
    distance, turn = pose_error(poses[after.name], poses[before.name])
    seconds = max((after.stamp_ns - before.stamp_ns) / 1e9, 1e-3)
    fast = np.degrees(turn) / seconds > FAST_DEG_S or distance / max(depth, 1e-9) / seconds > FAST_WIDTHS_S
    return "fast" if fast else "not connected"
