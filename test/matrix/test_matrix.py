"""`campose matrix` from end to end: rows, what is finished and stays so, and what fails beside it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rendered_datasets import shots_of
from written_exports import tum_rgbd

from campose_core.cli.main import main
from campose_core.matrix.curves import curve_of, robustness_curves
from campose_core.matrix.job import Job, run_job
from campose_core.matrix.one_run import TIMES
from campose_core.matrix.rows import RECALLS, summaries, write_parquet

pytest.importorskip("pyarrow")
from pyarrow import parquet

PLAN = """
scenes: {small: SCENE}
recordings: {few: {path: few, reference: few}}
conditions: {jpeg: 0.9}
estimators: ESTIMATORS
"""


@pytest.fixture(scope="module")
def few(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recording `few`: five images of the later drive and their poses."""
    shots, camera = shots_of(small_world, "later")
    folder = tmp_path_factory.mktemp("few")
    tum_rgbd(folder / "few", shots[:10:2], camera)
    return folder


def plan_of(few: Path, scene: Path, estimators: str, name: str = "runs.yaml") -> Path:
    path = few / name
    path.write_text(PLAN.replace("SCENE", str(scene)).replace("ESTIMATORS", estimators))
    return path


def rows_of(out: Path) -> list[dict]:
    return parquet.read_table(out / "rows.parquet").to_pylist()


