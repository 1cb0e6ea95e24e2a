"""Trajectories of other programs: without stamps (KITTI's rows), or beside a reference denser than the images."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import TrajectoryError
from campose_core.evaluation.estimates import Estimates, FrameOutcome, write_estimates
from campose_core.trajectory import Trajectory, write_tum

FIRST_NS, STEP_NS, COUNT = 1_700_000_000_000_000_000, 250_000_000, 12


def walk(stamps_ns: np.ndarray, aside_m: float = 0.0) -> Trajectory:
    """1 m/s along x, `aside_m` beside the true path."""
    positions = np.stack([(stamps_ns - FIRST_NS) * 1e-9, np.full(len(stamps_ns), aside_m), 0 * stamps_ns], axis=1)
    return Trajectory(stamps_ns, positions, Rotation.identity(len(stamps_ns)))


STAMPS_NS = FIRST_NS + STEP_NS * np.arange(COUNT)
DENSE_NS = FIRST_NS + 10_000_000 * np.arange(25 * COUNT)


def write_rows(path, trajectory, without=()):
    """As KITTI and evo write them, a row for each image; `without`: those of NaN."""
    rows = np.concatenate([np.tile(np.eye(3), (len(trajectory), 1, 1)), trajectory.positions[..., None]], axis=2)
    rows[list(without)] = np.nan
    np.savetxt(path, rows.reshape(-1, 12))
    return str(path)


@pytest.fixture
def images(tmp_path):
    (tmp_path / "query").mkdir()
    for stamp_ns in STAMPS_NS.tolist():
        Image.new("RGB", (8, 6)).save(tmp_path / "query" / f"{stamp_ns}.png")
    return str(tmp_path / "query")


def evaluated(capsys, *arguments):
    capsys.readouterr()
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments)]) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_rows_without_stamps_are_of_the_images_of_the_query(tmp_path, images, capsys):
    estimate = write_rows(tmp_path / "est.txt", walk(STAMPS_NS, 0.03), without=[3])
    write_tum(tmp_path / "ref.tum", walk(DENSE_NS))
    found = evaluated(capsys, estimate, tmp_path / "ref.tum", "--query", images)
    assert (found["frames"], found["answered"]) == (COUNT, COUNT - 1)
    assert found["position_m"]["median"] == pytest.approx(0.03, abs=1e-6)
    write_tum(tmp_path / "est.tum", walk(STAMPS_NS, 0.03))
    reference = write_rows(tmp_path / "ref.txt", walk(STAMPS_NS))
    found = evaluated(capsys, tmp_path / "est.tum", reference, "--query", images)
    assert (found["frames"], found["answered"]) == (COUNT, COUNT)
    assert found["position_m"]["p99"] == pytest.approx(0.03, abs=1e-6)


def test_rows_without_stamps_are_never_taken_for_seconds(tmp_path, images, capsys):
    """Row 10 k would be at second k, and be held against whatever was true then."""
    from_zero = walk(STAMPS_NS)
    from_zero = Trajectory(STAMPS_NS - FIRST_NS, from_zero.positions, from_zero.rotations)
    write_tum(tmp_path / "path.tum", from_zero)
    rows, fewer = (write_rows(tmp_path / f"{n}.txt", walk(STAMPS_NS[:n])) for n in (COUNT, COUNT - 5))
    for pair in ((rows, tmp_path / "path.tum"), (tmp_path / "path.tum", rows), (rows, fewer)):
        assert "give --query RECORDING, the images that they are of" in refused(capsys, *pair)
    assert evaluated(capsys, rows, rows)["answered"] == COUNT
    assert "not of the 12 images" in refused(capsys, fewer, tmp_path / "path.tum", "--query", images)


def test_a_bare_trajectory_is_scored_at_the_images_of_the_query(tmp_path, images, capsys):
    """Not at each pose of a reference that motion capture wrote a hundred times a second."""
    write_tum(tmp_path / "ref.tum", walk(DENSE_NS))
    write_tum(tmp_path / "est.tum", walk(np.delete(STAMPS_NS, [5, 6])))
    found = evaluated(capsys, tmp_path / "est.tum", tmp_path / "ref.tum", "--query", images)
    assert (found["frames"], found["answered"]) == (COUNT, COUNT - 2)
    assert found["position_m"]["median"] == pytest.approx(0.0, abs=1e-9)
    write_tum(tmp_path / "est.tum", walk(STAMPS_NS + 10**12))
    assert "give the recording that was localized" in refused(
        capsys, tmp_path / "est.tum", tmp_path / "ref.tum", "--query", images
    )


def test_of_several_poses_near_an_image_the_nearest_answers():
    dense = Estimates.from_trajectory("dense", walk(FIRST_NS + 5_000_000 * np.arange(200)))
    over = dense.over(STAMPS_NS[:3].tolist())
    assert over.complete
    np.testing.assert_allclose(over.trajectory.positions[:, 0], [0.0, 0.25, 0.5], atol=1e-9)
    with pytest.raises(TrajectoryError, match="none of the 12 images"):
        dense.over((STAMPS_NS - 10**12).tolist())


def test_a_reference_that_counts_images_leaves_no_pose_without_a_frame(tmp_path, capsys):
    frames = Estimates("it", tuple(FrameOutcome(t, pose) for t, pose in walk(STAMPS_NS)))
    write_estimates(tmp_path / "est.tum", frames)
    assert main(["evaluate", str(tmp_path / "est.tum"), write_rows(tmp_path / "ref.txt", walk(STAMPS_NS))]) == 0
    assert "of no frame" not in capsys.readouterr().out
