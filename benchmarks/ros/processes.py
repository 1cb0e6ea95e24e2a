"""Nodes in processes of their own, and what they take of the machine (Linux: /proc)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from campose_ros.demo import DDS

ROOT = Path(__file__).resolve().parents[2]
LARGE_SHM = {
    name: str(ROOT / "config" / "fastdds_large_shm.xml")
    for name in ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(module: str, *arguments: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module`, ended by SIGINT."""
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **DDS, **environment},
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def parameters(**values: object) -> list[str]:
    return ["--ros-args", *(word for name, value in values.items() for word in ("-p", f"{name}:={value}"))]


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time of all its threads until now."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Resident memory."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def has_loaded(process: subprocess.Popen[bytes], library: str) -> bool:
    return library in Path(f"/proc/{process.pid}/maps").read_text()
