"""campose's way to map, measured as the plain one is: by a process of its own, with its peak memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.mapping.plain import Mapped
from campose_core.geometry import umeyama
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.trajectory import read_tum

MEASURED = """
import resource, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module("campose_core.cli.main", run_name="__main__")
finally:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(one.ru_utime + one.ru_stime for one in used), max(one.ru_maxrss for one in used) / 2**20)
"""


def campose_map(source: Path, out: Path, *options: object) -> tuple[Mapped, Scene]:
    """A recording mapped from nothing: time and memory of `map`, with the extraction left out."""
    shutil.rmtree(out, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "campose_core.cli.main",
        "extract",
        str(source),
        "--scene",
        str(out),
        "--fps",
        "all",
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started = time.monotonic()
    measured = [sys.executable, "-c", MEASURED, "campose", "map", str(out), *map(str, options)]
    printed = subprocess.run(measured, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    seconds = time.monotonic() - started
    report = json.loads((out / "sfm" / "report.json").read_text())
    models = (report["posed"], *report["other_models"])
    cpu_seconds, peak_gb = map(float, printed.split()[-2:])
    return Mapped(report["frames"], report["posed"], models, seconds, cpu_seconds, peak_gb), Scene.open(out)


def path_error(scene: Scene, truth: Path) -> float:
    """Root mean square error of the positions of all placed frames, metres, after the best similarity."""
    reference, found = dict(read_tum(truth)), SfmPoses.load(scene).poses()
    pairs = [
        (found[f.name], reference[f.stamp_ns]) for f in scene.frames if f.name in found and f.stamp_ns in reference
    ]
    sfm, true = (np.array([pose.translation for pose in poses]) for poses in zip(*pairs, strict=True))
    return float(np.sqrt(np.mean(np.sum((umeyama(sfm, true).transform(sfm) - true) ** 2, axis=1))))
