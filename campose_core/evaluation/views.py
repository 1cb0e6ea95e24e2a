"""Whether two images are one: small grey copies of them, which JPEG, a video codec and a change of size leave alike.

Brightness, contrast and gamma keep the order of their pixels from dark to light; mirroring and turning upside down move
it as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from campose_core.errors import SceneError
from campose_core.frame import Image
from campose_core.geometry import Array
from campose_core.image_files import opened
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

SIZE, COARSE = (64, 48), 4  # of a copy, and into cells of how many pixels it is summed up to be searched for
# Mean difference in grey levels of the copies of one image that was encoded twice: at most 0.6 (JPEG 30), 1.3 (320 x
# 240 and JPEG 20), 1.0 (160 x 120), on frames of a real kitchen. Of neighbours there, a tenth of a second apart: from
# 1.7 up, 12 in the median; of another drive from 5.9 up.
SAME_GREY = 1.6
# Share of the contrast between the orders of the pixels from dark to light that the other does not explain. Of one
# image: at most 0.04 (gamma 0.8, 20 grey levels brighter), 0.07 (gamma 1.3, a fifth brighter and cut off at white). Of
# neighbours from 0.051 up, 0.35 in the median; of another drive from 0.19 up.
SAME_ORDER = 0.05
ALIKE = 0.9  # cosine of the coarse copies from which on it is looked at: of such images from 0.97 up
FLAT_GREY = 4.0  # standard deviation below which an image shows nothing by which it could be known
ROWS_AT_ONCE = 1024


class Views(NamedTuple):
    """Small grey copies (M, 48, 64) float32 of images, and which row of a table each is of (M,)."""

    rows: NDArray[np.intp]
    copies: NDArray[np.float32]

    @classmethod
    def of(cls, copies: Iterable[tuple[int, NDArray[np.float32]]]) -> Views:
        """Collect copies with their rows."""
        listed = list(copies)
        rows = np.array([row for row, _ in listed], dtype=np.intp)
        return cls(rows, np.array([copy for _, copy in listed], dtype=np.float32).reshape(-1, SIZE[1], SIZE[0]))


def small_copy(image: Image | PilImage.Image) -> NDArray[np.float32]:
    """Make the small grey copy of an image.

    The triangle filter weighs alike wherever a pixel lies; a box takes whole pixels, and where their number is no
    multiple two sizes of one image differ by three grey levels.
    """
    pil = image if isinstance(image, PilImage.Image) else PilImage.fromarray(image)
    return np.asarray(pil.convert("L").resize(SIZE, PilImage.Resampling.BILINEAR), dtype=np.float32)


def scene_views(scene: Scene, frames: Iterable[tuple[int, SceneFrame]]) -> Views:
    """Read the views of a scene's frames, each with its row.

    Raises:
        SceneError: an image is missing or damaged; it is named.
    """
    return Views.of((row, _copy_of(scene, frame)) for row, frame in frames)


def _copy_of(scene: Scene, frame: SceneFrame) -> NDArray[np.float32]:
    path = scene.frame_path(frame)
    try:
        with opened(path, SceneError) as file:
            file.draft("L", (2 * SIZE[0], 2 * SIZE[1]))  # JPEG's own reduction: ten times faster
            return small_copy(file)
    except SceneError as error:
        raise SceneError(f"{path}: cannot be read as an image ({error}): extract its recording again") from error


def nearest_views(
    query: Views | None, training: Views | None, count: int
) -> tuple[NDArray[np.intp], Array, NDArray[np.bool_]]:
    """Return for each of `count` query rows the training row that looks most like it, by how many grey levels they
    differ on average, and whether they are one image, as it is, mirrored or upside down; -1, NaN and False where
    nothing was compared."""
    found, grey, same = np.full(count, -1), np.full(count, np.nan), np.zeros(count, dtype=bool)
    if query is None or training is None or not len(query.rows) or not len(training.rows):
        return found, grey, same
    known = _directions(training.copies)
    for start in range(0, len(query.rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        rows, copies = query.rows[part], query.copies[part]
        shows = copies.std(axis=(1, 2)) >= FLAT_GREY
        for flipped in (copies, copies[:, :, ::-1], copies[:, ::-1], copies[:, ::-1, ::-1]):
            alike = _directions(flipped) @ known.T
            best = np.argmax(alike, axis=1)
            twins = training.copies[best]
            apart = np.abs(_levelled(flipped) - _levelled(twins)).mean(axis=(1, 2))
            one = apart <= SAME_GREY
            doubtful = ~one & (alike.max(axis=1) >= ALIKE)
            one[doubtful] = _unexplained(_order(flipped[doubtful]), _order(twins[doubtful])) <= SAME_ORDER
            one &= shows
            new = one & ~same[rows] if flipped is not copies else np.ones(len(rows), dtype=bool)
            found[rows[new]], grey[rows[new]] = training.rows[best[new]], apart[new]
            same[rows] |= one
    return found, grey, same


def _levelled(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the mean brightness away, which another decoder may shift."""
    return copies - copies.mean(axis=(1, 2), keepdims=True)


def _order(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return which place each pixel (M, H * W) has from dark to light."""
    flat = copies.reshape(len(copies), SIZE[0] * SIZE[1])
    return np.argsort(np.argsort(flat, axis=1, kind="stable"), axis=1).astype(np.float32)


def _unexplained(values: NDArray[np.float32], others: NDArray[np.float32]) -> Array:
    """Return sqrt(1 - r^2) of the correlation r of rows."""
    values, others = (of - of.mean(axis=1, keepdims=True) for of in (values, others))
    lengths = np.linalg.norm(values, axis=1) * np.linalg.norm(others, axis=1)
    r = np.clip((values * others).sum(axis=1) / np.maximum(lengths, 1e-6), 0, 1)
    return np.asarray(np.sqrt(1 - r**2), dtype=np.float64)


def _directions(copies: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return coarse copies (M, 192) without brightness and contrast, as vectors of unit length."""
    height, width = SIZE[1] // COARSE, SIZE[0] // COARSE
    coarse = _levelled(copies).reshape(-1, height, COARSE, width, COARSE).mean(axis=(2, 4)).reshape(len(copies), -1)
    return coarse / np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-6)
