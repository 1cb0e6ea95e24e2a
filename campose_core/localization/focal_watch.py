"""Whether the images that are localized were taken with the focal length that is assumed of them, and how sure it is.

Answers widen with it: the first ones by what a camera may be off that nobody measured, later ones by what the images
have said until then.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from campose_core.camera import Camera
from campose_core.landmark_map.camera_estimate import MIN_SIGMA
from campose_core.landmark_map.focal_length import HIDDEN, focal_correction
from campose_core.localization.result import LocalizationResult

NEWEST, MIN_IMAGES = 50, 5
MAX_LENGTHS = 16  # assumed focal lengths that are remembered
MIN_OFF, MIN_SIGMAS = 0.02, 3.0  # of the logarithm of the focal length, to be named
ASSUMED_SIGMA = 0.01  # of the scene's own camera, taken for one that may be another of the same kind
Said = tuple[tuple[float, float], ...]


class FocalWatch:
    """Watches cameras whose focal length is not sure (`Camera.focal_sigma`): taken from the scene, estimated, or
    calibrated elsewhere than in the map."""

    def __init__(self) -> None:
        self._newest_px = 0.0
        # By the assumed focal length: what images would correct its logarithm by, and the standard deviation of that.
        self._said: dict[float, Said] = {}  # values are replaced whole: another thread reads them

    def add(self, result: LocalizationResult) -> None:
        """Return an image that was localized by landmarks; others tell nothing."""
        matches = result.matches
        if result.map_from_cam is None or matches is None or matches.camera.focal_sigma == 0.0:
            return
        self._newest_px = matches.camera.focal[0]
        new = focal_correction(result.map_from_cam, matches.pixels, matches.xyz, matches.camera)
        said = {**self._said, self._newest_px: (*self._said.get(self._newest_px, ()), new)[-NEWEST:]}
        if len(said) > MAX_LENGTHS:
            del said[next(iter(said))]
        self._said = said

    def widened(self, camera: Camera) -> Camera:
        """Return the camera with the standard deviation that its images leave to its focal length; a calibrated one,
        and one that too few were localized with, as it is."""
        said = self._said.get(camera.focal[0], ())
        if camera.focal_sigma == 0.0 or len(said) < MIN_IMAGES:
            return camera
        mean, sigma = _mean(said)
        return replace(camera, focal_sigma=float(np.sqrt(MIN_SIGMA**2 + HIDDEN**2 * (mean**2 + sigma**2))))

    def values(self) -> dict[str, str]:
        """Of the newest camera: its assumed focal length, what its newest images say of it with the standard deviation
        of that, and how many; empty where all cameras are the map's."""
        if not self._said:
            return {}
        said = self._said[self._newest_px]
        mean, sigma = _mean(said)
        seen_px = self._newest_px * float(np.exp(mean))
        return {
            "focal_length_px": f"{self._newest_px:.1f}",
            "focal_length_seen_px": f"{seen_px:.1f}",
            "focal_length_seen_sigma_px": f"{seen_px * sigma:.1f}",
            "focal_length_images": str(len(said)),
        }

    def fault(self) -> str:
        """Return that images speak for another focal length; empty where they do not."""
        for focal_px, said in self._said.items():
            mean, sigma = _mean(said)
            if len(said) >= MIN_IMAGES and abs(mean) > max(MIN_OFF, MIN_SIGMAS * sigma):
                return (
                    f"{len(said)} images speak for a {'longer' if mean > 0 else 'shorter'} focal length than the "
                    f"{focal_px:.0f} pixels that are taken for its camera: another one, zoom or crop? Give its "
                    "camera_info"
                )
        return ""


def _mean(said: Said) -> tuple[float, float]:
    corrections, sigmas = np.array(said).T
    weights = sigmas**-2
    mean = float(np.average(corrections, weights=weights))
    return mean, float(np.sqrt(np.average((corrections - mean) ** 2, weights=weights) / len(corrections)))
