"""What is fuzzed: every reader of a file that somebody else may have written. A new reader is one entry of TARGETS.

A target takes the bytes of a file. It may take them, or refuse them with a CamposeError of one line; anything else, a
crash or a hang is a finding. Kept inputs lie in corpus/TARGET/: `run.py` begins with them, `test_fuzz.py` tries them.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from campose_core.alignment.sources.markers import read_markers
from campose_core.alignment.sources.points import read_pairs
from campose_core.bag.file import open_bag
from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.file_stamps import stamps_in_names
from campose_core.capture.recording import open_recording
from campose_core.errors import CamposeError, SceneError
from campose_core.evaluation.comparison import read_earlier
from campose_core.evaluation.covariances import read_covariances
from campose_core.evaluation.estimates import read_estimates
from campose_core.exports.colmap_model import read_colmap_model
from campose_core.exports.table import EXPORTS, read_export
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing import floor_from_drawing
from campose_core.floorplan.drawing_registration import register_plan
from campose_core.formats.trajectories import read_trajectory
from campose_core.geometry import Pose
from campose_core.landmark_map.colmap_files import RECORDS, check_model_files
from campose_core.landmark_map.held_out import HeldOut
from campose_core.landmark_map.landmarks import Landmarks, read_shown
from campose_core.localization.remembered_pose import remembered
from campose_core.matrix.conditions.world import read_world
from campose_core.matrix.plan import read_plan
from campose_core.pixels.image_codec import decode_bytes
from campose_core.scene.exchange import previous_note
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.report import MapReport
from campose_core.trajectory import read_tum
from campose_core.walkable import load_walkable
from campose_core.yaml_files import read_yaml
from campose_ros.ros_arguments import check_arguments

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from message_targets import READERS
from written_exports import WRITERS, Shot

CORPUS = Path(__file__).parent / "corpus"
# In memory where the system has a place there: a million files are written.
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
POSES = {f"map/{i:06d}.jpg": Pose.identity() for i in range(0, 80, 5)}


class Target(NamedTuple):
    """read: what takes the file at a path. file: its name, in a folder that holds what `beside` puts there.

    decodes: pictures, videos, bags or archives, which take longer than text and numbers.
    """

    read: Callable[[Path], object]
    file: str
    decodes: bool = False
    beside: Callable[[Path], object] = lambda folder: None


def _scene(folder: Path) -> None:
    Scene(folder, "s", {"map": Camera.from_field_of_view(64, 48, 60.0)}, {"map": {}}).save()


def _mapped(folder: Path) -> None:
    scene = Scene(folder, "s", {"map": Camera.from_field_of_view(64, 48, 60.0)}, {"map": {}})
    scene.with_step("extract", {}).save()
    Scene.open(folder).with_step("map", {}).save()


def _half_exchanged(folder: Path) -> None:
    _scene(folder)
    new = folder / ".update" / "new"
    new.mkdir(parents=True)
    shutil.copy(folder / "scene.yaml", new)


def _beside_a_plan(folder: Path) -> None:
    _scene(folder / "kitchen")
    (folder / "later.mp4").touch()
    (folder / "later.tum").touch()


def _floor(folder: Path) -> None:
    Image.fromarray(np.full((3, 4), 254, dtype=np.uint8)).save(folder / "map.pgm")


def _map_yaml(folder: Path) -> None:
    shutil.copy(CORPUS / "floor" / "map.yaml", folder)


def _poses(folder: Path) -> None:
    (folder / "est.tum").write_text("0.5 1 0 0 0 0 0 1\n1.5 2 0 0 0 0 0 1\n")


def _model(folder: Path) -> None:
    for name in RECORDS:
        (folder / name).write_bytes(bytes(8))


def _read_bag(path: Path) -> None:
    with open_bag(path) as bag:
        bag.span_ns()
        for topic in bag.topics:
            for _, message in bag.messages(topic.name):
                assert message is not None


def _read_frames(path: Path) -> None:
    for frame in open_recording(path).frames():
        assert frame.image.ndim == 3


def _read_map(path: Path) -> None:
    FloorMap.load(path)


def _read_photo(path: Path) -> None:
    _read_frames(path.parent)


def _parameters(path: Path) -> None:
    check_arguments(["--ros-args", "--params-file", str(path)])


def _export(program: str, file: str) -> Target:
    """One text file of an export; the others are as its program writes them."""

    def written(folder: Path) -> None:
        shots = [Shot(np.full((48, 64, 3), 90 * i, np.uint8), (i + 1) * 10**9, Pose.identity()) for i in range(2)]
        with tempfile.TemporaryDirectory() as temporary:
            export = WRITERS[program](Path(temporary) / "export", shots, Camera.from_field_of_view(64, 48, 60.0))
            shutil.copytree(export, folder, dirs_exist_ok=True)

    kind = next(kind for kind in EXPORTS if kind.program == program)
    return Target(lambda path: kind.read(path.parents[file.count("/")]), file, beside=written)


def _colmap_text(folder: Path) -> None:
    (folder / "cameras.txt").write_text("1 PINHOLE 64 48 50 50 32 24\n")
    (folder / "points3D.txt").write_text("")
    shutil.copy(CORPUS / "colmap_text" / "written.txt", folder / "images.txt")
    Image.new("RGB", (64, 48)).save(folder / "a.jpg")


def _colmap_binary(folder: Path) -> None:
    for name in ("cameras", "images"):
        shutil.copy(CORPUS / f"colmap_model_{name}" / "written.bin", folder / f"{name}.bin")
    Image.new("RGB", (64, 48)).save(folder / "a.jpg")


TARGETS = {
    "yaml": Target(lambda path: read_yaml(path, SceneError), "a.yaml"),
    "camera": Target(read_camera_file, "camera.yaml"),
    "floor": Target(_read_map, "map.yaml", beside=_floor),
    "walkable": Target(
        lambda path: load_walkable(path.parent), "walkable.yaml",
        beside=lambda folder: FloorMap(np.zeros((12, 12), np.int8), 0.05).save(folder),
    ),
    "plan": Target(read_plan, "runs.yaml", beside=_beside_a_plan),
    "parameters": Target(_parameters, "node.yaml"),
    "markers": Target(read_markers, "markers.yaml"),
    "scene": Target(lambda path: Scene.open(path.parent), "scene.yaml", beside=_scene),
    "frames": Target(lambda path: Scene.open(path.parent), "frames.csv", beside=_scene),
    "journal": Target(lambda path: Scene.open(path.parents[1]), ".update/paths.json", beside=_half_exchanged),
    "update_note": Target(lambda path: previous_note(path.parents[1]), ".previous/note.json"),
    "map_report": Target(lambda path: MapReport.load(Scene.open(path.parents[1])), "sfm/report.json", beside=_scene),
    "remembered": Target(lambda path: remembered(path, "0011aabb"), "pose.json"),
    "world": Target(lambda path: read_world(path.parent), "simulation.json"),
    "tum": Target(read_tum, "a.tum"),
    "pose_table": Target(read_trajectory, "a.csv"),
    "points": Target(lambda path: read_pairs(path, POSES), "points.csv"),
    "plan_points": Target(lambda path: register_plan(path.parent / "map.pgm", path), "points.csv", beside=_floor),
    "covariances": Target(read_covariances, "est.covariance.csv"),
    "estimates": Target(lambda path: read_estimates(path.with_suffix(".tum")), "est.json", beside=_poses),
    "report": Target(read_earlier, "report.json"),
    "file_stamps": Target(
        lambda path: stamps_in_names([Path(line) for line in path.read_text("utf-8", "replace").split("\n")]), "names"
    ),
    "colmap_points": Target(lambda path: check_model_files(path.parent), "points3D.bin", beside=_model),
    "colmap_images": Target(lambda path: check_model_files(path.parent), "images.bin", beside=_model),
    "colmap_rigs": Target(lambda path: check_model_files(path.parent), "rigs.bin", beside=_model),
    "colmap_text": Target(lambda path: read_colmap_model(path.parent, path.parent), "images.txt", beside=_colmap_text),
    "colmap_text_cameras": Target(
        lambda path: read_colmap_model(path.parent, path.parent), "cameras.txt", beside=_colmap_text
    ),
    "colmap_model_cameras": Target(
        lambda path: read_colmap_model(path.parent, path.parent), "cameras.bin", beside=_colmap_binary
    ),
    "colmap_model_images": Target(
        lambda path: read_colmap_model(path.parent, path.parent), "images.bin", beside=_colmap_binary
    ),
    "stray_scanner": _export("Stray Scanner", "odometry.csv"),
    "record3d": _export("Record3D", "metadata.json"),
    "polycam": _export("Polycam", "keyframes/cameras/1099000.json"),
    "nerfstudio": _export("nerfstudio transforms.json", "transforms.json"),
    "tum_rgbd_images": _export("TUM RGB-D", "rgb.txt"),
    "tum_rgbd_poses": _export("TUM RGB-D", "groundtruth.txt"),
    "euroc_images": _export("EuRoC (ASL)", "mav0/cam0/data.csv"),
    "euroc_sensor": _export("EuRoC (ASL)", "mav0/cam0/sensor.yaml"),
    "euroc_poses": _export("EuRoC (ASL)", "mav0/state_groundtruth_estimate0/data.csv"),
    "seven_scenes": _export("7-Scenes", "seq-01/frame-000000.pose.txt"),
    "twelve_scenes": _export("12-Scenes", "info.txt"),
    "cambridge_poses": _export("Cambridge Landmarks", "dataset_train.txt"),
    "cambridge_cameras": _export("Cambridge Landmarks", "reconstruction.nvm"),
    "packed": Target(read_export, "scan.r3d", decodes=True),
    "landmarks": Target(Landmarks.load, "scene/sfm/landmarks.npz", decodes=True),
    "shown_landmarks": Target(read_shown, "landmarks.npz", decodes=True),
    "held_out": Target(HeldOut.load, "held_out.npz", decodes=True),
    "poses": Target(lambda path: SfmPoses.load(Scene.open(path.parents[1])), "sfm/poses.npz", True, _mapped),
    "picture": Target(lambda path: decode_bytes(path.read_bytes()), "a.jpg", decodes=True),
    "mcap": Target(_read_bag, "a.mcap", decodes=True),
    "db3": Target(_read_bag, "a.db3", decodes=True),
    "ros1": Target(_read_bag, "a.bag", decodes=True),
    "video": Target(_read_frames, "a.mp4", decodes=True),
    "photo": Target(_read_photo, "pictures/a.jpg", decodes=True),
    "map_picture": Target(lambda path: FloorMap.load(path.with_name("map.yaml")), "map.pgm", True, _map_yaml),
    "drawing": Target(lambda path: floor_from_drawing(path, 0.05), "plan.png", decodes=True),
    **{name: Target(read, "message.cdr", decodes) for name, (read, decodes) in READERS.items()},
}  # fmt: skip


class Finding(Exception):
    """A refusal that a person cannot read."""


@functools.cache
def _folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir=MEMORY))
    (folder / TARGETS[name].file).parent.mkdir(parents=True, exist_ok=True)
    TARGETS[name].beside(folder)
    return folder


def remove_folder(name: str) -> None:
    """Remove what `attempt` has written of a target."""
    shutil.rmtree(_folder(name), ignore_errors=True)
    _folder.cache_clear()


def attempt(name: str, data: bytes) -> bool:
    """Let the target read these bytes; returns whether it took them.

    Raises:
        Finding, or whatever the reader raises that is no CamposeError.
    """
    target = TARGETS[name]
    path = _folder(name) / target.file
    path.write_bytes(data)
    try:
        target.read(path)
    except CamposeError as error:
        if not str(error).strip() or "\n" in str(error):
            raise Finding(repr(str(error))) from error
        return False
    return True


def seeds(name: str) -> list[Path]:
    """The kept inputs of a target."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
