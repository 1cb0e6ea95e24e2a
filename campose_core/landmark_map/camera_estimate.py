"""The camera of images that know no intrinsics, out of the landmarks they show: the map's own, or another focal length.

A camera that is only assumed is not silently believed: a camera that is zoomed by a fifth finds most of the landmarks
too, and is half a metre off. So several fields of view are tried on each frame, the frames are told apart by the focal
length that each of them speaks for (a lens may switch), and the focal length is fitted to all that agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from campose_core.camera import Camera
from campose_core.geometry import Array
from campose_core.landmark_map.focal_length import (
    PIXELS_ALONE,
    FocalFit,
    FrameFocal,
    FrameMatches,
    fit_focal_length,
    posed,
    zoomed,
)
from campose_core.landmark_map.focal_stretches import SWITCH, stretches_of
from campose_core.landmark_map.pnp import CameraPose
from campose_core.statistics import robust_sigma

# Of the longer side; a third between two of them.
FIELDS_OF_VIEW_DEG = (24.0, 32.0, 42.0, 54.0, 67.0, 82.0, 98.0, 114.0)
MIN_SIGMA = 0.001  # of the logarithm of a focal length: what a map's own may be off by
GUESS_SIGMA = 0.03  # of a focal length that EXIF tells, in whole millimetres of a lens that focuses and crops
# Of a centre that is free, as a share of the image width, and from where on it is no noise; rounds until it is found. A
# free centre takes up some of the focal length, and is not found to the pixel: on kitchens cropped to either corner the
# one was 0.7 to 1.3 % off, the other 0.8 to 2.3 % of the width; elsewhere not measured.
FREE_CENTRE_SIGMA, MIN_ASIDE, CENTRE_ROUNDS = 0.2, 0.03, 6
CROPPED_SIGMA, CROPPED_CENTRE_SIGMA = 0.01, 0.017
OWN_SIGMAS = 3.0  # the map's own camera is as good as any that lies so near
KIND_SIGMA, ANY_RANGE = 0.01, 2.0  # of the logarithm: of cameras of one kind, and from the shortest lens to the longest
OWN_SHARE = 0.95  # of the landmarks that agree with the best
MAX_SIGMA = 0.1  # beyond, the focal length is open
OPEN = 10.0  # the standard deviation to give such a camera: no pose is sure with it
MIN_DIFFERING = 0.02  # spread of the frames' logarithms beyond which they were not all taken with one focal length
MIN_AGREEING = 0.7  # of the frames that are found: else they were taken with cameras that nobody can tell apart
ALIKE = 0.01  # shapes, as quotients


@dataclass(frozen=True)
class CameraEstimate:
    """The camera of the frames from one stamp to another, which came without intrinsics.

    camera: with its `focal_sigma`. frames: how many of those looked at agree. own: the source of the scene whose camera
    it is, empty for another. first_ns, last_ns: stamps of the first and last frame that agrees.
    """

    camera: Camera
    frames: int
    looked_at: int
    own: str
    first_ns: int
    last_ns: int

    @property
    def is_open(self) -> bool:
        """Whether the frames leave the focal length open, so that no pose can be told."""
        return self.camera.focal_sigma > MAX_SIGMA

    def text(self) -> str:
        """Return the focal length, its spread and the frames it rests on, for people."""
        size = f"{self.camera.width}x{self.camera.height}"
        if self.is_open:
            return (
                f"the focal length of its images ({size}) stays open: {self.frames} of the {self.looked_at} frames "
                "that were looked at show landmarks, and they tell none for all; give the camera with --camera FILE"
            )
        focal = self.camera.focal[0]
        whose = f"the camera of {self.own} fits" if self.own else "of another camera or zoom than the map's"
        if self.camera.centre_sigma > 0.0:
            whose = "of images that were cropped to one side"
        return (
            f"focal length {focal:.1f} +- {focal * self.camera.focal_sigma:.1f} pixels at {size}, by {self.frames} of "
            f"{self.looked_at} frames: {whose}"
        )

    def to_dict(self) -> dict[str, Any]:
        """For EST.json; without a focal length where that stays open."""
        focal = self.camera.focal[0]
        found = {} if self.is_open else {"focal_px": focal, "sigma_px": focal * self.camera.focal_sigma}
        return {
            "width": self.camera.width,
            "height": self.camera.height,
            **found,
            "frames": self.frames,
            "looked_at": self.looked_at,
            "own": self.own,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
        }


def of_shape(camera: Camera, width: int, height: int) -> list[Camera]:
    """Return what `camera` may be for images of this size: scaled, turned upright or on its side, cropped to the
    aspect."""
    upright = (camera.width < camera.height) == (width < height)
    turned = [camera] if upright else [camera.rotated(1), camera.rotated(3)]
    fitted = []
    for one in turned:
        wide = (width / height) / (one.width / one.height)
        if abs(wide - 1) >= ALIKE:
            w, h = (
                (one.width, round(one.width * height / width))
                if wide > 1
                else (round(one.height * width / height), one.height)
            )
            one = one.cropped((one.width - w) // 2, (one.height - h) // 2, w, h)
        across, down = width / one.width, height / one.height
        if abs(across / down - 1) < ALIKE:
            fitted.append(one.resized(width, height))
    return fitted


def estimate_cameras(
    frames: Sequence[FrameMatches], width: int, height: int, mapped: Mapping[str, Camera], guess: Camera | None = None
) -> list[CameraEstimate]:
    """Return the cameras of frames of one recording and size, in time order; several where the
    lens switches in between.

    mapped: the scene's cameras by source, the candidates that win where they fit as well as any. guess: what the
    recording says of its camera (EXIF); it counts with GUESS_SIGMA.
    """
    own = {candidate: name for name, camera in mapped.items() for candidate in of_shape(camera, width, height)}
    guesses = of_shape(guess, width, height) if guess else []
    tried = _candidates(list(own), guesses, width, height)
    poses = [posed(frames, candidate) for candidate in tried]
    counts = np.array([[0 if pose is None else len(pose.inliers) for pose in row] for row in poses])
    alone = [_alone(frame, tried, counts[:, i], [row[i] for row in poses]) for i, frame in enumerate(frames)]
    rows_told = [i for i, one in enumerate(alone) if one is not None]
    told = [one for one in alone if one is not None]
    estimates = []
    for stretch in stretches_of(np.array([one.log_focal for one in told])):
        agreeing = _agreeing(told, stretch)
        rows, logs = [rows_told[k] for k in agreeing], [told[k].log_focal for k in agreeing]
        best = tried[int(np.argmax(counts[:, rows].sum(axis=1)))]
        estimate = _estimated([frames[i] for i in rows], logs, best, own, guesses)
        if estimate is not None:
            estimates.append(estimate)
    cropped = _cropped([frames[i] for i in rows_told], tried, counts[:, rows_told], estimates)
    estimates = estimates if cropped is None else [cropped]
    agree = sum(estimate.frames for estimate in estimates)
    if not estimates or agree < MIN_AGREEING * len(told):
        unknown = replace(estimates[0].camera if estimates else tried[0], focal_sigma=OPEN)
        return [CameraEstimate(unknown, agree, len(frames), "", frames[0].stamp_ns, frames[-1].stamp_ns)]
    if len(estimates) == 1:
        return [replace(estimates[0], looked_at=len(frames))]
    return estimates


def _candidates(own: Sequence[Camera], guesses: Sequence[Camera], width: int, height: int) -> list[Camera]:
    """Return the cameras to begin with: those that are known, and several fields of view with the map's own lens."""
    longer = max(width, height)
    grid = [Camera.from_field_of_view(longer, longer, degrees).focal[0] for degrees in FIELDS_OF_VIEW_DEG]
    plain = Camera("SIMPLE_RADIAL", width, height, (grid[0], (width - 1) / 2, (height - 1) / 2, 0.0))
    lens = own[0] if own else plain
    return [*own, *guesses, *(zoomed(lens, focal) for focal in grid)]


