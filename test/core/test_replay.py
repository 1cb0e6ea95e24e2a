"""`campose replay`: the localizer with its memory over a recording, and `campose localize` without."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from campose_core.capture.drive import BASE_FROM_CAM
from campose_core.errors import LocalizationError
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.localization.retrieval import RetrievalEstimator
from campose_core.scene import Scene
from campose_core.trajectory import Trajectory, read_tum
from campose_core.walkable import load_walkable

pytestmark = pytest.mark.slow


def campose(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "campose_core.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_later_drive_is_localized_to_centimetres(small_scene, small_world, tmp_path):
    done = campose("localize", small_scene, small_world / "later.mp4", "--out", tmp_path / "e.tum", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == len(read_tum(small_world / "later.tum"))
    metrics = evaluate(read_estimates(tmp_path / "e.tum"), read_tum(small_world / "later.tum"))
    assert metrics.recall["5cm/5deg"] > 0.9
    assert metrics.wrong_and_sure == 0


def test_replay_gives_the_same_poses_every_time_and_snaps_them(small_scene, small_world, tmp_path):
    for run in ("one", "two"):
        done = campose("replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path / run)
        assert done.returncode == 0, done.stderr
    for name in ("pose", "pose_raw"):
        one, two = (read_tum(tmp_path / run / f"{name}.tum") for run in ("one", "two"))
        np.testing.assert_array_equal(one.stamps_ns, two.stamps_ns)
        np.testing.assert_allclose(one.positions, two.positions, atol=1e-6)
    scene = Scene.open(small_scene)
    walkable = load_walkable(scene.floor_yaml.parent)
    assert walkable is not None
    snapped = read_tum(tmp_path / "one" / "pose.tum")
    assert len(snapped) > 10
    assert all(walkable.is_walkable(x, y) for x, y, _ in snapped.positions)


def test_replay_with_drifting_odometry_stays_with_the_images(small_scene, small_world, tmp_path):
    mounting = [*BASE_FROM_CAM.translation, *BASE_FROM_CAM.quat_xyzw]
    done = campose(
        "replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path, "--odom", "/odom",
        "--base-from-camera", *mounting,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    truth = Trajectory.from_poses(
        *zip(
            *((stamp, pose * BASE_FROM_CAM.inverse()) for stamp, pose in read_tum(small_world / "later.tum")),
            strict=True,
        )
    )
    metrics = evaluate(read_estimates(tmp_path / "pose_raw.tum"), truth)
    assert metrics.recall["5cm/5deg"] > 0.9
    missing = campose(
        "replay", small_world / "later.bag", "--scene", small_scene, "--out", tmp_path, "--odom", "/nothing"
    )
    assert missing.returncode == 1
    assert "no pose topic '/nothing'; it has" in missing.stderr


def test_an_unknown_estimator_names_those_there_are(small_scene, small_world, tmp_path):
    done = campose(
        "localize", small_scene, small_world / "later.bag", "--estimator", "magic", "--out", tmp_path / "e.tum"
    )
    assert done.returncode == 1
    assert "structure, retrieval" in done.stderr
    assert not (tmp_path / "e.tum").exists()


def test_retrieval_answers_with_a_mapped_pose(small_scene, small_world, tmp_path):
    done = campose(
        "localize", small_scene, small_world / "later.bag", "--estimator", "retrieval", "--out", tmp_path / "r.tum"
    )
    assert done.returncode == 0, done.stderr
    mapped = np.array([frame.map_from_cam.translation for frame in Scene.open(small_scene).posed_frames()])
    for _, pose in read_tum(tmp_path / "r.tum"):
        assert np.linalg.norm(mapped - pose.translation, axis=1).min() < 1e-6


def test_one_keyframe_alone_is_not_retrieved(small_scene):
    """Its covariance would be zero: there is no other from which to tell how far retrieval is off."""
    scene = Scene.open(small_scene)
    first, *others = scene.frames
    frames = (replace(first, split="one"), *(replace(frame, split="others") for frame in others))
    scene = replace(scene, frames=frames)
    with pytest.raises(LocalizationError, match="1 keyframes to retrieve in the split 'one', two are needed"):
        RetrievalEstimator.load(scene, "one")
    assert RetrievalEstimator.load(scene, "others")
