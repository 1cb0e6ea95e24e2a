"""What the cameras of a body see of the landmarks, as rays in the body's frame: no camera model from here on.

A match is a ray from its camera's place o in the direction b, and a matrix A (2, 3) such that a landmark at p, counted
from o, is seen A p / (b . p) pixels off. With the pixel's derivative G by the point it shows, which is that of the
camera model, A = G / |p| where p is on the ray; G b = 0. On the tangent plane about its own ray (the gnomonic
projection) every lens is flat enough: what is a pixel off is off by a hundredth more or less, also at the rim of a
fisheye.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.geometry import Array, Pose

MAX_REPROJECTION = 4.0 / 640.0  # of the image width


class RigView(NamedTuple):
    """One camera's pixels (N, 2) and the landmarks (N, 3) they show."""

    pixels: Array
    xyz: Array
    camera: Camera
    rig_from_cam: Pose


class Sightings(NamedTuple):
    """N matches of all cameras, of which pixels that show no ray are left out.

    rows (N,): their places among all matches, view after view; view (N,): whose they are. bearings (3, N): unit, and
    seats (3, N): whence, in the body's frame. by_point (2, 3, N): A, see above. xyz (3, N): the landmarks in the world.
    max_error_px (N,): beyond which a match is wrong.
    """

    rows: NDArray[np.intp]
    view: NDArray[np.intp]
    bearings: Array
    seats: Array
    by_point: Array
    xyz: Array
    max_error_px: Array

    def only(self, chosen: NDArray[np.intp]) -> Sightings:
        """Keep some of the matches."""
        fields = {name: values[..., chosen] for name, values in self._asdict().items()}
        return self._replace(**fields)

    def agreeing(self, offsets: Array) -> NDArray[np.intp]:
        """Return the matches that are not too far off, by their offsets (2, N)."""
        return np.flatnonzero((offsets**2).sum(axis=0) < self.max_error_px**2)


def sightings_of(views: Sequence[RigView]) -> Sightings:
    """Gather what several cameras of a body see, or one that is itself the body."""
    seen, before = [], 0
    for number, view in enumerate(views):
        seen.append(_of_view(view, number, before))
        before += len(view.pixels)
    return seen[0] if len(seen) == 1 else Sightings(*(np.concatenate(one, axis=-1) for one in zip(*seen, strict=True)))


def _of_view(view: RigView, number: int, before: int) -> Sightings:
    rays = view.camera.rays(view.pixels)
    rows = np.flatnonzero(np.isfinite(rays).all(axis=1))
    x, y = rays[rows].T
    pixels_by_rays = np.array(view.camera.focal)[:, None, None] * view.camera.distortion.derivatives(rays[rows])
    by_x, by_y = pixels_by_rays.transpose(1, 0, 2)
    # Of the point (x, y, 1), moved along its ray by nothing.
    by_point = np.stack([by_x, by_y, -(by_x * x + by_y * y)], axis=1)
    length = np.sqrt(1.0 + x * x + y * y)
    rig_from_cam = view.rig_from_cam.rotation.as_matrix()
    return Sightings(
        rows + before,
        np.full(len(rows), number),
        rig_from_cam @ np.array([x, y, np.ones_like(x)]) / length,
        np.repeat(view.rig_from_cam.translation[:, None], len(rows), axis=1),
        np.einsum("ij,kjn->kin", rig_from_cam, by_point) * length,
        view.xyz[rows].T,
        np.full(len(rows), MAX_REPROJECTION * view.camera.width),
    )
