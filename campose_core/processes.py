"""Processes that work for another one, and end with it."""

import ctypes
import os
import signal
import threading
import time

PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with_parent(parent: int) -> None:
    """End this process as soon as `parent` is no longer its parent (a killed parent cannot stop its children)."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def killed_with_parent() -> None:
    """Have the system kill this process when the thread that started it ends: the `preexec_fn` of one that cannot look.

    Linux alone keeps that through exec.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
