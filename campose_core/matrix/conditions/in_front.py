"""What stands between the camera and the place: drops on the lens, people; and another lens in its stead."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.frame import Frame, Image
from campose_core.simulation.textures import paint

MOST_DROPS = 200
DROP_RADII = (0.012, 0.06)  # of the image's width
MOST_COVERED = 0.85  # of the image, by people at severity 1
WALK = 0.15  # image widths a second that they move
LONGEST_ZOOM = 2.0


@lru_cache(maxsize=4)
def drops(width: int, height: int, severity: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return, for drops that stay where they fell, the pixel (x, y) that each pixel shows, and how much of a drop it
    is, (H, W, 2) and (H, W).

    A drop is a short lens: it shows most of the view, small and upside down (von Bernuth et al., "Rendering
    physically correct raindrops on windshields", CVPRW 2018).
    """
    rng = np.random.default_rng([seed, 0xD209])
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    source, cover = np.stack([columns, rows], axis=-1), np.zeros((height, width), dtype=np.float32)
    # The same first drops at every severity: more rain is the same window, later.
    places = rng.uniform((0, 0), (width, height), (MOST_DROPS, 2))
    radii = width * rng.uniform(*DROP_RADII, MOST_DROPS)
    for (x, y), radius in list(zip(places, radii, strict=True))[: round(MOST_DROPS * severity)]:
        away = np.stack([columns - x, rows - y], axis=-1) / radius
        inside = np.hypot(away[..., 0], away[..., 1] / 1.2)  # drops hang
        shown = np.array([width, height]) * (0.5 - 0.4 * away)
        source = np.where((inside < 1)[..., None], shown.astype(np.float32), source)
        cover = np.maximum(cover, np.clip(4 * (1 - inside), 0, 1).astype(np.float32))
    return source, cover


def rain(image: Image, camera: Camera, severity: float, seed: int) -> Image:
    """Return the image through a wet lens; drops are out of focus."""
    source, cover = drops(camera.width, camera.height, severity, seed)
    x, y = cv2.split(source)
    refracted = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    refracted = cv2.blur(refracted, (round(camera.width / 60) | 1,) * 2)
    return np.asarray(np.round(image * (1 - cover[..., None]) + refracted * cover[..., None]), dtype=np.uint8)


def people(frame: Frame, severity: float, seed: int) -> Image:
    """Return the image with people who walk through it, before MOST_COVERED * severity of it or a little more.

    Each keeps a size and a pace; as many are there as it takes.
    """
    height, width = frame.image.shape[:2]
    rng = np.random.default_rng([seed, 0x9E09])
    image, covered = frame.image.copy(), np.zeros((height, width), dtype=bool)
    while covered.mean() < MOST_COVERED * severity:
        tall, start, pace = rng.uniform(0.6, 1.4) * height, rng.uniform(), rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)
        middle = ((start + WALK * pace * frame.stamp_ns * 1e-9) % 1.4 - 0.2) * width
        clothes, silhouette = _person(round(0.36 * tall), round(tall), int(rng.integers(20)))
        # The feet are below the image: they are near.
        left, top = round(middle - silhouette.shape[1] / 2), height - round(0.85 * tall)
        rows = slice(max(top, 0), min(top + silhouette.shape[0], height))
        columns = slice(max(left, 0), min(left + silhouette.shape[1], width))
        if columns.start >= columns.stop:
            continue
        part = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        shape = silhouette[part]
        image[rows, columns][shape] = clothes[part][shape]
        covered[rows, columns] |= shape
    return image


@lru_cache(maxsize=256)
def _person(width: int, height: int, seed: int) -> tuple[Image, NDArray[np.bool_]]:
    """Clothes (H, W, 3) and where in them somebody is (H, W)."""
    clothes = np.concatenate([paint("fabric", 0.5, 0.8, 2 * seed), paint("fabric", 0.5, 1.0, 2 * seed + 1) // 2])
    clothes = np.asarray(cv2.resize(clothes, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    silhouette = np.zeros((height, width), dtype=np.uint8)
    middle = (width // 2, round(0.075 * height))
    cv2.ellipse(silhouette, middle, (round(0.16 * width), round(0.07 * height)), 0, 0, 360, 1, -1)
    cv2.rectangle(silhouette, (0, round(0.15 * height)), (width, round(0.5 * height)), 1, -1)
    cv2.rectangle(silhouette, (round(0.16 * width), round(0.13 * height)), (round(0.84 * width), height), 1, -1)
    return clothes, silhouette.astype(bool)


def zoomed(frame: Frame, camera: Camera, severity: float) -> tuple[Frame, Camera]:
    """Return what a lens of up to LONGEST_ZOOM times the focal length sees from the same place, and its intrinsics."""
    zoom = LONGEST_ZOOM**severity
    width, height = round(camera.width / zoom), round(camera.height / zoom)
    left, top = (camera.width - width) // 2, (camera.height - height) // 2
    part = np.ascontiguousarray(frame.image[top : top + height, left : left + width])
    image = cv2.resize(part, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    lens = camera.cropped(left, top, width, height).resized(camera.width, camera.height)
    return frame._replace(image=np.asarray(image, dtype=np.uint8), jpeg=None), lens
