"""The reliability table counts right on errors that follow their covariance, at the camera and at the base."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import TrajectoryError
from campose_core.evaluation.covariances import COLUMNS, covariance_path, covariances_text, read_covariances
from campose_core.evaluation.estimates import Estimates, FrameOutcome, read_estimates, write_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.table import RELIABILITY_HEADER, reliability_cells
from campose_core.geometry import Pose, covariance_at_lever
from campose_core.trajectory import Trajectory, write_tum

COUNT = 2000
TRUTH = Trajectory.from_poses(
    [10**8 * i for i in range(COUNT)],
    [Pose(Rotation.from_euler("zx", [0.01 * i, -1.5]), [0.001 * i, 2.0, 0.4]) for i in range(COUNT)],
)
ROOT = np.random.default_rng(0).normal(0, 1, (6, 6)) * np.repeat([0.02, 0.02], 3)[:, None]
COVARIANCE = ROOT @ ROOT.T


def answers(claimed_sigma: float = 1.0) -> list[tuple[int, Pose, np.ndarray]]:
    """Poses whose errors about the map's axes follow COVARIANCE, and what they claim."""
    noise = np.random.default_rng(5).multivariate_normal(np.zeros(6), COVARIANCE, COUNT)
    return [
        (
            stamp_ns,
            Pose(Rotation.from_rotvec(e[3:]) * pose.rotation, pose.translation + e[:3]),
            claimed_sigma**2 * COVARIANCE,
        )
        for e, (stamp_ns, pose) in zip(noise, TRUTH, strict=True)
    ]


def estimates(rows) -> Estimates:
    return Estimates("noisy", tuple(FrameOutcome(t, pose, "TRACKING", None, c) for t, pose, c in rows))


def test_errors_that_follow_their_covariance_lie_in_its_ellipsoids():
    found = evaluate(estimates(answers()), TRUTH).reliability
    assert found is not None
    assert found.frames == COUNT
    for part in found.parts.values():
        assert list(part.coverage.values()) == pytest.approx([0.5, 0.9, 0.99], abs=0.03)
        assert part.error_ratio == pytest.approx(1.0, abs=0.05)


def test_a_covariance_three_times_too_small_shows_as_such():
    found = evaluate(estimates(answers(1 / 3)), TRUTH).reliability
    assert found is not None
    assert found.parts["pose"].error_ratio == pytest.approx(3.0, rel=0.05)
    assert found.parts["pose"].coverage["99 %"] < 0.3
    assert found.parts["position"].coverage["99 %"] < 0.7


def test_carried_to_the_base_by_the_lever_it_still_holds():
    base_from_cam = Pose(Rotation.from_euler("xyz", [-1.6, 0.1, -1.5]), [0.4, -0.1, 1.2])
    cam_from_base = base_from_cam.inverse()
    rows = []
    for stamp_ns, map_from_cam, covariance in answers():
        map_from_base = map_from_cam * cam_from_base
        lever = map_from_base.translation - map_from_cam.translation
        rows.append((stamp_ns, map_from_base, covariance_at_lever(covariance, lever)))
    truth = Trajectory.from_poses(TRUTH.stamps_ns, [pose * cam_from_base for _, pose in TRUTH])
    at_lever = evaluate(estimates(rows), truth).reliability
    assert at_lever is not None
    for part in at_lever.parts.values():
        assert list(part.coverage.values()) == pytest.approx([0.5, 0.9, 0.99], abs=0.03)
    left_at_camera = evaluate(estimates([(t, p, COVARIANCE) for t, p, _ in rows]), truth).reliability
    assert left_at_camera is not None
    assert left_at_camera.parts["pose"].coverage["90 %"] < 0.7


def test_frames_without_covariance_or_answer_or_reference_count_in_nothing():
    rows = answers()[:10]
    outcomes = [FrameOutcome(t, pose, "", None, c) for t, pose, c in rows]
    outcomes[0] = outcomes[0]._replace(covariance=None)
    outcomes[1] = outcomes[1]._replace(map_from_cam=None)
    known = evaluate(Estimates("x", tuple(outcomes)), TRUTH.select(np.arange(COUNT) >= 4)).reliability
    assert known is not None
    assert known.frames == 6
    bare = evaluate(Estimates("x", tuple(o._replace(covariance=None) for o in outcomes)), TRUTH)
    assert bare.reliability is None
    assert bare.to_dict()["reliability"] is None
    assert reliability_cells([bare]) == []


positive = arrays(np.float64, (6, 6), elements=st.floats(-1, 1, width=32)).map(
    lambda root: root @ root.T + 1e-3 * np.eye(6)
)


