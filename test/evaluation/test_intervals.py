"""Intervals and comparisons: they hold what they promise, on processes whose truth is known."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.evaluation.comparison import compare, per_frame, read_earlier
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.evaluation.intervals import intervals, stretches
from campose_core.evaluation.metrics import evaluate, frame_errors
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory, write_tum

STEP = 100_000_000
COUNT = 1200  # two minutes
TRUTH = Trajectory(
    STEP * np.arange(COUNT), np.zeros((COUNT, 3)), Rotation.from_quat(np.tile([0.0, 0, 0, 1], (COUNT, 1)))
)


def run(seed: int, size_m: float = 0.05, answered: float = 1.0, count: int = COUNT) -> Estimates:
    """Errors that are the same for three seconds, as those of a camera that passes a corner."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat(size_m * rng.exponential(size=count // 30 + 1), 30)[:count]
    silent = np.repeat(rng.random(count // 30 + 1) > answered, 30)[:count]
    poses = [None if s else Pose(Rotation.identity(), [e, 0, 0]) for e, s in zip(sizes.tolist(), silent, strict=True)]
    return Estimates("test", tuple(FrameOutcome(STEP * i, pose, "TRACKING") for i, pose in enumerate(poses)))


def errors_of(*given, **named):
    return frame_errors(run(*given, **named), TRUTH)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of 40 recordings, the median of an exponential is size * ln 2, and 1 - 1/e of it lies within size."""
    hits = dict.fromkeys(("position_m.median", "recall@5cm/5deg", "availability"), 0)
    for seed in range(40):
        found = intervals(errors_of(seed, answered=0.9))
        # With a tenth silent, the median is that quantile of the answered which is half of all.
        truths = (-0.05 * np.log(1 - 0.5 / 0.9), 0.9 * (1 - np.exp(-1)), 0.9)
        for name, truth in zip(hits, truths, strict=True):
            hits[name] += found[name].low <= truth <= found[name].high
    assert min(hits.values()) >= 32, hits
    assert max(hits.values()) <= 40


def test_intervals_are_the_same_every_time_and_hold_the_value():
    metrics = [evaluate(run(3, answered=0.8), TRUTH) for _ in range(2)]
    assert metrics[0].intervals == metrics[1].intervals
    low, high = metrics[0].intervals["recall@5cm/5deg"]
    assert low < metrics[0].recall["5cm/5deg"] < high
    low, high = metrics[0].intervals["position_m.median"]
    assert low <= metrics[0].position_m.median <= high
    json.dumps(metrics[0].to_dict(), allow_nan=False)


def test_what_never_happened_in_a_few_stretches_may_happen_in_the_next():
    found = intervals(errors_of(0, size_m=1e-3))
    count = stretches(TRUTH.stamps_ns)[-1] + 1
    assert count == 24
    assert found["wrong_and_sure"].low == 0
    assert found["wrong_and_sure"].high == pytest.approx(3 / count, rel=0.1)  # the rule of three
    assert found["availability"] == pytest.approx((1 - found["wrong_and_sure"].high, 1.0))


def test_a_recording_too_short_has_no_intervals():
    short = TRUTH.select(np.arange(COUNT) < 70)
    assert evaluate(run(0, count=70), short).intervals == {}
    assert "intervals" not in evaluate(run(0, count=70), short).to_dict()


def test_stretches_end_at_gaps_and_are_neither_too_many_nor_too_few():
    gap = TRUTH.stamps_ns + 60 * 10**9 * (np.arange(COUNT) >= 600)
    label = stretches(gap)
    assert label[600] == label[599] + 1
    assert set(np.diff(label)) == {0, 1}
    assert stretches(STEP * np.arange(100_000))[-1] == 99
    assert stretches(STEP * np.arange(100))[-1] + 1 >= 8


def test_better_worse_and_same():
    before, same, better = errors_of(1), errors_of(2), errors_of(3, size_m=0.02)
    verdicts = {d.name: d.verdict for d in compare(better, before)}
    assert verdicts["position_m.median"] == verdicts["recall@5cm/5deg"] == "better"
    assert verdicts["availability"] == "same"
    assert {d.name: d.verdict for d in compare(before, better)}["position_m.median"] == "worse"
    assert {d.verdict for d in compare(same, before)} == {"same"}
    silent = errors_of(4, answered=0.5)
    assert {d.name: d.verdict for d in compare(silent, before)}["availability"] == "worse"


def test_on_the_same_frames_a_small_difference_shows_that_is_in_all_of_them():
    """Two millimetres on errors of centimetres: far less than recordings differ by, but in every frame."""
    before = errors_of(5)
    moved = Estimates("test", tuple(
        o._replace(map_from_cam=Pose(o.map_from_cam.rotation, o.map_from_cam.translation + np.array([2e-3, 0, 0])))
        for o in run(5).outcomes
    ))  # fmt: skip
    found = {d.name: d for d in compare(frame_errors(moved, TRUTH), before)}["position_m.median"]
    assert found.verdict == "worse"
    assert found.interval == pytest.approx((2e-3, 2e-3), abs=1e-6)


def test_an_earlier_report_reads_back(tmp_path):
    errors = errors_of(6, answered=0.7)
    (tmp_path / "report.json").write_text(json.dumps({"per_frame": {"test": per_frame(errors)}}, allow_nan=False))
    read = read_earlier(tmp_path / "report.json")["test"]
    np.testing.assert_allclose(read.position_m, errors.position_m, atol=1e-6)
    assert {d.verdict for d in compare(errors, read)} == {"same"}


@pytest.mark.parametrize("text", ["[]", "{}", '{"per_frame": {"a": {"stamps_ns": [1, 0]}}}', '{"per_frame": 7}', "no"])
def test_another_file_is_no_earlier_report(tmp_path, capsys, text):
    (tmp_path / "old.json").write_text(text)
    write_estimates(tmp_path / "est.tum", run(0))
    write_tum(tmp_path / "ref.tum", TRUTH)
    said = ["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum"), "--report", str(tmp_path / "out")]
    assert main([*said, "--against", str(tmp_path / "old.json")]) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "old.json" in line
    assert not (tmp_path / "out").exists()


def test_the_report_tells_better_and_worse_with_intervals(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="images need the extra `view`")
    write_tum(tmp_path / "ref.tum", TRUTH)
    write_estimates(tmp_path / "before.tum", run(1))
    write_estimates(tmp_path / "now.tum", run(2, size_m=0.02, answered=0.5))
    reference, earlier = str(tmp_path / "ref.tum"), str(tmp_path / "old" / "report.json")
    assert main(["evaluate", str(tmp_path / "before.tum"), reference, "--report", str(tmp_path / "old")]) == 0
    said = ["evaluate", str(tmp_path / "now.tum"), reference, "--report", str(tmp_path / "new"), "--against", earlier]
    assert main(said) == 0
    told = json.loads((tmp_path / "new" / "report.json").read_text())
    verdicts = {one["name"]: one["verdict"] for one in told["against"]["test"]}
    assert (verdicts["availability"], verdicts["wrong_and_sure"]) == ("worse", "same")
    page = (tmp_path / "new" / "index.html").read_text()
    assert '<td class="worse">worse</td>' in page
    assert "evaluate" in capsys.readouterr().err  # where the page is
    write_estimates(tmp_path / "now.tum", Estimates("other", run(2).outcomes))
    assert main(said) == 1
    assert "and not of other" in capsys.readouterr().err
