"""The frames of a set as image files for COLMAP and for learned features: OUT/RECORDING/STAMP_NS.jpg.

Where the camera is known (camera.json, or the recording's own) its distortion is taken out of the images. They get a
larger canvas then, at the resolution of the middle of the image, so that nothing of what the camera saw to its left,
right, top and bottom is lost; a mask beside them says where there is no image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.real.kept import digest_of, digest_of_files, kept
from benchmarks.real.sets import MAPPING_FPS, RealSet, Recorded
from campose_core.camera import Camera
from campose_core.cli.console import say
from campose_core.errors import GeometryError
from campose_core.geometry import Array
from campose_core.pixels.image_codec import encode_jpeg

VERSION = 1
QUALITY = 97
WIDEST_DEG = 65.0  # from the axis, to each side: beyond it the undistorted image is mostly stretched border
MASK_MARGIN_PX = 3


@dataclass(frozen=True)
class Images:
    """The images of one recording.

    stamps_ns: of all frames, in order. camera: of the images as they lie here, None where nothing is known of it.
    mask: an image that is black where there is nothing to see, None where all is to see. digest: of what they were
    made from.
    """

    name: str
    folder: Path
    stamps_ns: tuple[int, ...]
    size: tuple[int, int]
    camera: Camera | None
    mask: Path | None
    digest: str

    @property
    def keys(self) -> list[str]:
        return [f"{self.name}/{stamp_ns}" for stamp_ns in self.stamps_ns]

    @property
    def files(self) -> list[str]:
        """Names below `folder`'s parent, as COLMAP takes them."""
        return [f"{key}.jpg" for key in self.keys]


def pictures_of(real_set: RealSet, out: Path) -> dict[str, Images]:
    """The images of all recordings of a set, by name; prepared where they are missing."""
    camera = real_set.camera()
    mapping = {recording.name for recording in real_set.mapping}
    return {
        recording.name: _pictures(recording, camera, MAPPING_FPS if recording.name in mapping else None, out)
        for recording in real_set.recordings
    }


def groups_by_size(pictures: Sequence[Images]) -> list[dict[str, Any]]:
    """Images that share a camera, as `colmap_stages` takes them: those of one size."""
    groups: dict[tuple[int, int], list[Images]] = {}
    for part in pictures:
        groups.setdefault(part.size, []).append(part)
    return [
        {
            "names": [file for part in parts for file in part.files],
            "camera": parts[0].camera.to_dict() if parts[0].camera else None,
            "mask": str(parts[0].mask) if parts[0].mask else None,
        }
        for parts in groups.values()
    ]


def _pictures(recording: Recorded, camera: Camera | None, fps: float | None, out: Path) -> Images:
    inputs = {
        "version": VERSION,
        "recording": digest_of_files(recording.files()),
        "name": recording.name,
        "camera": camera.to_dict() if camera else None,
        "fps": fps,
    }
    folder = out / recording.name
    result = kept(folder, inputs, lambda beside: _prepare(recording, camera, fps, beside))
    return Images(
        name=recording.name,
        folder=folder,
        stamps_ns=tuple(result["stamps_ns"]),
        size=tuple(result["size"]),
        camera=Camera.from_dict(result["camera"]) if result["camera"] else None,
        mask=folder / "mask.png" if result["masked"] else None,
        digest=digest_of(inputs),
    )


def _prepare(recording: Recorded, given: Camera | None, fps: float | None, folder: Path) -> dict[str, Any]:
    say(f"{recording.path}: reading")
    opened = recording.open()
    stamps_ns, remap, size, camera = [], None, None, None
    for frame in opened.frames(fps):
        height, width = frame.image.shape[:2]
        if size is None:
            size = width, height
            camera = _of_size(given or opened.camera, width, height)
            remap = Undistortion(camera) if camera and is_distorted(camera) else None
        elif size != (width, height):
            say(f"{recording.path}: frame {frame.name} has another size and is left out")
            continue
        data = encode_jpeg(remap(frame.image), QUALITY) if remap else frame.jpeg or encode_jpeg(frame.image, QUALITY)
        (folder / f"{frame.stamp_ns}.jpg").write_bytes(data)
        stamps_ns.append(frame.stamp_ns)
    if remap:
        camera, size = remap.camera, (remap.camera.width, remap.camera.height)
        cv2.imwrite(str(folder / "mask.png"), remap.mask)
    return {
        "stamps_ns": stamps_ns,
        "size": size or (0, 0),
        "camera": camera.to_dict() if camera else None,
        "masked": remap is not None,
    }


def _of_size(camera: Camera | None, width: int, height: int) -> Camera | None:
    """The camera for images of this size; None for images of another shape, which it does not know."""
    if camera is None or (camera.width, camera.height) == (width, height):
        return camera
    try:
        return camera.resized(width, height)
    except GeometryError as error:
        say(f"{json.dumps(camera.to_dict())} is not used: {error}")
        return None


def is_distorted(camera: Camera) -> bool:
    rays = np.array([[0.3, 0.2], [-0.1, 0.4]])
    return not np.allclose(camera.distort(rays), rays, atol=1e-6)


class Undistortion:
    """Images of a camera as a pinhole of one focal length would take them: `camera`.

    mask: as large, 0 where the camera saw nothing.
    """

    def __init__(self, distorted: Camera) -> None:
        fx, fy = distorted.focal
        cx, cy = distorted.centre
        focal = (fx + fy) / 2
        right, turn = _ray_at_edge(distorted, (distorted.width - 1 - cx) / fx, (1.0, 0.0))
        left, _ = _ray_at_edge(distorted, cx / fx, (-1.0, 0.0))
        down, _ = _ray_at_edge(distorted, (distorted.height - 1 - cy) / fy, (0.0, 1.0))
        up, _ = _ray_at_edge(distorted, cy / fy, (0.0, -1.0))
        width, height = round(focal * (left + right)) + 1, round(focal * (up + down)) + 1
        self.camera = Camera("SIMPLE_RADIAL", width, height, (focal, focal * left, focal * up, 0.0))
        x, y = np.meshgrid(np.arange(width) / focal - left, np.arange(height) / focal - up)
        rays = np.stack([x.ravel(), y.ravel()], axis=1)
        source = distorted.distort(rays) * distorted.focal + distorted.centre
        inside = np.all((source >= 0) & (source <= (distorted.width - 1, distorted.height - 1)), axis=1)
        inside &= np.hypot(*rays.T) <= turn
        source[~inside] = -1e4
        self._source = source.reshape(height, width, 2).astype(np.float32)
        seen = np.pad(inside.reshape(height, width).astype(np.uint8), 1)
        margin = np.ones((2 * MASK_MARGIN_PX + 1,) * 2, dtype=np.uint8)
        self.mask = 255 * cv2.erode(seen, margin, borderValue=0)[1:-1, 1:-1]

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.remap(image, self._source[..., 0], self._source[..., 1], cv2.INTER_LINEAR))


def _ray_at_edge(camera: Camera, edge: float, direction: tuple[float, float]) -> tuple[float, float]:
    """Length of the ray in the image plane that is distorted to `edge`, and that at which the distortion folds over."""
    lengths = np.linspace(0.0, np.tan(np.radians(WIDEST_DEG)), 4001)
    reached: Array = camera.distort(lengths[:, None] * np.array(direction)) @ np.array(direction)
    folds = np.flatnonzero(np.diff(reached) <= 0)
    rising = int(folds[0]) + 1 if len(folds) else len(lengths)
    at = min(int(np.searchsorted(reached[:rising], edge)), rising - 1)
    return float(lengths[at]), float(lengths[rising - 1])
