"""evo, which everyone knows, agrees on the same files. It is GPL and no dependency: it only judges here."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.evaluation.continuity import relative_errors
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate, frame_errors
from campose_core.trajectory import Trajectory, read_tum, write_tum

NO_EVO = "evo is not installed (GPL-3.0, hence in no extra): pip install evo"
evo_metrics = pytest.importorskip("evo.core.metrics", reason=NO_EVO)
evo_sync = pytest.importorskip("evo.core.sync", reason=NO_EVO)
evo_files = pytest.importorskip("evo.tools.file_interface", reason=NO_EVO)

Relation = evo_metrics.PoseRelation


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A walk of 30 m with turns and stops, and estimates that drift, tremble and jump."""
    rng = np.random.default_rng(0)
    count = 400
    speed = np.where(np.arange(count) % 100 < 80, rng.uniform(0.02, 0.15, count), 0.0)
    yaw = np.cumsum(rng.normal(0, 0.05, count))
    steps = np.column_stack([speed * np.cos(yaw), speed * np.sin(yaw), 0.01 * rng.normal(size=count)])
    stamps = 1_700_000_000_000_000_000 + 100_000_000 * np.arange(count)
    rotations = Rotation.from_euler("zyx", np.column_stack([yaw, 0.1 * rng.normal(size=(count, 2))]))
    truth = Trajectory(stamps, np.cumsum(steps, axis=0), rotations)
    turns = Rotation.from_rotvec(rng.normal(0, 0.05, (count, 3)))
    drift = np.cumsum(rng.normal(0, 0.01, (count, 3)), axis=0)
    estimated = Trajectory(
        stamps + rng.integers(-5_000_000, 5_000_000, count), truth.positions + drift, turns * rotations
    )
    folder = tmp_path_factory.mktemp("evo")
    write_tum(folder / "ref.tum", truth)
    write_tum(folder / "est.tum", estimated.select(np.arange(count) % 7 != 3))  # some frames have no answer
    return folder / "ref.tum", folder / "est.tum"


@pytest.fixture(scope="module")
def both(files):
    """evo's pair of trajectories of the frames that were answered, and our errors of the same."""
    reference, estimate = (evo_files.read_tum_trajectory_file(str(path)) for path in files)
    pair = evo_sync.associate_trajectories(reference, estimate, max_diff=0.02)
    truth, estimated = read_tum(files[0]), read_estimates(files[1])
    rows = sorted(row for _, row in estimated.trajectory.associate(truth))
    return pair, frame_errors(estimated, truth.select(rows))


@pytest.mark.parametrize(
    ("relation", "kind"), [(Relation.translation_part, "position_m"), (Relation.rotation_angle_deg, "rotation_deg")]
)
def test_absolute_errors_are_those_of_evo_ape(both, relation, kind):
    ape = evo_metrics.APE(relation)
    ape.process_data(both[0])
    assert len(ape.error) == len(both[1].stamps_ns)
    np.testing.assert_allclose(getattr(both[1], kind), ape.error, atol=1e-6)


@pytest.mark.parametrize("length_m", [1, 5, 10])
@pytest.mark.parametrize(
    ("relation", "kind"), [(Relation.translation_part, "position_m"), (Relation.rotation_angle_deg, "rotation_deg")]
)
def test_relative_errors_are_those_of_evo_rpe_between_all_pairs(both, relation, kind, length_m):
    rpe = evo_metrics.RPE(
        relation, delta=length_m, delta_unit=evo_metrics.Unit.meters, all_pairs=True, pairs_from_reference=True
    )
    rpe.process_data(both[0])
    found = relative_errors(both[1])[f"{length_m}m"]
    assert found.pairs == len(rpe.error)
    spread = getattr(found, kind)
    assert spread.median == pytest.approx(rpe.get_statistic(evo_metrics.StatisticsType.median), abs=1e-6)
    assert spread.mean == pytest.approx(rpe.get_statistic(evo_metrics.StatisticsType.mean), abs=1e-6)
    assert spread.p99 == pytest.approx(np.percentile(rpe.error, 99), abs=1e-6)


def test_the_verb_counts_the_frames_that_evo_leaves_out(files, both, capsys):
    """evo's statistics are over the answered frames; ours over all, of which the others are infinitely wrong."""
    metrics = evaluate(read_estimates(files[1]), read_tum(files[0]))
    assert metrics.frames == 400
    assert metrics.answered == len(both[1].stamps_ns) < 400
    assert main(["evaluate", str(files[1]), str(files[0])]) == 0
    assert f"{100 * metrics.answered / 400:.1f} %" in capsys.readouterr().out
