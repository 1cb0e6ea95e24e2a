"""Stages of structure from motion that meet what a machine may do to them."""

import os
import signal
from pathlib import Path


def aborts_on_a_full_disk() -> dict[str, object]:
    """As COLMAP: the system's words on stderr, then abort."""
    try:
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")
    except OSError as error:
        os.write(2, f"F20260101 database.cc:1 Check failed: {error.strerror}\n".encode())
    os.abort()


def aborts() -> dict[str, object]:
    os.abort()


def waits_for_ever(where: str) -> dict[str, object]:
    """Leaves its process id in a file."""
    Path(f"{where}.part").write_text(str(os.getpid()))
    Path(f"{where}.part").rename(where)
    signal.pause()
    return {}
