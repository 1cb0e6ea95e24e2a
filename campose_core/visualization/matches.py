"""An image with the landmarks that were found in it: what the pose rests on, for people to look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from campose_core.extras import load_extra
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.localization.estimators.base import Matches
from campose_core.localization.result import LocalizationResult, Status

MAX_SIDE = 960  # pixels of the drawing
JPEG_QUALITY = 80
SEEN, EXPECTED, OFFSET = (60, 220, 80), (255, 60, 200), (255, 220, 60)  # RGB
GOOD, BAD = (60, 220, 80), (255, 90, 70)
SUBPIXEL_BITS = 4  # of OpenCV's drawing functions


def draw_matches(image: Image, matches: Matches | None, map_from_cam: Pose | None, text: str, good: bool) -> Image:
    """Draw `image` (H, W, 3) RGB or (H, W) with a line of text, green when `good`, at most MAX_SIDE wide and high.

    Each match is a dot where its landmark was seen, and where map_from_cam is given a ring where the landmark should
    be, joined by a line: a good pose has short lines everywhere.
    """
    cv2 = load_extra("cv2", "robot")
    canvas, scale = _canvas(cv2, image)
    if matches is not None:
        seen = _drawn(matches.pixels, scale)
        if map_from_cam is not None:
            pixels = matches.camera.project(map_from_cam.inverse().transform(matches.xyz))
            shown = np.isfinite(pixels).all(axis=1)
            expected = _drawn(pixels[shown], scale)
            offsets = np.stack([seen[shown], expected], axis=1).astype(np.int32)
            cv2.polylines(canvas, list(offsets), False, OFFSET, 1, cv2.LINE_AA, SUBPIXEL_BITS)
            for x, y in expected.tolist():
                cv2.circle(canvas, (x, y), 4 << SUBPIXEL_BITS, EXPECTED, 1, cv2.LINE_AA, SUBPIXEL_BITS)
        for x, y in seen.tolist():
            cv2.circle(canvas, (x, y), 2 << SUBPIXEL_BITS, SEEN, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
    font, width = cv2.FONT_HERSHEY_SIMPLEX, canvas.shape[1]
    size = 0.6 * width / 640
    height = round(34 * width / 640)
    canvas[:height] //= 3
    cv2.putText(canvas, text, (height // 4, round(0.7 * height)), font, size, GOOD if good else BAD, 1, cv2.LINE_AA)
    return np.asarray(canvas)


def draw_result(image: Image, result: LocalizationResult) -> Image:
    """Draw the image (H, W, 3) RGB or (H, W) with what became of it."""
    text = f"{result.status.value}  {result.support} landmarks"
    if result.kind is not None:
        text += f"  {result.kind.value}"
    if result.off_map:
        text += "  off the map"
    if result.scale.caution():
        text += f"  scale {result.scale.basis.value}"
    good = result.status is Status.TRACKING and result.map_from_cam is not None and not result.off_map
    return draw_matches(image, result.matches, result.map_from_cam, text, good)


def encode_drawing(drawing: Image) -> bytes:
    """Encode a drawing (H, W, 3) RGB as JPEG."""
    cv2 = load_extra("cv2", "robot")
    _, data = cv2.imencode(".jpg", drawing[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(data)


def _canvas(cv2: Any, image: Image) -> tuple[Any, float]:
    """Make a copy to draw on; also returns its size over that of the image."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    if scale < 1.0:
        image = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), scale
    return image.copy(), scale


def _drawn(pixels: Array, scale: float) -> Any:
    """Fixed-point places in the drawing. Pixel centres are whole numbers in both images."""
    return np.round(((pixels + 0.5) * scale - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)
