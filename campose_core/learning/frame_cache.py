"""A scene's frames at the network's size, decoded once.

    SCENE/cache/frames-KEY.npy    uint8 [N, S, S, 3], read by memory map; KEY covers the frames, their cameras and S

A cache may be deleted at any time; the one of other frames or another size is removed when a new one is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campose_core.errors import LearningError
from campose_core.files import replacing
from campose_core.image_files import opened
from campose_core.pixels.network_input import NetworkInput
from campose_core.progress import track
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

Images = NDArray[np.uint8]


def cached_images(scene: Scene, frames: Sequence[SceneFrame], network_input: NetworkInput) -> Images:
    """Return the images [N, S, S, 3] uint8 of `frames` as the network sees them, memory-mapped.

    Raises:
        LearningError: a frame's file is missing, damaged, or not of its camera's size. OSError: the disk is full.
    """
    path = scene.path / "cache" / f"frames-{_key(scene, frames, network_input)}.npy"
    shape = (len(frames), network_input.size, network_input.size, 3)
    if (kept := _kept(path, shape)) is None:
        images = (_image(scene, frame, network_input) for frame in track(frames, "preprocessing frames"))
        try:
            _write(path, shape, images)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        for other in set(path.parent.glob(f"frames-*-{network_input.size}.npy")) - {path}:
            other.unlink(missing_ok=True)
        kept = np.load(path, mmap_mode="r")
    return kept


def _kept(path: Path, shape: tuple[int, ...]) -> Images | None:
    """None where it is not there, or damaged."""
    try:
        kept: Images = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return kept if (kept.shape, kept.dtype) == (shape, np.uint8) else None


def _write(path: Path, shape: tuple[int, ...], images: Iterable[Images]) -> None:
    """Not through a memory map: where the disk is full, that ends the process without a word."""
    with replacing(path) as beside, open(beside, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.writelines(image.tobytes() for image in images)


def _image(scene: Scene, frame: SceneFrame, network_input: NetworkInput) -> Images:
    path = scene.frame_path(frame)
    try:
        with opened(path, LearningError) as file:
            image = np.asarray(file.convert("RGB"))
    except LearningError as error:
        raise LearningError(f"{path}: cannot be read as an image: {error}; extract the scene again") from error
    try:
        return network_input.prepare(image, scene.cameras[frame.camera])
    except LearningError as error:
        raise LearningError(f"{path}: {error}") from error


def _key(scene: Scene, frames: Sequence[SceneFrame], network_input: NetworkInput) -> str:
    # A frame extracted again under its old name has another stamp, size or time of writing.
    files = [(f.name, f.stamp_ns, f.camera, *_written(scene.frame_path(f))) for f in frames]
    text = json.dumps([files, {k: v.to_dict() for k, v in scene.cameras.items()}, network_input.camera.to_dict()])
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-{network_input.size}"


def _written(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise LearningError(f"{path}: {error.strerror}; extract the scene again") from error
    return status.st_size, status.st_mtime_ns