def agrees_with_guess(focal: float, camera: Camera) -> bool:
    """Whether the focal length in pixels that EXIF tells may be that of an estimated camera."""
    apart = float(np.log(focal / camera.focal[0]))
    return abs(apart) < OWN_SIGMAS * float(np.hypot(camera.focal_sigma, GUESS_SIGMA))


def _alone(
    frame: FrameMatches, tried: Sequence[Camera], counts: Array, poses: Sequence[CameraPose | None]
) -> FrameFocal | None:
    """Return what a frame says by itself; None where it is not found by any camera."""
    best = int(np.argmax(counts))
    fit = fit_focal_length([frame], tried[best], [poses[best]]) if counts[best] else None
    return None if fit is None else fit.frames[0]


def _agreeing(frames: Sequence[FrameFocal], rows: list[int]) -> list[int]:
    """Those of a stretch that speak for the focal length of most; a single one may be of another camera, or blurred."""
    middle = float(np.median([frames[row].log_focal for row in rows]))
    return [
        row
        for row in rows
        if abs(frames[row].log_focal - middle) < max(SWITCH, OWN_SIGMAS * PIXELS_ALONE * frames[row].sigma)
    ]


def _estimated(
    frames: Sequence[FrameMatches],
    alone: Sequence[float],
    start: Camera,
    own: Mapping[Camera, str],
    guesses: Sequence[Camera],
) -> CameraEstimate | None:
    """Return the camera of frames that speak for one focal length; None where they do not tell it at all.

    alone: the logarithm that each of them tells by itself.
    """
    fit = fit_focal_length(frames, start, posed(frames, start))
    if fit is not None:  # from a better focal length more of them agree
        fit = fit_focal_length(frames, fit.camera, posed(frames, fit.camera)) or fit
    if fit is None:
        return None
    sigma, camera = _sigma(fit, np.array(alone), MIN_SIGMA), fit.camera
    for guess in guesses:
        if agrees_with_guess(guess.focal[0], replace(camera, focal_sigma=sigma)):
            apart = float(np.log(guess.focal[0] / camera.focal[0]))
            gain = sigma**2 / (sigma**2 + GUESS_SIGMA**2)
            camera, sigma = (
                zoomed(camera, camera.focal[0] * float(np.exp(gain * apart))),
                float(np.sqrt(gain) * GUESS_SIGMA),
            )
            break
    name, fitting = _own_that_fits(frames, fit, camera, sigma, own)
    if name:
        sigma = _sigma_of_own(float(np.log(fitting.focal[0] / camera.focal[0])), sigma)
    camera = fitting
    agreeing = [frame.stamp_ns for frame in fit.frames]
    camera = replace(camera, focal_sigma=sigma if sigma <= MAX_SIGMA else OPEN)
    return CameraEstimate(camera, len(agreeing), len(frames), name, min(agreeing), max(agreeing))


