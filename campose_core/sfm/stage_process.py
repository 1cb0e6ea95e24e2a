"""Runs one stage of structure from motion in a process of its own: both ends of it.

A stage is a function. The child takes its arguments from a JSON file, and prints what it returns as JSON on stdout;
COLMAP's own chatter goes to stderr. A fault that a person can cure is reported as {"refused": message}.

COLMAP aborts the process on some inputs and can hang on others; neither may take the caller down, and a caller that is
killed must not leave a stage behind that goes on writing.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from campose_core.errors import CamposeError, MappingError
from campose_core.files import write_text
from campose_core.progress import track
from campose_core.scene.lock import held_files

# glog lines such as "Processed image [12/235]" or "Registering image #7 (num_reg_frames=12)".
COUNTERS = re.compile(rb"\[(\d+)/\d+|num_reg_frames=(\d+)")
# Stages compute in threads of their own, whose small products OpenBLAS would split again: matching a kitchen's features
# takes half the time on two cores, what two images of a campus have in common a tenth beside other work.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
PROBED = 16 * 2**20  # bytes: a database grows by less at a time
# As the system and SQLite say it. COLMAP aborts then, and its last words may not be on the disk either.
FULL_DISK = re.compile("no space left on device|disk is full|disk quota exceeded", re.IGNORECASE)


class StageCrash(MappingError):
    """The process of a stage ended without an answer; `cause` says how."""

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(words)
        self.cause = cause


Stage = Callable[..., dict[str, Any]]


def run_stage(stage: Stage, arguments: dict[str, Any], log: Path, timeout_s: float, total: int) -> dict[str, Any]:
    """Run a stage in a child process and return what it returns there.

    `stage` is a function at the top of a module; `arguments` and its result are what JSON can hold. `total` is the
    number of frames, for the progress bar. The child's output goes to `log`.

    Raises:
        StageCrash: the child crashed or was killed.
        MappingError: it took longer than `timeout_s`; or the stage itself refused.
        CamposeError: the disk is full, or takes no file of such a size.
    """
    name = stage.__name__
    # In a file: the system's bound on the length of an argument is reached by the names of some thousand frames.
    arguments_file = log.with_suffix(".arguments")
    write_text(arguments_file, json.dumps(arguments))
    command = [sys.executable, "-m", "campose_core.sfm.stage_process", f"{stage.__module__}:{name}"]
    command += [str(arguments_file), str(os.getpid())]
    with open(log, "wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            env=ONE_BLAS_THREAD | os.environ,
            pass_fds=held_files(),
        )
    try:
        for _ in track(_wait(child, name, log, time.monotonic() + timeout_s, total), name, total):
            pass
        report = child.stdout.read() if child.stdout else b""
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()
    if child.returncode != 0 and (no_room := _no_room(log)):
        raise CamposeError(f"{no_room} and run it again, what is done is kept")
    if child.returncode != 0:
        cause = _cause(child.returncode)
        raise StageCrash(cause, f"the stage {name!r} {cause}; its last words ({log}): {_tail(log)}")
    result: dict[str, Any] = json.loads(report)
    if "refused" in result:
        raise MappingError(result["refused"])
    return result


def _wait(child: subprocess.Popen[bytes], stage: str, log: Path, deadline: float, total: int) -> Iterator[int]:
    """Yield once for each frame that the log says is done, until the child ends."""
    done, position = 0, 0
    while child.poll() is None:
        if time.monotonic() > deadline:
            child.kill()
            child.wait()
            raise MappingError(f"the stage {stage!r} of structure from motion took too long and was stopped; see {log}")
        with open(log, "rb") as file:
            file.seek(position)
            news = file.read()
        position += len(news)
        for match in COUNTERS.finditer(news):
            reached = min(int(match[1] or match[2]), total)
            yield from range(done, reached)
            done = max(done, reached)
        time.sleep(0.2)


def _cause(returncode: int) -> str:
    if returncode < 0:
        return f"died of {signal.Signals(-returncode).name}"
    return f"failed with exit code {returncode}"


def _no_room(log: Path) -> str:
    """Say what kept a stage from writing, and what to do; empty where its disk takes more."""
    full = f"the disk of {log.parent} is full: make room"
    if FULL_DISK.search(log.read_text(errors="replace")):
        return full
    try:
        with tempfile.TemporaryFile(dir=log.parent) as file:
            file.write(bytes(PROBED))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return full
        if error.errno == errno.EFBIG:
            return f"{log.parent}: {error.strerror}: raise the limit on the size of a file (`ulimit -f`)"
    return ""


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "none"


def end_with_parent(parent: int) -> None:
    """End this process as soon as `parent` is no longer its parent (a killed parent cannot stop its children)."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run the child's end: `python -m campose_core.sfm.stage_process MODULE:FUNCTION ARGUMENTS.json PARENT`."""
    stage, arguments_file, parent = sys.argv[1:]
    end_with_parent(int(parent))
    # Native code may print on stdout: keep a private copy of it for the report, and send the rest to stderr.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    module, name = stage.split(":")
    try:
        result = getattr(importlib.import_module(module), name)(**json.loads(Path(arguments_file).read_text("utf-8")))
    except CamposeError as error:
        result = {"refused": str(error)}
    json.dump(result, report)
    report.flush()
    os._exit(0)  # COLMAP's static destructors have been seen to hang; everything is on disk by now


if __name__ == "__main__":
    main()
