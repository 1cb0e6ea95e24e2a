"""RUNS.yaml: which runs it asks for, and what is said of one that is not understood."""

from pathlib import Path

import pytest

from campose_core.errors import UsageError
from campose_core.matrix.conditions.table import Condition
from campose_core.matrix.plan import Plan, RecordingSource, SceneSource, order_of_making, read_plan

GOOD = """
scenes: {here: scene, made: {steps: [build later.mp4 --scene SCENE]}, again: {of: made, steps: [split SCENE]}}
recordings:
  later: later.mp4
  there: {path: later.mp4, reference: later.tum, scenes: [here], world: world}
conditions: {night: [0, 0.5, 1], jpeg: 1}
estimators: [structure, "replay:structure"]
seeds: [4, 7]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scene").mkdir()
    (tmp_path / "world").mkdir()
    for name in ("scene/scene.yaml", "later.mp4", "later.tum"):
        (tmp_path / name).write_text("")
    return tmp_path


def read(folder: Path, text: str) -> Plan:
    (folder / "runs.yaml").write_text(text)
    return read_plan(folder / "runs.yaml")


def test_runs_are_all_combinations_and_chance_alone_has_seeds(folder):
    plan = read(folder, GOOD)
    # Of each recording in a scene: as recorded and JPEG once, two severities of night by two seeds.
    assert len(plan.runs) == (3 + 1) * 2 * (1 + 1 + 2 * 2)
    assert len({run.name for run in plan.runs}) == len(plan.runs)
    assert {run.scene for run in plan.runs if run.recording == "there"} == {"here"}
    assert {(run.condition.name, run.seed) for run in plan.runs} == {
        ("as recorded", 4), ("jpeg", 4), ("night", 4), ("night", 7)
    }  # fmt: skip


def test_paths_start_from_the_folder_of_the_file_also_in_steps(folder):
    plan = read(folder, GOOD)
    assert plan.recordings["there"].reference == folder / "later.tum"
    assert plan.scenes["made"].steps == (("build", str(folder / "later.mp4"), "--scene", "SCENE"),)


def test_copies_are_made_after_what_they_are_of(folder):
    waves = order_of_making(read(folder, GOOD).scenes)
    assert [[scene.name for scene in wave] for wave in waves] == [["made"], ["again"]]


def test_names_that_look_alike_on_disk_are_told_apart():
    recording = RecordingSource("r", Path("r.mp4"))
    plan = Plan({"s": SceneSource("s", Path("s"))}, {"r": recording}, estimators=("a:b", "a+b"))
    assert len({run.name for run in plan.runs}) == 2
    assert all("/" not in run.name and ":" not in run.name for run in plan.runs)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("scenes: {here: scene,", "scenes: {here: elsewhere,", "elsewhere is no scene"),
        ("scenes: {here", "scene: {here", "'scene' is not known"),
        ("scenes: {here: scene,", "scenes: {'a/b': scene,", "holds a '/'"),
        ("of: made", "of: again", "each is a copy of another one"),
        ("of: made", "of: nowhere", "'nowhere' is none of the scenes"),
        ("--scene SCENE", "--scene here", "write SCENE for the folder"),
        ("later: later.mp4", "later: gone.mp4", "gone.mp4 is not there"),
        ("later: later.mp4", f"later: {'a' * 300}", "a is not there"),
        ("reference: later.tum", "referense: later.tum", "'referense' is not known"),
        ("scenes: [here]", "scenes: [hare]", "'hare' is none of the scenes"),
        ("scenes: {here: scene,", f"scenes: {{here: {'a' * 300},", "a is no scene"),
        ("later: later.mp4", r'later: "later\0mp4"', "recordings: later: path: ['later\\x00mp4'] holds a NUL"),
        ("[split SCENE]", r'["split SCENE \0"]', "scenes: again: steps: ['split SCENE \\x00'] holds a NUL"),
        ("made: {steps: [b", "making: {steps: [b", "scenes: making: the folder of that name is for the logs"),
        ("jpeg: 1", "jpeg: 2", "jpeg: the severity 2.0 is not between 0 and 1"),
        ("jpeg: 1", "jpeg: much", "the severity 'much' is no number"),
        ("jpeg: 1", "snow: 1", "no condition 'snow': there are night"),
        ("jpeg: 1", "fog: 1", "fog is drawn in a rendered world: give the recording 'later' its `world`"),
        ("seeds: [4, 7]", "seeds: [-1]", "should be whole numbers"),
        ("estimators: [", "estimators: [5, ", "should be a text"),
    ],
)
def test_what_is_not_understood_is_named_with_its_file(folder, before, after, said):
    assert before in GOOD
    with pytest.raises(UsageError) as refused:
        read(folder, GOOD.replace(before, after, 1))
    assert said in str(refused.value)
    assert "runs.yaml" in str(refused.value)


def test_more_runs_than_anybody_waits_for_are_refused_before_they_are_made():
    scenes, recordings = {"s": SceneSource("s", Path("s"))}, {"r": RecordingSource("r", Path("r.mp4"))}
    with pytest.raises(UsageError, match="1000000000000 runs are more than anybody waits for"):
        Plan(scenes, recordings, (Condition("night", 1.0),), ("structure",) * 1000, range(10**9))


def test_conditions_begin_with_the_recording_as_it_is(folder):
    assert read(folder, GOOD).conditions[0] == Condition()
