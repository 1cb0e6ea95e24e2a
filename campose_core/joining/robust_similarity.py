"""One similarity out of pairs of points or of poses, robust where a sensor chose them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, rotation_angle
from campose_core.joining.bend import MIN_ALONG, bend_along
from campose_core.joining.misreadings import AGREEING_DEG, misreading
from campose_core.joining.robust_fit import RANSAC_TRIALS, median_rotation, robust_umeyama, umeyama_or_advice
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment

MIN_PAIRS = 3
# Turns off together by more than that, by so many times what positions leave open, and from poses that positions alone
# fit CLEARLY_BETTER, say nothing: the centre of the lens is elsewhere. Of a street with a straight map it is 0.3 to 0.5
# deg, and 0.2 to 0.3 of the median distance are left without them; of a kitchen and of desks 0.91 to 0.98.
COMMON_DEG, COMMON_TIMES, COMMON_FRAMES = 0.1, 3.0, 20  # of fewer frames positions alone fit their noise
CLEARLY_BETTER = 0.5


def align_to_points(points_sfm: Array, points_map: Array) -> Alignment:
    """Find `map_from_sfm` from three or more point pairs (N, 3): Umeyama's SVD on all of them, as a person chose them.

    Raises:
        AlignmentError: fewer than three pairs, or all on one line.
    """
    similarity = umeyama_or_advice(points_sfm, points_map)
    residual = np.linalg.norm(similarity.transform(points_sfm) - points_map, axis=1)
    return Alignment(
        similarity,
        "point pairs",
        Residual(pairs=float(len(residual)), median_m=float(np.median(residual)), max_m=float(residual.max())),
    )


def align_to_poses(sfm_from_cams: list[Pose], map_from_cams: list[Pose]) -> Alignment:
    """Find `map_from_sfm` from the same cameras' poses in both frames, robust against wild reference poses.

    Positions alone leave the rotation about a straight path open, and weak on a short one. Where the reference's
    orientations fit the reconstruction's, they therefore count too: a turn as the way it moves a point at a lever as
    long as the path is wide. Not where positions leave no doubt that all turns are off together. The poses are in time
    order, for the bend in the residual.

    Raises:
        AlignmentError: fewer than three poses, a path too short, positions on a line with unusable orientations, no
            two poses that agree, or poses that fit as something else than map_from_cam (see `misreading`).
    """
    if len(sfm_from_cams) < MIN_PAIRS:
        raise AlignmentError(f"only {len(sfm_from_cams)} frames have a reference pose, three are needed")
    source = np.array([pose.translation for pose in sfm_from_cams])
    target = np.array([pose.translation for pose in map_from_cams])
    width = float(np.sqrt(np.mean(np.sum((target - np.median(target, axis=0)) ** 2, axis=1))))
    if width < 0.02:
        raise AlignmentError(f"the reference path is only {width:.3f} m wide: too short to give a scale")
    source_rotations = Rotation.from_quat(np.array([pose.quat_xyzw for pose in sfm_from_cams]))
    target_rotations = Rotation.from_quat(np.array([pose.quat_xyzw for pose in map_from_cams]))
    per_frame = target_rotations * source_rotations.inv()
    consensus = median_rotation(per_frame)
    oriented = float(np.median(np.degrees(rotation_angle(consensus.inv() * per_frame)))) < AGREEING_DEG
    similarity = None
    if oriented and (similarity := _robust_oriented(source, target, per_frame, width)):
        similarity = _off_together(source, target, per_frame, similarity) or similarity
    elif not oriented:
        similarity = robust_umeyama(source, target)
    if (not oriented or similarity is None) and (said := misreading(sfm_from_cams, map_from_cams)):
        raise AlignmentError(f"the reference poses {said}")
    if similarity is None:  # its positions go against its orientations, which are of other axes
        oriented, similarity = False, robust_umeyama(source, target)
    offsets = similarity.transform(source) - target
    turns = (similarity.rotation * source_rotations * target_rotations.inv()).as_rotvec(degrees=True)
    residual, angles = np.linalg.norm(offsets, axis=1), np.linalg.norm(turns, axis=1)
    tells_bend = len(source) >= MIN_ALONG
    return Alignment(
        similarity,
        "reference poses" if oriented else "reference positions (its orientations are not the camera's)",
        Residual(
            frames=float(len(source)),
            median_m=float(np.median(residual)),
            p95_m=float(np.percentile(residual, 95)),
            max_m=float(residual.max()),
            median_deg=float(np.median(angles)),
            bent_m=bend_along(offsets) if tells_bend else None,
            bent_deg=bend_along(turns) if tells_bend else None,
        ),
    )


def _off_together(source: Array, target: Array, per_frame: Rotation, oriented: Similarity) -> Similarity | None:
    """Find the similarity by positions alone, where all orientations are off from it together by far more than its own
    rotation can be, and it fits the positions far better than the `oriented` one; else None."""
    if len(source) < COMMON_FRAMES:
        return None
    try:
        by_places = robust_umeyama(source, target)
    except AlignmentError:  # on one line
        return None
    off = np.linalg.norm(by_places.transform(source) - target, axis=1)
    if np.median(off) > CLEARLY_BETTER * np.median(np.linalg.norm(oriented.transform(source) - target, axis=1)):
        return None
    agreeing = off <= 3.0 * np.median(off)
    common = np.linalg.norm(np.mean((by_places.rotation.inv() * per_frame)[agreeing].as_rotvec(), axis=0))
    # What the second longest direction of the path leaves open of the turn about the longest.
    across = np.linalg.svd(target[agreeing] - target[agreeing].mean(axis=0), compute_uv=False)[1]
    open_rad = np.sqrt(np.mean(off[agreeing] ** 2)) / across
    return by_places if common > max(np.radians(COMMON_DEG), COMMON_TIMES * open_rad) else None


def _robust_oriented(source: Array, target: Array, per_frame: Rotation, lever: float) -> Similarity | None:
    """Positions (N, 3) and the rotation that each frame by itself asks for, robust against wild frames.

    Two frames make a hypothesis (the rotation of one, the scale of their distance), the median residual judges it;
    refits on the agreeing frames follow.
    """
    generator = np.random.default_rng(0)
    matrices = per_frame.as_matrix()
    best, best_median = None, np.inf
    for _ in range(RANSAC_TRIALS):
        i, j = generator.choice(len(source), 2, replace=False)
        apart = np.linalg.norm(source[i] - source[j])
        if apart < 1e-12 or np.linalg.norm(target[i] - target[j]) < 1e-12:
            continue
        scale = float(np.linalg.norm(target[i] - target[j]) / apart)
        moved = scale * source @ matrices[i].T
        residual = np.linalg.norm(moved + (target[i] - moved[i]) - target, axis=1)
        if np.median(residual) < best_median:
            best, best_median = (scale, per_frame[i], residual), float(np.median(residual))
    if best is None:
        raise AlignmentError("the camera did not move: a path is needed for a scale")
    scale, rotation, residual = best
    for _ in range(10):
        turn = rotation_angle(rotation.inv() * per_frame)
        agreeing = (residual <= max(3.0 * float(np.median(residual)), 1e-9)) & (turn <= max(3 * np.median(turn), 1e-9))
        if not agreeing.any() or np.ptp(source[agreeing], axis=0).max() < 1e-12:
            raise AlignmentError(f"of {len(source)} poses no two agree in place and in turn")
        similarity = _fit_oriented(source[agreeing], target[agreeing], matrices[agreeing].sum(0), scale, lever)
        if similarity is None:
            return None
        scale, rotation = similarity.scale, similarity.rotation
        residual = np.linalg.norm(similarity.transform(source) - target, axis=1)
    return similarity


def _fit_oriented(source: Array, target: Array, rotation_sum: Array, scale: float, lever: float) -> Similarity | None:
    """argmin sum |s R p + t - q|^2 + lever^2 |R - R_i|_F^2, alternating between R (Procrustes) and s (linear).

    None where the positions go against the orientations.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    p, q = source - source_mean, target - target_mean
    for _ in range(30):
        u, _, vt = np.linalg.svd(scale * q.T @ p + lever**2 * rotation_sum)
        rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        scale = float(np.sum(q * (p @ rotation.T)) / np.sum(p * p))
        if scale <= 0.0:
            return None
    return Similarity(scale, Rotation.from_matrix(rotation), target_mean - scale * rotation @ source_mean)
