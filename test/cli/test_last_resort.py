"""Whatever goes wrong, a person gets one line, and an exit code that is not 0."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from campose_core.cli.console import exit_code_of
from campose_core.errors import UsageError


def fail(error: BaseException):
    def work() -> None:
        raise error

    return work


def test_an_unforeseen_fault_is_a_line_and_its_traceback_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert exit_code_of("campose map", fail(ZeroDivisionError("of what?"))) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    (kept,) = tmp_path.iterdir()
    assert re.fullmatch(rf"campose map: failed .*\(ZeroDivisionError\); please report {kept}\n", told)
    assert "ZeroDivisionError: of what?" in kept.read_text()
    assert __file__ in kept.read_text()


def test_where_no_file_can_be_written_the_line_tells_the_place(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert exit_code_of("campose map", fail(ZeroDivisionError())) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "raise error" in told or Path(__file__).name in told


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UsageError("no such thing"), 2, "campose map: no such thing"),
        (KeyboardInterrupt(), 130, "campose map: interrupted"),
        (OSError(28, "No space left on device", "a.txt"), 1, "No space left on device: 'a.txt'"),
        (MemoryError(), 1, "campose map: not enough memory"),
        (RecursionError(), 1, "RecursionError"),
    ],
)
def test_what_is_foreseen_has_its_own_words(capsys, error, code, words):
    assert exit_code_of("campose map", fail(error)) == code
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


ENTRY_POINTS = [
    ("campose_core.cli.main", ["doctor", "SCENE"]),
    ("campose_ros.demo", ["--size", "small", "SCENE"]),
    ("campose_ros.replay_node", ["SCENE", "--out", "OUT"]),
]


@pytest.mark.parametrize(("module", "arguments"), ENTRY_POINTS, ids=[module for module, _ in ENTRY_POINTS])
def test_every_program_ends_so(module, arguments, tmp_path):
    """A program whose work fails as nobody foresaw: the reader of scenes and bags is broken in its process."""
    if module.startswith("campose_ros"):
        pytest.importorskip("rclpy")
    code = (
        f"import sys, pathlib, runpy\n"
        f"def broken(*_, **__): raise ZeroDivisionError\n"
        f"sys.argv = ['program', *{arguments!r}]\n"
        f"from {module} import main\n"  # first: a finder of installed packages asks for files too
        f"pathlib.Path.exists = pathlib.Path.is_file = pathlib.Path.mkdir = pathlib.Path.is_dir = broken\n"
        f"sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stderr.count("Traceback")) == (1, 0), done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("question", [["--help"], ["--version"], ["doctor", "--help"], ["build", "--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_who_reads_only_the_first_line_is_shown_no_traceback(question, unbuffered):
    read, write = os.pipe()
    os.close(read)
    told = subprocess.run(
        [sys.executable, "-m", "campose_core.cli.main", *question],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(write)
    assert told.stderr == b""


def test_a_full_disk_behind_stdout_is_one_line():
    with open("/dev/full", "w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "campose_core.cli.main", "--version"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert told.returncode == 1
    assert re.fullmatch(r"campose: .*No space left on device\n", told.stderr)
