"""A damaged map ends an update with one line that names the file, whatever COLMAP does with it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from damaged_maps import array_damages, colmap_damages
from mapped_points import mapped_scene_of_points

from campose_core.cli.main import main
from campose_core.errors import MappingError
from campose_core.landmark_map.arrays import write_arrays
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.update.map_state import LOOKS, read_map
from campose_core.update.mapped_model import mapped_looks
from campose_core.visualization.scene_landmarks import read_landmarks

REFUSED, TAKEN, OTHER = 3, 0, 9
SECONDS = 60  # of a process that takes a tenth of one: COLMAP has been seen to read on for hours


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    return mapped_scene_of_points(tmp_path_factory.mktemp("points") / "scene").path


@pytest.fixture
def broken(scene, tmp_path) -> Path:
    return Path(shutil.copytree(scene, tmp_path / "scene"))


def end(scene: Path) -> int:
    """How a process ends that reads the map as an update does: a code of those above, or minus a signal's number."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        code, sfm = OTHER, scene / "sfm"
        try:
            mapped_looks(
                model=str(sfm / "model"),
                database=str(sfm / "database.db"),
                landmarks=str(sfm / "landmarks.npz"),
                out=str(sfm / "mapped.npz"),
            )
            code = TAKEN
        except MappingError as error:
            code = REFUSED if str(scene) in str(error) and "\n" not in str(error) else OTHER
        except BaseException as error:
            print(f"{error!r}", file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_undamaged_map_is_taken(scene, tmp_path):
    held = read_map(scene / "sfm", tmp_path)
    assert len(held.ids) == len(held.landmarks.xyz) == len(held.mapped.looks)
    assert held.mapped.looks.sum() > 0


def check(broken: Path, name: str, damage) -> None:
    damage(broken / "sfm")
    # A bit of a colour, or of what SQLite does not use: nothing can tell.
    harmless = "flipped" in name or name == "database.db cut by a byte"
    code = end(broken)
    # Where COLMAP dies, it does so in the process of a stage, see the test below.
    assert code in ((REFUSED, TAKEN) if harmless else (REFUSED,)) or -code in (signal.SIGABRT, signal.SIGSEGV)


@pytest.mark.parametrize(("name", "damage"), [pytest.param(*one, id=one[0]) for one in colmap_damages(range(1))])
def test_what_colmap_reads_is_refused_by_name_where_it_is_damaged(broken, name, damage):
    check(broken, name, damage)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 100))
def test_any_bit_of_what_colmap_reads(scene, tmp_path, seed):
    for i, (name, damage) in enumerate(colmap_damages(range(seed, seed + 1))):
        if "flipped" in name:
            check(Path(shutil.copytree(scene, tmp_path / str(i))), name, damage)


def read(scene: Path) -> None:
    SfmPoses.load(Scene.open(scene))
    landmarks = Landmarks.load(scene / "sfm" / "landmarks.npz")
    if str(landmarks.frame_names[0]).startswith("other"):
        read_map(scene / "sfm", scene / "work")


@pytest.mark.parametrize("damage", [pytest.param(damage, id=name) for name, damage in array_damages()])
def test_damaged_arrays_are_refused_by_name(broken, damage):
    damage(broken / "sfm")
    with pytest.raises(MappingError, match=r"\.npz is (damaged|of another map)") as error:
        read(broken)
    assert "\n" not in str(error.value)
    assert "campose map" in str(error.value)


def test_what_is_shown_of_damaged_landmarks(broken):
    with np.load(broken / "sfm" / "landmarks.npz") as arrays:
        np.savez(broken / "sfm" / "landmarks.npz", **(dict(arrays) | {"observed": np.array([5]), "rgb": np.zeros(3)}))
    with pytest.raises(MappingError, match=r"landmarks\.npz is damaged \(rgb must not be of type float64\)"):
        read_landmarks(Scene.open(broken))


def test_what_earlier_updates_saw_belongs_to_the_landmarks(broken, tmp_path):
    write_arrays(broken / "sfm" / LOOKS, {"ids": np.arange(3), "mapped_hits": np.zeros(2)})
    with pytest.raises(MappingError, match=r"looks\.npz is damaged \(mapped_hits must not be of shape"):
        read_map(broken / "sfm", tmp_path)


def test_the_command_tells_of_a_damaged_map_in_a_line_and_changes_nothing(broken, capfd):
    (broken / "sfm" / "model" / "points3D.bin").write_bytes(b"\xff" * 100)
    before = {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()}
    capfd.readouterr()
    assert main(["update", str(broken), str(broken / "later.mp4")]) == 1
    printed = capfd.readouterr()
    damaged = broken / "sfm" / "model" / "points3D.bin"
    assert f" {damaged} is damaged: it is none of COLMAP's; run `campose map` again" in printed.err
    assert printed.err.count("\n") == 1
    assert {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()} == before


def test_a_map_with_a_folder_that_holds_itself_is_refused(broken, capfd):
    link = broken / "sfm" / "model" / "again"
    link.symlink_to(".")
    assert main(["update", str(broken), str(broken / "later.mp4")]) == 1
    assert f" {link} is a link to a folder: put the folder itself in its place" in capfd.readouterr().err
    assert not (broken / ".update.part").exists()


def test_links_in_models_and_floor_are_copied_as_links(broken, capfd):
    for folder in ("models", "floor"):
        (broken / folder).mkdir(exist_ok=True)
        (broken / folder / "again").symlink_to(".")
    assert main(["update", str(broken), str(broken / "later.mp4")]) == 1
    assert "later.mp4: no such file or folder" in capfd.readouterr().err


def test_a_process_that_dies_of_a_map_takes_nobody_along(scene, tmp_path):
    """As where COLMAP aborts, or the system ends what takes all memory."""

    def kill_the_stage() -> None:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for child in children.read_text().split():
                if b"stage_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    return

    killer = threading.Thread(target=kill_the_stage)
    killer.start()
    with pytest.raises(MappingError, match=r"COLMAP died of SIGKILL when it read .*model and .*database\.db"):
        read_map(scene / "sfm", tmp_path)
    killer.join()
