"""A job, a run or the making of a scene, in a process of its own: both ends of it.

    python -m campose_core.matrix.job JOB.json PARENT

The child reads what to do, and writes RESULT.json, whole, when it is done. What a person can cure is the last line of
its log. It ends with the process that started it: nobody would take its result, and another one may have its place.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from campose_core.errors import CamposeError
from campose_core.files import replacing, write_text
from campose_core.matrix.one_run import execute, run_from_dict
from campose_core.matrix.plan import SCENE
from campose_core.sfm.stage_process import end_with_parent
from campose_core.text import one_line

log = logging.getLogger(__name__)

REFUSED = 2  # the exit code of what a person can cure
ATTEMPTS = 5  # of a process that is killed: by the system where memory is short, or by hand
PR_SET_PDEATHSIG = 1  # prctl(2)
# Results must not hang on how many cores a machine has, and jobs are what shares them.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class Job(NamedTuple):
    """What one process does. name: for people. folder: where its JOB.json lies, and its log and result will."""

    name: str
    folder: Path

    @property
    def file(self) -> Path:
        """Return what tells the process what to do."""
        return self.folder / "job.json"

    @property
    def log(self) -> Path:
        """Return where its words go."""
        return self.folder / "log.txt"

    @property
    def result(self) -> Path:
        """Return what is there when it is done: the job's `inputs`, and its row."""
        return self.folder / "result.json"


class Ended(NamedTuple):
    """How a job ended. error: why there is no result, one line; empty where there is one."""

    job: Job
    error: str = ""


def run_job(job: Job) -> Ended:
    """Run a job in a process, and wait for it; one that is killed is started again, up to ATTEMPTS times."""
    command = [sys.executable, "-m", "campose_core.matrix.job", str(job.file), str(os.getpid())]
    killed_by = ""
    for _ in range(ATTEMPTS):
        with open(job.log, "wb") as file:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, **ONE_THREAD},
                check=False,
            )
        if ended.returncode == 0:
            return Ended(job)
        if ended.returncode == REFUSED:
            return Ended(job, _last_line(job.log))
        if ended.returncode > 0:
            return Ended(job, f"it failed in a way that it should not; please report {job.log}")
        killed_by = signal.Signals(-ended.returncode).name
    return Ended(job, f"its process died of {killed_by} {ATTEMPTS} times: is there memory for so many at once?")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return one_line(next((line for line in reversed(lines) if line), "it said nothing"))[:500]


def main() -> int:
    """Run the child's end."""
    file, parent = Path(sys.argv[1]), int(sys.argv[2])
    end_with_parent(parent)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    fields = json.loads(file.read_text(encoding="utf-8"))
    try:
        made = _make_scene(fields) if "steps" in fields else execute(*run_from_dict(fields["run"]), file.parent)
        write_text(file.with_name("result.json"), json.dumps({"inputs": fields["inputs"], "row": made}) + "\n")
    except (CamposeError, OSError) as error:  # of a full disk, or a folder not to be written to, the system's line
        log.error(one_line(str(error)))
        return REFUSED
    return 0


def _make_scene(fields: dict[str, Any]) -> dict[str, Any]:
    """Run the steps of a scene, each a `campose` command, in its folder; returns how long they took.

    Raises:
        CamposeError: a step failed; its own last line is the message.
    """
    started, folder = time.perf_counter(), Path(fields["path"])
    if fields["copy_of"]:  # anew: what it is a copy of may have changed since
        with replacing(folder) as beside:
            shutil.copytree(fields["copy_of"], beside, symlinks=True)
    for words in fields["steps"]:
        command = [str(folder) if word == SCENE else word for word in words]
        said = subprocess.run(
            [sys.executable, "-m", "campose_core.cli.main", *command],
            stderr=subprocess.PIPE, text=True, check=False, preexec_fn=killed_with_parent,
        )  # fmt: skip
        lines = [line for line in said.stderr.splitlines() if line.strip()]
        for line in lines:
            log.info(one_line(line))
        if said.returncode:
            raise CamposeError(lines[-1] if lines else f"campose {command[0]} ended with {said.returncode}")
    return {"wall_s": time.perf_counter() - started}


def killed_with_parent() -> None:
    """Have the system kill this process, a command that does not look, when the one that started it ends.

    Linux keeps that through exec.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
