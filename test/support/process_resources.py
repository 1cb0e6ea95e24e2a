"""What a process holds of the system, as /proc says."""

import re
from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """What a process holds of the system."""

    memory_mb: float
    threads: int
    files: int


def held_by(process_id: int) -> Held:
    status = Path(f"/proc/{process_id}/status").read_text()
    memory_kb, threads = (int(re.search(rf"{key}:\s*(\d+)", status)[1]) for key in ("VmRSS", "Threads"))
    return Held(memory_kb / 1024, threads, len(list(Path(f"/proc/{process_id}/fd").iterdir())))
