"""A reconstruction against a tracker that is not the camera: clocks, mounting and similarity, found in one.

map_from_body(t + offset) * body_from_cam = map_from_sfm * sfm_from_cam(t), in the tracker's own frame as the map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation, Slerp

from campose_core.alignment.evidence import sigma
from campose_core.alignment.solvers.hand_eye import solve_hand_eye
from campose_core.errors import AlignmentError
from campose_core.geometry import (
    Array,
    Pose,
    Similarity,
    pose_error,
    positions_of,
    rotation_angle,
    rotations_of,
    width_of,
)
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.joining.time_offset import LONGEST_GAP_NS, TimeOffset, time_offsets
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.statistics import robust_sigma
from campose_core.trajectory import Stamps, Trajectory

MIN_FRAMES = 10
SLACK_S = 0.2  # that the refinement may move the clocks by
AGREEING_DEG, AGREEING_SHARE = 5.0, 0.1  # of the width of the path: beyond, the two have nothing in common
ALIKE = 1.3  # another difference of the clocks whose residual is no larger than this times the best is as good
METHOD = "tracker"


@dataclass(frozen=True, eq=False)
class TrackedCamera:
    """What the tracker says about the camera and its map.

    offset_ns: to add to the camera's stamps to have the tracker's. body_from_cam: the camera on the tracked body.
    undetermined: unit vector (3,) of the body along which the camera's place did not show, since the body turned about
    that axis alone; it was `assumed_m` from the body there. None where everything showed. used: frames that count.
    """

    alignment: Alignment
    offset_ns: int
    body_from_cam: Pose
    undetermined: Array | None
    assumed_m: float
    used: int

    @property
    def median_m(self) -> float:
        """Return by how much the frames are off, metres."""
        return sigma(self.alignment.residual.median_m)

    def report(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        return {
            "time_offset_s": self.offset_ns / 1e9,
            "body_from_cam": [*map(float, self.body_from_cam.translation), *map(float, self.body_from_cam.quat_xyzw)],
            "undetermined": None if self.undetermined is None else [float(v) for v in self.undetermined],
            "assumed_m": self.assumed_m,
            **self.alignment.to_dict(),
        }

    def text(self) -> str:
        """Say it for people."""
        x, y, z = self.body_from_cam.translation
        roll, pitch, yaw = np.degrees(self.body_from_cam.rotation.as_euler("xyz"))
        where = f"the camera sits at {x:.3f} {y:.3f} {z:.3f} m on the tracked body, roll {roll:.1f} pitch {pitch:.1f}"
        text = f"{where} yaw {yaw:.1f} deg; its clock is {self.offset_ns / 1e9:+.4f} s from the tracker's"
        if self.undetermined is None:
            return text
        axis = " ".join(f"{v:.2f}" for v in self.undetermined)
        return (
            f"{text}. The body turned about its axis ({axis}) alone: how far along it the camera sits does not show, "
            f"and is taken to be {self.assumed_m:.3f} m"
        )


def align_to_tracker(
    stamps_ns: Stamps, sfm_from_cams: list[Pose], tracker: Trajectory, mounting: Pose | None = None
) -> TrackedCamera:
    """Align the camera's poses at N stamps of its own clock to the trajectory of the body it sits on.

    mounting: about where the camera sits, body_from_cam; it fills in what the motion leaves open (zero without it).

    Raises:
        AlignmentError: too little motion, nothing in common, or two differences of the clocks explain all as well.
    """
    stamps_ns = np.asarray(stamps_ns, dtype=np.int64)
    order = np.argsort(stamps_ns)
    stamps_ns, sfm_from_cams = stamps_ns[order], [sfm_from_cams[i] for i in order]
    if len(stamps_ns) < MIN_FRAMES:
        raise AlignmentError(f"{len(stamps_ns)} frames have a pose, a tracker needs {MIN_FRAMES} or more")
    rotations, positions = rotations_of(sfm_from_cams), positions_of(sfm_from_cams)
    candidates = time_offsets(stamps_ns, rotations, tracker)
    fits, complaints = [], []
    for candidate in candidates:
        try:
            fits.append(_Fit(stamps_ns, rotations, positions, tracker, candidate, mounting).refined())
        except AlignmentError as error:
            complaints.append(error)
    if not fits:
        raise complaints[0]
    fits.sort(key=lambda fit: fit.median_m)
    best = fits[0]
    for other in fits[1:]:
        apart_s = abs(other.offset_ns - best.offset_ns) / 1e9
        worse = (other.median_m + 1e-3) / (best.median_m + 1e-3)
        if apart_s > 2 * SLACK_S and worse < ALIKE:
            raise AlignmentError(
                f"the clocks of camera and tracker may differ by {best.offset_ns / 1e9:.2f} s or by "
                f"{other.offset_ns / 1e9:.2f} s: both fit alike. Record less regular turns"
            )
    return best


class _Fit:
    """One candidate difference of the clocks, in seconds from the tracker's first stamp."""

    def __init__(
        self,
        stamps_ns: Stamps,
        rotations: Rotation,
        positions: Array,
        tracker: Trajectory,
        start: TimeOffset,
        mounting: Pose | None,
    ) -> None:
        slack_ns = round(SLACK_S * 1e9)
        inside = _covered(tracker, stamps_ns + start.offset_ns, slack_ns)
        if inside.sum() < MIN_FRAMES:
            raise AlignmentError(
                f"only {inside.sum()} of {len(stamps_ns)} frames lie between poses of the tracker that are at most "
                f"{LONGEST_GAP_NS / 1e9:.1f} s apart, {MIN_FRAMES} are needed"
            )
        self._rotations, self._positions = rotations[inside], positions[inside]
        self._start, self._mounting = start, mounting
        origin = tracker.stamps_ns[0]
        self._seconds = (stamps_ns[inside] + start.offset_ns - origin).astype(float) / 1e9
        self._known = (tracker.stamps_ns - origin).astype(float) / 1e9
        self._tracked, self._slerp = tracker.positions, Slerp(self._known, tracker.rotations)

    def refined(self) -> TrackedCamera:
        found = solve_hand_eye(self._body(0.0), (self._rotations, self._positions))
        assumed_m = 0.0
        body_from_cam = found.body_from_cam
        if found.axis is not None:
            assumed_m = 0.0 if self._mounting is None else float(self._mounting.translation @ found.axis)
            body_from_cam = Pose(body_from_cam.rotation, body_from_cam.translation + assumed_m * found.axis)
        delay_s, body_from_cam, map_from_sfm = self._adjusted(body_from_cam, found.axis)
        rotations, positions = self._body(delay_s)
        off_m, off_deg = self._off(rotations, positions, body_from_cam, map_from_sfm)
        if np.median(off_deg) > AGREEING_DEG or np.median(off_m) > AGREEING_SHARE * width_of(positions):
            raise AlignmentError(
                f"tracker and camera do not move alike: half of the frames are {np.median(off_m):.2f} m and "
                f"{np.median(off_deg):.1f} deg or more apart. Is it the tracker of this camera, and of this recording?"
            )
        residual = Residual(
            frames=float(len(off_m)),
            median_m=float(np.median(off_m)),
            p95_m=float(np.percentile(off_m, 95)),
            max_m=float(off_m.max()),
            median_deg=float(np.median(off_deg)),
        )
        if self._mounting is not None:
            apart_m, angle = pose_error(body_from_cam, self._mounting)
            residual = replace(residual, mounting_m=apart_m, mounting_deg=float(np.degrees(angle)))
        offset_ns = self._start.offset_ns + round(delay_s * 1e9)
        return TrackedCamera(
            Alignment(map_from_sfm, METHOD, residual), offset_ns, body_from_cam, found.axis, assumed_m, len(off_m)
        )

    def _body(self, delay_s: float) -> tuple[Rotation, Array]:
        """Rotations and positions (N, 3) of the body at the frames, with the clocks so much farther apart."""
        at = np.clip(self._seconds + delay_s, self._known[0], self._known[-1])
        return self._slerp(at), np.stack([np.interp(at, self._known, axis) for axis in self._tracked.T], axis=1)

    def _adjusted(self, body_from_cam: Pose, axis: Array | None) -> tuple[float, Pose, Similarity]:
        """Nonlinear least squares over delay, mounting and similarity; what the motion leaves open stays as it is.

        A turn counts as the way it moves a point at a lever as long as the path is wide. Cauchy loss at the scale of
        the residuals, so that lost tracks and wild frames move nothing.
        """
        rotations, positions = self._body(0.0)
        cams = [Pose(r, p) * body_from_cam for r, p in zip(rotations, positions, strict=True)]
        sfm = [Pose(r, p) for r, p in zip(self._rotations, self._positions, strict=True)]
        start = align_to_poses(sfm, cams).map_from_sfm
        lever = width_of(positions)
        free = np.eye(3) if axis is None else np.linalg.svd(axis[None])[2][1:]

        def unpacked(x: Array) -> tuple[float, Pose, Similarity]:
            mounting = Pose(
                body_from_cam.rotation * Rotation.from_rotvec(x[8:11]), body_from_cam.translation + x[11:] @ free
            )
            turn = Rotation.from_rotvec(x[4:7])
            middle = start.transform(self._positions.mean(0))
            scale = float(start.scale * np.exp(x[7]))
            rotation = turn * start.rotation
            translation = middle + x[1:4] - scale * rotation.apply(self._positions.mean(0))
            return float(x[0]), mounting, Similarity(scale, rotation, translation)

        def residuals(x: Array) -> Array:
            delay_s, mounting, similarity = unpacked(x)
            rotations, positions = self._body(delay_s)
            shifts = positions + rotations.apply(mounting.translation.copy()) - similarity.transform(self._positions)
            turns = ((similarity.rotation * self._rotations).inv() * (rotations * mounting.rotation)).as_rotvec()
            return np.asarray(np.hstack([shifts, lever * turns]).reshape(-1))

        x = np.zeros(11 + len(free))
        bounds = (np.full(len(x), -np.inf), np.full(len(x), np.inf))
        bounds[0][0], bounds[1][0] = -SLACK_S, SLACK_S
        bounds[0][7], bounds[1][7] = -1.0, 1.0  # of the logarithm of the scale
        for _ in range(3):
            scale = max(robust_sigma(residuals(x)), 1e-6)
            x = least_squares(residuals, x, bounds=bounds, loss="cauchy", f_scale=2.0 * scale, x_scale="jac").x
        return unpacked(x)

    def _off(
        self, rotations: Rotation, positions: Array, body_from_cam: Pose, map_from_sfm: Similarity
    ) -> tuple[Array, Array]:
        """How far the frames are from where the tracker puts them: metres and degrees (N,)."""
        tracked = positions + rotations.apply(body_from_cam.translation.copy())
        off_m = np.linalg.norm(map_from_sfm.transform(self._positions) - tracked, axis=1)
        turned = (map_from_sfm.rotation * self._rotations).inv() * (rotations * body_from_cam.rotation)
        return off_m, np.degrees(rotation_angle(turned))


def _covered(tracker: Trajectory, stamps_ns: Stamps, slack_ns: int) -> NDArray[np.bool_]:
    """Stamps that lie inside the tracker's poses, and in none of its gaps, even if moved by the slack."""
    known = tracker.stamps_ns
    inside = (stamps_ns - slack_ns >= known[0]) & (stamps_ns + slack_ns <= known[-1])
    after = np.clip(np.searchsorted(known, stamps_ns), 1, len(known) - 1)
    return np.asarray(inside & (known[after] - known[after - 1] <= LONGEST_GAP_NS))
