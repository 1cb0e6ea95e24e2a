"""Which frames of a new recording become keyframes of a map that is there, and which pairs of keyframes are matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.geometry import pose_error
from campose_core.landmark_map.covisibility import views
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.statistics import evenly_spaced
from campose_core.update.frame_localization import FoundFrame, MapFinder, NewFrame

CELLS = (8, 6)  # of the image, across and down
FEATURES_A_CELL = 3  # fewer tell nothing
EXPLAINED = 0.8  # of the cells with features: less, and the map lacks what the frame shows
NEW_VIEW = 0.3  # of the scene's depth, from the nearest mapped view: a step aside, or a turn of 17 degrees
SPACING = 0.05  # of the depth, or 3 degrees: nearer to the last keyframe a view adds no parallax
PAUSE_NS = 200_000_000  # between keyframes that have no pose yet
MAX_KEYFRAMES = 300  # of one recording
NEIGHBOURS = 10  # in time, on either side, and in powers of two beyond
SIMILAR, COVISIBLE, OWN_LOOPS = 8, 5, 2


def choose_keyframes(
    frames: Sequence[NewFrame], found: Mapping[str, FoundFrame], landmarks: Landmarks, camera: Camera
) -> list[str]:
    """Choose frames, in time order, that the map explains poorly, sees from elsewhere, or does not know."""
    depth = landmarks.median_depth
    chosen: list[str] = []
    last: NewFrame | None = None
    for frame in frames:
        place = found.get(frame.name)
        if last is not None and _hardly_moved(frame, last, found, depth):
            continue
        if place is None or explained(frame, place, camera) < EXPLAINED or _is_new_view(place, landmarks):
            chosen.append(frame.name)
            last = frame
    rows = evenly_spaced(len(chosen), MAX_KEYFRAMES)
    return [chosen[row] for row in rows]


def explained(frame: NewFrame, place: FoundFrame, camera: Camera) -> float:
    """Return the share of the image's cells with features in which landmarks were recognized."""
    size = np.array((camera.width, camera.height))

    def counts(pixels: object) -> np.ndarray:
        cells = np.clip((np.asarray(pixels) / size * CELLS).astype(int), 0, np.array(CELLS) - 1)
        return np.bincount(cells[:, 1] * CELLS[0] + cells[:, 0], minlength=CELLS[0] * CELLS[1])

    with_features = counts(frame.pixels) >= FEATURES_A_CELL
    return float((counts(place.pixels)[with_features] > 0).mean()) if with_features.any() else 1.0


def pairs_to_match(
    names: Sequence[str],
    failed: Sequence[str],
    frames: Mapping[str, NewFrame],
    found: Mapping[str, FoundFrame],
    landmarks: Landmarks,
    finder: MapFinder,
) -> list[tuple[str, str]]:
    """List pairs with at least one of the new keyframes `names`: near in time, alike, or seeing the same landmarks.

    failed: keyframes of the recording that found no place before; the new ones may be their way into the map.
    """
    source = names[0].split("/")[0]
    mapped = [str(name) for name in landmarks.frame_names]
    own = sorted(
        {*names, *failed, *(name for name in mapped if name in frames)}, key=lambda name: frames[name].stamp_ns
    )
    new, pairs = set(names), set[tuple[str, str]]()
    steps = [*range(1, NEIGHBOURS + 1), *(2**k for k in range(4, NEIGHBOURS))]
    for first, name in enumerate(own):
        for other in (own[first + step] for step in steps if first + step < len(own)):
            if name in new or other in new:
                pairs.add((name, other))
    for name in names:
        alike = [mapped[row] for row in finder.similar(frames[name], SIMILAR)]
        if name in found:
            seers = np.bincount(landmarks.observed_by[np.isin(landmarks.observed, found[name].shown)])
            alike += [mapped[row] for row in np.argsort(-seers, kind="stable")[:COVISIBLE] if seers[row] > 0]
        pairs |= {(name, other) for other in alike if other != name and not _near_in_time(name, other, own, source)}
    pairs |= _own_loops(names, frames, finder)
    return sorted({(min(a, b), max(a, b)) for a, b in pairs})


def _own_loops(names: Sequence[str], frames: Mapping[str, NewFrame], finder: MapFinder) -> set[tuple[str, str]]:
    """Where the recording comes back to a place that is not mapped yet."""
    table = np.stack([finder.describe(frames[name]) for name in names])
    likeness = table @ table.T
    order = range(len(names))
    likeness[np.abs(np.subtract.outer(order, order)) <= 2 * NEIGHBOURS] = -1.0
    best = np.argsort(-likeness, axis=1, kind="stable")[:, :OWN_LOOPS]
    return {(names[row], names[other]) for row in order for other in best[row].tolist() if likeness[row, other] > 0}


def _near_in_time(name: str, other: str, own: list[str], source: str) -> bool:
    return other.split("/")[0] == source and abs(own.index(name) - own.index(other)) <= NEIGHBOURS


def _hardly_moved(frame: NewFrame, last: NewFrame, found: Mapping[str, FoundFrame], depth: float) -> bool:
    if frame.name not in found or last.name not in found:
        return frame.stamp_ns - last.stamp_ns < PAUSE_NS
    distance, angle = pose_error(found[frame.name].world_from_cam, found[last.name].world_from_cam)
    return distance / depth + angle < SPACING


def _is_new_view(place: FoundFrame, landmarks: Landmarks) -> bool:
    depth = landmarks.median_depth
    mapped = views(landmarks.frame_positions, Rotation.from_quat(landmarks.frame_quats_xyzw), depth)
    here = place.world_from_cam
    view = views(here.translation[None], Rotation.from_quat(here.quat_xyzw[None]), depth)
    return bool(np.linalg.norm(mapped - view, axis=1).min() > NEW_VIEW * depth)
