"""What an evaluation costs: 100,000 poses by `campose evaluate`, and the report of 10,000 frames.

    python benchmarks/evaluation.py

Prints wall and processor time and the peak of memory of each, in a process of its own, and the size of the page.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.evaluation.estimates import Estimates, write_estimates
from campose_core.evaluation.outcomes import OutcomeTable
from campose_core.trajectory import Trajectory, write_tum

POSES, FRAMES = 100_000, 10_000
START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 100_000_000


def drive(count: int, covariances: bool) -> tuple[Trajectory, Estimates]:
    """A drive at a metre a second, of which every fiftieth frame has no answer."""
    rng = np.random.default_rng(0)
    stamps = START_NS + PERIOD_NS * np.arange(count)
    yaw = np.cumsum(rng.normal(0, 0.05, count))
    ahead = 0.1 * np.column_stack([np.cos(yaw), np.sin(yaw), np.zeros(count)])
    truth = Trajectory(stamps, np.cumsum(ahead, axis=0), Rotation.from_euler("z", yaw[:, None]))
    answered = np.arange(count) % 50 != 0
    turns = Rotation.from_rotvec(rng.normal(0, 0.01, (count, 3)))
    found = Trajectory(stamps, truth.positions + rng.normal(0, 0.02, (count, 3)), turns * truth.rotations)
    spread = np.tile(np.diag([0.02**2] * 3 + [0.01**2] * 3), (int(answered.sum()), 1, 1)) if covariances else None
    statuses = ["TRACKING" if one else "LOST" for one in answered]
    table = OutcomeTable(stamps, statuses, [30.0] * count, found.select(answered), spread)
    return truth, Estimates("structure", table)


def timed(command: list[str]) -> str:
    """Run a command; returns what it cost. The peak is that of the largest process that was waited for so far."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{time.perf_counter() - start:.1f} s, {spent:.1f} s of processor time, at most {after.ru_maxrss / 1024:.0f} MB"
    )


def main() -> None:
    campose = [sys.executable, "-m", "campose_core.cli.main", "evaluate"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, covariances in (("bare poses", False), ("with covariances", True)):
            truth, estimates = drive(POSES, covariances)
            write_tum(folder / "ref.tum", truth)
            write_estimates(folder / "est.tum", estimates)
            print(f"evaluate {POSES} frames, {what}: {timed([*campose, f'{folder}/est.tum', f'{folder}/ref.tum'])}")
        truth, estimates = drive(FRAMES, True)
        write_tum(folder / "ref.tum", truth)
        write_estimates(folder / "est.tum", estimates)
        report = [*campose, f"{folder}/est.tum", f"{folder}/ref.tum", "--report", f"{folder}/report"]
        print(f"report of {FRAMES} frames: {timed(report)}")
        sizes = [(folder / "report" / file).stat().st_size / 1e6 for file in ("index.html", "report.json")]
        print(f"index.html {sizes[0]:.2f} MB, report.json {sizes[1]:.2f} MB")


if __name__ == "__main__":
    main()
