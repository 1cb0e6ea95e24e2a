"""One similarity out of pairs of points or of poses, robust where a sensor chose them."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, positions_of, rotation_angle, rotations_of, width_of
from campose_core.joining.bend import MIN_ALONG, PER_AXIS, SHAPE, bend_along, noise_along
from campose_core.joining.misreadings import AGREEING_DEG, misreading
from campose_core.joining.robust_fit import RANSAC_TRIALS, median_rotation, robust_umeyama, umeyama_or_advice
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment

MIN_PAIRS = 3
# What the orientations of a reference are off by together: the centre of the lens, or a mounting, is not as assumed. Of
# drives through streets it is 0.2 to 0.9 deg, of a drone 5.
TURNED_DEG = 0.5
LEAST_M = 1e-3  # no reference is better; however exact it is, orientations tell the turn about a straight path
WEIGHED_FRAMES = 20  # of fewer, what positions are off by does not tell what they are good for


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
    orientations fit the reconstruction's, they therefore count too, each as far as it is good for (see `_weighed`). The
    poses are in time order, for the bend in the residual.

    Raises:
        AlignmentError: fewer than three poses, a path too short, positions on a line with unusable orientations, no
            two poses that agree, or poses that fit as something else than map_from_cam (see `misreading`).
    """
    if len(sfm_from_cams) < MIN_PAIRS:
        raise AlignmentError(f"only {len(sfm_from_cams)} frames have a reference pose, three are needed")
    source, target = positions_of(sfm_from_cams), positions_of(map_from_cams)
    width = width_of(target)
    if width < 0.02:
        raise AlignmentError(f"the reference path is only {width:.3f} m wide: too short to give a scale")
    source_rotations, target_rotations = rotations_of(sfm_from_cams), rotations_of(map_from_cams)
    per_frame = target_rotations * source_rotations.inv()
    consensus = median_rotation(per_frame)
    oriented = float(np.median(np.degrees(rotation_angle(consensus.inv() * per_frame)))) < AGREEING_DEG
    similarity = None
    if oriented and (similarity := _robust_oriented(source, target, per_frame, width)):
        similarity = _weighed(source, target, per_frame, consensus, similarity)
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
            bent_m=bend_along(offsets, SHAPE) if tells_bend else None,
            bent_deg=bend_along(turns) if tells_bend else None,
        ),
    )


def _weighed(
    source: Array, target: Array, per_frame: Rotation, consensus: Rotation, oriented: Similarity
) -> Similarity:
    """Refit a similarity with positions and orientations weighed by what they are off by: `oriented` is a first one.

    Many noisy positions along a street tell its heading better than orientations that are all off by half a degree;
    those of a desk do not. Noise of a position is its own; a bend is shared by neighbours, so that four positions tell
    of a walk with two periods of one. Orientations are off together by TURNED_DEG, however many they are.
    """
    if len(source) < WEIGHED_FRAMES:
        return oriented
    fits = [oriented]
    with suppress(AlignmentError):  # on one line
        fits.append(robust_umeyama(source, target))
    offsets = [fit.transform(source) - target for fit in fits]
    bends = [bend_along(off) for off in offsets]
    noise = max(noise_along(offsets[int(np.argmin(bends))], 0.0)[0], LEAST_M)
    variance = noise**2 + len(source) / 4.0 * (PER_AXIS * min(bends)) ** 2
    scatter = np.median(rotation_angle(consensus.inv() * per_frame)) / np.sqrt(len(source))
    turned = np.radians(TURNED_DEG) ** 2 + scatter**2
    turns = consensus.as_matrix() * variance / (2.0 * turned)  # |R - R_i|_F^2 is twice the angle squared
    similarity = oriented
    for _ in range(6):
        residual = np.linalg.norm(similarity.transform(source) - target, axis=1)
        agreeing = residual <= max(3.0 * float(np.median(residual)), 1e-9)
        similarity = _fit_oriented(source[agreeing], target[agreeing], turns, similarity.scale) or similarity
    return similarity


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
        turns = lever**2 * matrices[agreeing].sum(0)
        similarity = _fit_oriented(source[agreeing], target[agreeing], turns, scale)
        if similarity is None:
            return None
        scale, rotation = similarity.scale, similarity.rotation
        residual = np.linalg.norm(similarity.transform(source) - target, axis=1)
    return similarity


def _fit_oriented(source: Array, target: Array, turns: Array, scale: float) -> Similarity | None:
    """argmin sum |s R p + t - q|^2 + w_i |R - R_i|_F^2, alternating between R (Procrustes) and s (linear).

    turns: the sum of w_i R_i, with weights in square metres. None where the positions go against the orientations.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    p, q = source - source_mean, target - target_mean
    for _ in range(30):
        u, _, vt = np.linalg.svd(scale * q.T @ p + turns)
        rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        scale = float(np.sum(q * (p @ rotation.T)) / np.sum(p * p))
        if scale <= 0.0:
            return None
    return Similarity(scale, Rotation.from_matrix(rotation), target_mean - scale * rotation @ source_mean)
