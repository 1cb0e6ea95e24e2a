"""Ctrl-C in a process of one command: the first ends it in a line, those that follow at once do not disturb that."""

import atexit
import signal
import time
from types import FrameType

INTERRUPTED = 130  # the exit code that shells give to it
PATIENCE_S = 2.0  # until another one is heard, where the first did not end it


def heed_one_interrupt() -> None:
    """Let SIGINT raise KeyboardInterrupt, and not again while the command cleans up and ends.

    Python's own handler is gone before the interpreter has taken itself apart, and SIGINT would kill it there.
    """
    heard = -PATIENCE_S

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        now = time.monotonic()
        if now - heard >= PATIENCE_S:
            heard = now
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
