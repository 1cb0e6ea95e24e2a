"""Files that change together, and what a kill leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.exchange import commit, discard, finish, prepare, previous_note, undo

OLD = {"a.txt": "old a", "b/one": "old one", "b/two": "old two", "kept": "kept"}
NEW = {"a.txt": "new a", "b/one": "new one", "c/d/three": "added", "kept": "kept"}
PATHS = ["b", "c/d", "a.txt"]

# The process kills itself at the nth rename, link or removal of a folder.
VICTIM = """
import os, signal, sys
from pathlib import Path
from campose_core import exchange
steps = 0
def count(event, _):
    global steps
    if event in ("os.rename", "os.link", "shutil.rmtree", "os.remove", "os.rmdir"):
        steps += 1
        if steps == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
folder = Path(sys.argv[1])
if sys.argv[2] == "undo":
    exchange.undo(folder)
else:
    exchange.commit(folder, ["b", "c/d", "a.txt"], {"why": "test"})
"""


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def visible(folder: Path) -> dict[str, str]:
    """The files of a folder, without what the exchange keeps in hidden ones."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder) for path in files}
    return {str(name): path.read_text() for path, name in names.items() if not name.parts[0].startswith(".")}


def old_folder(folder: Path) -> Path:
    written(folder, OLD)
    written(prepare(folder), {name: text for name, text in NEW.items() if name != "kept"})
    return folder


def run_until(folder: Path, what: str, step: int) -> int:
    command = [sys.executable, "-c", VICTIM, str(folder), what, str(step)]
    return subprocess.run(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).returncode


def test_all_paths_change_together_and_go_back(tmp_path):
    folder = old_folder(tmp_path / "scene")
    commit(folder, PATHS, {"why": "test"})
    assert visible(folder) == NEW
    assert previous_note(folder) == {"why": "test"}
    undo(folder)
    assert visible(folder) == OLD
    assert previous_note(folder) is None
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_what_was_prepared_can_be_given_up(tmp_path):
    folder = old_folder(tmp_path / "scene")
    discard(folder)
    assert visible(folder) == OLD
    finish(folder)
    assert visible(folder) == OLD


def test_only_the_last_exchange_can_be_undone(tmp_path):
    folder = old_folder(tmp_path / "scene")
    commit(folder, PATHS, {})
    written(prepare(folder), {"a.txt": "newest"})
    commit(folder, ["a.txt"], {})
    undo(folder)
    assert visible(folder) == NEW
    assert previous_note(folder) is None


@pytest.mark.parametrize("what", ["commit", "undo"])
def test_killed_at_any_step_all_is_old_or_all_is_new(tmp_path, what):
    """kill -9 at each of the steps in turn; the next to open the folder finishes what was begun."""
    ends = {"commit": (OLD, NEW), "undo": (NEW, OLD)}[what]
    for step in range(1, 40):
        folder = old_folder(tmp_path / str(step))
        if what == "undo":
            commit(folder, PATHS, {})
        ended = run_until(folder, what, step)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        finish(folder)
        assert visible(folder) in ends
        finish(folder)
        assert visible(folder) in ends
    assert ended == 0
    assert step > 5
    assert visible(folder) == ends[1]
