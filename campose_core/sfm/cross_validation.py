"""How well a map places images that it was not made from: keyframes are left out of it, and found again.

The landmarks' own errors are in no covariance of PnP. Here they show: stretches of keyframes are taken out of the
model, what is left is adjusted anew, the keyframes of the gaps are localized in it, and compared with their poses in
the whole model. What the whole map has in common with the reduced one (its scale, a bend of the whole building, the
alignment) cancels and is not seen.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from campose_core.camera import pixels_from_colmap
from campose_core.errors import AlignmentError, GeometryError
from campose_core.features.base import ImageFeatures
from campose_core.geometry import Array, Pose, pose_difference
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.landmark_map.colmap import adjust, from_colmap_camera, load_pycolmap, model_poses, shown_landmarks
from campose_core.landmark_map.held_out import HeldOut, error_jacobian
from campose_core.landmark_map.landmarks import Landmarks, landmarks_from_model
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.sfm.rig_constraints import with_partners
from campose_core.statistics import evenly_spaced

FOLDS = 2  # so many reduced maps, each without other keyframes
SHARE = 0.2  # of the keyframes of each source, left out of each
GAP_S = 4.0  # of a stretch, where the recording is long enough for several
MIN_KEYFRAMES = 15  # of a source, to leave some out
LOCALIZED = 30  # of a fold at most: neighbours have much the same error
ACROSS = 10  # keyframes on either side of a stretch
# Landmarks that these must see from both sides. Of keyframes of a campus walk 15 of 45 were found again where 38 to 69
# were seen across, off by what the gap had bent the map; 18 of 30 where 81 or 85 were, 17 of 20 where 126 or 189 were.
SEEN_ACROSS = 120
LINKING_LANDMARKS = 15  # that two keyframes must share to hold the map together
NOT_FOUND = np.full(6, np.nan), np.full((6, 6), np.nan), float("nan")


def hold_out(
    models: Sequence[Mapping[str, str]],
    kinds: Sequence[str],
    stamps_ns: dict[str, dict[str, int]],
    counted: Sequence[str] = (),
) -> tuple[HeldOut, float]:
    """Leave keyframes out of a map, FOLDS times, and find them again, by the first of the kinds of features that does.

    models: COLMAP's folder `model` and its `database`, of each of `kinds`, on the same poses. stamps_ns: the keyframes
    by source and name; counted: the sources whose stamps only count images. Empty where the map has too few keyframes,
    or would fall apart without any of them. Also returns the share of the keyframes in stretches of full length without
    which the map hangs together.
    """
    pycolmap = load_pycolmap()
    loaded = [pycolmap.Reconstruction(model["model"]) for model in models]
    whole, links = loaded[0], _links(loaded)
    whole_poses = model_poses(whole)
    in_order = {
        source: [name for name in sorted(stamps, key=stamps.__getitem__) if name in whole_poses]
        for source, stamps in stamps_ns.items()
    }
    sequences, clockless = list(in_order.values()), [in_order[source] for source in counted]
    seconds = {name: stamp_ns * 1e-9 for source in stamps_ns.values() for name, stamp_ns in source.items()}
    found: dict[str, tuple[Array, Array, float]] = {}
    wanted = removed = 0
    for fold in range(FOLDS):
        cut = [(block, sequence) for sequence in sequences for block in gaps(sequence, seconds, fold)]
        stretches = [
            block if sequence not in clockless and removable([block], links) else shortened(block, sequence, links)
            for block, sequence in cut
        ]
        shorter = with_partners(stretches, whole)
        left_out = removable(shorter, links)
        full = with_partners([block for block, _ in cut], whole)
        wanted += sum(map(len, full))
        removed += max(len(left_out), len(removable(full, links)))
        names = [left_out[i] for i in evenly_spaced(len(left_out), LOCALIZED)]
        for model, kind in zip(models, kinds, strict=True):
            missing = [name for name in names if not np.isfinite(found.get(name, NOT_FOUND)[0]).all()]
            if missing:
                found |= _find_again(missing, left_out, model, whole_poses, kind)
    rows = [found[name] for name in found]
    held_out = HeldOut(
        np.array(list(found), dtype=np.str_),
        np.array([error for error, _, _ in rows]).reshape(-1, 6),
        np.array([covariance for _, covariance, _ in rows]).reshape(-1, 6, 6),
        np.array([depth for *_, depth in rows], dtype=np.float64),
    )
    return held_out, removed / wanted if wanted else 1.0


def gaps(sequence: list[str], seconds: dict[str, float], fold: int) -> list[list[str]]:
    """Choose stretches of a source's keyframes (in time order), SHARE of them, evenly spread, others each fold.

    Counted in keyframes, as many as GAP_S of them take: a recording may pause.
    """
    count = len(sequence)
    if count < MIN_KEYFRAMES:
        return []
    steps = np.diff([seconds[name] for name in sequence])
    stretches = max(1, round(SHARE * count * float(np.median(steps)) / GAP_S))
    length, period = SHARE * count / stretches, count / stretches
    middles = (np.arange(stretches) + (fold + 0.5) / FOLDS) * period
    return [sequence[round(m - length / 2) : round(m + length / 2)] for m in middles]


@dataclass(frozen=True, eq=False)
class Links:
    """Keyframes by name, and the landmarks that they show: (F, L), sparse, of each kind of features."""

    names: list[str]
    shown: list[Any]

    @functools.cached_property
    def linked(self) -> Any:
        """Return which of the keyframes (F, F) share LINKING_LANDMARKS of one kind, sparse."""
        return functools.reduce(operator.add, (one @ one.T >= LINKING_LANDMARKS for one in self.shown)).tocsr()

    def seen_from_both(self, some: Sequence[int], others: Sequence[int]) -> int:
        """Count the landmarks of one kind, whichever has more, that one of `some` shows and one of `others` too."""
        return max(int(((one[some].sum(axis=0) > 0) & (one[others].sum(axis=0) > 0)).sum()) for one in self.shown)


def _links(models: Sequence[Any]) -> Links:
    """Return what holds the images together that all of the models have."""
    names = sorted(model_poses(models[0]))
    return Links(names, [shown_landmarks(model, names)[0] for model in models])


def removable(blocks: list[list[str]], links: Links) -> list[str]:
    """Return the keyframes of those blocks without which the rest still hangs together, one block after the other."""
    row_of = {name: row for row, name in enumerate(links.names)}
    kept, linked = np.ones(len(links.names), dtype=bool), links.linked
    parts = connected_components(linked, directed=False)[0]
    for block in blocks:
        without = kept.copy()
        without[[row_of[name] for name in block]] = False
        if connected_components(linked[without][:, without], directed=False)[0] <= parts:
            kept = without
    return [name for block in blocks for name in block if not kept[row_of[name]]]


def shortened(block: list[str], sequence: list[str], links: Links) -> list[str]:
    """Return a stretch, or so much of it, around its middle, that images before and after it see SEEN_ACROSS landmarks.

    Nobody can be found in the middle of a street that was left out, without which the map bends, and stamps of a folder
    of images say nothing of its length. sequence: of the recording.
    """
    row_of = {name: row for row, name in enumerate(links.names)}
    while len(block) > 1:
        start, end = sequence.index(block[0]), sequence.index(block[-1]) + 1
        before = [row_of[name] for name in sequence[max(0, start - ACROSS) : start]]
        after = [row_of[name] for name in sequence[end : end + ACROSS]]
        if not before or not after or links.seen_from_both(before, after) >= SEEN_ACROSS:
            break
        block = block[len(block) // 4 : len(block) // 4 + len(block) // 2]
    return block


def _find_again(
    names: list[str], left_out: list[str], where: Mapping[str, str], whole_poses: dict[str, Pose], kind: str
) -> dict[str, tuple[Array, Array, float]]:
    """Return error, covariance and depth of keyframes, by name, localized in a map without all of `left_out`."""
    pycolmap = load_pycolmap()
    model = pycolmap.Reconstruction(where["model"])
    leave_out(model, set(left_out))
    with pycolmap.Database.open(where["database"]) as database:
        landmarks = landmarks_from_model(model, database, features=kind)
        rest = {str(name): landmarks.world_from_cam(i) for i, name in enumerate(landmarks.frame_names)}
        try:
            whole_from_rest = align_to_poses(list(rest.values()), [whole_poses[name] for name in rest]).map_from_sfm
        except (AlignmentError, GeometryError):  # the rest of the cameras stand at one place, or agree on nothing
            return {}
        jacobian = error_jacobian(whole_from_rest)
        match = LandmarkMatcher(landmarks)
        found = {}
        for name in names:
            image = database.read_image_with_name(name)
            pixels = pixels_from_colmap(database.read_keypoints(image.image_id)[:, :2].astype(np.float64))
            features = ImageFeatures(pixels, landmarks.kind.to_unit(database.read_descriptors(image.image_id).data))
            seen, shown = match(features)
            pose = solve_pnp(
                features.pixels[seen], landmarks.xyz[shown], from_colmap_camera(model.camera(image.camera_id))
            )
            if pose is None:
                found[name] = NOT_FOUND
                continue
            error = pose_difference(whole_from_rest.transform_pose(pose.world_from_cam), whole_poses[name])
            found[name] = error, jacobian @ pose.covariance @ jacobian.T, _depth(landmarks, shown, pose)
    return found


def leave_out(model: Any, names: set[str]) -> None:
    """Take images out of a COLMAP model, with landmarks that fewer than two others see, and adjust the rest."""
    for frame_id in {model.image(i).frame_id for i in model.reg_image_ids() if model.image(i).name in names}:
        model.deregister_frame(frame_id)
    adjust(model)


def _depth(landmarks: Landmarks, shown: NDArray[np.intp], found: Any) -> float:
    xyz = landmarks.xyz[shown[found.inliers]]
    return float(np.median(np.linalg.norm(xyz - found.world_from_cam.translation, axis=1)))
