"""The plain way to map: COLMAP as it comes, sequential pairs and the incremental mapper."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from campose_core.landmark_map.colmap import load_pycolmap


@dataclass(frozen=True)
class Mapped:
    """One way to map one recording: frames it was given, of them in the largest model, sizes of all models.

    cpu_seconds hardly depends on what else the machine does, seconds do.
    """

    frames: int
    in_largest: int
    models: tuple[int, ...]
    seconds: float
    cpu_seconds: float
    peak_gb: float


def plain_map(frames: Path, out: Path) -> Mapped:
    """A folder of images mapped by a process of its own, whose peak memory is known."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    own = [sys.executable, "-m", "benchmarks.mapping.plain", str(frames), str(out)]
    started = time.monotonic()
    with open(out / "log", "w") as log:
        printed = subprocess.run(own, check=True, stdout=subprocess.PIPE, stderr=log, text=True).stdout
    models, cpu_seconds, peak_gb = json.loads(printed.splitlines()[-1])
    count = len(list(frames.glob("*.jpg")))
    return Mapped(count, max(models, default=0), tuple(models), time.monotonic() - started, cpu_seconds, peak_gb)


def main() -> None:
    frames, out = map(Path, sys.argv[1:])
    pycolmap = load_pycolmap()
    database = out / "database.db"
    pycolmap.extract_features(database, frames, camera_mode=pycolmap.CameraMode.SINGLE)
    pycolmap.match_sequential(database)
    (out / "models").mkdir()
    models = pycolmap.incremental_mapping(database, frames, out / "models")
    sizes = sorted((model.num_reg_images() for model in models.values()), reverse=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([sizes, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20]))


if __name__ == "__main__":
    main()
