"""kill -9 at any moment of a verb that writes, and a full disk: run again, it ends as if nothing had happened."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.exchange import commit, prepare
from campose_core.scene import Scene

LOOP = Path(__file__).parents[1] / "support" / "kill_loop.py"
VERBS = {
    "extract": ["extract", "WORLD/later.bag", "--scene", "SCENE", "--fps", "3"],
    "extract again": ["extract", "WORLD/mapping.bag", "--scene", "SCENE", "--fps", "2"],
    "align": ["align", "SCENE", "--from", "odometry"],
    "floor": ["floor", "SCENE"],
    "split": ["split", "SCENE", "--val", "0.3"],
    "undo": ["update", "SCENE", "--undo"],
}


def arguments(verb: str, world: Path, scene: Path) -> list[str]:
    return [word.replace("WORLD", str(world)).replace("SCENE", str(scene)) for word in VERBS[verb]]


@pytest.fixture(scope="module")
def updated(small_scene, tmp_path_factory) -> Path:
    """A scene whose files an update has exchanged for copies of them, with another split."""
    folder = shutil.copytree(small_scene, tmp_path_factory.mktemp("updated") / "scene")
    new = prepare(folder)
    for name in ("sfm", "floor"):
        shutil.copytree(folder / name, new / name)
    for name in ("scene.yaml", "frames.csv"):
        (new / name).write_text((folder / name).read_text().replace("train", "val"))
    steps = {step: record["key"] for step, record in Scene.open(folder).steps.items()}
    commit(folder, ["sfm", "floor", "scene.yaml", "frames.csv"], {"name": "later", "steps": steps})
    return folder


def check(verb: str, kills: int, small_world: Path, template: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    wanted = {
        "template": str(template),
        "folder": str(folder),
        "arguments": arguments(verb, small_world, folder),
        "kills": kills,
    }
    ran = subprocess.run([sys.executable, LOOP], input=json.dumps(wanted), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    undisturbed, *others = json.loads(ran.stdout)["runs"]
    assert undisturbed["code"] == 0
    assert len(others) == kills
    for run in others:
        assert run["killed"] == -9
        done = verb == "undo" and run["code"] == 1  # the undo was done already: there is nothing to undo any more
        assert run["code"] == 0 or done, run["event"]
        assert run["files"] == undisturbed["files"], run["event"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_was_killed_and_run_again_ends_like_one_that_was_not(
    small_world, small_scene, updated, tmp_path, verb
):
    check(verb, 3, small_world, updated if verb == "undo" else small_scene, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_twenty_moments(small_world, small_scene, updated, tmp_path, verb):
    check(verb, 20, small_world, updated if verb == "undo" else small_scene, tmp_path)
