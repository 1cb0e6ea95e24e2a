"""Which frames of a new recording become keyframes of a map that is there, and which pairs of keyframes are matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from campose_core.camera import Camera
from campose_core.geometry import pose_error
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.update.frame_localization import FoundFrame, MapFinder, NewFrame
from campose_core.update.landmark_persistence import median_depth

CELLS = (8, 6)  # of the picture, across and down
FEATURES_A_CELL = 3  # fewer tell nothing
EXPLAINED = 0.8  # of the cells with features: less, and the map lacks what the frame shows
NEW_VIEW = 0.3  # of the scene's depth, from the nearest mapped view: a step aside, or a turn of 17 degrees
SPACING = 0.05  # of the depth, or 3 degrees: nearer to the last keyframe a view adds no parallax
PAUSE_NS = 200_000_000  # between keyframes that have no pose yet
MOST_KEYFRAMES = 300  # of one recording
NEIGHBOURS = 10  # in time, on either side, and in powers of two beyond
SIMILAR, COVISIBLE, OWN_LOOPS = 8, 5, 2


def choose_keyframes(
    frames: Sequence[NewFrame], found: Mapping[str, FoundFrame], landmarks: Landmarks, camera: Camera
) -> list[str]:
    """Frames, in time order, that the map explains poorly, sees from elsewhere, or does not know."""
    depth = median_depth(landmarks)
    chosen: list[str] = []
    last: NewFrame | None = None
    for frame in frames:
        place = found.get(frame.name)
        if last is not None and _hardly_moved(frame, last, found, depth):
            continue
        if place is None or explained(frame, place, camera) < EXPLAINED or _is_new_view(place, landmarks, depth):
            chosen.append(frame.name)
            last = frame
    rows = np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_KEYFRAMES)).round().astype(int))
    return [chosen[row] for row in rows]


def explained(frame: NewFrame, place: FoundFrame, camera: Camera) -> float:
    """The share of the picture's cells with features in which landmarks were recognized."""
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
    """Pairs with at least one of the new keyframes `names`: near in time, alike, or seeing the same landmarks.

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


def _is_new_view(place: FoundFrame, landmarks: Landmarks, depth: float) -> bool:
    """By the distance between views of `campose_core.landmark_map.covisibility`."""
    forward = place.world_from_cam.rotation.apply([0.0, 0.0, 1.0])
    forwards = _forwards(landmarks)
    moved = np.linalg.norm(landmarks.frame_positions - place.world_from_cam.translation, axis=1) / depth
    turned = np.linalg.norm(forwards - forward, axis=1)
    return bool(np.hypot(moved, turned).min() > NEW_VIEW)


def _forwards(landmarks: Landmarks) -> np.ndarray:
    """The third column of the keyframes' rotations, from their quaternions."""
    x, y, z, w = landmarks.frame_quats_xyzw.T
    return np.stack([2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)], axis=1)
