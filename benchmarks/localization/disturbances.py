"""What happens to a camera's image: darkness, blur, exposure, people in the way, another lens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.simulation.textures import paint

READ_NOISE = 2.5  # grey levels, as the renderer's
PERSON_HEIGHT, PERSON_WIDTH = 1.8, 0.5  # metres


def exposed(image: Image, gain: float, number: int) -> Image:
    """The image at another gain, with the noise of the sensor; gain 0 is a covered lens, 0.03 a dark room."""
    rng = np.random.default_rng([0xDA2C, number])
    noisy = image * np.float32(gain) + READ_NOISE * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def image_motion(camera: Camera, map_from_cam: Pose, map_from_next: Pose, depth_m: float = 2.5) -> Array:
    """How the middle of the image moves (x, y) to the next image; sideways where it stands still."""
    point = map_from_next.inverse().transform(map_from_cam.transform([[0.0, 0.0, depth_m]]))
    motion = camera.project(point)[0] - camera.centre
    return motion if np.linalg.norm(motion) > 0.5 else np.array([1.0, 0.0])


def through_lens(image: Image, taken_by: Camera, lens: Camera) -> Image:
    """What `lens` would have seen from the same place; `taken_by` has no distortion.

    Raises:
        ValueError: part of it lies outside of the image.
    """
    source = _source_pixels(taken_by, lens)
    return np.asarray(cv2.remap(image, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


@cache
def _source_pixels(taken_by: Camera, lens: Camera) -> NDArray[np.float32]:
    """For each pixel of `lens` the pixel (x, y) of `taken_by`, (H, W, 2)."""
    columns, rows = np.meshgrid(np.arange(lens.width), np.arange(lens.height))
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1)
    rays = lens.rays(pixels)
    source = (rays * taken_by.focal + taken_by.centre).astype(np.float32).reshape(lens.height, lens.width, 2)
    if source.min() < -1 or (source.max(axis=(0, 1)) > (taken_by.width, taken_by.height)).any():
        raise ValueError(f"{lens} sees more than {taken_by} has taken")
    return source


@dataclass(frozen=True)
class Person:
    """Somebody who walks straight from `start` to `end`, (forward, left) metres from the robot, in a time (seconds)."""

    seed: int
    start: tuple[float, float]
    end: tuple[float, float]
    start_s: float
    end_s: float

    def place(self, at_s: float) -> tuple[float, float] | None:
        """(forward, left), None before and after."""
        if not self.start_s <= at_s < self.end_s:
            return None
        done = (at_s - self.start_s) / (self.end_s - self.start_s)
        forward, left = (a + done * (b - a) for a, b in zip(self.start, self.end, strict=True))
        # Nobody walks as on rails: a step of 0.55 s sways by 2 cm.
        return forward, left + 0.02 * float(np.sin(2 * np.pi * at_s / 0.55))


def with_people(image: Image, camera: Camera, map_from_cam: Pose, people: tuple[Person, ...], at_s: float) -> Image:
    """The image with those who are in the view at that time, the farthest drawn first."""
    there = [(person, place) for person in people if (place := person.place(at_s)) is not None]
    for person, place in sorted(there, key=lambda row: -row[1][0]):
        image = _with_person(image, camera, map_from_cam, person.seed, place)
    return image


def _with_person(image: Image, camera: Camera, map_from_cam: Pose, seed: int, place: tuple[float, float]) -> Image:
    forward = map_from_cam.rotation.apply([0.0, 0.0, 1.0]) * (1, 1, 0)
    forward /= np.linalg.norm(forward)
    left = np.array([-forward[1], forward[0], 0.0])
    feet = map_from_cam.translation * (1, 1, 0) + place[0] * forward + place[1] * left
    # A person has a front to every side: the silhouette is turned to the camera.
    towards = (map_from_cam.translation - feet) * (1, 1, 0)
    right = np.cross([0.0, 0.0, 1.0], towards / np.linalg.norm(towards)) * PERSON_WIDTH / 2
    up = np.array([0.0, 0.0, PERSON_HEIGHT])
    corners = np.array([feet - right + up, feet + right + up, feet + right, feet - right])
    in_picture = camera.project(map_from_cam.inverse().transform(corners)).astype(np.float32)
    if not np.isfinite(in_picture).all():
        return image
    clothes, silhouette = _person(seed)
    height, width = silhouette.shape
    picture = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    view_from_person = cv2.getPerspectiveTransform(picture, in_picture)
    size = (camera.width, camera.height)
    drawn = cv2.warpPerspective(clothes, view_from_person, size, flags=cv2.INTER_LINEAR)
    cover = cv2.warpPerspective(silhouette, view_from_person, size, flags=cv2.INTER_LINEAR)[..., None] / np.float32(255)
    return np.round(image * (1 - cover) + drawn * cover).astype(np.uint8)


@cache
def _person(seed: int) -> tuple[Image, Image]:
    """Clothes (H, W, 3) and silhouette (H, W) at 250 pixels a metre."""
    shirt, trousers = paint("fabric", PERSON_WIDTH, 0.8, 2 * seed), paint("fabric", PERSON_WIDTH, 1.0, 2 * seed + 1)
    clothes = np.concatenate([shirt, trousers // 2])
    height, width = clothes.shape[:2]
    head = (width // 2, round(0.07 * height))
    cv2.circle(clothes, head, round(0.08 * height), (205, 165, 140), -1)
    silhouette = np.zeros((height, width), dtype=np.uint8)
    cv2.ellipse(silhouette, head, (round(0.16 * width), round(0.068 * height)), 0, 0, 360, 255, -1)
    cv2.rectangle(silhouette, (2, round(0.15 * height)), (width - 3, round(0.5 * height)), 255, -1)
    cv2.rectangle(silhouette, (round(0.16 * width), round(0.13 * height)), (round(0.84 * width), height - 1), 255, -1)
    return clothes, silhouette
