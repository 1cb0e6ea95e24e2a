"""All runs of a plan: those that are finished are read, the others are run, and each becomes a row.

OUT/runs/NAME/     job.json, log.txt, estimates.tum with what lies beside it, and result.json, its row, at last
OUT/scenes/NAME/   the scenes that the plan makes; making/NAME/ has their log and result
OUT/rows.parquet   a row for each run, in the order of the plan
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from campose_core import __version__
from campose_core.capture.external_poses import reference_parts
from campose_core.errors import CamposeError
from campose_core.extras import load_extra
from campose_core.files import read_json, write_text
from campose_core.matrix.digests import digest_of, digest_of_files, digest_of_scene
from campose_core.matrix.engine import Engine
from campose_core.matrix.job import Ended, Job
from campose_core.matrix.one_run import row_of, run_to_dict
from campose_core.matrix.plan import MAKING, Plan, Run, SceneSource, order_of_making
from campose_core.matrix.rows import Row, write_parquet
from campose_core.progress import track

log = logging.getLogger(__name__)
ROWS = "rows.parquet"


def run_matrix(plan: Plan, out: Path, engine: Engine) -> list[Row]:
    """Run what is not finished of a plan, and return the row of each run; OUT/rows.parquet has them too.

    A run that failed is a row with its `error`, and is run again the next time.

    Raises:
        MissingDependency: pyarrow is not installed, which is seen before anything is run.
        CamposeError: the scheduler is gone; what is finished is kept.
    """
    load_extra("pyarrow.parquet", "matrix")
    failed = make_scenes(plan, out, engine)
    ready = {name: _folder(scene, out) for name, scene in plan.scenes.items() if name not in failed}
    digests = _Digests(plan, ready)
    inputs = {run: digests.of(run) for run in plan.runs if run.scene in ready}
    jobs = {run: Job(run.name, out / "runs" / run.name) for run in inputs}
    rows = {run: finished(job, inputs[run]) for run, job in jobs.items()}
    waiting = {job: run for run, job in jobs.items() if rows[run] is None}
    if len(waiting) < len(jobs):
        log.info(f"matrix: {len(jobs) - len(waiting)} of {len(plan.runs)} runs are finished")
    for job, run in waiting.items():
        source = plan.recordings[run.recording]
        _write_job(job, {"inputs": inputs[run], "run": run_to_dict(run, ready[run.scene], source)})
    for number, ended in enumerate(_watched(engine, list(waiting), "runs"), start=1):
        run = waiting[ended.job]
        rows[run] = {**row_of(run), "error": ended.error} if ended.error else finished(ended.job, inputs[run])
        log.info(f"matrix: {number} of {len(waiting)}: {run.name}: {ended.error or 'done'}")
    table: list[Row] = [rows.get(run) or {**row_of(run), "error": failed[run.scene]} for run in plan.runs]
    write_parquet(out / ROWS, table)
    return table


def make_scenes(plan: Plan, out: Path, engine: Engine) -> dict[str, str]:
    """Make the scenes that are not there yet; returns why, of those that cannot be made."""
    failed: dict[str, str] = {}
    made: dict[str, str] = {}  # digests
    for wave in order_of_making(plan.scenes):
        jobs: dict[Job, str] = {}
        for scene in wave:
            name = scene.name
            if scene.of in failed:
                failed[name] = f"its scene {scene.of!r} could not be made"
                continue
            source = plan.scenes[scene.of] if scene.of else None
            named = (Path(word) for words in scene.steps for word in words)
            files = [digest_of_files(path) for path in named if path.is_absolute() and path.exists()]
            of = (made.get(source.name) or digest_of_scene(_folder(source, out))) if source else ""
            made[name] = digest_of([__version__, scene.steps, files, of])
            job = Job(name, out / "scenes" / MAKING / name)
            if finished(job, made[name]) is None or not (_folder(scene, out) / "scene.yaml").is_file():
                copy_of = str(_folder(source, out)) if source else None
                fields = {"path": str(_folder(scene, out)), "copy_of": copy_of, "steps": scene.steps}
                _write_job(job, {"inputs": made[name], **fields})
                jobs[job] = name
        for ended in _watched(engine, list(jobs), "scenes"):
            log.info(f"matrix: scene {jobs[ended.job]}: {ended.error or 'made'}")
            if ended.error:
                failed[jobs[ended.job]] = f"its scene could not be made: {ended.error}"
    return failed


def finished(job: Job, inputs: str) -> dict[str, Any] | None:
    """Return the row of a job that was done before, of the same inputs; None where it is to be done."""
    try:
        result = read_json(job.result, CamposeError)
        return dict(result["row"]) if result["inputs"] == inputs else None
    except (CamposeError, ValueError, KeyError, TypeError):
        return None


class _Digests:
    """What runs are made from; scenes and recordings are looked at once."""

    def __init__(self, plan: Plan, folders: Mapping[str, Path]) -> None:
        self._plan, self._folders = plan, folders
        self._scene = cache(digest_of_scene)
        self._files = cache(digest_of_files)

    def of(self, run: Run) -> str:
        source = self._plan.recordings[run.recording]
        reference = source.reference and reference_parts(source.reference)[0]
        paths = (source.path, reference, source.camera, source.world)
        folder = self._folders[run.scene]
        named = [__version__, run.name, str(folder), source.topic, str(source.reference)]
        return digest_of([*named, self._scene(folder), *map(self._files, paths)])


def _folder(scene: SceneSource, out: Path) -> Path:
    return scene.path or (out / "scenes" / scene.name).resolve()


def _write_job(job: Job, fields: Mapping[str, Any]) -> None:
    job.result.unlink(missing_ok=True)
    write_text(job.file, json.dumps(fields, indent=1) + "\n")


def _watched(engine: Engine, jobs: Sequence[Job], what: str) -> Iterator[Ended]:
    """Yield each job as it ends, behind a bar; those of an engine that ended early are an error."""
    if not jobs:
        return
    count = 0
    for ended in track(engine(jobs), what, total=len(jobs)):
        count += 1
        yield ended
    if count < len(jobs):
        raise CamposeError(f"{len(jobs) - count} {what} did not end: run the same command again, what is done is kept")
