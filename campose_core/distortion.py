"""How a lens bends rays: from normalised rays (x / z, y / z) to the image plane, one focal length away.

OpenCV, "Camera Calibration and 3D Reconstruction": Brown's model with the rational and the thin prism terms; Kannala
and Brandt, "A generic camera model and calibration method for conventional, wide-angle and fish-eye lenses", PAMI 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from campose_core.geometry import Array

ON_AXIS = 1e-12  # tangent of an angle to the axis that counts as none


@dataclass(frozen=True)
class Distortion:
    """The terms of a lens; those that a model lacks are zero, and a lens without any is a pinhole.

    is_fisheye: k1 .. k4 are of the angle to the axis (Kannala and Brandt), the others are not used.
    """

    is_fisheye: bool = False
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0
    s1: float = 0.0
    s2: float = 0.0
    s3: float = 0.0
    s4: float = 0.0

    def apply(self, rays: ArrayLike) -> Array:
        """Return image-plane coordinates (N, 2) of rays (N, 2)."""
        x, y = np.asarray(rays, dtype=np.float64).T
        r2 = x * x + y * y
        if self.is_fisheye:
            factor, _ = self._fisheye_factors(r2)
            return np.stack([x * factor, y * factor], axis=1)
        radial = self._radial_factor(r2)
        return np.stack(
            [
                x * radial + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x) + r2 * (self.s1 + r2 * self.s2),
                y * radial + self.p1 * (r2 + 2 * y * y) + 2 * self.p2 * x * y + r2 * (self.s3 + r2 * self.s4),
            ],
            axis=1,
        )

    def derivatives(self, rays: Array) -> Array:
        """Return the derivatives of what `apply` gives: [i, j] (2, 2, N) is that of coordinate i by coordinate j of
        the rays (N, 2)."""
        x, y = rays.T
        r2 = x * x + y * y
        if self.is_fisheye:
            # Stretched by `along` in the direction of the ray, by `across` square to it.
            across, along = self._fisheye_factors(r2)
            change = np.divide(along - across, r2, out=np.zeros_like(r2), where=r2 > ON_AXIS)
            rows = (across + x * x * change, x * y * change, x * y * change, across + y * y * change)
        else:
            radial, slope = self._radial_factor(r2), 2 * self._radial_factor_by_r2(r2)
            shear = x * y * slope + 2 * self.p1 * x + 2 * self.p2 * y
            x_prism, y_prism = 2 * (self.s1 + 2 * r2 * self.s2), 2 * (self.s3 + 2 * r2 * self.s4)
            rows = (
                radial + x * x * slope + 2 * self.p1 * y + 6 * self.p2 * x + x * x_prism,
                shear + y * x_prism,
                shear + x * y_prism,
                radial + y * y * slope + 6 * self.p1 * y + 2 * self.p2 * x + y * y_prism,
            )
        return np.array(rows).reshape(2, 2, -1)

    def radius(self, angles: Array) -> Array:
        """Return how far from the image plane's centre rays end at these angles to the axis, radians; sideways terms
        left out."""
        if self.is_fisheye:
            a2 = angles * angles
            return np.asarray(angles * (1 + a2 * (self.k1 + a2 * (self.k2 + a2 * (self.k3 + a2 * self.k4)))))
        radius = np.tan(angles)
        return np.asarray(radius * self._radial_factor(radius * radius))

    def _fisheye_factors(self, r2: Array) -> tuple[Array, Array]:
        """By how much a ray is stretched: across its direction from the centre, and along it (the derivative)."""
        tangent = np.sqrt(r2)
        angle = np.arctan(tangent)
        a2 = angle * angle
        by_angle = 1 + a2 * (3 * self.k1 + a2 * (5 * self.k2 + a2 * (7 * self.k3 + a2 * 9 * self.k4)))
        across = np.divide(self.radius(angle), tangent, out=np.ones_like(r2), where=tangent > ON_AXIS)
        return across, by_angle / (1 + r2)

    def _radial_factor(self, r2: Array) -> Array:
        over = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        return np.asarray(over / (1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))))

    def _radial_factor_by_r2(self, r2: Array) -> Array:
        under = 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        over_slope = self.k1 + r2 * (2 * self.k2 + 3 * r2 * self.k3)
        under_slope = self.k4 + r2 * (2 * self.k5 + 3 * r2 * self.k6)
        return np.asarray((over_slope - self._radial_factor(r2) * under_slope) / under)
