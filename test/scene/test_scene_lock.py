"""One writer of a scene at a time: others are told who that is, and readers never wait."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.cli.main import main
from campose_core.errors import SceneError
from campose_core.scene import lock
from campose_core.scene.lock import FILE, locked
from campose_core.scene.scene import Scene
from campose_core.scene.split import SplitOptions, split

DATA = Path(__file__).parents[1] / "data" / "scene_format_1"
HOLDER = """
import sys
from pathlib import Path
from campose_core.scene.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


# Ends while its child, which works for it until the file is there, still has the lock.
LEAVES_AN_ORPHAN = """
import os, subprocess, sys
from pathlib import Path
from campose_core.scene.lock import held_files, locked
with locked(Path(sys.argv[1])):
    subprocess.Popen(["sh", "-c", f"until [ -e {sys.argv[2]} ]; do sleep 0.01; done"], pass_fds=held_files())
    os._exit(0)
"""


@pytest.fixture
def scene(tmp_path) -> Path:
    return shutil.copytree(DATA, tmp_path / "scene")


@pytest.fixture
def holder(scene):
    """Another process that writes the scene."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(scene)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITING_VERBS = {
    "extract": ["extract", "WALK", "--scene", "SCENE"],
    "map": ["map", "SCENE"],
    "align": ["align", "SCENE"],
    "floor": ["floor", "SCENE", "--map", "SCENE/floor/map.yaml"],
    "floor of landmarks": ["floor", "SCENE"],
    "split": ["split", "SCENE"],
    "train": ["train", "SCENE", "--model", "posenet"],
    "update": ["update", "SCENE", "WALK"],
    "undo": ["update", "SCENE", "--undo"],
    "build": ["build", "WALK", "--scene", "SCENE"],
}


@pytest.mark.parametrize("verb", WRITING_VERBS)
def test_a_second_writer_is_told_who_writes_and_changes_nothing(scene, holder, capsys, verb):
    if verb == "train":
        pytest.importorskip("torch")
    if verb in ("map", "build"):
        pytest.importorskip("pycolmap")
    words = {"SCENE": str(scene), "WALK": str(scene / "frames" / "first")}
    arguments = [word.replace("SCENE", words["SCENE"]).replace("WALK", words["WALK"]) for word in WRITING_VERBS[verb]]
    before = content(scene)
    assert main(arguments) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"{scene} is being written by process {holder.pid} (`-c {scene}`, since 20" in line
    assert f"`kill {holder.pid}`" in line
    assert content(scene) == before


def test_who_reads_does_not_wait(scene, holder):
    assert main(["doctor", str(scene)]) == 0
    assert len(Scene.open(scene).frames) == 4


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_writer_that_was_killed_is_in_nobodys_way(scene, holder, ended_by):
    holder.send_signal(ended_by)
    holder.wait()
    assert (scene / FILE).exists()
    split(Scene.open(scene))
    assert not (scene / FILE).exists()


def test_children_of_a_writer_that_was_killed_are_waited_for(scene, tmp_path, monkeypatch):
    end = tmp_path / "end"
    subprocess.run([sys.executable, "-c", LEAVES_AN_ORPHAN, str(scene), str(end)], check=True)
    monkeypatch.setattr(lock, "ORPHANS_S", 0.0)
    with pytest.raises(SceneError, match="is being written by process"):
        split(Scene.open(scene))
    monkeypatch.setattr(lock, "ORPHANS_S", 60.0)
    monkeypatch.setattr(lock.time, "sleep", lambda _: end.touch())  # the child ends once it is waited for
    split(Scene.open(scene))
    assert end.exists()
    assert not (scene / FILE).exists()


def test_a_step_within_a_step_has_the_lock_already(scene):
    with locked(scene):
        split(Scene.open(scene))
        assert json.loads((scene / FILE).read_text())["pid"] == os.getpid()
    assert not (scene / FILE).exists()


def test_a_first_step_that_comes_to_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "a" / "scene"):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file_of_the_scene_is_left_alone(scene, tmp_path, kind):
    (tmp_path / "mine").write_text("mine")
    if kind == "link":
        (scene / FILE).symlink_to(tmp_path / "mine")
    elif kind == "pipe":
        os.mkfifo(scene / FILE)
    else:
        (scene / FILE).mkdir()
    with pytest.raises(SceneError):
        split(Scene.open(scene))
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_lock_that_has_another_name_outside_is_not_written_through_it(scene, tmp_path):
    (tmp_path / "mine").write_text("mine")
    os.link(tmp_path / "mine", scene / FILE)
    with locked(scene):
        assert json.loads((scene / FILE).read_text())["pid"] == os.getpid()
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    "note", ["", "{", "[1]", '{"pid": 1}', "\x1b[31m", '{"pid": "x"}', "[" * 4000, '{"pid": 1e999}']
)
def test_a_note_that_cannot_be_read_is_no_fault(scene, holder, note):
    (scene / FILE).write_text(note)
    with pytest.raises(SceneError, match="another process: wait until it ends"):
        split(Scene.open(scene))


def test_what_another_process_saved_is_not_written_over(scene):
    opened = Scene.open(scene)
    other = split(Scene.open(scene), SplitOptions("interleaved"))
    for late in (lambda: split(opened), lambda: opened.with_step("align", {}).save()):
        with pytest.raises(SceneError, match="was changed by another process since it was read: run this again"):
            late()
    assert [frame.split for frame in Scene.open(scene).frames] == [frame.split for frame in other.frames]
    assert split(Scene.open(scene)).is_current("split")


def test_a_scene_that_another_process_made_meanwhile_is_not_written_over(tmp_path):
    early = Scene.open_or_create(tmp_path / "scene")
    shutil.copytree(DATA, tmp_path / "scene")
    with pytest.raises(SceneError, match="was changed by another process"):
        early.save()
    assert len(Scene.open(tmp_path / "scene").frames) == 4


def test_a_scene_and_its_changed_copies_know_what_they_saved(scene):
    first = Scene.open(scene)
    second = first.with_step("align", {})
    second.save()
    first.save()  # on purpose: it takes the step back
    assert "align" not in Scene.open(scene).steps
    second.with_step("split", {}).save()
    assert {"align", "split"} <= Scene.open(scene).steps.keys()
