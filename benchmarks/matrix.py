"""What workers bring to `campose matrix`: eight runs by one, by two, and by two of Dask that are killed by turns.

    python benchmarks/matrix.py SCENE QUERY REFERENCE [--kill-each S]

Prints the wall time of one worker over that of two, and beside it what the machine gives at most: `campose localize`
twice, one after the other, over the same two at once. Cores share memory, and a machine with other work makes both
smaller. And the time of one worker that no run took. With --kill-each the workers of a scheduler, one of them killed
and replaced every S seconds. Each time the rows must be those of one worker, but for times.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from campose_core.cli.main import main as campose
from campose_core.matrix.one_run import TIMES

CONDITIONS = {"night": [0.25, 0.5], "motion-blur": [0.25, 0.5], "jpeg": [0.5, 0.9], "zoom": [0.5]}  # and as recorded
DASK = [sys.executable, "-m"]
CAMPOSE = [sys.executable, "-m", "campose_core.cli.main"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs=3, metavar=("SCENE", "QUERY", "REFERENCE"))
    parser.add_argument("--kill-each", type=float, metavar="S")
    options = parser.parse_args()
    scene, query, reference = (str(path.resolve()) for path in options.files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = {"query": {"path": query, "reference": reference}}
        plan = {"scenes": {"scene": scene}, "recordings": recordings, "conditions": CONDITIONS}
        (folder / "runs.yaml").write_text(json.dumps(plan))
        print(f"{len(os.sched_getaffinity(0))} cores, of which others use {os.getloadavg()[0]:.1f}")
        one_s, rows = timed(folder, "one", "--workers", "1")
        alone_s = one_s - sum(row["wall_s"] for row in rows)
        two_s, again = timed(folder, "two", "--workers", "2")
        print(f"{len(rows)} runs: one worker {one_s:.1f} s, {alone_s:.1f} s of it in no run; two {two_s:.1f} s")
        print(f"two workers are {one_s / two_s:.2f} times as fast; rows {compared(rows, again)}")
        print(f"two processes that know nothing of each other: {side_by_side(folder, scene, query):.2f} times")
        if options.kill_each:
            kills, again = among_killed_workers(folder, options.kill_each)
            print(f"workers of Dask, {kills} killed: rows {compared(rows, again)}")


def timed(folder: Path, out: str, *arguments: str) -> tuple[float, list[dict[str, Any]]]:
    """Run the plan; returns how long it took and its rows."""
    started = time.monotonic()
    if campose(["matrix", str(folder / "runs.yaml"), "--out", str(folder / out), *arguments]) != 0:
        raise SystemExit("a run failed")
    return time.monotonic() - started, rows_of(folder / out)


def side_by_side(folder: Path, scene: str, query: str) -> float:
    """Return how much faster two processes of one thread localize at once than one after the other."""

    def started(number: int) -> subprocess.Popen[bytes]:
        command = [*CAMPOSE, "localize", scene, query, "--estimator", "structure", "--out", f"{folder}/{number}.tum"]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )

    before = time.monotonic()
    for number in range(2):
        started(number).wait()
    between = time.monotonic()
    for process in [started(number) for number in range(2)]:
        process.wait()
    return (between - before) / (time.monotonic() - between)


def rows_of(out: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(out / "rows.parquet").to_pylist()
    return rows


def compared(rows: list[dict[str, Any]], again: list[dict[str, Any]]) -> str:
    def without_times(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in TIMES}

    return "equal but for times" if [*map(without_times, rows)] == [*map(without_times, again)] else "DIFFER"


def among_killed_workers(folder: Path, period_s: float) -> tuple[int, list[dict[str, Any]]]:
    """Run the plan on a scheduler's two workers, of which the elder is killed each period_s and replaced."""
    note = folder / "scheduler.json"
    at = ["--scheduler-file", str(note), "--no-dashboard"]
    running = [started("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *at)]
    try:
        while not note.is_file():
            time.sleep(0.1)
        address = json.loads(note.read_text())["address"]
        workers = [worker(address), worker(address)]
        running += workers
        arguments = [str(folder / "runs.yaml"), "--out", str(folder / "killed"), "--scheduler", address]
        matrix = subprocess.Popen([*DASK, "campose_core.cli.main", "matrix", *arguments])
        running.append(matrix)
        kills = 0
        while True:
            try:
                ended = matrix.wait(period_s)
                break
            except subprocess.TimeoutExpired:
                workers[0].kill()
                workers = [workers[1], worker(address)]
                running.append(workers[1])
                kills += 1
        if ended != 0:
            raise SystemExit("a run failed")
        return kills, rows_of(folder / "killed")
    finally:
        for process in running:
            process.kill()
            process.wait()


def worker(address: str) -> subprocess.Popen[bytes]:
    return started("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")


def started(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*DASK, module, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
