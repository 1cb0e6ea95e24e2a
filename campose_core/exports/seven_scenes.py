"""7-Scenes (Shotton et al., "Scene coordinate regression forests", CVPR 2013).

https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes: seq-NN/frame-XXXXXX.color.png with
frame-XXXXXX.pose.txt, world_from_camera by rows, of KinectFusion, in OpenCV's axes; all sequences of a scene share its
world, which is not level. TrainSplit.txt and TestSplit.txt list `sequenceN`. The Kinect's colour camera was not
calibrated: others take a focal length of 525 pixels (vislearn/dsacstar: datasets/setup_7scenes.py), here the start.
"""

from __future__ import annotations

import re
from pathlib import Path

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import Export, ExportedFrame
from campose_core.exports.pose_files import numbered_images, posed_frames
from campose_core.files import read_text

PROGRAM = "7-Scenes"
FORM = "scene with `TrainSplit.txt`, `seq-01/frame-000000.color.png`; its `TestSplit.txt`; or one `seq-01`"
BRINGS = ("poses", "metres")
NOTE = "in the frame of the scene, whose z is not up; a first guess of the intrinsics"
SPLITS = ("TrainSplit.txt", "TestSplit.txt")
PERIOD_NS = 33_333_333  # a Kinect's 30 images a second; there are no stamps
BETWEEN_NS = 10_000_000_000  # from one sequence to the next
KINECT = Camera("SIMPLE_RADIAL", 640, 480, (525.0, 319.5, 239.5, 0.0))


def recognizes(path: Path) -> bool:
    """Tell whether a path is a scene, the list of its training or test sequences, or one sequence."""
    return bool(_sequences(path)) or (path.name in SPLITS and path.is_file()) or _is_packed_scene(path)


def read(path: Path) -> Export:
    """Read the sequences: of a scene those for training, where it lists them.

    Raises:
        CaptureError: a sequence that is listed is missing, or a pose is damaged.
    """
    scene = path.parent if path.name in SPLITS or _is_sequence(path) else path
    split = path if path.name in SPLITS else path / SPLITS[0]
    folders = _listed(split) if split.is_file() else _sequences(path)
    frames: list[ExportedFrame] = []
    for folder in folders:
        begin_ns = (frames[-1].stamp_ns or 0) + BETWEEN_NS if frames else 0
        frames += posed_frames(folder, PERIOD_NS, KINECT, begin_ns)
    world = scene.resolve().name
    return Export(PROGRAM, path, tuple(frames), calibrated=False, level=False, world=world)


def _is_packed_scene(path: Path) -> bool:
    """Tell a scene as it is downloaded: its zip file holds the lists, and a zip file of each sequence."""
    return path.is_dir() and any((path / name).is_file() for name in SPLITS) and any(path.glob("seq-*.zip"))


def _is_sequence(path: Path) -> bool:
    return path.is_dir() and path.name.startswith("seq-") and bool(numbered_images(path))


def _sequences(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [path] if _is_sequence(path) else sorted(folder for folder in path.glob("seq-*") if _is_sequence(folder))


def _listed(split: Path) -> list[Path]:
    folders = []
    for line in read_text(split, CaptureError).split():
        number = re.fullmatch(r"sequence0*(\d+)", line)
        folder = split.parent / f"seq-{int(number[1]):02d}" if number else split.parent / line
        if number is None or not _is_sequence(folder):
            raise CaptureError(
                f"{split}: {line[:40]!r} is listed, and {folder} holds no images: unpack its zip file there"
            )
        folders.append(folder)
    return folders
