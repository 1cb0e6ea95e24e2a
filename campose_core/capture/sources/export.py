"""An export as a recording: its images, with the stamps, the intrinsics and the poses that it knows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from campose_core.camera import Camera
from campose_core.capture.file_stamps import stamps_in_names
from campose_core.capture.sources.image_folder import ImageAt, frames_of_files
from campose_core.capture.sources.video import VideoRecording
from campose_core.capture.thinning import thinned
from campose_core.errors import CaptureError
from campose_core.exports.colmap_model import read_colmap_model
from campose_core.exports.export import Export, ExportedFrame, by_camera, shared
from campose_core.exports.table import is_export, read_export
from campose_core.files import is_there
from campose_core.frame import Frame
from campose_core.pixels.levels import Levels
from campose_core.trajectory import FRAME_PERIOD_NS, Trajectory

log = logging.getLogger(__name__)

KIND = "export"
SAME_SIZE = 0.1  # of a video and of twice its principal point, relative; turned or scaled ones differ by a quarter


class ExportedRecording:
    """The images of an export in the order of their stamps; pixels are as they are stored, as their intrinsics are.

    Images of an export without a clock have their names' stamps where all names are some, else one every 0.1 s.

    Raises:
        CaptureError: the export cannot be read; from `frames`, when none of its images can.
    """

    form = "the export of a capture app or a data set (docs/exports.md)"
    has_topics = False

    @staticmethod
    def recognizes(path: Path) -> bool:
        return is_export(path)

    def __init__(self, path: Path, *, name: str | None = None, export: Export | None = None) -> None:
        self.path = path
        self.name = name or path.resolve().name
        self.dropped: dict[str, int] = Counter()
        self.export = export or read_export(path)
        self.camera_label = ""
        self.clock, stamped = _stamped(self.export)
        self._stamped = stamped
        with self._naming():
            self.camera = self._one_camera()
        self.calibrated = self.export.calibrated and self.camera is not None and len(self._by_camera()) == 1

    def by_camera(self) -> list[ExportedRecording]:
        """Return the images of each camera as a recording of its own, the one that took most of them first."""
        groups = self._by_camera()
        if len(groups) < 2:
            return [self]
        log.info(f"{self.path}: {len(self._stamped)} images of {len(groups)} cameras, each with intrinsics of its own")
        parts = []
        for number, rows in enumerate(groups):
            part = copy(self)
            part.dropped = Counter()
            part._stamped = [self._stamped[row] for row in rows]
            part.camera = part._one_camera()
            part.calibrated = self.export.calibrated and part.camera is not None
            part.camera_label = f"camera{number + 1}"
            parts.append(part)
        return parts

    def describe(self) -> dict[str, str]:
        return {
            "kind": KIND,
            "path": str(self.path),
            "program": self.export.program,
            "posed": str(sum(frame.world_from_cam is not None for _, _, frame in self._stamped)),
            **({"stamps": self.clock} if self.clock else {}),
            **({"camera": self.camera_label} if self.camera_label else {}),
        }

    def frames(self, fps: float | None = None) -> Iterator[Frame]:
        """Yield frames named by their number in the export.

        Raises:
            CaptureError: not one image can be decoded.
        """
        self.dropped.clear()
        chosen = thinned(((stamp, (number, frame)) for stamp, number, frame in self._stamped), fps)
        if self.export.video is not None:
            with self._naming():
                yield from self._of_video(self.export.video, [(stamp, frame) for stamp, (_, frame) in chosen])
            return
        wanted = [ImageAt(stamp, f"{number:06d}", Path(str(frame.image))) for stamp, (number, frame) in chosen]
        yield from frames_of_files(self.path, wanted, self.name, Levels(), self.dropped, upright=False)

    def _of_video(self, path: Path, chosen: Sequence[tuple[int, ExportedFrame]]) -> Iterator[Frame]:
        video = VideoRecording(path, self.name)
        stamps = {int(str(frame.image)): stamp_ns for stamp_ns, frame in chosen}
        for found in video.numbered(stamps):
            yield found._replace(stamp_ns=stamps.pop(int(found.name)))
        self.dropped.update(video.dropped)
        if stamps:
            self.dropped["image that the video lacks"] += len(stamps)

    def files(self) -> list[Path]:
        """Return all files of the export, wherever its images lie; of a packed one the archive."""
        if self.export.unpacked is not None:
            return [self.path]
        inside = [self.path] if self.path.is_file() else [file for file in self.path.rglob("*") if file.is_file()]
        images = (frame.image for frame in self.export.frames if isinstance(frame.image, Path))
        return sorted({*inside, *(image for image in images if is_there(image))})

    def trajectory(self) -> Trajectory:
        """Return world_from_cam of the images that have one, at their stamps."""
        posed = [(stamp, frame.world_from_cam) for stamp, _, frame in self._stamped]
        known = [(stamp, pose) for stamp, pose in posed if pose is not None]
        stamps_ns = np.array([stamp for stamp, _ in known], dtype=np.int64)
        return Trajectory.from_poses(stamps_ns, [pose for _, pose in known], self.export.world_name, "")

    def _naming(self) -> AbstractContextManager[None]:
        return nullcontext() if self.export.unpacked is None else self.export.unpacked.naming()

    def _by_camera(self) -> list[list[int]]:
        return by_camera([frame for _, _, frame in self._stamped])

    def _one_camera(self) -> Camera | None:
        """Return the camera of the largest group of images, at the size of the video where they are one's frames."""
        rows = self._by_camera()[0]
        camera = shared([self._stamped[row][2].camera for row in rows])
        if camera is None or self.export.video is None:
            return camera
        width, height = VideoRecording(self.export.video).stored_size
        if abs(camera.width / width - 1) > SAME_SIZE or abs(camera.height / height - 1) > SAME_SIZE:
            raise CaptureError(
                f"{self.export.video}: is {width}x{height}, and its intrinsics are of an image of about "
                f"{camera.width}x{camera.height}: give the video as it was exported, not scaled or turned"
            )
        return replace(camera, width=width, height=height)


def colmap_recording(path: Path, images: Path, name: str | None = None) -> ExportedRecording:
    """Return the images of a COLMAP model; `images` is the folder that their names start from.

    Raises:
        CaptureError: the model cannot be read, or its images are elsewhere.
    """
    return ExportedRecording(path, name=name, export=read_colmap_model(path, images))


def _stamped(export: Export) -> tuple[str, list[tuple[int, int, ExportedFrame]]]:
    """Return what the stamps are, empty where they only count, and stamp, number and frame in the order of stamps."""
    files = [frame.image for frame in export.frames if isinstance(frame.image, Path)]
    known = [frame.stamp_ns for frame in export.frames]
    given = [stamp for stamp in known if stamp is not None]
    if len(given) == len(known):
        clock, stamps = f"those of the {export.program} export", given
    else:
        of_names = stamps_in_names(files) if len(files) == len(known) else None
        clock = "the names of the files" if of_names else ""
        stamps = of_names or [number * FRAME_PERIOD_NS for number in range(len(known))]
    ordered = sorted(zip(stamps, range(len(stamps)), strict=True))
    kept: list[tuple[int, int, ExportedFrame]] = []
    for stamp, row in ordered:
        if kept and kept[-1][0] == stamp:
            log.info(f"{export.path}: two images have the stamp {stamp / 1e9:.6f} s, the first is taken")
            continue
        kept.append((stamp, len(kept), export.frames[row]))
    return clock, kept
