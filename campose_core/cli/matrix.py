"""`campose matrix RUNS.yaml --out DIR`"""

import json
import os
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import say, show
from campose_core.cli.numbers import Count
from campose_core.cli.outputs import check_folder
from campose_core.errors import CamposeError, UsageError
from campose_core.matrix.engine import on_scheduler, on_this_machine
from campose_core.matrix.matrix import run_matrix
from campose_core.matrix.page import write_page
from campose_core.matrix.plan import read_plan
from campose_core.matrix.rows import summary_table


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the plan, the folder for its results, and who runs it."""
    parser.add_argument("runs", type=Path, help="RUNS.yaml: scenes, recordings, conditions, estimators, seeds")
    parser.add_argument("--out", type=Path, required=True, help="folder for rows.parquet, the report, and each run")
    parser.add_argument("--workers", type=Count | None, help="runs at a time on this machine; by default one a core")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", type=str | None, help="of Dask, such as tcp://host:8786, whose workers run it"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(options: Namespace) -> None:
    """Run what is not finished; prints a table by condition and estimator."""
    if options.workers and options.scheduler:
        raise UsageError("--workers is of this machine, --scheduler has its own: give one of them")
    check_folder("--out", options.out)
    plan = read_plan(options.runs)
    cores = len(os.sched_getaffinity(0))
    engine = on_scheduler(options.scheduler) if options.scheduler else on_this_machine(options.workers or cores)
    rows = run_matrix(plan, options.out, engine)
    page = write_page(options.out / "report", options.runs, rows)
    show(*(json.dumps(rows) if options.json else summary_table(rows)).splitlines())
    say(f"matrix: {len(rows)} runs: {options.out / 'rows.parquet'}; the report: {page}")
    failed = [row for row in rows if row["error"]]
    if failed:
        raise CamposeError(
            f"{len(failed)} of {len(rows)} runs failed, {failed[0]['run']}: {failed[0]['error']}; the same command "
            "runs them again"
        )
