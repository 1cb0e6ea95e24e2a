"""Darkness, glare, fog, motion blur and compression: what happens to the light on its way, and to the pixels after it.

Light adds up before the camera's tone curve, so images are taken back to it: value = 255 * light ** (1 / 2.2).
"""

from __future__ import annotations

import cv2
import numpy as np

from campose_core.camera import Camera
from campose_core.frame import Image
from campose_core.geometry import Array

GAMMA = 2.2
# A small sensor (EMVA Standard 1288, linear model): noise variance = electrons + read noise squared.
FULL_WELL, READ_NOISE = 10_000.0, 3.0
NIGHT_STOPS = 10.0  # less light at severity 1: from an office, 500 lx, to the light of an exit sign, 0.5 lx
MOST_GAIN_STOPS = 5.0  # by which the camera brightens the image again
LAMP = 8.0  # the halo's middle at severity 1, in units of white
HALO_DEG = 10.0
LONGEST_BLUR = 0.08  # of the image's width
BEST_QUALITY, WORST_QUALITY = 95, 2
MOST_FOG = 1.2  # extinction per metre: at severity 1 contrast falls to 5 % in 2.5 m


def light_of(image: Image) -> Array:
    """Return the light (H, W, 3), white is 1, that made an image."""
    return (image.astype(np.float32) / np.float32(255)) ** np.float32(GAMMA)


def image_of(light: Array) -> Image:
    """Return the image of light (H, W, 3); what is brighter than white is white."""
    return np.asarray(np.round(255 * np.clip(light, 0, 1) ** (1 / GAMMA)), dtype=np.uint8)


def night(image: Image, camera: Camera, severity: float, rng: np.random.Generator) -> Image:
    """Return the image taken with less light: fewer electrons, their shot noise, read noise, and a gain at its end."""
    stops = NIGHT_STOPS * severity
    electrons = light_of(image) * np.float32(FULL_WELL * 2**-stops)
    noise = np.sqrt(electrons + np.float32(READ_NOISE**2)) * rng.standard_normal(image.shape, dtype=np.float32)
    return image_of((electrons + noise) * np.float32(2 ** min(stops, MOST_GAIN_STOPS) / FULL_WELL))


def glare(image: Image, camera: Camera, severity: float, lamp: Array) -> Image:
    """Return the image with a lamp in view, whose scattered light falls off with the square of the angle.

    After Stiles and Holladay (CIE 146:2002), with a core of HALO_DEG; the exposure keeps the mean brightness.
    lamp: its direction (x / z, y / z).
    """
    rows, columns = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    x, y = (columns - cx) / fx - lamp[0], (rows - cy) / fy - lamp[1]
    angle_deg = np.degrees(np.arctan(np.hypot(x, y)))
    light = light_of(image)
    veiled = light + (severity * LAMP / (1 + (angle_deg / HALO_DEG) ** 2))[..., None]
    return image_of(veiled * (light.mean() / veiled.mean()))


def fog(image: Image, distance_m: Array, severity: float) -> Image:
    """Return the image through fog: transmission exp(-beta d), and the fog's own light for the rest (Koschmieder 1924).

    distance_m: (H, W) from the camera to what each pixel shows.
    """
    light = light_of(image)
    through = np.exp(-severity * MOST_FOG * distance_m)[..., None].astype(np.float32)
    return image_of(light * through + np.float32(0.6) * (1 - through))


def motion_blurred(image: Image, length_px: float, direction: Array) -> Image:
    """Return the image smeared over `length_px` pixels along `direction` (x, y)."""
    size = 2 * int(np.ceil(length_px / 2)) + 1
    along = np.asarray(direction) / np.linalg.norm(direction)
    kernel = np.zeros((size, size), dtype=np.float32)
    for at in np.linspace(-length_px / 2, length_px / 2, 8 * size):
        x, y = np.round(size // 2 + at * along).astype(int)
        kernel[y, x] += 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def motion_blur(image: Image, camera: Camera, severity: float, rng: np.random.Generator) -> Image:
    """Return the image of a camera that turns while it exposes: about the vertical, as robots and people do."""
    tilt = rng.normal(0.0, np.radians(15))
    return motion_blurred(image, severity * LONGEST_BLUR * camera.width, np.array([np.cos(tilt), np.sin(tilt)]))


def jpeg(image: Image, camera: Camera, severity: float, rng: np.random.Generator) -> Image:
    """Return the image as a JPEG file of low quality has it."""
    quality = round(BEST_QUALITY - (BEST_QUALITY - WORST_QUALITY) * severity)
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)[..., ::-1])
