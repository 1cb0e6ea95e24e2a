"""kill -9 at any moment of a verb that writes, and a full disk: run again, it ends as if nothing had happened."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from full_disk import full_disk

from campose_core.cli.main import main
from campose_core.geometry import pose_error
from campose_core.scene.exchange import commit, prepare
from campose_core.scene.scene import Scene

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


@pytest.mark.parametrize("verb", ["extract", "floor", "split", "undo"])
def test_a_verb_that_was_killed_and_run_again_ends_like_one_that_was_not(
    small_world, small_scene, updated, tmp_path, verb
):
    check(verb, 3, small_world, updated if verb == "undo" else small_scene, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_twenty_moments(small_world, small_scene, updated, tmp_path, verb):
    check(verb, 20, small_world, updated if verb == "undo" else small_scene, tmp_path)


FULL = {
    **VERBS,
    "update": ["update", "SCENE", "WORLD/later.bag", "--no-train"],
    "map": ["map", "SCENE", "--max-keyframes", "30"],
}


def on_a_full_disk(verb: str, most_bytes: int, world: Path, scene: Path) -> None:
    words = [word.replace("WORLD", str(world)).replace("SCENE", str(scene)) for word in FULL[verb]]
    full_disk(scene, words, most_bytes)


@pytest.mark.parametrize("verb", ["extract", "floor", "split"])
def test_a_full_disk_is_one_line_and_the_scene_stays(small_world, small_scene, tmp_path, verb):
    on_a_full_disk(verb, 3000, small_world, shutil.copytree(small_scene, tmp_path / "scene"))


@pytest.mark.long
@pytest.mark.parametrize("most_bytes", [3000, 100_000, 300_000])
@pytest.mark.parametrize("verb", ["align", "map", "update"])
def test_a_full_disk_in_the_long_steps(small_world, small_scene, tmp_path, verb, most_bytes):
    if verb == "align" and most_bytes > 3000:
        pytest.skip("an alignment writes nothing that large")
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    on_a_full_disk(verb, most_bytes, small_world, scene)
    if verb == "map":  # and it goes on where there is space again
        again = [word.replace("SCENE", str(scene)) for word in FULL[verb]]
        assert main(again) == 0
        assert not (scene / ".sfm.work").exists()


@pytest.mark.long
@pytest.mark.parametrize("verb", ["build", "update"])
def test_mapping_that_was_killed_ends_with_the_same_frames_steps_and_poses(small_world, small_scene, tmp_path, verb):
    """Poses within a millimetre: COLMAP's threads end in another order each time."""
    template = tmp_path / "template"
    scene = tmp_path / "scene"
    words = ["update", str(scene), str(small_world / "later.bag"), "--no-train"]
    if verb == "build":
        words = ["build", f"{small_world}/mapping.bag", "--scene", str(scene)]
        words += ["--reference", f"{small_world}/mapping.tum", "--map", f"{small_world}/floor/map.yaml"]
        template.mkdir()
    else:
        shutil.copytree(small_scene, template)
    command = [sys.executable, "-m", "campose_core.cli.main", *words]

    def fresh() -> None:
        shutil.rmtree(scene, ignore_errors=True)
        shutil.copytree(template, scene)

    fresh()
    started = time.monotonic()
    assert subprocess.run(command, capture_output=True).returncode == 0
    took_s = time.monotonic() - started
    undisturbed = Scene.open(scene)
    chance = random.Random(0)
    for _ in range(20):
        fresh()
        victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.05, 1.0) * took_s)
        victim.kill()
        victim.wait()
        again = subprocess.run(command, capture_output=True, text=True)
        done = "is part of" in again.stderr  # the update had ended
        assert again.returncode == 0 or done, again.stderr
        found = Scene.open(scene)
        assert found.steps == undisturbed.steps
        assert [frame.name for frame in found.frames] == [frame.name for frame in undisturbed.frames]
        for one, other in zip(found.frames, undisturbed.frames, strict=True):
            assert (one.map_from_cam is None) == (other.map_from_cam is None)
            if one.map_from_cam and other.map_from_cam:
                assert pose_error(one.map_from_cam, other.map_from_cam)[0] < 1e-3
