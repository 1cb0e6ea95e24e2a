"""Files that change together, and what a kill leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.scene.exchange import (
    commit,
    current,
    discard,
    finish,
    keep_beside_previous,
    prepare,
    previous_note,
    undo,
    write_together,
)

OLD = {"a.txt": "old a", "b/one": "old one", "b/two": "old two", "kept": "kept"}
NEW = {"a.txt": "new a", "b/one": "new one", "c/d/three": "added", "kept": "kept"}
TEXTS = {"a.txt": "new a", "kept": "written"}
PATHS = ["b", "c/d", "a.txt"]

# The process kills itself at the nth rename, link or removal of a folder.
VICTIM = """
import os, signal, sys
from pathlib import Path
from campose_core.scene import exchange
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
elif sys.argv[2] == "keep":
    exchange.keep_beside_previous(folder, "models")
    exchange.undo(folder)
elif sys.argv[2] == "write":
    exchange.write_together(folder, {"a.txt": "new a", "kept": "written"})
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


def read(folder: Path) -> dict[str, str]:
    """What a reader finds of all that is known, wherever an exchange has come to."""
    places = {name: current(folder, name) for name in sorted({*OLD, *NEW})}
    return {name: place.read_text() for name, place in places.items() if place.is_file()}


def everything(folder: Path) -> dict[str, str | None]:
    return {str(path): path.read_text() if path.is_file() else None for path in sorted(folder.rglob("*"))}


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
        left, found = everything(folder), read(folder)
        assert everything(folder) == left  # who reads writes nothing
        finish(folder)
        assert visible(folder) in ends
        # What an undo takes away may still be there; nothing that it brings back names it.
        extra = {"c/d/three"} if what == "undo" else set()
        assert {name: text for name, text in found.items() if name not in extra} == {
            name: text for name, text in visible(folder).items() if name not in extra
        }
        finish(folder)
        assert visible(folder) in ends
    assert ended == 0
    assert step > 5
    assert visible(folder) == ends[1]


def exchanged_models(folder: Path) -> dict[str, str]:
    """Exchange the models of a folder, and add one; returns what is to be there when that is undone."""
    written(folder, {"models/old/weights": "old"})
    written(prepare(folder), {"models/old/weights": "trained again"})
    commit(folder, ["models"], {})
    mine = {"models/mine/model.yaml": "1", "models/mine/weights": "2"}
    written(folder, mine)
    return {"models/old/weights": "old", **mine}


def test_killed_while_it_is_kept_no_half_of_a_folder_takes_its_place(tmp_path):
    for step in range(2, 40, 2):
        folder = tmp_path / str(step)
        expected = exchanged_models(folder)
        ended = run_until(folder, "keep", step)
        finish(folder)
        if previous_note(folder) is not None:
            keep_beside_previous(folder, "models")
            undo(folder)
        assert visible(folder) == expected
        if ended == 0:
            break
    assert ended == 0
    assert step > 6


def test_links_of_what_is_kept_are_kept_and_not_followed(tmp_path):
    """One that leads to where it lies holds itself; of two nobody awaits the end."""
    folder, elsewhere = tmp_path / "scene", tmp_path / "elsewhere"
    expected = exchanged_models(folder)
    written(elsewhere, {"weights": "on another disk"})
    (folder / "models" / "mine" / "again").symlink_to(".")
    (folder / "models" / "linked").symlink_to(elsewhere)
    assert keep_beside_previous(folder, "models") == ["linked", "mine"]
    undo(folder)
    assert (folder / "models" / "linked").readlink() == elsewhere
    assert (folder / "models" / "mine" / "again").readlink() == Path()
    assert {name: (folder / name).read_text() for name in expected} == expected


def test_texts_are_written_together_or_not_at_all(tmp_path):
    for step in range(1, 40):
        folder = tmp_path / str(step)
        written(folder, OLD)
        ended = run_until(folder, "write", step)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        left, found = everything(folder), read(folder)
        assert found in (OLD, OLD | TEXTS)
        assert everything(folder) == left
        finish(folder)
        assert visible(folder) == found
        write_together(folder, TEXTS)
        assert visible(folder) == OLD | TEXTS
        assert not list(folder.glob(".*"))
    assert ended == 0
    assert step > 3


def test_where_texts_cannot_be_written_the_old_ones_stay(tmp_path):
    written(tmp_path / "folder", OLD)
    with pytest.raises(UnicodeEncodeError):
        write_together(tmp_path / "folder", {"a.txt": "new", "kept": "\ud800"})
    assert visible(tmp_path / "folder") == OLD
    assert not list((tmp_path / "folder").glob(".*"))
