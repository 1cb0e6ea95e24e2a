"""Covariances that hold: PnP's, inflated by what keyframes show that were left out of the map.

PnP knows the noise of the pixels, and takes the landmarks to be exact. What they are off by moves neighbouring
landmarks alike, so that it neither averages out nor shows in the residuals; it adds a multiple of PnP's own covariance
(weak views are hit harder by both) and a floor that no number of landmarks gets below:

    covariance = factor^2 * PnP's + diag(floor_m^2 x 3, floor_rad^2 x 3)

What the whole map is off by does not show in keyframes left out of it. Where a reference trajectory has placed the map,
the residual of that alignment shows it, and is part of the floor: what neighbours are off by together, since the rest
is noise of the reference's own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaincinv

from campose_core.errors import LocalizationError
from campose_core.geometry import Array
from campose_core.joining.bend import PER_AXIS
from campose_core.joining.misreadings import AGREEING_DEG
from campose_core.landmark_map.held_out import HeldOut
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene
from campose_core.statistics import squared_mahalanobis

log = logging.getLogger(__name__)

MIN_ERRORS = 10  # fewer tell less than UNCALIBRATED
TAILS = 8.0  # degrees of freedom of Student's t
LEVELS = (0.5, 0.75, 0.9)


@dataclass(frozen=True)
class CovarianceCalibration:
    """factor: of standard deviations, 1 or more. floor_m, floor_rad: standard deviation on each axis.

    Raises:
        LocalizationError: a smaller factor, or a floor that is negative or not finite.
    """

    factor: float
    floor_m: float
    floor_rad: float

    def __post_init__(self) -> None:
        if not (1.0 <= self.factor < np.inf and 0.0 <= self.floor_m < np.inf and 0.0 <= self.floor_rad < np.inf):
            raise LocalizationError(f"a calibration of covariances needs a factor of 1 or more and floors, got {self}")

    def __call__(self, covariance: Array) -> Array:
        """Inflate PnP's covariance (..., 6, 6), over (x, y, z, rx, ry, rz) in metres and radians, to be given out."""
        return np.asarray(
            self.factor**2 * covariance + np.diag(np.repeat([self.floor_m**2, self.floor_rad**2], 3)), dtype=np.float64
        )

    @classmethod
    def load(cls, scene: Scene) -> CovarianceCalibration:
        """Fit it to the held-out keyframes of an aligned scene; UNCALIBRATED where it has too few.

        Raises:
            LocalizationError: the scene is not aligned. MappingError: the file of held-out keyframes is damaged.
        """
        if scene.alignment is None:
            raise LocalizationError(f"{scene.path} is not in a metric frame: run `campose align {scene.path}`")
        path = scene.sfm_dir / "held_out.npz"
        if not path.is_file():
            log.info(
                f"{path} is missing (mapped by an earlier version): covariances are a cautious guess, map it again"
            )
            return UNCALIBRATED.with_residual(scene.alignment)
        held_out = HeldOut.load(path).transformed(scene.alignment.map_from_sfm)
        found = held_out.found
        if found.sum() < MIN_ERRORS:
            log.info(f"{scene.path} has only {found.sum()} held-out keyframes: covariances are a cautious guess")
            return UNCALIBRATED.with_residual(scene.alignment)
        return fit_calibration(held_out.errors[found], held_out.covariances[found]).with_residual(scene.alignment)

    def with_residual(self, alignment: Alignment) -> CovarianceCalibration:
        """Widen the floors by what mapped cameras are off by from the reference trajectory, where there was one."""
        residual = alignment.residual
        if residual.frames is None or residual.median_m is None or residual.median_deg is None:
            return self
        bent_m = residual.median_m if residual.bent_m is None else residual.bent_m
        bent_deg = residual.median_deg if residual.bent_deg is None else residual.bent_deg
        per_axis = PER_AXIS * np.array([bent_m, np.radians(bent_deg)])
        if residual.median_deg > AGREEING_DEG:
            per_axis[1] = 0.0  # the reference's orientations are not the camera's
        floor_m, floor_rad = np.hypot([self.floor_m, self.floor_rad], per_axis)
        return replace(self, floor_m=float(floor_m), floor_rad=float(floor_rad))


# Cautious: real and rendered rooms and floors came out at factors of 1 to 3, and floors of 1 to 2 mm and 0.06 degrees.
UNCALIBRATED = CovarianceCalibration(factor=4.0, floor_m=0.01, floor_rad=float(np.radians(0.2)))


def fit_calibration(errors: Array, covariances: Array) -> CovarianceCalibration:
    """Fit the calibration to errors (N, 6) and PnP's covariances (N, 6, 6), in metres and radians.

    The most likely calibration if errors follow a multivariate Student's t, which a few wild ones do not move; then as
    much wider or narrower that half of the errors lie in the 50 % ellipsoid, and so on (on average over LEVELS).
    """
    from scipy.optimize import minimize

    floors = np.maximum(np.median(np.abs(errors.reshape(-1, 2, 3)), axis=(0, 2)), 1e-9)

    def inflated(logarithms: Array) -> Array:
        factor, floor_m, floor_rad = np.exp(logarithms)
        return np.asarray(factor**2 * covariances + np.diag(np.repeat([floor_m**2, floor_rad**2], 3)))

    def cost(logarithms: Array) -> float:
        candidate = inflated(logarithms)
        squared = squared_mahalanobis(errors, candidate)
        spread = 0.5 * np.linalg.slogdet(candidate)[1]
        return float(np.mean(spread + 0.5 * (TAILS + 6) * np.log1p(squared / TAILS)))

    start = np.log([2.0, *floors])
    bounds = [(0.0, 7.0), *((low - 7.0, low + 7.0) for low in np.log(floors))]
    found = minimize(cost, start, method="Nelder-Mead", bounds=bounds, options={"maxiter": 500, "xatol": 1e-2})
    squared = squared_mahalanobis(errors, inflated(found.x))
    chi2_6 = 2.0 * gammaincinv(6 / 2, LEVELS)  # quantiles; scipy.stats takes longer to import than a node to load
    ratios = np.quantile(squared, LEVELS) / chi2_6
    factor, floor_m, floor_rad = np.exp(found.x + 0.5 * np.mean(np.log(ratios)))
    return CovarianceCalibration(max(1.0, float(factor)), float(floor_m), float(floor_rad))
