"""`campose align --reference` of a scene whose map the reference shows to be bent."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bent_streets import street_poses, street_scene
from full_disk import full_disk
from kill_loop import files

from campose_core.cli.main import main
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.aligned import SECOND, aligned_landmarks, second_landmarks
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum

LOOP = Path(__file__).parents[1] / "support" / "kill_loop.py"
STREET = street_poses()


@pytest.fixture(scope="module")
def bent_street(tmp_path_factory) -> Path:
    """A scene, with landmarks of a second kind, and street.tum beside it: where its frames truly are."""
    folder = tmp_path_factory.mktemp("bent")
    scene = street_scene(folder / "scene")
    replace(Landmarks.load(scene.sfm_dir / "landmarks.npz"), features="xfeat").save(scene.sfm_dir / SECOND)
    write_tum(folder / "street.tum", Trajectory.from_poses([i * 10**8 for i in range(len(STREET))], STREET))
    return folder


@pytest.fixture
def scene(bent_street, tmp_path) -> Path:
    subprocess.run(["cp", "-r", bent_street / "scene", tmp_path / "scene"], check=True)
    return tmp_path / "scene"


def off_m(poses) -> float:
    return max(pose_error(pose, true)[0] for pose, true in zip(poses, STREET, strict=True))


def test_frames_landmarks_of_both_kinds_and_the_camera_are_those_of_the_straight_map(bent_street, scene, capsys):
    assert main(["align", str(scene), "--reference", str(bent_street / "street.tum")]) == 0
    assert "the map was bent: " in capsys.readouterr().err
    aligned = Scene.open(scene)
    assert aligned.alignment.residual.max_m < 0.1
    assert off_m([frame.map_from_cam for frame in aligned.frames]) < 0.1
    landmarks, second = aligned_landmarks(aligned), second_landmarks(aligned)
    for kind in (landmarks, second):
        assert off_m([kind.world_from_cam(row) for row in range(len(STREET))]) < 0.1
    before = Landmarks.load(bent_street / "scene" / "sfm" / SECOND).descriptors
    row_of = {descriptor.tobytes(): row for row, descriptor in enumerate(before)}
    same = second.xyz[[row_of[descriptor.tobytes()] for descriptor in landmarks.descriptors]]
    assert np.median(np.linalg.norm(same - landmarks.xyz, axis=1)) < 0.1
    focal = aligned.cameras["walk"].focal[0]
    assert focal == json.loads((aligned.sfm_dir / "report.json").read_text())["cameras"]["walk"]["params"][0]
    assert main(["align", str(scene), "--reference", str(bent_street / "street.tum")]) == 0
    assert "done already" in capsys.readouterr().err


def test_where_images_contradict_the_reference_the_map_stays(bent_street, scene, tmp_path):
    before = files(scene / "sfm")
    leapt = [Pose(p.rotation, p.translation + np.array([0.0, 30.0 * (i > 30), 0.0])) for i, p in enumerate(STREET)]
    write_tum(tmp_path / "leapt.tum", Trajectory.from_poses([i * 10**8 for i in range(len(STREET))], leapt))
    assert main(["align", str(scene), "--reference", str(tmp_path / "leapt.tum")]) == 0
    assert files(scene / "sfm") == before


def test_a_damaged_model_is_named_and_the_scene_stays(bent_street, scene, capsys):
    (scene / "sfm" / "model" / "images.bin").write_bytes(b"nothing of the kind")
    before = files(scene)
    assert main(["align", str(scene), "--reference", str(bent_street / "street.tum")]) == 1
    complaint = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(scene) in complaint
    assert files(scene) == before


@pytest.mark.parametrize(
    "most_bytes", [3000, *(pytest.param(size, marks=pytest.mark.long) for size in (30_000, 200_000, 600_000))]
)
def test_a_full_disk_is_one_line_and_the_bent_map_stays(bent_street, scene, most_bytes):
    words = ["align", str(scene), "--reference", str(bent_street / "street.tum")]
    full_disk(scene, words, most_bytes, passing="sfm/database.db")  # in which SQLite counts, and its journals
    assert main(words) == 0
    assert not (scene / "sfm" / "database.db-wal").exists()
    assert off_m([frame.map_from_cam for frame in Scene.open(scene).frames]) < 0.1


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.long)])
def test_killed_at_any_moment_and_run_again_it_ends_the_same(bent_street, tmp_path, kills):
    wanted = {
        "template": str(bent_street / "scene"),
        "folder": str(tmp_path / "scene"),
        "arguments": ["align", str(tmp_path / "scene"), "--reference", str(bent_street / "street.tum")],
        "kills": kills,
    }
    ran = subprocess.run([sys.executable, LOOP], input=json.dumps(wanted), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    undisturbed, *others = json.loads(ran.stdout)["runs"]
    assert undisturbed["code"] == 0
    for run in (undisturbed, *others):
        del run["files"]["sfm/database.db"]  # SQLite counts how often it was opened
    for run in others:
        assert (run["killed"], run["code"]) == (-9, 0)
        assert run["files"] == undisturbed["files"], run["event"]
