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
    """The terms of a lens: k1 .. k6, p1 and p2, s1 .. s4; zero where a model lacks them, as in a pinhole's.

    is_fisheye: k1 .. k4 are of the angle to the axis (Kannala and Brandt), the others are not used.
    """

    is_fisheye: bool = False
    radial: tuple[float, ...] = (0.0,) * 6
    tangential: tuple[float, ...] = (0.0,) * 2
    prism: tuple[float, ...] = (0.0,) * 4

    def apply(self, rays: ArrayLike) -> Array:
        """Return image-plane coordinates (N, 2) of rays (N, 2)."""
        x, y = np.asarray(rays, dtype=np.float64).T
        r2 = x * x + y * y
        if self.is_fisheye:
            factor, _ = self._fisheye_factors(r2)
            return np.stack([x * factor, y * factor], axis=1)
        (p1, p2), (s1, s2, s3, s4) = self.tangential, self.prism
        radial, _ = self._radial_factors(r2)
        sideways = 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2)
        upright = p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4)
        return np.stack([x * radial + sideways, y * radial + upright], axis=1)

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
            (p1, p2), (s1, s2, s3, s4) = self.tangential, self.prism
            radial, slope = self._radial_factors(r2)
            shear = 2 * (x * y * slope + p1 * x + p2 * y)
            x_prism, y_prism = 2 * (s1 + 2 * r2 * s2), 2 * (s3 + 2 * r2 * s4)
            rows = (
                radial + 2 * (x * x * slope + p1 * y) + 6 * p2 * x + x * x_prism,
                shear + y * x_prism,
                shear + x * y_prism,
                radial + 2 * (y * y * slope + p2 * x) + 6 * p1 * y + y * y_prism,
            )
        return np.array(rows).reshape(2, 2, -1)

    def radius(self, angles: Array) -> Array:
        """Return how far from the image plane's centre rays end at these angles to the axis, radians; sideways terms
        left out."""
        if self.is_fisheye:
            k1, k2, k3, k4, *_ = self.radial
            a2 = angles * angles
            return np.asarray(angles * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4)))))
        radius = np.tan(angles)
        return np.asarray(radius * self._radial_factors(radius * radius)[0])

    def _fisheye_factors(self, r2: Array) -> tuple[Array, Array]:
        """By how much a ray is stretched: across its direction from the centre, and along it (the derivative)."""
        tangent = np.sqrt(r2)
        angle = np.arctan(tangent)
        a2 = angle * angle
        k1, k2, k3, k4, *_ = self.radial
        by_angle = 1 + a2 * (3 * k1 + a2 * (5 * k2 + a2 * (7 * k3 + a2 * 9 * k4)))
        across = np.divide(self.radius(angle), tangent, out=np.ones_like(r2), where=tangent > ON_AXIS)
        return across, by_angle / (1 + r2)

    def _radial_factors(self, r2: Array) -> tuple[Array, Array]:
        """By how much a ray is stretched, and the derivative of that by the squared length of the ray."""
        k1, k2, k3, k4, k5, k6 = self.radial
        under = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        factor = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / under
        over_slope, under_slope = k1 + r2 * (2 * k2 + 3 * r2 * k3), k4 + r2 * (2 * k5 + 3 * r2 * k6)
        return factor, (over_slope - factor * under_slope) / under
