"""Gates: what passes, what fails with 1, and what is no gate."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import UsageError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.evaluation.gate import EvaluationError, parse_gate, require, thresholds_of
from campose_core.evaluation.metrics import evaluate
from campose_core.geometry import Pose
from campose_core.trajectory import Trajectory, write_tum

DATE_NS = 1_700_000_000 * 10**9
TRUTH = Trajectory(10**8 * np.arange(20), np.zeros((20, 3)), Rotation.from_quat(np.tile([0.0, 0, 0, 1], (20, 1))))


def estimates(off_m: float, silent: int = 0, wrong: int = 0) -> Estimates:
    def pose(i):
        return None if i < silent else Pose(Rotation.identity(), [9.0 if i < silent + wrong else off_m, 0, 0])

    return Estimates("it", tuple(FrameOutcome(t, pose(i), "TRACKING") for i, t in enumerate(TRUTH.stamps_ns.tolist())))


def held(texts, run):
    gates = [parse_gate(text) for text in texts]
    require(gates, evaluate(run, TRUTH, thresholds_of(gates)))


@pytest.mark.parametrize(
    ("texts", "run", "passes"),
    [
        (["recall@25cm/2deg>=0.95"], estimates(0.2), True),
        (["recall@25cm/2deg>=0.95"], estimates(0.2, silent=1), True),
        (["recall@25cm/2deg>=0.95"], estimates(0.2, silent=2), False),  # without an answer is a failure
        (["recall@25cm/2deg >= 0.95"], estimates(0.3), False),
        (["recall@37.5cm/3deg>=1"], estimates(0.37), True),  # of any threshold
        (["recall@3m/3deg>=1"], estimates(2.9), True),
        (["recall_floor@25cm/2deg>=0.95"], estimates(0.3), False),
        (["availability>=0.9"], estimates(50, silent=2), True),
        (["availability>=0.9"], estimates(50, silent=3), False),
        (["wrong_and_sure<=0"], estimates(0.2), True),
        (["wrong_and_sure<=0.04"], estimates(0.2, wrong=1), False),
        (["recall@25cm/2deg>=0.9", "wrong_and_sure<=0.05"], estimates(0.2, wrong=1), True),
        ([], estimates(50, silent=19), True),
    ],
)
def test_gates(texts, run, passes):
    if passes:
        held(texts, run)
        return
    with pytest.raises(EvaluationError, match=r"it: .* asked for"):
        held(texts, run)


def with_images(folder, stamps_ns):
    for stamp_ns in stamps_ns:
        (folder / "query").mkdir(exist_ok=True)
        Image.new("RGB", (8, 6)).save(folder / "query" / f"{DATE_NS + stamp_ns}.png")
    return ["--query", str(folder / "query")]


def test_frames_that_the_estimates_leave_out_are_failures_by_the_images_and_said_without(tmp_path, capsys):
    moved = Trajectory(DATE_NS + TRUTH.stamps_ns, TRUTH.positions, TRUTH.rotations)
    write_tum(tmp_path / "ref.tum", moved)
    found = [outcome._replace(stamp_ns=DATE_NS + outcome.stamp_ns) for outcome in estimates(0.0).outcomes]
    write_estimates(tmp_path / "est.tum", Estimates("it", tuple(found[::2])))
    command = ["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum"), "--fail-under", "availability>=0.9"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "10 reference poses are of no frame: --query RECORDING" in said
    assert "nobody looked for frames that the map was made of" in said
    assert main([*command, *with_images(tmp_path, TRUTH.stamps_ns.tolist())]) == 1
    said = capsys.readouterr()
    assert "availability is 0.5000" in said.err
    assert "10 images of the query are in no row of est.json" in said.out


def test_images_of_another_recording_are_refused(tmp_path, capsys):
    write_tum(tmp_path / "ref.tum", TRUTH)
    write_estimates(tmp_path / "est.tum", estimates(0.0))
    command = ["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum"), *with_images(tmp_path, [0, 1])]
    assert main(command) == 1
    assert "none of the 2 images of the query has the stamp of a frame of 'it'" in capsys.readouterr().err


def test_all_faults_are_named():
    with pytest.raises(
        EvaluationError, match=r"recall@25cm/2deg is 0\.8500.*availability is 0\.9000.*wrong_and_sure is"
    ):
        held(["recall@25cm/2deg>=0.95", "availability>=0.95", "wrong_and_sure<=0.01"], estimates(0.2, 2, 1))


@pytest.mark.parametrize(
    "text",
    [
        "", "recall>=0.5", "recall@25cm>=0.5", "recall@25cm/2deg", "recall@25cm/2deg>=95", "recall@25cm/2deg>0.9",
        "availability@25cm/2deg>=0.9", "speed>=1", "recall@25cm/2deg>=nan", "recall@-1cm/2deg>=0.9",
        "recall@25cm/2deg<=0.9", "wrong_and_sure>=0.1",
    ],
)  # fmt: skip
def test_what_is_no_gate_is_refused_before_anything_is_read(text, capsys):
    with pytest.raises(UsageError, match="--fail-under"):
        parse_gate(text)
    assert main(["evaluate", "nowhere.tum", "nowhere.tum", f"--fail-under={text}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_verb_prints_its_tables_and_exits_with_1(tmp_path, capsys):
    write_estimates(tmp_path / "est.tum", estimates(0.2, silent=2))
    write_tum(tmp_path / "ref.tum", TRUTH)
    said = ["evaluate", str(tmp_path / "est.tum"), str(tmp_path / "ref.tum")]
    gates = ["--fail-under", "recall@25cm/2deg>=0.95", "--fail-under", "availability>=0.9"]
    assert main([*said, *gates, "--json", str(tmp_path / "out.json")]) == 1
    out, err = capsys.readouterr()
    assert "90.0 %" in out
    assert err == "campose evaluate: it: recall@25cm/2deg is 0.9000, asked for >= 0.95\n"
    assert (tmp_path / "out.json").exists()  # written all the same
    assert main([*said, "--fail-under", "availability>=0.9"]) == 0
