"""Pipes, devices and folders where a file is expected: refused at once, not waited for, and read without end."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written_exports import WRITERS, Shot

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.errors import CamposeError, CaptureError
from campose_core.exports.table import read_export
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing_registration import register_plan
from campose_core.geometry import Pose
from campose_core.joining.frame_pairs import read_pairs
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum
from campose_ros.ros_arguments import check_arguments

DATA = Path(__file__).parents[1] / "data" / "scene_format_1"
IN_A_SCENE = (
    "scene.yaml", "frames.csv", "floor/map.yaml", "floor/map.pgm", "floor/walkable.yaml", "sfm/landmarks.npz",
    "sfm/held_out.npz", "sfm/report.json", "frames/first/000000.jpg", ".update/paths.json", ".previous/note.json",
)  # fmt: skip


def put(kind: str, path: Path) -> None:
    """kind: pipe, endless (a link to a device), or folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["pipe", "endless", "folder"])
@pytest.mark.parametrize("name", IN_A_SCENE)
def test_in_a_scene(tmp_path, capsys, name, kind):
    scene = shutil.copytree(DATA, tmp_path / "scene")
    put(kind, scene / name)
    for arguments in (["doctor", str(scene)], ["split", str(scene)], ["update", str(scene), "--undo"]):
        code = main(arguments)
        said = capsys.readouterr().err
        assert code in (0, 1)
        assert "Traceback" not in said
        assert "please report" not in said
    assert not (scene / name).is_file()  # it is left as it is


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_in_an_export(tmp_path, kind):
    shots = [Shot(np.full((48, 64, 3), 90 * i, np.uint8), (i + 1) * 10**9, Pose.identity()) for i in range(2)]
    for write in WRITERS.values():
        written = write(tmp_path / "written", shots, Camera.from_field_of_view(64, 48, 60.0))
        for path in [file.relative_to(written) for file in written.rglob("*") if file.is_file()]:
            export = shutil.copytree(written, tmp_path / "export")
            put(kind, export / path)
            with contextlib.suppress(CamposeError):
                read_export(export)
            shutil.rmtree(export)
        shutil.rmtree(written)


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_in_a_folder_of_images_and_a_map(tmp_path, kind):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    put(kind, tmp_path / "c.png")
    assert len(list(open_recording(tmp_path).frames())) == 2
    FloorMap(np.zeros((40, 40), np.int8), 0.05).save(tmp_path / "floor")
    put(kind, tmp_path / "floor" / "map.pgm")
    with pytest.raises(CamposeError, match=r"map\.pgm"):
        FloorMap.load(tmp_path / "floor" / "map.yaml")
    put(kind, tmp_path / "bag.mcap")
    with pytest.raises(CaptureError):
        list(open_recording(tmp_path / "bag.mcap").frames())


@pytest.mark.parametrize("kind", ["pipe", "endless"])
@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_pairs(path, {}),
        lambda path: register_plan(path.with_name("plan.png"), path),
        lambda path: check_arguments(["--ros-args", "--params-file", str(path)]),
    ],
    ids=["pairs of points", "points of a plan", "parameters"],
)
def test_in_what_a_command_is_given(tmp_path, kind, read):
    Image.new("L", (64, 48)).save(tmp_path / "plan.png")
    put(kind, tmp_path / "given")
    with pytest.raises(CamposeError, match="given: cannot be read: it is no file, but a pipe or a device"):
        read(tmp_path / "given")


def test_what_a_shell_hands_over_is_read(tmp_path):
    """`--reference <(zcat walk.tum.gz)` is a pipe too."""
    (tmp_path / "a.tum").write_text("0 1 2 3 0 0 0 1\r\n1 1 2 3 0 0 0 1\r\n")
    code = "import sys; from campose_core.trajectory import read_tum; print(len(read_tum(sys.argv[1])))"
    command = f"{sys.executable} -c '{code}' <(cat {tmp_path}/a.tum)"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ran.stdout == "2\n", ran.stderr
    assert len(read_tum(tmp_path / "a.tum")) == 2


def test_a_file_that_no_memory_holds_is_refused(tmp_path):
    scene = shutil.copytree(DATA, tmp_path / "scene")
    with open(scene / "frames.csv", "r+b") as file:
        file.truncate(2**40)  # of which nothing is on the disk
    with pytest.raises(CamposeError, match="it has more than 1024 MB"):
        Scene.open(scene)
