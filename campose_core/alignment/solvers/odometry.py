"""`map_from_sfm` from odometry, which knows every step well and the way as a whole badly.

The error of odometry is a random walk, so positions far along it say little, and fitting the whole path to it would
bend the map after its drift. What is fitted instead:

- scale: each stretch of SEGMENT_M by itself, in the camera's own axes, where drift so far does not enter. Stretches on
  which the wheels slipped disagree with the others and lose their say (Tukey's biweight).
- level: odometry's z axis, seen from every pose, and the height it gains on every stretch.
- origin and heading: the map frame is the odometry's frame as it stood at the start, so the first poses count; later
  ones by what the random walk has left of them (`at_start`).

A constant error of the wheels' size is in every stretch alike and cannot be seen here: it is an error of the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.alignment.solvers.level import level_rotation, mean_direction
from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, positions_of, rotation_angle, rotations_of
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.statistics import robust_sigma

SEGMENT_M = 0.5
MIN_SEGMENTS = 4
UP = np.array([0.0, 0.0, 1.0])
TUKEY = 4.685  # 95 % as good as least squares where all is normal (Holland and Welsch 1977)
JUMP = 5.0  # typical steps: what is more is no step of a random walk
WALK_TO_NOISE = np.geomspace(1e-5, 1e3, 17)  # variance of a step / variance of the noise
LEVEL_DEG, HEIGHT_GAIN = 1.0, 0.02  # what a base rocks by, and climbs unseen, as standard deviations


@dataclass(frozen=True, eq=False)
class MovedCamera:
    """One recording: the same N camera poses by structure from motion and by odometry, in the order of time."""

    sfm_from_cam: Sequence[Pose]
    odom_from_cam: Sequence[Pose]

    def __post_init__(self) -> None:
        if len(self.sfm_from_cam) != len(self.odom_from_cam):
            raise AlignmentError("odometry needs one pose for each pose of the reconstruction")


@dataclass(frozen=True, eq=False)
class _Stacked:
    """N poses as arrays: positions c (sfm) and o (odom), and rotations of the camera in both."""

    c: Array
    o: Array
    sfm_from_cam: Rotation
    odom_from_cam: Rotation

    @classmethod
    def of(cls, moved: MovedCamera) -> _Stacked:
        sfm, odom = moved.sfm_from_cam, moved.odom_from_cam
        return cls(positions_of(sfm), positions_of(odom), rotations_of(sfm), rotations_of(odom))


def align_to_odometry(recordings: Sequence[MovedCamera]) -> Alignment:
    """Find `map_from_sfm`, where the map is the frame of the first recording's odometry as it was at its first pose.

    The other recordings, each with an odometry frame of its own, count for scale and level.

    `residual`: segments, slipped (of them); scale_percent and tilt_deg, the standard deviations of scale and level as
    the stretches scatter; median_m, by how much a stretch differs; median_deg, by how much a pose's up does; drift_m
    and drift_deg, where odometry thinks the last pose of the first recording is; path_m.

    Raises:
        AlignmentError: odometry that did not move, or that agrees with the reconstruction almost nowhere.
    """
    paths = [_Stacked.of(moved) for moved in recordings if len(moved.sfm_from_cam) > 1]
    segments = [_segments(path.o) for path in paths]
    if sum(len(starts) for starts, _ in segments) < MIN_SEGMENTS:
        raise AlignmentError(
            f"the odometry moves less than {MIN_SEGMENTS * SEGMENT_M:.0f} m while frames were taken: too short to "
            "give a scale"
        )
    by_odom = np.concatenate([_steps(p.odom_from_cam, p.o, *s) for p, s in zip(paths, segments, strict=True)])
    by_sfm = np.concatenate([_steps(p.sfm_from_cam, p.c, *s) for p, s in zip(paths, segments, strict=True)])
    scale, weights, relative = _robust_scale(by_sfm, by_odom)
    up, tilts = _up(paths, segments, np.split(weights, np.cumsum([len(s) for s, _ in segments])[:-1]), scale)
    map_from_sfm = _at_start(paths[0], scale, level_rotation(up))
    lengths = np.linalg.norm(by_odom, axis=1)
    misfit = np.linalg.norm(by_odom - scale * by_sfm, axis=1)
    last = map_from_sfm.transform_pose(Pose(paths[0].sfm_from_cam[-1], paths[0].c[-1]))
    kept = int(np.sum(weights > 0))
    return Alignment(
        map_from_sfm,
        "odometry",
        Residual(
            segments=float(len(weights)),
            slipped=float(len(weights) - kept),
            scale_percent=100 * relative / float(np.sqrt(kept)),
            tilt_deg=float(robust_sigma(tilts) / np.sqrt(len(tilts))),
            median_m=float(np.median(misfit)),
            median_deg=float(np.median(tilts)),
            drift_m=float(np.linalg.norm(last.translation - paths[0].o[-1])),
            drift_deg=float(np.degrees(rotation_angle(last.rotation.inv() * paths[0].odom_from_cam[-1]))),
            path_m=float(lengths.sum()),
        ),
    )


def _segments(odom: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last pose of stretches, one after the other, at whose ends odometry is SEGMENT_M apart."""
    marks = [0]
    for i, position in enumerate(odom):
        if np.linalg.norm(position - odom[marks[-1]]) >= SEGMENT_M:
            marks.append(i)
    return np.array(marks[:-1], dtype=np.intp), np.array(marks[1:], dtype=np.intp)


