"""Metrics: cases worked out by hand, and what must hold whatever the numbers."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.evaluation.metrics import Spread, evaluate, frame_errors
from campose_core.evaluation.table import HEADER, metrics_cells, metrics_table
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory, write_tum

SECOND = 10**9
STEP = 100_000_000


def straight(count: int = 10, offset_ns: int = 0) -> Trajectory:
    """1 m/s along x, turning about z at 10 deg/s, one pose per 100 ms."""
    stamps = offset_ns + STEP * np.arange(count)
    positions = np.stack([0.1 * np.arange(count), np.zeros(count), np.full(count, 1.5)], axis=1)
    return Trajectory(stamps, positions, Rotation.from_euler("z", np.arange(count)[:, None], degrees=True))


def moved(pose: Pose, metres=(0.0, 0.0, 0.0), turn: Rotation | None = None) -> Pose:
    return Pose((turn or Rotation.identity()) * pose.rotation, pose.translation + np.array(metres))


def outcomes_of(reference: Trajectory, change=lambda i, pose: pose, status="TRACKING") -> Estimates:
    rows = (FrameOutcome(t, change(i, pose), status, 10.0 * i) for i, (t, pose) in enumerate(reference))
    return Estimates("test", tuple(rows))


def test_perfect_estimates():
    metrics = evaluate(outcomes_of(straight()), straight())
    assert (metrics.frames, metrics.answered, metrics.without_reference) == (10, 10, 0)
    assert set(metrics.position_m) == {0.0}
    assert metrics.rotation_deg.p95 == pytest.approx(0.0, abs=1e-5)
    assert next(iter(metrics.recall)) == "1cm/1deg"
    assert list(metrics.recall)[-1] == "5m/10deg"
    assert {"5cm/5deg", "10cm/1deg", "25cm/2deg", "50cm/5deg"} < metrics.recall.keys()
    assert set(metrics.recall.values()) == {1.0}
    assert metrics.wrong_and_sure == 0.0
    assert metrics.latency_ms.p50 == 45.0


def test_errors_worked_out_by_hand():
    # Frame 0: 3 cm up. 1: 4 cm along x and 3 along y. 2: 2 deg about the vertical. 3: 2 m off. 4: no answer.
    about_z, about_x = Rotation.from_euler("z", 2, degrees=True), Rotation.from_euler("x", 4, degrees=True)
    changes = {
        0: lambda pose: moved(pose, (0, 0, 0.03)),
        1: lambda pose: moved(pose, (0.04, 0.03, 0), about_x),
        2: lambda pose: moved(pose, turn=about_z),
        3: lambda pose: moved(pose, (2, 0, 0)),
        4: lambda pose: None,
    }
    reference = straight(5)
    estimates = outcomes_of(reference, lambda i, pose: changes[i](pose))
    errors = frame_errors(estimates, reference)
    assert errors.position_m == pytest.approx([0.03, 0.05, 0, 2, math.inf])
    assert errors.floor_m == pytest.approx([0, 0.05, 0, 2, math.inf])
    assert errors.rotation_deg == pytest.approx([0, 4, 2, 0, math.inf], abs=1e-5)
    assert errors.yaw_deg == pytest.approx([0, 0, 2, 0, math.inf], abs=1e-5)
    metrics = evaluate(estimates, reference)
    assert (metrics.frames, metrics.answered) == (5, 4)
    assert metrics.position_m.median == pytest.approx(0.05)
    assert math.isinf(metrics.position_m.mean)
    assert math.isinf(metrics.position_m.p95)
    expected = {"1cm/1deg": 0, "2cm/2deg": 0.2, "5cm/5deg": 0.6, "10cm/1deg": 0.2, "25cm/2deg": 0.4, "50cm/5deg": 0.6}
    assert {name: metrics.recall[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert metrics.recall["5m/10deg"] == pytest.approx(0.8)
    # The turn by 4 deg about x is none about the vertical, nor is the step upwards one on the floor.
    assert metrics.recall_floor["1cm/1deg"] == pytest.approx(0.2)
    assert metrics.recall_floor["5cm/5deg"] == pytest.approx(0.6)
    assert metrics.availability == pytest.approx(0.8)
    assert metrics.wrong_and_sure == pytest.approx(0.2)


def test_a_lost_estimator_is_neither_wrong_nor_right():
    for off_m in (0, 5):
        lost = evaluate(outcomes_of(straight(), lambda i, pose, x=off_m: moved(pose, (x, 0, 0)), "LOST"), straight())
        assert (lost.wrong_and_sure, lost.availability, lost.recall["5m/10deg"]) == (0.0, 0.0, 0.0)
    sure = outcomes_of(straight(), lambda i, pose: moved(pose, (5, 0, 0)))
    assert evaluate(sure, straight()).wrong_and_sure == 1.0


def test_yaw_of_an_optical_frame_is_the_turn_about_the_vertical():
    # A camera that looks along the floor: z forward, x right, y down.
    looking = Pose.from_matrix(np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0]]))
    reference = Trajectory.from_poses([0, STEP], [looking, looking])
    for degrees in (1.0, 90.0, 179.0, -179.0):
        turned = moved(looking, turn=Rotation.from_euler("z", degrees, degrees=True))
        errors = frame_errors(Estimates("t", (FrameOutcome(0, turned),)), reference)
        assert errors.yaw_deg[0] == pytest.approx(abs(degrees), abs=1e-6)


@given(st.lists(st.floats(0, 10) | st.just(math.inf), min_size=1, max_size=30))
def test_spread_counts_infinity_and_agrees_with_numpy_without(values):
    spread = Spread.of(np.array(values))
    assert not any(math.isnan(value) for value in spread)
    if not any(map(math.isinf, values)):
        percentiles = np.percentile(values, [75, 90, 95, 99])
        assert spread == pytest.approx((np.median(values), np.mean(values), *percentiles))
    assert spread.median <= spread.p95 or len(values) < 3


@given(st.lists(st.sampled_from([1, -1]), min_size=10, max_size=10))
def test_the_sign_of_a_quaternion_means_nothing(signs):
    reference = straight()
    quats = reference.rotations.as_quat() * np.array(signs)[:, None]
    flipped = Trajectory(reference.stamps_ns, reference.positions, Rotation.from_quat(quats))
    errors = frame_errors(outcomes_of(flipped), reference)
    assert errors.rotation_deg.max() < 1e-5


@given(st.sets(st.integers(0, 9)))
def test_silence_lowers_every_recall(silent):
    reference = straight()
    metrics = evaluate(outcomes_of(reference, lambda i, pose: None if i in silent else pose), reference)
    assert list(metrics.recall.values()) == pytest.approx([1 - len(silent) / 10] * 8)
    assert metrics.answered == 10 - len(silent)
    assert math.isinf(metrics.position_m.median) == (len(silent) >= 5)


def test_frames_between_two_reference_poses_are_scored_by_interpolation():
    reference = straight()
    between = outcomes_of(
        Trajectory.from_poses([STEP * 5 // 2], [Pose(Rotation.from_euler("z", 2.5, degrees=True), [0.25, 0, 1.5])])
    )
    metrics = evaluate(between, reference)
    assert metrics.position_m.median < 1e-9
    assert metrics.rotation_deg.median < 1e-5


def test_frames_without_a_reference_count_in_nothing():
    reference = straight()
    longer = straight(20)  # its second half has no reference; the frame 15 ms after the end takes the last pose
    rows = [*outcomes_of(longer).outcomes, FrameOutcome(9 * STEP + 15_000_000, longer.pose(9))]
    metrics = evaluate(Estimates("t", tuple(rows)), reference)
    assert (metrics.frames, metrics.without_reference) == (11, 10)
    assert metrics.recall["5cm/5deg"] == 1.0


def test_without_a_summary_every_reference_pose_is_a_frame():
    reference = straight()
    metrics = evaluate(Estimates.from_trajectory("t", reference.select([1, 2, 3])), reference)
    assert (metrics.frames, metrics.answered) == (10, 3)


def test_estimates_without_a_frame_are_told_before_the_reference_is_blamed():
    with pytest.raises(TrajectoryError, match="'nothing' hold no frame: nothing was localized"):
        frame_errors(Estimates("nothing", ()), straight())


@pytest.mark.parametrize("complete", [True, False])
def test_no_overlap_names_both_intervals(complete):
    later = straight(10, 100 * SECOND)
    estimates = outcomes_of(later) if complete else Estimates.from_trajectory("t", later)
    with pytest.raises(TrajectoryError, match=r"100\.000 \.\. 100\.900 s.*0\.000 \.\. 0\.900 s"):
        evaluate(estimates, straight())


def test_nothing_answered_is_an_answer():
    metrics = evaluate(outcomes_of(straight(), lambda i, pose: None), straight())
    assert (metrics.answered, set(metrics.recall.values()), metrics.wrong_and_sure) == (0, {0.0}, 0.0)
    fields = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert set(fields["position_m"].values()) == {None}
    assert fields["first_fix_s"] is None


def test_table_has_a_cell_for_each_column():
    metrics = evaluate(outcomes_of(straight(), lambda i, pose: moved(pose, (0.012, 0, 0))), straight())
    assert len(metrics_cells(metrics)) == len(HEADER)
    lines = metrics_table([metrics, metrics]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert "1.2 cm / 0.00 deg" in lines[2]


def test_the_verb_prints_a_table_or_json(tmp_path, capsys):
    write_estimates(tmp_path / "est.tum", outcomes_of(straight(), lambda i, pose: None if i == 0 else pose))
    write_tum(tmp_path / "ref.tum", straight())
    paths = [str(tmp_path / "est.tum"), str(tmp_path / "ref.tum")]
    assert main(["evaluate", *paths]) == 0
    assert "90.0 %" in capsys.readouterr().out
    assert main(["evaluate", *paths, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answered"] == 9
    assert main(["evaluate", *paths, "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["recall"]["25cm/2deg"] == pytest.approx(0.9)
    assert "answered" in capsys.readouterr().out


def test_the_verb_refuses_in_one_line(tmp_path, capsys):
    write_tum(tmp_path / "est.tum", straight(10, 50 * SECOND))
    write_tum(tmp_path / "ref.tum", straight())
    assert main(["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "do not overlap" in said
