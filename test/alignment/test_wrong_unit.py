"""Lengths in millimetres or centimetres, given for metres, are refused before anything is changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from landmark_buildings import anywhere, empty_room, round_walk, seen_from
from recorded_walks import Walk, mapped_scene
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.geometry import Pose
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk(tmp_path)


def written(path: Path, truth: Trajectory, unit: float) -> str:
    """A reference of this trajectory, with lengths in a unit that so many of make a metre."""
    poses = [Pose(pose.rotation, unit * pose.translation) for _, pose in truth]
    write_tum(path, Trajectory.from_poses(truth.stamps_ns.tolist(), poses))
    return str(path)


def content(scene: Scene) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(scene.path.rglob("*")) if path.is_file()}


def ways(walk: Walk, unit: float) -> dict[str, list[str]]:
    apart = float(np.linalg.norm(walk.truth.positions[50] - walk.truth.positions[0]))
    rows = [f"walk/{i:06d}.jpg,{','.join(map(str, unit * walk.truth.positions[i]))}\n" for i in range(0, 200, 30)]
    (walk.folder / "pairs.csv").write_text("name,x,y,z\n" + "".join(rows))
    reference = written(walk.folder / "truth.tum", walk.truth, unit)
    return {
        "reference": ["--reference", reference],
        "points": ["--points", str(walk.folder / "pairs.csv")],
        "distance": ["--distance", "walk/000000.jpg", "walk/000050.jpg", str(unit * apart), "--camera-height", "0.6"],
    }


@pytest.mark.parametrize("unit", [1000.0, 100.0, 0.01])
@pytest.mark.parametrize("way", ["reference", "points", "distance"])
def test_another_unit_than_that_of_the_measured_map_is_refused(walk, capsys, way, unit):
    scene = walk.imu().mounted().scene()
    assert main(["align", str(scene.path), "--reference", written(walk.folder / "first.tum", walk.truth, 1.0)]) == 0
    before, arguments = content(scene), ways(walk, unit)[way]
    capsys.readouterr()
    assert main(["align", str(scene.path), *arguments]) == 1
    said = capsys.readouterr().err
    assert "times as large as it is by reference poses: is " in said
    assert ("in millimetres?" if unit == 1000.0 else "in centimetres?") in said
    assert content(scene) == before


@pytest.mark.parametrize("way", ["reference", "points", "distance"])
def test_no_camera_is_carried_at_the_speed_of_a_bullet(walk, capsys, way):
    scene = walk.imu().mounted().scene()
    before = content(scene)
    assert main(["align", str(scene.path), *ways(walk, 1000.0)[way]]) == 1
    assert "m/s fast: is it in millimetres or centimetres?" in capsys.readouterr().err
    assert content(scene) == before
    assert main(["align", str(scene.path), *ways(walk, 1.0)[way]]) == 0


def test_no_map_is_put_straight_by_a_reference_in_millimetres(walk, capsys):
    """It would seem bent by metres. The model of the map is not looked at."""
    scene = walk.scene()
    (scene.sfm_dir / "model").mkdir()
    (scene.sfm_dir / "database.db").touch()
    before = content(scene)
    assert main(["align", str(scene.path), *ways(walk, 1000.0)["reference"]]) == 1
    assert "m/s fast: is it in millimetres or centimetres?" in capsys.readouterr().err
    assert content(scene) == before


@pytest.fixture
def slow(tmp_path: Path) -> tuple[Scene, Trajectory]:
    """A scene and its truth, 1.2 m above a floor in view, a frame a minute."""
    landmarks = seen_from(empty_room(6.0, 5.0), round_walk(1.5, 1.5, height=1.2), 4000)
    in_sfm = landmarks.transformed(anywhere(0))
    stamps = np.arange(len(in_sfm.frame_names)) * 60 * 10**9
    sfm = Trajectory(stamps, in_sfm.frame_positions, Rotation.from_quat(in_sfm.frame_quats_xyzw))
    scene = mapped_scene(tmp_path / "scene", sfm, {"kind": "video"})
    replace(in_sfm, frame_names=np.array([frame.name for frame in scene.frames])).save(scene.sfm_dir / "landmarks.npz")
    return scene, Trajectory(stamps, landmarks.frame_positions, Rotation.from_quat(landmarks.frame_quats_xyzw))


def test_no_camera_is_carried_above_the_clouds(slow, tmp_path, capsys):
    scene, truth = slow
    assert main(["align", str(scene.path), "--reference", written(tmp_path / "mm.tum", truth, 1000.0)]) == 1
    assert "m above the floor: is it in millimetres or centimetres?" in capsys.readouterr().err
    assert main(["align", str(scene.path), "--reference", written(tmp_path / "m.tum", truth, 1.0)]) == 0


def test_a_wrong_measurement_is_taken_back_as_the_refusal_says(slow, tmp_path, capsys):
    """One in centimetres that a drone could have had."""
    scene, truth = slow
    assert main(["align", str(scene.path), "--reference", written(tmp_path / "cm.tum", truth, 100.0)]) == 0
    right = ["align", str(scene.path), "--reference", written(tmp_path / "m.tum", truth, 1.0)]
    assert main(right) == 1
    assert "is reference poses in centimetres?" in (said := capsys.readouterr().err)
    assert f"take it back first: `campose align {scene.path} --camera-height METRES`" in said
    assert main(["align", str(scene.path), "--camera-height", "1.2"]) == 0
    assert main(right) == 0
