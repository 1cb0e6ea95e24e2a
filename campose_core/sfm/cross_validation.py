"""How well a map places images that it was not made from: keyframes are left out of it, and found again.

The landmarks' own errors are in no covariance of PnP. Here they show: stretches of keyframes are taken out of the
model, what is left is adjusted anew, the keyframes of the gaps are localized in it, and compared with their poses in
the whole model. What the whole map has in common with the reduced one (its scale, a bend of the whole building, the
alignment) cancels and is not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from campose_core.camera import pixels_from_colmap
from campose_core.errors import AlignmentError
from campose_core.features.base import ImageFeatures
from campose_core.geometry import Array, Pose, pose_difference
from campose_core.landmark_map.colmap import adjust, from_colmap_camera, load_pycolmap, model_poses
from campose_core.landmark_map.held_out import HeldOut, error_jacobian
from campose_core.landmark_map.landmarks import Landmarks, landmarks_from_model
from campose_core.landmark_map.pnp import LandmarkMatcher, solve_pnp
from campose_core.robust_similarity import align_to_poses
from campose_core.sfm.rig_constraints import with_partners
from campose_core.statistics import evenly_spaced

FOLDS = 2  # so many reduced maps, each without other keyframes
SHARE = 0.2  # of the keyframes of each source, left out of each
GAP_S = 4.0  # of a stretch, where the recording is long enough for several
MIN_KEYFRAMES = 15  # of a source, to leave some out
LOCALIZED = 30  # of a fold at most: neighbours have much the same error
LINKING_LANDMARKS = 15  # that two keyframes must share to hold the map together


def hold_out(model: Path, database: Any, stamps_ns: dict[str, dict[str, int]], kind: str) -> HeldOut:
    """Leave keyframes out of the COLMAP model in the folder `model`, FOLDS times, and find them again.

    database: pycolmap's, open, with the features. stamps_ns: the keyframes by source and name. kind: of the features.
    Empty where the map has too few keyframes, or would fall apart without them.
    """
    pycolmap = load_pycolmap()
    whole = pycolmap.Reconstruction(model)
    whole_poses = model_poses(whole)
    names, shared = _shared_landmarks(whole)
    sequences = [
        [name for name in sorted(source, key=source.__getitem__) if name in whole_poses]
        for source in stamps_ns.values()
    ]
    seconds = {name: stamp_ns * 1e-9 for source in stamps_ns.values() for name, stamp_ns in source.items()}
    results = []
    for fold in range(FOLDS):
        blocks = [block for sequence in sequences for block in gaps(sequence, seconds, fold)]
        left_out = removable(with_partners(blocks, whole), names, shared)
        if left_out:
            results.append(_find_again(left_out, pycolmap.Reconstruction(model), database, whole_poses, kind))
    rows = [row for result in results for row in result]
    return HeldOut(
        np.array([name for name, *_ in rows], dtype=np.str_),
        np.array([error for _, error, _, _ in rows]).reshape(-1, 6),
        np.array([covariance for _, _, covariance, _ in rows]).reshape(-1, 6, 6),
        np.array([depth for *_, depth in rows], dtype=np.float64),
    )


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


def _shared_landmarks(model: Any) -> tuple[list[str], Any]:
    """Names of the registered images, and the sparse matrix (F, F) of how many landmarks two of them share."""
    images = [model.image(i) for i in model.reg_image_ids()]
    seen = [[point.point3D_id for point in image.points2D if point.has_point3D()] for image in images]
    columns = np.unique(np.concatenate([np.array(ids, dtype=np.int64) for ids in seen]), return_inverse=True)[1]
    rows = np.repeat(np.arange(len(images)), [len(ids) for ids in seen])
    shape = len(images), int(columns.max(initial=-1)) + 1  # an image may show none
    shows = coo_matrix((np.ones(len(rows), dtype=np.int32), (rows, columns.reshape(-1))), shape).tocsr()
    return [image.name for image in images], shows @ shows.T


def removable(blocks: list[list[str]], names: list[str], shared: Any) -> list[str]:
    """Return the keyframes of those blocks without which the rest still hangs together.

    names: of the keyframes that the rows and columns of `shared` (F, F) count the common landmarks of.
    """
    row_of = {name: row for row, name in enumerate(names)}
    links = (shared >= LINKING_LANDMARKS).tocsr()
    kept = np.ones(len(names), dtype=bool)
    parts = connected_components(links, directed=False)[0]
    for block in blocks:
        without = kept.copy()
        without[[row_of[name] for name in block]] = False
        if connected_components(links[without][:, without], directed=False)[0] <= parts:
            kept = without
    return [name for block in blocks for name in block if not kept[row_of[name]]]


def _find_again(
    left_out: list[str], model: Any, database: Any, whole_poses: dict[str, Pose], kind: str
) -> list[tuple[str, Array, Array, float]]:
    """Name, error, covariance and depth of (a sample of) the keyframes, localized in the map without all of them."""
    leave_out(model, set(left_out))
    landmarks = landmarks_from_model(model, database, features=kind)
    rest = {str(name): landmarks.world_from_cam(i) for i, name in enumerate(landmarks.frame_names)}
    try:
        whole_from_rest = align_to_poses(list(rest.values()), [whole_poses[name] for name in rest]).map_from_sfm
    except AlignmentError:  # the rest of the cameras stand at one place
        return []
    jacobian = error_jacobian(whole_from_rest)
    match = LandmarkMatcher(landmarks)
    sample = [left_out[i] for i in evenly_spaced(len(left_out), LOCALIZED)]
    rows = []
    for name in sample:
        image = database.read_image_with_name(name)
        pixels = pixels_from_colmap(database.read_keypoints(image.image_id)[:, :2].astype(np.float64))
        features = ImageFeatures(pixels, landmarks.kind.to_unit(database.read_descriptors(image.image_id).data))
        seen, shown = match(features)
        found = solve_pnp(
            features.pixels[seen], landmarks.xyz[shown], from_colmap_camera(model.camera(image.camera_id))
        )
        if found is None:
            rows.append((name, np.full(6, np.nan), np.full((6, 6), np.nan), np.nan))
            continue
        pose, truth = whole_from_rest.transform_pose(found.world_from_cam), whole_poses[name]
        error = pose_difference(pose, truth)
        rows.append((name, error, jacobian @ found.covariance @ jacobian.T, _depth(landmarks, shown, found)))
    return rows


def leave_out(model: Any, names: set[str]) -> None:
    """Take images out of a COLMAP model, with landmarks that fewer than two others see, and adjust the rest."""
    for frame_id in {model.image(i).frame_id for i in model.reg_image_ids() if model.image(i).name in names}:
        model.deregister_frame(frame_id)
    adjust(model)


def _depth(landmarks: Landmarks, shown: NDArray[np.intp], found: Any) -> float:
    xyz = landmarks.xyz[shown[found.inliers]]
    return float(np.median(np.linalg.norm(xyz - found.world_from_cam.translation, axis=1)))
