"""A bent map, put straight by a reference trajectory: a bundle adjustment with its positions as priors.

Scale and heading along a street, the focal length, a guessed centre of the lens: images leave them nearly open, and the
map bends, by decimetres and metres that the reference shows. Where images do tell (a room), they hold the map, and a
reference that drifts there itself moves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from campose_core.geometry import Pose
from campose_core.joining.bend import MIN_ALONG, bend_along, noise_along
from campose_core.joining.known_positions import adjust_to_positions
from campose_core.landmark_map.colmap import adjust, load_pycolmap, model_cameras, model_poses

NEARER = 0.8  # of the distance from the reference must be left, for an adjustment to it to be kept
# Of the noise of positions they are held to. What bends a map (a lens that is not quite as it is modelled) all features
# share, and the adjustment takes each for a witness of its own. Two streets, with 0.3 m and 1 m of noise on each axis,
# come 34, 46, 28 and 44 cm near with the noise itself, 17, 38, 13 and 28 with a third of it, 13, 25, 12 and 25 so.
HELD_TO = 0.1
DEARER = 1.1  # times the median reprojection error: images contradict the reference

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Straightened:
    """before, after: how bent it is beside the reference, in the model's unit (`bend_along`). free_px, held_px: median
    reprojection error, adjusted without the reference and with it. cameras: that took the images, by source, as
    dictionaries.
    """

    before: float
    after: float
    free_px: float
    held_px: float
    cameras: dict[str, Any]

    @property
    def helps(self) -> bool:
        """Whether it is nearer, and the images are explained as before."""
        return self.after < NEARER * self.before and self.held_px < DEARER * self.free_px


def straightened(
    *, model: str, positions: dict[str, list[float]], sigma: float, switches: list[str], guessed: bool, out: str
) -> dict[str, Any]:
    """Adjust a COLMAP model to positions (x, y, z) of its images, by name in time order, and write what comes out.

    sigma: least standard deviation of a position, on each axis. switches: as of `model_cameras`. guessed: the cameras
    are, so that the centres of their lenses are open too. Positions and sigma are in the frame and unit of the model.
    With few positions nothing is done, which does not help.
    """
    pycolmap = load_pycolmap()
    pycolmap.set_random_seed(0)
    pycolmap.logging.minloglevel = 0
    free = pycolmap.Reconstruction(model)
    poses = model_poses(free)
    known = {name: position for name, position in positions.items() if name in poses}
    if len(known) < MIN_ALONG:
        return asdict(Straightened(0.0, 0.0, 0.0, 0.0, {}))
    offsets = np.array([poses[name].translation - known[name] for name in known])
    noise, wild = noise_along(offsets, sigma)
    priors = {name: position for (name, position), is_wild in zip(known.items(), wild, strict=True) if not is_wild}
    if len(priors) < MIN_ALONG:
        return asdict(Straightened(0.0, 0.0, 0.0, 0.0, {}))
    held = pycolmap.Reconstruction(free)
    adjust_to_positions(held, priors, max(sigma, HELD_TO * noise), refine_centres=guessed)
    adjust(free)
    held.write(out)
    cameras = {lens: camera.to_dict() for lens, camera in model_cameras(held, switches).items()}
    said = Straightened(_bend(poses, priors), _bend(model_poses(held), priors), _px(free), _px(held), cameras)
    log.info(f"{said.before:.3g} off before, {said.after:.3g} after, {said.free_px:.3f} px free, {said.held_px:.3f} px")
    return asdict(said)


def _bend(poses: Mapping[str, Pose], positions: Mapping[str, Sequence[float]]) -> float:
    return bend_along(np.array([poses[name].translation - positions[name] for name in positions]))


def _px(model: Any) -> float:
    model.update_point_3d_errors()
    return float(np.median([point.error for point in model.points3D.values()]))
