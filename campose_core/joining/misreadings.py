"""What reference poses are, where they are not map_from_cam: another direction, another order, another hand.

No reading shows in the poses: each is smooth, and of unit length. Beside the reconstruction one does: the rotation
map_from_sfm is the same by every frame, and by all positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, positions_of, rotation_angle, rotations_of, width_of
from campose_core.joining.robust_fit import median_rotation, robust_umeyama

AGREEING_DEG = 10.0  # orientations of the reference that differ by more are not the camera's
CLEARLY = 1 / 3  # of what poses are off as they were given: then they are something else
FAR = 0.02  # of the path's width: a reference that is off by more may be something else than it seems
INVERSE = "are camera_from_map: give their inverse, map_from_camera"
HAND = "are of a left-handed frame, or two of its axes are swapped: give them in a right-handed one"
# Reflections of the axes, and swaps of two of them.
MIRRORS = [np.diag(signs) for signs in ((-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, -1.0))] + [
    np.eye(3)[order] for order in ([1, 0, 2], [0, 2, 1], [2, 1, 0])
]


def _w_first(pose: Pose) -> Pose:
    w, x, y, z = pose.rotation.as_quat()
    return Pose.from_quat_xyzw((x, y, z, w), pose.translation)


def _mirrored(mirror: Array) -> Callable[[Pose], Pose]:
    return lambda pose: Pose(
        Rotation.from_matrix(mirror @ pose.rotation.as_matrix() @ mirror), mirror @ pose.translation
    )


READINGS: list[tuple[str, Callable[[Pose], Pose]]] = [
    (INVERSE, Pose.inverse),
    ("have w first in their quaternions: name the columns in a first line, as `stamp_s x y z qw qx qy qz`", _w_first),
    (
        "are camera_from_map, with w first in their quaternions: give `stamp_s x y z qx qy qz qw` of map_from_camera",
        lambda pose: _w_first(pose).inverse(),
    ),
    *((HAND, _mirrored(mirror)) for mirror in MIRRORS),
]


def misreading(sfm_from_cams: Sequence[Pose], given: Sequence[Pose]) -> str | None:
    """Say what poses are that are not map_from_cam; None where by no other reading turns and places fit together.

    Poses of another body that carries the camera, or of a camera with other axes, are no misreading: turned by the same
    in each image, they fit as they are.
    """
    sfm, source = rotations_of(sfm_from_cams), positions_of(sfm_from_cams)
    as_given = _fitted(source, positions_of(given))
    fixed = np.inf if as_given is None else _spread(rotations_of(given).inv() * as_given[0] * sfm)
    for said, read in READINGS:
        map_from_cams = [read(pose) for pose in given]
        per_frame = rotations_of(map_from_cams) * sfm.inv()
        if _spread(per_frame) > min(np.radians(AGREEING_DEG / 2), CLEARLY * fixed):
            continue
        fitted = _fitted(source, positions_of(map_from_cams))
        if fitted is None:
            continue
        if rotation_angle(median_rotation(per_frame).inv() * fitted[0]) < np.radians(AGREEING_DEG):
            return said
    return None


def _spread(rotations: Rotation) -> float:
    return float(np.median(rotation_angle(median_rotation(rotations).inv() * rotations)))


def is_far(given: Sequence[Pose], off_m: float) -> bool:
    """Tell whether poses are off by so much of the width of their path that they may not be what they seem."""
    return off_m > FAR * width_of(positions_of(given))


def refuse_misread(sfm_from_cams: Sequence[Pose], given: Sequence[Pose], off_m: float) -> None:
    """Refuse a reference that is off as map_from_cam, and fits as something else.

    off_m: what it is off by, in the median, as it was given.

    Raises:
        AlignmentError: it does.
    """
    if said := misreading(sfm_from_cams, given):
        raise AlignmentError(f"the reference poses {said}")
    source, target = positions_of(sfm_from_cams), positions_of(given)
    inverse, mirrored = positions_of(pose.inverse() for pose in given), target * (-1.0, 1.0, 1.0)
    for said, places in ((INVERSE, inverse), (HAND, mirrored)):
        fitted = _fitted(source, places)
        if fitted is not None and fitted[1] < CLEARLY * off_m:
            raise AlignmentError(f"the reference poses {said}")


def _fitted(source: Array, target: Array) -> tuple[Rotation, float] | None:
    """Return the rotation between positions, and what they are off by in the median; None of a line."""
    try:
        found = robust_umeyama(source, target)
    except AlignmentError:
        return None
    return found.rotation, float(np.median(np.linalg.norm(found.transform(source) - target, axis=1)))
