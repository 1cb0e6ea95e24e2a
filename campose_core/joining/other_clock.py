"""A reference whose clock is not the images': it fits badly at its stamps, and well beside them."""

from __future__ import annotations

from campose_core.errors import AlignmentError
from campose_core.joining.misreadings import CLEARLY
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.joining.time_offset import time_offsets
from campose_core.residual import Residual
from campose_core.trajectory import Trajectory

LEAST_S = 0.1  # of a difference, which turns tell to a twentieth of a second


def refuse_other_clock(sfm_from_cam: Trajectory, reference: Trajectory, residual: Residual, name: object) -> None:
    """Refuse a reference that fits far better where its clock is moved: in the median, or in all but its wild poses.

    residual: at the stamps of the images. How fast the camera turns tells by how much the clocks differ; where it
    hardly turns, nothing is said. At a steady speed most poses are off by nothing but the way between.

    Raises:
        AlignmentError: its clock is another one.
    """
    try:
        offset_ns = time_offsets(sfm_from_cam.stamps_ns, sfm_from_cam.rotations, reference)[0].offset_ns
        answered, moved = reference.interpolate(sfm_from_cam.stamps_ns + offset_ns)
        there = align_to_poses([pose for _, pose in sfm_from_cam.select(answered)], [pose for _, pose in moved])
    except AlignmentError:  # it hardly turns, or fits nowhere
        return
    for before, after in ((residual.median_m, there.residual.median_m), (residual.p95_m, there.residual.p95_m)):
        if abs(offset_ns) >= LEAST_S * 1e9 and before and after and after < CLEARLY * before:
            raise AlignmentError(
                f"{name}: its clock is {offset_ns * 1e-9:+.2f} s from the images': it is {before:.2g} m off at their "
                f"stamps, and {after:.2g} m beside them. Correct its stamps, or give it as --tracker, which does so"
            )
