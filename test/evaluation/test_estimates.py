"""Estimates on disk: unanswered frames survive, and a summary never describes another trajectory."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, read_estimates, write_estimates
from campose_core.geometry import Pose
from campose_core.trajectory import write_tum


def pose(x: float) -> Pose:
    return Pose.from_quat_xyzw([0.1, -0.2, 0.3, 0.9], [x, 1.0, -2.0])


outcomes = st.lists(
    st.tuples(
        st.integers(0, 2**62), st.booleans(), st.sampled_from(["TRACKING", "LOST", ""]), st.none() | st.floats(0, 1e4)
    ),
    unique_by=lambda row: row[0],
    max_size=8,
)


@given(outcomes)
def test_estimates_read_back_as_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("estimates") / "est.tum"
    written = Estimates("structure", tuple(FrameOutcome(t, pose(0.5) if a else None, s, ms) for t, a, s, ms in rows))
    write_estimates(path, written)
    read = read_estimates(path)
    assert read.complete
    assert read.estimator == "structure"
    assert [(o.stamp_ns, o.status, o.latency_ms) for o in read.outcomes] == [
        (o.stamp_ns, o.status, o.latency_ms) for o in written.outcomes
    ]
    assert read.trajectory.stamps_ns.tolist() == written.trajectory.stamps_ns.tolist()
    assert np.allclose(read.trajectory.positions, written.trajectory.positions, atol=1e-8)


def test_summary_holds_what_the_design_promises(tmp_path):
    rows = [
        FrameOutcome(10 * i, pose(i) if i % 4 else None, "LOST" if i % 4 == 0 else "TRACKING", float(i))
        for i in range(8)
    ]
    write_estimates(tmp_path / "est.tum", Estimates("learned", tuple(rows)))
    fields = json.loads((tmp_path / "est.json").read_text())
    assert (fields["estimator"], fields["frames"], fields["answered"]) == ("learned", 8, 6)
    assert fields["statuses"] == {"LOST": 2, "TRACKING": 6}
    assert fields["latency_ms"]["p50"] == 3.5
    assert fields["per_frame"]["stamps_ns"] == [10 * i for i in range(8)]


def test_bare_trajectory_is_not_complete(tmp_path):
    bare = Estimates.from_trajectory("est", Estimates("x", (FrameOutcome(5, pose(1.0)),)).trajectory)
    write_tum(tmp_path / "est.tum", bare.trajectory)
    assert not read_estimates(tmp_path / "est.tum").complete
    (tmp_path / "est.json").write_text("{}")
    write_estimates(tmp_path / "est.tum", bare)
    assert not (tmp_path / "est.json").exists()


def test_equal_stamps_are_refused():
    with pytest.raises(TrajectoryError, match="stamp 7 ns"):
        Estimates("x", (FrameOutcome(7, None), FrameOutcome(7, pose(0.0))))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("{", "is damaged: it is not JSON"),
        ("[" * 100_000, "is damaged: it is not JSON"),
        *(
            (text, "does not describe estimates")
            for text in ("[]", '{"estimator": "x"}', '{"answered": 2, "per_frame": 3}')
        ),
        ('{"answered": 1e999, "per_frame": 3}', "does not describe estimates"),
    ],
)
def test_damaged_summary_is_named(tmp_path, damage, told):
    write_estimates(tmp_path / "est.tum", Estimates("x", (FrameOutcome(7, pose(0.0)),)))
    (tmp_path / "est.json").write_text(damage)
    with pytest.raises(TrajectoryError, match=rf"est\.json {told}"):
        read_estimates(tmp_path / "est.tum")


def test_summary_of_another_trajectory_is_refused(tmp_path):
    write_estimates(tmp_path / "est.tum", Estimates("x", (FrameOutcome(7, pose(0.0)), FrameOutcome(9, None))))
    write_tum(tmp_path / "est.tum", Estimates("x", (FrameOutcome(8, pose(0.0)),)).trajectory)
    with pytest.raises(TrajectoryError, match=r"est\.json belongs to another trajectory"):
        read_estimates(tmp_path / "est.tum")


def test_missing_trajectory_is_named(tmp_path):
    with pytest.raises(TrajectoryError, match=r"absent\.tum"):
        read_estimates(tmp_path / "absent.tum")
