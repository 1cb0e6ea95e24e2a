"""Which frames a map is made of: enough to follow every turn, none twice, the sharp ones.

Motion is the median shift of corners from one frame to the next, in widths of the image (pyramidal Lucas-Kanade,
Bouguet 2000): it counts turns and steps alike, by what they do to the image. Frames whose steps add up to STEP make
one keyframe, the sharpest of them; a camera that stands makes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from campose_core.errors import MappingError
from campose_core.extras import load_extra
from campose_core.geometry import Array
from campose_core.image_files import opened
from campose_core.progress import track

STEP = 0.01  # widths of the image
LOST = 0.25  # the step where corners cannot be followed: a frame of its own, whatever came before
SMALL_SIDE = 320  # pixels, of the images that are compared
CORNERS, MIN_FOLLOWED = 150, 12
STILL_PX = 0.15  # the noise of corners that do not move
DARK_LEVEL, DARK_CONTRAST = 20.0, 8.0  # grey levels: a covered lens, a room without light
BRIDGED = 0.1  # widths between the frames on both sides of a blurred one, for it to be done without
BLURRED_SHARE = 0.35  # of the sharpness of the frames around it, which see much the same
AROUND = 4  # frames on either side


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """Of one recording's frames in time order: motion (N,) from the frame before, in widths; sharpness (N,), the
    variance of the Laplacian; dark (N,); blurred (N,)."""

    motion: Array
    sharpness: Array
    dark: NDArray[np.bool_]
    blurred: NDArray[np.bool_]


@dataclass(frozen=True)
class Keyframes:
    """rows: of the frames chosen, in time order. static, blurred, dark: how many were not, by reason."""

    rows: tuple[int, ...]
    static: int
    blurred: int
    dark: int


def measure_motion(paths: Sequence[Path], description: str) -> FrameMotion:
    """Measure the motion and sharpness of images in time order. description: of the bar that a person sees.

    Raises:
        MappingError: one cannot be read. MissingDependency: OpenCV is not installed.
    """
    cv2 = load_extra("cv2", "map")
    motion, sharpness, dark = [], [], []
    before: NDArray[np.uint8] | None = None
    unread: list[Path] = []
    for path in track(paths, description):
        try:
            grey = _small_grey(path)
        except MappingError:
            unread.append(path)
            continue
        motion.append(0.0 if before is None else _step(cv2, before, grey))
        sharpness.append(float(cv2.Laplacian(grey, cv2.CV_32F).var()))
        dark.append(float(grey.mean()) < DARK_LEVEL and float(grey.std()) < DARK_CONTRAST)
        before = grey
    if unread:
        raise MappingError(f"{len(unread)} frames could not be read, the first: {unread[0]}")
    blurred = np.zeros(len(paths), dtype=bool)
    for i in _less_sharp_than_neighbours(np.array(sharpness)):
        # Where all of a turn is blurred, or an image shows what no other does, there is nothing better.
        beside = 0 < i < len(paths) - 1 and _step(cv2, _small_grey(paths[i - 1]), _small_grey(paths[i + 1])) < BRIDGED
        blurred[i] = beside and not dark[i]
    return FrameMotion(np.array(motion), np.array(sharpness), np.array(dark, dtype=bool), blurred)


def _less_sharp_than_neighbours(sharpness: Array) -> list[int]:
    around = [np.median(sharpness[max(0, i - AROUND) : i + AROUND + 1]) for i in range(len(sharpness))]
    return [int(i) for i in np.flatnonzero(sharpness < BLURRED_SHARE * np.array(around))]


def choose(found: FrameMotion, step: float = STEP) -> Keyframes:
    """Choose of one recording the first and the last usable frame, and one for each `step` between them.

    step: motion between keyframes, in widths of the image.
    """
    usable = np.flatnonzero(~(found.dark | found.blurred))
    walked = np.cumsum(found.motion)[usable]
    rows = [0] if len(usable) else []  # of `usable`
    while rows and walked[-1] - walked[rows[-1]] > 0:
        ahead = walked[rows[-1] + 1 :] - walked[rows[-1]]
        reached = np.flatnonzero(ahead >= step)
        last = int(reached[0]) if len(reached) else len(ahead) - 1
        # Of the frames between half a step and a whole one the sharpest: a little earlier is as good a place.
        candidates = rows[-1] + 1 + np.flatnonzero(ahead[: last + 1] >= 0.5 * min(step, ahead[last]))
        sharpest = candidates[np.argmax(found.sharpness[usable[candidates]])] if len(reached) else len(usable) - 1
        rows.append(int(sharpest))
    chosen = tuple(int(row) for row in usable[rows])
    return Keyframes(chosen, len(usable) - len(chosen), int(found.blurred.sum()), int(found.dark.sum()))


def choose_at_most(recordings: dict[str, FrameMotion], most: int) -> dict[str, Keyframes]:
    """Choose of several recordings, by name: at the same step, longer than STEP where that would be over `most`."""
    step = STEP
    while True:
        chosen = {name: choose(found, step) for name, found in recordings.items()}
        count = sum(len(keyframes.rows) for keyframes in chosen.values())
        if count <= most or step > 1.0:
            return chosen
        step *= max(1.02, count / most)


def _small_grey(path: Path) -> NDArray[np.uint8]:
    with opened(path, MappingError) as file:
        scale = max(1, max(file.size) // SMALL_SIDE)
        size = (file.width // scale, file.height // scale)
        file.draft("L", size)  # a JPEG is decoded at a fraction of its size, at a fraction of the cost
        return np.asarray(file.convert("L").resize(size, PilImage.Resampling.BOX))


def _step(cv2: Any, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """Median shift of corners, in widths; LOST where they cannot be followed."""
    corners = cv2.goodFeaturesToTrack(before, CORNERS, 0.01, 7)
    if corners is None or len(corners) < MIN_FOLLOWED:
        return LOST
    found, status, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, winSize=(21, 21), maxLevel=4)
    back, status_back, _ = cv2.calcOpticalFlowPyrLK(after, before, found, None, winSize=(21, 21), maxLevel=4)
    there_and_back = np.linalg.norm((back - corners).reshape(-1, 2), axis=1) < 1.0
    followed = (status.ravel() == 1) & (status_back.ravel() == 1) & there_and_back
    if followed.sum() < MIN_FOLLOWED:
        return LOST
    shift = float(np.median(np.linalg.norm((found - corners).reshape(-1, 2)[followed], axis=1)))
    return 0.0 if shift < STILL_PX else shift / before.shape[1]