def _cropped(
    frames: Sequence[FrameMatches], tried: Sequence[Camera], counts: Array, others: Sequence[CameraEstimate]
) -> CameraEstimate | None:
    """Return one camera of all frames with a centre far from the image's, where that fits clearly better than `others`:
    the images were cropped to one side.

    counts: landmarks that agree, by those tried and the frames.
    """
    if not frames:
        return None
    known = max(others, key=lambda one: one.frames, default=None)
    camera = tried[int(np.argmax(counts.sum(axis=1)))] if known is None else known.camera
    middle = (camera.width - 1) / 2, (camera.height - 1) / 2
    fit: FocalFit | None = None
    for _ in range(CENTRE_ROUNDS):
        fit = fit_focal_length(frames, camera, posed(frames, camera), FREE_CENTRE_SIGMA)
        if fit is None or np.hypot(*np.subtract(fit.camera.centre, middle)) < MIN_ASIDE * camera.width:
            return None
        camera = fit.camera
    assert fit is not None
    by_others = sum(
        len(pose.inliers) for one in others for pose in posed(_within(frames, one), one.camera) if pose is not None
    )
    if OWN_SHARE * fit.inliers < by_others:
        return None
    sigma = _sigma(fit, np.array([frame.log_focal for frame in fit.frames]), CROPPED_SIGMA)
    camera = replace(camera, focal_sigma=sigma if sigma <= MAX_SIGMA else OPEN, centre_sigma=CROPPED_CENTRE_SIGMA)
    stamps = [frame.stamp_ns for frame in fit.frames]
    return CameraEstimate(camera, len(stamps), len(frames), "", min(stamps), max(stamps))


