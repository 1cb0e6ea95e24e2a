"""Ctrl-C from the moment on in which an executable begins: it ends, in a line or none, and without a traceback."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

INTERRUPTED = Path(__file__).parents[1] / "support" / "interrupted.py"
BEGIN = "print('begins', flush=True); import sys; from campose_ros.executables import {0}; sys.exit({0}())"
AFTER_S = [0.1, 0.6, 1.5, 3.0]


@pytest.mark.parametrize(
    ("executable", "begins"),
    [
        ("localizer", "import numpy"), ("localizer", "import scipy.spatial.transform"), ("localizer", "import rclpy"),
        ("localizer", "import campose_ros.live"),
        ("replay", "import rclpy"), ("viewer", "import rclpy"), ("demo", "import numpy"),
    ],
)  # fmt: skip
def test_while_it_imports(ros_environment: dict[str, str], executable: str, begins: str) -> None:
    signals = [str(int(signal.SIGINT)), begins, f"campose_ros.executables:{executable}"]
    ended = subprocess.run([sys.executable, INTERRUPTED, *signals], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (130, f"campose_{executable}: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize("executable", ["localizer", "viewer"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_at_any_moment(ros_environment: dict[str, str], wall_scene: Path, executable: str, number: int) -> None:
    """It imports, reads its arguments, starts ROS, loads its scene or listens: which one, the machine decides."""
    given = {"localizer": f"scene:={wall_scene}", "viewer": "port:=0"}[executable]
    command = [sys.executable, "-c", BEGIN.format(executable), "--ros-args", "-p", given]
    for seconds in AFTER_S:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        time.sleep(seconds)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (0, 130) or (number, process.returncode) == (signal.SIGTERM, -signal.SIGTERM), said
        assert "Traceback" not in said
