"""A stage that ends badly: the cause that a person can cure is named, not the signal."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import failing_stages
import pytest

from campose_core.errors import CamposeError, MappingError
from campose_core.sfm.stage_process import run_stage


@pytest.fixture(autouse=True)
def found_by_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(failing_stages.__file__).parent), prepend=":")


@pytest.fixture
def full_disk(tmp_path: Path):
    """A folder on a disk of its own that has a few kB left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode != 0:
        pytest.skip("a disk cannot be mounted here: needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_stage_that_says_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(CamposeError) as refused:
        run_stage(failing_stages.aborts_on_a_full_disk, {}, tmp_path / "log", 60, 1)
    assert not isinstance(refused.value, MappingError)  # trying another kind of features would not help
    assert str(refused.value) == f"the disk of {tmp_path} is full: make room and run it again, what is done is kept"


def test_a_stage_that_dies_without_a_word_on_a_full_disk(full_disk: Path) -> None:
    with pytest.raises(CamposeError, match=f"the disk of {full_disk} is full"):
        run_stage(failing_stages.aborts, {}, full_disk / "log", 60, 1)


def test_a_stage_that_dies_without_a_word_where_no_file_may_be_large(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(CamposeError, match=f"{tmp_path}: File too large: raise the limit") as refused:
            run_stage(failing_stages.aborts, {}, tmp_path / "log", 60, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not isinstance(refused.value, MappingError)


def test_a_stage_that_dies_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"the stage 'aborts' died of SIGABRT; its last words"):
        run_stage(failing_stages.aborts, {}, tmp_path / "log", 60, 1)


def test_a_stage_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    code = (
        "import sys, failing_stages; from pathlib import Path; from campose_core.sfm.stage_process import run_stage\n"
        "run_stage(failing_stages.waits_for_ever, {'where': sys.argv[1]}, Path(sys.argv[2]), 60, 1)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pid"), str(tmp_path / "log")])
    until((tmp_path / "pid").exists)
    parent.kill()
    parent.wait()
    child = int((tmp_path / "pid").read_text())
    try:
        until(lambda: not Path(f"/proc/{child}").exists())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def until(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)