@given(st.dictionaries(st.integers(-(2**62), 2**62), positive, max_size=4))
def test_covariances_read_back_to_the_last_bit(tmp_path_factory, covariances):
    path = tmp_path_factory.mktemp("covariances") / "est.covariance.csv"
    path.write_text(covariances_text(covariances))
    read = dict(zip(*map(list, read_covariances(path)), strict=True))
    assert read.keys() == covariances.keys()
    for stamp_ns, covariance in covariances.items():
        np.testing.assert_array_equal(read[stamp_ns], np.triu(covariance) + np.triu(covariance, 1).T)


def test_estimates_keep_their_covariances_and_drop_old_ones(tmp_path):
    path, rows = tmp_path / "est.tum", answers()[:5]
    some = [FrameOutcome(t, pose, "", None, c if i % 2 else None) for i, (t, pose, c) in enumerate(rows)]
    some.append(FrameOutcome(10**12, None, "LOST", None, COVARIANCE))
    write_estimates(path, Estimates("x", tuple(some)))
    read = read_estimates(path)
    assert [o.covariance is not None for o in read.outcomes] == [False, True, False, True, False, False]
    assert evaluate(read, TRUTH).reliability is not None
    path.with_suffix(".json").unlink()
    assert [o.covariance is not None for o in read_estimates(path).outcomes] == [False, True, False, True, False]
    write_estimates(path, Estimates("x", tuple(o._replace(covariance=None) for o in some)))
    assert not covariance_path(path).exists()


ROW = ",".join(["7", *(str(v) for v in COVARIANCE[np.triu_indices(6)])])
HEADER = ",".join(COLUMNS)
NOT_POSITIVE = ROW.replace(ROW.split(",")[1], "-1.0")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected the columns"),
        (ROW, "expected the columns"),
        (f"{HEADER}\n{ROW[:-5]},1", r"csv:2: expected a stamp and 21 numbers"),
        (f"{HEADER}\n{ROW.rsplit(',', 1)[0]}", r"csv:2: expected a stamp and 21 numbers"),
        (f"{HEADER}\n{ROW}\n\n", r"csv:3: expected a stamp"),
        (f"{HEADER}\n{ROW}\n{ROW}", r"csv:3: stamp 7 appears twice"),
        (f"{HEADER}\n{ROW.replace('7,', 'seven,', 1)}", "csv:2: expected a stamp"),
        (f"{HEADER}\n{NOT_POSITIVE}", "csv:2: not a covariance"),
        (f"{HEADER}\n{ROW.rsplit(',', 1)[0]},nan", "csv:2: not a covariance"),
        (f"{HEADER}\n{ROW.rsplit(',', 1)[0]},1e-12", "csv:2: not a covariance"),
        (f"{HEADER}\n" + ROW.replace("7,", "8,", 1), "belongs to another trajectory"),
        ("\udcff", "no text in UTF-8"),
    ],
)
def test_a_damaged_file_of_covariances_is_one_line(tmp_path, text, says):
    path = tmp_path / "est.tum"
    write_tum(path, Trajectory.from_poses([7], [Pose.identity()]))
    covariance_path(path).write_bytes(f"{text}\n".encode("utf-8", "surrogateescape"))
    with pytest.raises(TrajectoryError, match=says):
        read_estimates(path)


@pytest.mark.parametrize("cut", range(1, 8))
def test_covariances_that_were_cut_off_are_refused(tmp_path, cut):
    """Within the last number it is still one, and another."""
    path = tmp_path / "est.tum"
    write_tum(path, Trajectory.from_poses([7], [Pose.identity()]))
    covariance_path(path).write_text(f"{HEADER}\n{ROW}"[:-cut])
    with pytest.raises(TrajectoryError, match=r"csv:2: ends within a line: it was cut off"):
        read_estimates(path)


@pytest.mark.parametrize("cut", range(1, 8))
def test_estimates_that_were_cut_off_within_their_last_number_are_refused(tmp_path, cut):
    """Their summary tells that they are ours, which end with a line break; other programs' may end without."""
    path = tmp_path / "est.tum"
    write_estimates(path, estimates(answers()[:5]))
    text = path.read_text()
    assert len(read_estimates(path).trajectory)
    path.write_text(text[:-cut])
    with pytest.raises(TrajectoryError, match=r"tum:\d+: ends within a line: it was cut off, copy it again"):
        read_estimates(path)
    path.with_suffix(".json").unlink()
    covariance_path(path).unlink(missing_ok=True)
    if cut == 1:
        assert len(read_estimates(path).trajectory)


def test_the_verb_prints_the_table_and_has_it_in_json(tmp_path, capsys):
    write_estimates(tmp_path / "est.tum", estimates(answers()[:200]))
    write_tum(tmp_path / "ref.tum", TRUTH)
    arguments = ["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum")]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in RELIABILITY_HEADER)
    assert main([*arguments, "--json"]) == 0
    reliability = json.loads(capsys.readouterr().out)["reliability"]
    assert reliability["frames"] == 200
    assert 0.8 < reliability["pose"]["coverage"]["90 %"] < 1.0
    assert f"{100 * reliability['pose']['coverage']['90 %']:.0f} %" in shown