def _steps(world_from_cam: Rotation, positions: Array, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Array:
    """Return what the camera moved on each stretch, in its own axes at the beginning."""
    if not len(starts):
        return np.zeros((0, 3))
    return np.asarray(world_from_cam[starts].inv().apply(positions[ends] - positions[starts]))


def _robust_scale(by_sfm: Array, by_odom: Array) -> tuple[float, Array, float]:
    """Find the s of by_odom = s by_sfm (N, 3), the weight of each stretch (0 = slipped), and the relative error of one.

    Raises:
        AlignmentError: no scale fits half of the stretches.
    """
    lengths = np.linalg.norm(by_odom, axis=1)
    unscaled = np.linalg.norm(by_sfm, axis=1)
    moving = unscaled > 1e-3 * np.median(unscaled)  # spinning wheels: no scale would ever fit
    if np.median(unscaled) <= 0 or moving.mean() < 0.5:
        raise AlignmentError("the odometry moves, and the camera does not: is it of another recording?")
    scale = float(np.median(lengths[moving] / unscaled[moving]))
    weights = np.ones(len(lengths))
    for _ in range(20):
        off = np.linalg.norm(by_odom - scale * by_sfm, axis=1) / lengths
        spread = max(robust_sigma(off), 1e-6)
        weights = np.clip(1 - (off / (TUKEY * spread)) ** 2, 0, None) ** 2
        w = weights / lengths**2
        scale = float(np.sum(w[:, None] * by_sfm * by_odom) / np.sum(w[:, None] * by_sfm**2))
    if spread > 0.3:
        raise AlignmentError(
            f"the odometry moves otherwise than the camera (a stretch of {SEGMENT_M} m differs by "
            f"{100 * spread:.0f} %): are the clocks the same, and is /tf_static the camera's mounting?"
        )
    return scale, weights, spread


def _up(
    paths: Sequence[_Stacked],
    segments: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    weights: Sequence[Array],
    scale: float,
) -> tuple[Array, Array]:
    """Up in sfm, and by how many degrees the pose at the beginning of each stretch differs from it.

    Minimises the sum of |u x u_k|^2 / LEVEL_DEG^2 over the poses' own up u_k, and of
    (u . s dc_k - dz_k)^2 / (HEIGHT_GAIN length_k)^2 over the stretches, linear in a small tilt of their mean.
    """
    own, rises, gains = [], [], []
    for path, (starts, ends), weight in zip(paths, segments, weights, strict=True):
        if not len(starts):
            continue
        own.append((path.sfm_from_cam[starts] * path.odom_from_cam[starts].inv()).apply(UP))
        length = np.linalg.norm(path.o[ends] - path.o[starts], axis=1)
        trusted = np.sqrt(weight) / (HEIGHT_GAIN * length)
        rises.append(trusted[:, None] * scale * (path.c[ends] - path.c[starts]))
        gains.append(trusted * (path.o[ends] - path.o[starts])[:, 2])
    ups, rise, gain = np.concatenate(own), np.concatenate(rises), np.concatenate(gains)
    up = mean_direction(ups)
    across = np.linalg.svd(up[None])[2][1:]  # two axes that are level
    precision = len(ups) / np.radians(LEVEL_DEG) ** 2
    design = rise @ across.T
    tilt = np.linalg.solve(design.T @ design + precision * np.eye(2), design.T @ (gain - rise @ up))
    up = up + tilt @ across
    up /= np.linalg.norm(up)
    return up, np.degrees(np.arccos(np.clip(ups @ up, -1, 1)))


def _at_start(path: _Stacked, scale: float, level_from_sfm: Rotation) -> Similarity:
    """Heading and origin of odometry's frame as it stood at the first pose."""
    turned = path.odom_from_cam * (level_from_sfm * path.sfm_from_cam).inv()
    forward = turned.apply([1.0, 0.0, 0.0])
    heading = at_start(np.unwrap(np.arctan2(forward[:, 1], forward[:, 0])))
    rotation = Rotation.from_rotvec(heading * UP) * level_from_sfm
    offsets = path.o - scale * rotation.apply(path.c)
    return Similarity(scale, rotation, np.array([at_start(axis) for axis in offsets.T]))


def at_start(values: Array) -> float:
    """Estimate the first value of a random walk that is observed with noise (N,): a Kalman filter from last to first.

    Of the ratios walk / noise the likeliest is believed (prediction error decomposition: Harvey, "Forecasting,
    structural time series models and the Kalman filter", 1989, section 3.4). A value off its neighbours is taken for
    theirs, and what comes after a jump tells nothing of the start.
    """
    if len(values) < 3:
        return float(values[0])
    far = JUMP * max(robust_sigma(np.diff(values)), 1e-9)
    neighbours = np.median([values[:-2], values[1:-1], values[2:]], axis=0)
    smooth = np.concatenate([neighbours[:1], neighbours, neighbours[-1:]])
    calm = np.where(np.abs(values - smooth) > far, smooth, values)
    jumps = np.flatnonzero(np.abs(np.diff(calm)) > far)
    calm = calm[: jumps[0] + 1] if len(jumps) else calm
    value, variance = np.full(len(WALK_TO_NOISE), calm[-1]), np.ones(len(WALK_TO_NOISE))
    squares, logarithms = np.zeros(len(WALK_TO_NOISE)), np.zeros(len(WALK_TO_NOISE))
    for observed in calm[-2::-1]:
        predicted = variance + WALK_TO_NOISE + 1
        innovation = observed - value
        squares += innovation**2 / predicted
        logarithms += np.log(predicted)
        value = value + (1 - 1 / predicted) * innovation
        variance = 1 - 1 / predicted
    likelihood = -(len(calm) - 1) * np.log(np.maximum(squares, 1e-30)) - logarithms
    return float(value[int(np.argmax(likelihood))])