def without_times(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def done(few: Path, small_scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one worker made of the plan."""
    out = tmp_path_factory.mktemp("done")
    before = times(small_scene)
    plan = plan_of(few, small_scene, "[retrieval, 'replay:retrieval']")
    assert main(["matrix", str(plan), "--out", str(out), "--workers", "1"]) == 0
    assert times(small_scene) == before, "a scene is only read"
    return out


@pytest.mark.slow
def test_each_run_is_a_row(done):
    rows = rows_of(done)
    assert [(row["condition"], row["estimator"]) for row in rows] == [
        ("as recorded", "retrieval"), ("as recorded", "replay:retrieval"),
        ("jpeg", "retrieval"), ("jpeg", "replay:retrieval"),
    ]  # fmt: skip
    assert all(row["error"] is None and row["frames"] == 5 for row in rows)
    assert rows[0]["answered"] == 5
    assert (done / "report" / "index.html").read_text().count("data:image/png") == 1


@pytest.mark.slow
def test_what_is_finished_is_not_run_again_and_the_rest_is(done, few, small_scene):
    plan = plan_of(few, small_scene, "[retrieval, 'replay:retrieval']")
    rows, before = rows_of(done), times(done / "runs")
    gone, damaged = (done / "runs" / rows[row]["run"] for row in (2, 1))
    (gone / "result.json").unlink()
    (damaged / "result.json").write_text("[" * 100_000)
    assert main(["matrix", str(plan), "--out", str(done), "--workers", "2"]) == 0
    changed = {name.split("/")[0] for name, stamp in times(done / "runs").items() if before.get(name) != stamp}
    assert changed == {gone.name, damaged.name}
    assert without_times(rows_of(done)) == without_times(rows)


@pytest.mark.slow
def test_a_run_that_fails_is_a_row_with_its_reason_beside_the_others(few, small_scene, tmp_path, capfd):
    plan = plan_of(few, small_scene, "[nosuchmodel, retrieval]", "failing.yaml")
    plan.write_text(plan.read_text().replace("conditions: {jpeg: 0.9}\n", ""))
    assert main(["matrix", str(plan), "--out", str(tmp_path), "--workers", "2"]) == 1
    failed, good = rows_of(tmp_path)
    assert "nosuchmodel" in failed["error"]
    assert good["error"] is None
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("campose matrix: 1 of 2 runs failed")
    assert "nosuchmodel" in last


@pytest.mark.slow
def test_scenes_that_the_plan_makes_are_made_once_and_a_failing_step_is_named(small_scene, few, tmp_path):
    plan = few / "making.yaml"
    plan.write_text(
        f"""
scenes:
  base: {small_scene}
  split: {{of: base, steps: [split SCENE]}}
  broken: {{of: split, steps: [train SCENE --model nosuchkind]}}
recordings: {{few: {{path: few, reference: few}}}}
estimators: [retrieval]
"""
    )
    assert main(["matrix", str(plan), "--out", str(tmp_path), "--workers", "2"]) == 1
    base, split, broken = rows_of(tmp_path)
    assert base["error"] is None
    assert split["position_m.median"] == base["position_m.median"]
    assert "nosuchkind" in broken["error"]
    made = (tmp_path / "scenes" / "making" / "split" / "result.json").stat().st_mtime_ns
    assert main(["matrix", str(plan), "--out", str(tmp_path), "--workers", "2"]) == 1
    assert (tmp_path / "scenes" / "making" / "split" / "result.json").stat().st_mtime_ns == made


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, capfd):
    pytest.importorskip("distributed")
    for name in ("scene/scene.yaml", "few"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    plan, out = plan_of(tmp_path, tmp_path / "scene", "[retrieval]"), tmp_path / "out"
    assert main(["matrix", str(plan), "--out", str(out), "--scheduler", "nonsense://1"]) == 2
    assert "--scheduler nonsense://1: no scheduler answers" in capfd.readouterr().err.strip().splitlines()[-1]
    assert not out.exists()


def started(module: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", module, *arguments, "--no-dashboard"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def a_scheduler(folder: Path) -> tuple[subprocess.Popen, str]:
    """A real one on a free port, and its address."""
    note = folder / "scheduler.json"
    scheduler = started("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                        "--scheduler-file", str(note))  # fmt: skip
    while not note.is_file():
        assert scheduler.poll() is None
        time.sleep(0.1)
    return scheduler, json.loads(note.read_text())["address"]


def worker(address: str) -> subprocess.Popen:
    return started("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny")


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.long)])
def test_workers_that_are_killed_lose_nothing(kills, done, few, small_scene, tmp_path):
    """A real scheduler and two workers, of which one that runs something is killed, again and again: the same rows."""
    pytest.importorskip("distributed")
    out = tmp_path / "out"
    plan = plan_of(few, small_scene, "[retrieval, 'replay:retrieval']")
    scheduler, address = a_scheduler(tmp_path)
    processes = [scheduler]
    try:
        workers = [worker(address), worker(address)]
        command = [sys.executable, "-m", "campose_core.cli.main", "matrix", str(plan), "--out", str(out)]
        matrix = subprocess.Popen([*command, "--scheduler", address])
        processes += [*workers, matrix]
        killed = 0
        while killed < kills and matrix.poll() is None:
            busy = next((one for one in workers if children(one.pid)), None)
            if busy is None:
                time.sleep(0.02)
                continue
            busy.kill()
            busy.wait()
            workers = [one for one in workers if one is not busy] + [worker(address)]
            processes.append(workers[-1])
            killed += 1
        assert killed
        assert matrix.wait() == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert without_times(rows_of(out)) == without_times(rows_of(done))


@pytest.mark.long
def test_without_its_scheduler_the_command_ends_and_another_way_computes_the_rest(done, few, small_scene, tmp_path):
    pytest.importorskip("distributed")
    out = tmp_path / "out"
    plan = plan_of(few, small_scene, "[retrieval, 'replay:retrieval']")
    scheduler, address = a_scheduler(tmp_path)
    processes = [scheduler, worker(address)]
    try:
        command = [sys.executable, "-m", "campose_core.cli.main", "matrix", str(plan), "--out", str(out)]
        matrix = subprocess.Popen([*command, "--scheduler", address], stderr=subprocess.PIPE, text=True)
        processes.append(matrix)
        while not list(out.glob("runs/*/result.json")):
            assert matrix.poll() is None
            time.sleep(0.02)
        scheduler.kill()
        said = matrix.communicate()[1]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert matrix.returncode == 1
    assert said.splitlines()[-1].startswith(f"campose matrix: the scheduler at {address} is gone")
    assert "Traceback" not in said
    finished = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    assert main(["matrix", str(plan), "--out", str(out), "--workers", "2"]) == 0
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert without_times(rows_of(out)) == without_times(rows_of(done))


def children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def test_a_job_that_is_always_killed_is_given_up_with_its_signal(tmp_path):
    """The process kills itself as it reads what to do: a pipe that nobody writes to holds it until then."""
    job = Job("doomed", tmp_path)
    os.mkfifo(job.file)
    watcher = subprocess.Popen([sys.executable, "-c", KILLER, str(os.getpid())])
    try:
        ended = run_job(job)
    finally:
        watcher.kill()
        watcher.wait()
    assert "died of SIGKILL 5 times" in ended.error


# Its own words, which are a command line too, do not hold what it looks for.
KILLER = """
import os, signal, sys, time
from pathlib import Path
while True:
    try:
        tasks = Path(f"/proc/{sys.argv[1]}/task").iterdir()
        for child in (child for task in tasks for child in (task / "children").read_text().split()):
            if b"campose_core.matrix." b"job" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
    except OSError:
        pass  # it ended as it was looked at
    time.sleep(0.01)
"""


def test_a_table_keeps_the_types_of_its_columns_whatever_rows_are_there(tmp_path):
    rows = [{"run": "a", "frames": 3, "p": None, "q": None}, {"run": "b", "frames": 4, "p": 0.5}]
    write_parquet(tmp_path / "t.parquet", rows)
    table = parquet.read_table(tmp_path / "t.parquet")
    assert [str(kind) for kind in table.schema.types] == ["string", "int64", "double", "string"]
    assert table.to_pylist()[0] == rows[0]


def test_sums_count_every_frame_alike():
    share = {"recall.5cm/5deg": 0.0, "recall.50cm/5deg": 1.0, "wrong_and_sure": 0.0}
    which = {"condition": "night", "severity": 0.5, "estimator": "structure"}
    rows = [
        {**which, **share, "frames": 10, "answered": 10, "recall.25cm/2deg": 1.0},
        {**which, **share, "frames": 30, "answered": 15, "recall.25cm/2deg": 0.2},
        {**which, "frames": 9, "answered": 9},  # without a reference
    ]
    [one] = summaries(rows)
    assert (one.runs, one.frames, one.answered) == (2, 40, 25 / 40)
    assert one.recall["25cm/2deg"] == pytest.approx(0.4)
    assert np.isclose(one.wrong_and_sure, 0.0)


def test_a_curve_begins_with_the_runs_as_recorded_and_rises_in_severity():
    shares = {f"recall.{name}": 0.5 for name in RECALLS} | {"frames": 4, "answered": 4, "wrong_and_sure": 0.0}
    points = [
        ("night", 1.0, "a"),
        ("night", 0.5, "a"),
        ("as recorded", 0.0, "a"),
        ("jpeg", 0.1, "a"),
        ("night", 0.7, "b"),
    ]
    rows = [{"condition": c, "severity": s, "estimator": e, **shares} for c, s, e in points]
    assert [one.severity for one in curve_of(summaries(rows), "night", "a")] == [0.0, 0.5, 1.0]
    picture = robustness_curves(summaries(rows))
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert robustness_curves(summaries([rows[2]])) is None, "nothing was made harder"
