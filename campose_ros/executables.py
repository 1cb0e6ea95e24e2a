"""Where the executables begin: Ctrl-C ends them in a line from here on, also while they import for a second or so."""

import importlib
import os
import signal
import sys
from functools import partial
from types import FrameType

from campose_core.cli.interrupts import INTERRUPTED, heed_one_interrupt


def localizer() -> int:
    """Run `campose_localizer`; returns the exit code."""
    return _run("campose_localizer", "campose_ros.localizer_node")


def replay() -> int:
    """Run `campose_replay`; returns the exit code."""
    return _run("campose_replay", "campose_ros.replay_node")


def viewer() -> int:
    """Run `campose_viewer`; returns the exit code."""
    return _run("campose_viewer", "campose_ros.viewer_node")


def demo() -> int:
    """Run `campose_demo`; returns the exit code."""
    return _run("campose_demo", "campose_ros.demo")


def _run(program: str, module: str) -> int:
    signal.signal(signal.SIGINT, partial(_leave, program))
    main = importlib.import_module(module).main
    from campose_core.cli.console import exit_code_of

    def heeding() -> int:
        heed_one_interrupt()
        return int(main())

    return exit_code_of(program, heeding)


def _leave(program: str, number: int, frame: FrameType | None) -> None:
    """End at once: nothing is begun yet, and modules that are half imported make other errors of an exception."""
    os.write(sys.stderr.fileno(), f"{program}: interrupted\n".encode())
    os._exit(INTERRUPTED)
