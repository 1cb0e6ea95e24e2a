"""`map_from_sfm` from GPS: scale, heading and place over the ground, where level is known already.

GPS errs by metres, alike over minutes, and jumps near buildings. So the level is not taken from it, pairs of fixes
propose a similarity of the plane (RANSAC), and what a fix claims of itself bounds how well the heading can be known.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.alignment.evidence import width
from campose_core.alignment.solvers.level import level_rotation
from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Similarity
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.statistics import robust_sigma

TRIALS = 1000
MIN_FIXES = 5
UNKNOWN_M = 5.0  # of a fix that does not say how good it is: a phone under the open sky
WORST_HEADING_DEG = 10.0


def align_to_gps(antenna_sfm: Array, antenna_enu: Array, sigma_m: Array, up: Array) -> Alignment:
    """Align the antenna's positions in sfm (N, 3) to metres east, north, up (N, 3); `up` (3,) is unit, in sfm.

    sigma_m (N,): of each fix, NaN where unknown. `residual`: fixes, jumped (those left out), median_m and p95_m (over
    the ground, of the others), sigma_m (what a fix is believed), heading_deg (standard deviation).

    Raises:
        AlignmentError: fewer than MIN_FIXES fixes, or a path too short for their noise.
    """
    if len(antenna_sfm) < MIN_FIXES:
        raise AlignmentError(f"only {len(antenna_sfm)} GPS fixes while frames were taken, {MIN_FIXES} are needed")
    level_from_sfm = level_rotation(up)
    level = level_from_sfm.apply(antenna_sfm)
    ground, target = level[:, 0] + 1j * level[:, 1], antenna_enu[:, 0] + 1j * antenna_enu[:, 1]
    factor, offset, kept = _robust_similarity(ground, target)
    residual = np.abs(factor * ground + offset - target)[kept]
    claimed = sigma_m[np.isfinite(sigma_m)]
    sigma = max(float(np.median(claimed)) if len(claimed) else UNKNOWN_M, robust_sigma(residual))
    across = width(antenna_enu[kept, :2])
    heading_deg = float(np.degrees(np.arctan2(sigma, across)))
    if heading_deg > WORST_HEADING_DEG:
        needed = sigma / np.tan(np.radians(WORST_HEADING_DEG))
        raise AlignmentError(
            f"the path is {across:.1f} m wide, and GPS here is good to {sigma:.1f} m: the heading could be off by "
            f"{heading_deg:.0f} deg. Walk {needed / across:.1f} times as far, or align by something else"
        )
    scale, heading = abs(factor), float(np.angle(factor))
    rotation = Rotation.from_rotvec([0.0, 0.0, heading]) * level_from_sfm
    height = float(np.median(antenna_enu[kept, 2] - scale * level[kept, 2]))
    return Alignment(
        Similarity(scale, rotation, np.array([offset.real, offset.imag, height])),
        "GPS",
        Residual(
            fixes=float(len(ground)),
            jumped=float(len(ground) - kept.sum()),
            median_m=float(np.median(residual)),
            p95_m=float(np.percentile(residual, 95)),
            sigma_m=sigma,
            heading_deg=heading_deg,
        ),
    )


def _robust_similarity(ground: Array, target: Array) -> tuple[complex, complex, Array]:
    """Find the complex a, b of target = a ground + b (N,), and which fixes agree with it.

    A similarity of the plane is one multiplication and one addition of complex numbers. Pairs propose it, the median
    residual judges, and refits on the agreeing follow.

    Raises:
        AlignmentError: the antenna did not move.
    """
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, len(ground), (2, TRIALS))
    apart = ground[second] - ground[first]
    usable = np.abs(apart) > 0.1 * np.ptp(np.abs(ground - ground.mean()))
    usable &= np.abs(apart) > 1e-12
    if not usable.any():
        raise AlignmentError("the camera did not move: a path is needed for a scale")
    first, second = first[usable], second[usable]
    factors = (target[second] - target[first]) / apart[usable]
    offsets = target[first] - factors * ground[first]
    off = np.abs(factors[:, None] * ground + offsets[:, None] - target)
    medians = np.where(np.abs(factors) > 1e-12, np.median(off, axis=1), np.inf)
    best = int(np.argmin(medians))
    residual = off[best]
    for _ in range(10):
        kept = residual <= max(3.0 * robust_sigma(residual), 1e-9)
        p, q = ground[kept] - ground[kept].mean(), target[kept] - target[kept].mean()
        factor = complex(np.sum(q * p.conj()) / np.sum(np.abs(p) ** 2))
        offset = complex(target[kept].mean() - factor * ground[kept].mean())
        residual = np.abs(factor * ground + offset - target)
    return factor, offset, np.asarray(kept)
