"""The similarity between a method's map and the truth, from the mapping frames that both place.

Robust, since a map may be folded over: hypotheses from two frames each, whose directions give the rotation and whose
distance the scale, so that it holds where all frames lie on one line too. The one that most frames agree with is
adjusted to those.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import GeometryError
from campose_core.geometry import Array, Pose, Similarity, umeyama

TRIALS = 2000
AGREE = 0.03  # of the extent: frames nearer to their truth than this hold the similarity
AGREE_DEG = 15.0
MIN_FRAMES = 3
FAR_OUT = 5.0  # times as far from the middle of the path as nine tenths of it
SEED = 0


def extent(poses: Mapping[str, Pose]) -> float:
    """The largest distance between two camera positions; 0 for fewer than two.

    A mapper may put a few frames a thousand times as far away as all others: those do not count.
    """
    positions = np.array([pose.translation for pose in poses.values()]).reshape(-1, 3)
    if len(positions) < 2:
        return 0.0
    from_middle = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    positions = positions[from_middle <= FAR_OUT * np.quantile(from_middle, 0.9)]
    return float(max(np.linalg.norm(positions - position, axis=1).max() for position in positions))


def truth_from_map(mapped: Mapping[str, Pose], truth: Mapping[str, Pose]) -> Similarity | None:
    """From frames placed by both, by name; None where fewer than MIN_FRAMES are, or where they do not tell."""
    common = sorted(mapped.keys() & truth.keys())
    if len(common) < MIN_FRAMES:
        return None
    source = np.array([mapped[key].translation for key in common])
    target = np.array([truth[key].translation for key in common])
    turns = Rotation.concatenate([truth[key].rotation * mapped[key].rotation.inv() for key in common])
    bound = AGREE * extent({key: truth[key] for key in common})
    best: Similarity | None = None
    lowest = np.inf
    generator = np.random.default_rng(SEED)
    for _ in range(TRIALS):
        chosen = generator.choice(len(common), 2, replace=False)
        found = _from_two(source[chosen], target[chosen], turns[chosen])
        cost = np.inf if found is None else _costs(found, source, target, turns, bound).sum()
        if cost < lowest:
            best, lowest = found, cost
    if best is None:
        return None
    for _ in range(10):  # adjusted to those that agree, which may then be others
        agreeing = _costs(best, source, target, turns, bound) < 1.0
        better = _from_many(source[agreeing], target[agreeing], turns[agreeing])
        cost = np.inf if better is None else _costs(better, source, target, turns, bound).sum()
        if better is None or cost >= lowest:
            break
        best, lowest = better, cost
    return best


def position_errors(found: Similarity, mapped: Mapping[str, Pose], truth: Mapping[str, Pose]) -> Array:
    """Distances of the frames that both place, in the truth's unit."""
    common = sorted(mapped.keys() & truth.keys())
    return np.array(
        [np.linalg.norm(found.transform(mapped[key].translation) - truth[key].translation) for key in common]
    )


def _costs(found: Similarity, source: Array, target: Array, turns: Rotation, bound: float) -> Array:
    """0 for a frame at its place, 1 for one that does not agree."""
    off = np.linalg.norm(found.transform(source) - target, axis=1) / max(bound, 1e-12)
    turned = (turns * found.rotation.inv()).magnitude() / np.radians(AGREE_DEG)
    return np.minimum(1.0, np.maximum(off, turned) ** 2)


def _from_two(source: Array, target: Array, turns: Rotation) -> Similarity | None:
    """From two frames: (2, 3) positions, and the rotation that each one's direction tells."""
    lengths = np.linalg.norm(source[1] - source[0]), np.linalg.norm(target[1] - target[0])
    if min(lengths) <= 1e-9:
        return None
    return _placed(float(lengths[1] / lengths[0]), turns.mean(), source, target)


def _from_many(source: Array, target: Array, turns: Rotation) -> Similarity | None:
    """Least squares over positions; where they lie on one line, which leaves a turn open, by the directions."""
    if len(source) < MIN_FRAMES:
        return None
    spread = np.linalg.svd(target - target.mean(axis=0), compute_uv=False)
    if spread[1] > 0.05 * spread[0]:
        try:
            return umeyama(source, target)
        except GeometryError:
            pass
    rotation = turns.mean()
    turned = rotation.apply(source - source.mean(axis=0))
    square = float(np.sum(turned**2))
    scale = float(np.sum(turned * (target - target.mean(axis=0)))) / square if square > 0 else 0.0
    return _placed(scale, rotation, source, target) if scale > 0 else None


def _placed(scale: float, rotation: Rotation, source: Array, target: Array) -> Similarity:
    shift = target.mean(axis=0) - scale * rotation.apply(source.mean(axis=0))
    return Similarity(scale, rotation, shift)
