"""A damaged map ends an update with one line that names the file, whatever it is that COLMAP does with it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from damaged_maps import damages
from mapped_points import mapped_scene_of_points

from campose_core.arrays import write_arrays
from campose_core.cli.main import main
from campose_core.errors import MappingError
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.update.map_state import LOOKS, read_map
from campose_core.update.mapped_model import mapped_looks

REFUSED, TAKEN, OTHER = 3, 0, 9
SECONDS = 20


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    return mapped_scene_of_points(tmp_path_factory.mktemp("points") / "scene").path


def ends(scene: Path, folder: Path) -> int:
    """How a process ends that reads the map as an update does: a code of those above, or minus a signal's number."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        code = OTHER
        try:
            SfmPoses.load(Scene.open(scene))
            sfm = scene / "sfm"
            files = {"model": str(sfm / "model"), "database": str(sfm / "database.db")}
            mapped_looks(**files, landmarks=str(sfm / "landmarks.npz"), out=str(folder / "mapped.npz"))
            code = TAKEN
        except MappingError as error:
            code = REFUSED if str(scene) in str(error) and "\n" not in str(error) else OTHER
        except BaseException as error:  # noqa: BLE001  (told below, by its code)
            print(f"{error!r}", file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_undamaged_map_is_taken(scene, tmp_path):
    assert ends(scene, tmp_path) == TAKEN


@pytest.mark.parametrize(("name", "damage"), [pytest.param(*one, id=one[0]) for one in damages()])
def test_a_damaged_map_is_refused_by_name(scene, tmp_path, name, damage):
    """Where COLMAP dies, it does so in the process of a stage, see below; it must not go on for ever."""
    broken = Path(shutil.copytree(scene, tmp_path / "scene"))
    damage(broken / "sfm")
    code = ends(broken, tmp_path)
    harmless = "flipped" in name or name == "database.db cut by a byte"  # of a colour, or of what SQLite does not use
    assert code in ((REFUSED, TAKEN) if harmless else (REFUSED,)) or -code in (signal.SIGABRT, signal.SIGSEGV), name
