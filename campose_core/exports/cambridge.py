"""Cambridge Landmarks (Kendall et al., "PoseNet", ICCV 2015).

https://www.repository.cam.ac.uk/handle/1810/251342, as vislearn/dsacstar reads it (datasets/setup_cambridge.py):
dataset_train.txt and dataset_test.txt list, after three lines of heading, `image X Y Z W P Q R`: the camera's place in
the world, and the quaternion w, x, y, z of camera_from_world in OpenCV's axes. reconstruction.nvm gives each image's
focal length, and a radial term whose convention VisualSFM alone has: it is estimated anew.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from statistics import median

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.exports.export import Export, ExportedFrame, natural_key
from campose_core.exports.fields import numbers, quaternion_pose
from campose_core.files import is_there, read_text
from campose_core.geometry import Pose
from campose_core.image_files import opened

PROGRAM = "Cambridge Landmarks"
FORM = "scene with `dataset_train.txt`, `reconstruction.nvm`; its `dataset_test.txt`"
BRINGS = ("poses", "metres")
NOTE = "in the frame of the scene, whose z is not up; focal lengths as a first guess"
LISTS = ("dataset_train.txt", "dataset_test.txt")
HEADING = "Visual Landmark Dataset"
DIGITS = 9  # of the number of images of a model


def recognizes(path: Path) -> bool:
    """Tell whether a path is a scene, or the list of its training or test images."""
    folder = path.parent if path.name in LISTS else path
    return all((folder / name).is_file() for name in LISTS)


def read(path: Path) -> Export:
    """Read a list, of a scene that of the training images, in the order of sequences and images.

    Raises:
        CaptureError: a line is damaged, or no image is there.
    """
    table = path if path.is_file() else path / LISTS[0]
    folder = table.parent
    lines = read_text(table, CaptureError).splitlines()
    if not lines or not lines[0].startswith(HEADING):
        raise CaptureError(f"{table}: the first line should begin `{HEADING}`: this is no list of {PROGRAM}")
    listed = []
    for number, line in enumerate(lines[2:], start=3):
        fields, where = line.split(), f"{table}:{number}"
        if fields:
            values = numbers(fields[1:], 7, where, "X Y Z W P Q R")
            listed.append((fields[0], _pose(values.tolist(), where)))
    listed.sort(key=lambda entry: natural_key(entry[0]))
    size = _size([folder / name for name, _ in listed], table)
    focal = _focal_lengths(folder / "reconstruction.nvm")
    usual = median(focal.values()) if focal else None
    frames = [
        ExportedFrame(folder / name, None, _camera(size, focal.get(_key(name), usual)), pose) for name, pose in listed
    ]
    world = folder.resolve().name
    return Export(PROGRAM, path, tuple(frames), calibrated=False, level=False, world=world)


def _pose(values: list[float], where: str) -> Pose:
    x, y, z, qw, qx, qy, qz = values
    world_from_turned = quaternion_pose([qx, qy, qz, qw], [0.0, 0.0, 0.0], where).inverse()
    return Pose(world_from_turned.rotation, numbers([x, y, z], 3, where, "X Y Z"))


def _size(files: list[Path], table: Path) -> tuple[int, int]:
    there = next((file for file in files if is_there(file)), None)
    if there is None:
        raise CaptureError(f"{table}: none of its {len(files)} images is here: unpack the whole scene beside it")
    with opened(there, CaptureError) as image:
        width, height = image.size
    return width, height


def _key(name: str) -> str:
    return name.removeprefix("./").rpartition(".")[0] or name  # .jpg in the model, .png in the lists


def _focal_lengths(path: Path) -> dict[str, float]:
    """Return those of the images of a VisualSFM model (NVM_V3): `name focal qw qx qy qz x y z radial 0`."""
    if not path.is_file():
        return {}
    lines = filter(None, map(str.strip, read_text(path, CaptureError).splitlines()))
    count = next((int(line) for line in lines if line.isdecimal() and len(line) <= DIGITS), 0)
    found = {}
    for line in islice(lines, count):
        name, *values = line.split()
        found[_key(name)] = float(numbers(values[:1], 1, path, f"the focal length of {name}")[0])
    return found


def _camera(size: tuple[int, int], focal: float | None) -> Camera | None:
    width, height = size
    if focal is None or focal <= 0:
        return None
    return Camera("SIMPLE_RADIAL", width, height, (focal, (width - 1) / 2, (height - 1) / 2, 0.0))
