"""Ctrl-C at any moment, and again at every moment after: one line, exit code 130, and the scene as it was."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kill_loop import files

from campose_core.cli import interrupts

INTERRUPTED = Path(__file__).parents[1] / "support" / "interrupted.py"


@pytest.mark.parametrize("begins", ["import jsonargparse", "os.rename", "shutil.rmtree"])
def test_the_first_ends_a_command_and_the_later_ones_do_not_disturb_its_end(small_scene, tmp_path, begins):
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    before = files(scene)
    signals = [str(int(signal.SIGINT)), begins, "campose_core.cli.main"]
    command = [sys.executable, INTERRUPTED, *signals, "floor", str(scene)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.splitlines()[-1:]) == (130, ["campose floor: interrupted"]), ended.stderr
    assert "Traceback" not in ended.stderr
    assert files(scene) == before


def test_one_that_was_lost_is_not_the_last(monkeypatch):
    """Code that catches everything may swallow the first; it must stay possible to end the command."""
    handlers = {}
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    clock = iter([100.0, 100.01, 100.0 + interrupts.PATIENCE_S])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    interrupts.heed_one_interrupt()
    (interrupt,) = handlers.values()
    with pytest.raises(KeyboardInterrupt):
        interrupt(2, None)
    interrupt(2, None)
    with pytest.raises(KeyboardInterrupt):
        interrupt(2, None)
