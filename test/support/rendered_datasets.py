"""A rendered world in the layouts of the field's data sets: its mapping drive for training, the later one to ask."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from written_exports import Shot, cambridge, seven_scenes, tum_rgbd, twelve_scenes

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.trajectory import read_tum


def shots_of(world: Path, drive: str) -> tuple[list[Shot], Camera]:
    """The images of a drive with their true poses, and their camera."""
    recording, truth = open_recording(world / f"{drive}.bag"), read_tum(world / f"{drive}.tum")
    assert recording.camera is not None
    poses = dict(truth)
    return [Shot(f.image, f.stamp_ns, poses[f.stamp_ns]) for f in recording.frames()], recording.camera


def slowed(shots: Sequence[Shot]) -> list[Shot]:
    """Each image as often as a recorder of 30 images a second would have it, which these layouts take for granted."""
    return [shot for shot in shots for _ in range(3)]


def as_7scenes(folder: Path, mapping: Sequence[Shot], later: Sequence[Shot], camera: Camera) -> Path:
    scene = seven_scenes(folder / "chess", slowed(mapping), camera)
    asked = seven_scenes(folder / "asked", later, camera)
    for number in (1, 2):
        (asked / f"seq-0{number}").rename(scene / f"seq-0{number + 2}")
    shutil.rmtree(asked)
    (scene / "TestSplit.txt").write_text("sequence3\nsequence4\n")
    return folder


def as_12scenes(folder: Path, mapping: Sequence[Shot], later: Sequence[Shot], camera: Camera) -> Path:
    scene = twelve_scenes(folder / "apt1" / "kitchen", [*later, *slowed(mapping)], camera)
    count, total = len(later), len(later) + 3 * len(mapping)
    (scene / "split.txt").write_text(
        f"sequence0 [frames={count}] [start=0 ; end={count - 1}]\n"
        f"sequence1 [frames={total - count}] [start={count} ; end={total - 1}]\n"
    )
    return folder


def as_cambridge(folder: Path, mapping: Sequence[Shot], later: Sequence[Shot], camera: Camera) -> Path:
    scene = cambridge(folder / "ShopFacade", [*mapping, *later], camera)
    lines = (scene / "dataset_train.txt").read_text().splitlines()
    heading, listed = lines[:3], lines[3:]
    for name, part in (("train", listed[: len(mapping)]), ("test", listed[len(mapping) :])):
        (scene / f"dataset_{name}.txt").write_text("\n".join([*heading, *part]) + "\n")
    return folder


def as_tum(folder: Path, mapping: Sequence[Shot], later: Sequence[Shot], camera: Camera) -> Path:
    # Named as the papers name it: the folder's own name would bring a Kinect's intrinsics.
    tum_rgbd(folder / "fr1_xyz", mapping, camera)
    return folder


LAYOUTS: dict[str, Callable[[Path, Sequence[Shot], Sequence[Shot], Camera], Path]] = {
    "7scenes": as_7scenes, "12scenes": as_12scenes, "cambridge": as_cambridge, "tum": as_tum,
}  # fmt: skip