def _within(frames: Sequence[FrameMatches], estimate: CameraEstimate) -> list[FrameMatches]:
    return [frame for frame in frames if estimate.first_ns <= frame.stamp_ns <= estimate.last_ns]


def _own_that_fits(
    frames: Sequence[FrameMatches], fit: FocalFit, camera: Camera, sigma: float, own: Mapping[Camera, str]
) -> tuple[str, Camera]:
    """Return the map's own camera that fits as well as the estimated one, and the name of its source; else that one
    itself."""
    near = [one for one in own if abs(np.log(one.focal[0] / camera.focal[0])) <= OWN_SIGMAS * sigma]
    agreeing = [sum(len(pose.inliers) for pose in posed(frames, one) if pose is not None) for one in near]
    if not near or max(agreeing) < OWN_SHARE * fit.inliers:
        return "", camera
    best = near[int(np.argmax(agreeing))]
    return own[best], best


def _sigma_of_own(apart: float, sigma: float) -> float:
    """Of the logarithm of the map's own focal length, from which the images' is `apart` with the deviation `sigma`.

    What took them is, as likely as not, the map's own camera; else one of its kind, or any. Each counts by how well it
    explains `apart` (Bayes' rule).
    """
    kind = float(np.hypot(sigma, KIND_SIGMA))
    own_or_kind = [float(np.exp(-0.5 * (apart / s) ** 2) / (np.sqrt(2.0 * np.pi) * s)) for s in (sigma, kind)]
    weights = np.array([0.5 * own_or_kind[0], 0.25 * own_or_kind[1], 0.25 / ANY_RANGE])
    gain = (KIND_SIGMA / kind) ** 2
    squared_off = [0.0, gain * sigma**2 + (gain * apart) ** 2, sigma**2 + apart**2]
    return float(np.sqrt(weights @ squared_off / weights.sum() + MIN_SIGMA**2))


def _sigma(fit: FocalFit, alone: Array, floor: float) -> float:
    """Of the logarithm of the focal length of an image: of what all agree on, and of what they differ by.

    Images that show the same landmarks share their errors, and say no more than one of them. So many as show a landmark
    count once: by ten and twenty images of a kitchen in a row it is 2.5 standard deviations off as if each spoke for
    itself, and 1.0 and 0.9 of these; of six other places 0.1 to 1.1, and 0.1 to 1.0.
    """
    log_focal = np.log(fit.camera.focal[0])
    sigmas = np.array([frame.sigma for frame in fit.frames]) * PIXELS_ALONE
    apart = np.array([frame.log_focal for frame in fit.frames]) - log_focal
    shares = sigmas**-2 / (sigmas**-2).sum()
    by_frames = float(np.sqrt((shares**2 * apart**2).sum()))
    differing = robust_sigma(alone - log_focal) if len(alone) > 1 else 0.0
    excess = differing if differing > max(MIN_DIFFERING, 2.0 * float(np.median(sigmas))) else 0.0
    agreed = max(PIXELS_ALONE * fit.sigma, by_frames)
    together = min(fit.shown * agreed, max(agreed, float(np.median(sigmas))))
    return float(np.sqrt(together**2 + floor**2 + excess**2))
