"""Whether the images that are localized were taken with the focal length that is assumed of them, and how sure it is.

Answers widen with it: by what a camera may be off that nobody measured in this map, and by what its images say of it.
What a pose rests on does not tell: landmarks that were found where a wrong lens expects them agree with it (of a
kitchen's video with a focal length of 560 where 523 is right they said 554). So an image is asked by all that it may
show (`WideMatches`), and says 525, with a standard deviation of 4 for a single image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from campose_core.camera import Camera
from campose_core.landmark_map.camera_estimate import MIN_SIGMA
from campose_core.landmark_map.focal_length import focal_correction
from campose_core.landmark_map.intrinsics import CALIBRATED_SIGMA
from campose_core.localization.result import LocalizationResult
from campose_core.statistics import robust_sigma

NEWEST, MIN_IMAGES = 50, 5
AT_ONCE, EVERY_NS = 5, 1_000_000_000  # images that are asked as they come, and how often later ones
MAX_LENGTHS = 16  # assumed focal lengths that are remembered
MIN_OFF, MIN_SIGMAS = 0.02, 3.0  # of the logarithm of the focal length, to be named
# Of the logarithm, however many images: they show the same landmarks, which are off together. Ten images of a kitchen
# in a row say 0.5 % less than all others do, or 0.7 % more.
TOGETHER = 0.006
ASSUMED_SIGMA = 0.01  # of the scene's own camera, taken for one that may be another of the same kind


@dataclass(frozen=True)
class Said:
    """What images say of the logarithm of an assumed focal length.

    corrections, sigmas: of each image, its newest at `asked_ns`.
    """

    corrections: tuple[float, ...] = ()
    sigmas: tuple[float, ...] = ()
    asked_ns: int = 0

    def waits_for(self, stamp_ns: int) -> bool:
        """Tell whether an image is to be asked."""
        enough = len(self.corrections) >= AT_ONCE
        return stamp_ns != self.asked_ns and not (enough and 0 < stamp_ns - self.asked_ns < EVERY_NS)

    def joined_by(self, stamp_ns: int, new: tuple[float, float] | None) -> Said:
        """Return it with what one more image says, if it says anything."""
        if new is None:
            return replace(self, asked_ns=stamp_ns)
        return Said((*self.corrections, new[0])[-NEWEST:], (*self.sigmas, new[1])[-NEWEST:], stamp_ns)

    @property
    def together(self) -> tuple[float, float]:
        """Return the correction that they speak for, and its standard deviation; wild ones among them count little."""
        corrections, median = np.array(self.corrections), float(np.median(self.corrections))
        alone = float(np.sum(np.power(self.sigmas, -2.0)) ** -0.5)
        spread = robust_sigma(corrections - median) / np.sqrt(len(corrections))
        return median, max(TOGETHER, alone, float(spread))


class FocalWatch:
    """Watches cameras whose focal length is not sure (`Camera.focal_sigma`): taken from the scene, estimated, or
    calibrated elsewhere than in the map."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in another map."""
        self._said: dict[float, Said] = {}  # by the assumed focal length; replaced whole: another thread reads it
        self._newest_px: dict[str, float] = {}  # by the camera

    def add(self, camera_name: str, result: LocalizationResult) -> None:
        """Ask the image of a result what it says of its camera, which the robot calls `camera_name`."""
        if result.matches is None or result.matches.wide is None:
            return
        camera, wide = result.matches.camera, result.matches.wide
        self._newest_px = {**self._newest_px, camera_name: camera.focal[0]}
        before = self._said.get(camera.focal[0], Said())
        if not before.waits_for(wide.frame.stamp_ns):
            return
        new = before.joined_by(wide.frame.stamp_ns, focal_correction(wide, camera))
        said = {**self._said, camera.focal[0]: new}
        if len(said) > MAX_LENGTHS:
            del said[next(iter(said))]
        self._said = said

    def widened(self, camera: Camera) -> Camera:
        """Return the camera with the standard deviation that its images leave to its focal length; one that no image
        was asked of as it is.

        Where they contradict what is assumed by no more than both are unsure, they make it surer; else it is off by
        what they say.
        """
        said = self._said.get(camera.focal[0], Said())
        if not said.corrections:
            return camera
        off, sigma = said.together
        assumed = camera.focal_sigma or CALIBRATED_SIGMA
        if abs(off) < MIN_SIGMAS * np.hypot(assumed, sigma):
            share = assumed**2 / (assumed**2 + sigma**2)
            off, sigma = share * off, np.sqrt(share) * sigma
        return replace(camera, focal_sigma=float(np.sqrt(MIN_SIGMA**2 + off**2 + sigma**2)))

    def values(self) -> dict[str, str]:
        """Of the newest camera: its assumed focal length, what its newest images say of it with the standard deviation
        of that, and how many; empty where all cameras are the map's."""
        newest_px = next(reversed(self._newest_px.values()), 0.0)
        said = self._said.get(newest_px, Said())
        if not said.corrections:
            return {}
        off, sigma = said.together
        seen_px = newest_px * float(np.exp(off))
        return {
            "focal_length_px": f"{newest_px:.1f}",
            "focal_length_seen_px": f"{seen_px:.1f}",
            "focal_length_seen_sigma_px": f"{seen_px * sigma:.1f}",
            "focal_length_images": str(len(said.corrections)),
        }

    def fault(self) -> str:
        """Return that images speak for another focal length than is assumed now; empty where they do not."""
        for name, focal_px in self._newest_px.items():
            said = self._said.get(focal_px, Said())
            if len(said.corrections) < MIN_IMAGES:
                continue
            off, sigma = said.together
            # Images in a row show the same landmarks: those of a kitchen, 320 pixels wide, said 2.5 % together.
            sigma = max(sigma, float(np.median(said.sigmas)))
            if abs(off) > max(MIN_OFF, MIN_SIGMAS * sigma):
                count, way = len(said.corrections), "longer" if off > 0 else "shorter"
                return (
                    f"{count} images {f'of {name} ' if name else ''}speak for a {way} focal length "
                    f"({focal_px * np.exp(off):.0f}) than the {focal_px:.0f} pixels that are taken for their camera: "
                    "another one, zoom or crop? Give its camera_info, as its calibration has it"
                )
        return ""
