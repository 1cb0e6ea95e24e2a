"""Models after their map was aligned anew: they are named, refused, and trained again."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from learnable import CAMERA, QUICK, SMALL, make_scene, picture, walk
from recorded_walks import mapped_scene
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import CheckpointError
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.learning.same_map import require_same_map, where_trained
from campose_core.learning.train import train
from campose_core.learning.visual_odometry import VisualOdometry
from campose_core.localization.estimators.registry import load_estimator
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory, write_tum
from campose_core.yaml_files import yaml_text

FAST = replace(QUICK, **SMALL, epochs=1)
ASIDE = Pose(Rotation.from_euler("z", 90, degrees=True), np.array([10.0, 0.0, 0.0]))
ASKED = Frame(0, picture(walk(9)[4]), "camera", "")


def moved(scene: Scene, by: Pose, scale: float = 1.0) -> Scene:
    """The scene with its frames elsewhere, as `campose align` leaves it."""

    def there(pose: Pose) -> Pose:
        return by * Pose(pose.rotation, scale * pose.translation)

    scene = replace(scene, frames=tuple(replace(f, map_from_cam=there(f.map_from_cam)) for f in scene.frames))
    scene.save()
    return scene


def describe(scene: Scene, name: str, kind: str, trained_on: object) -> None:
    folder = scene.models_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.yaml").write_text(yaml_text({"architecture": {"kind": kind}, "trained_on": trained_on}))


def test_a_model_of_before_the_map_was_moved_is_refused_and_trained_again(tmp_path, capsys):
    scene = train(make_scene(tmp_path / "scene", {"a": 40}), "posenet", FAST)
    load_estimator(scene, "posenet")
    scene = moved(Scene.open(scene.path), ASIDE)
    refusal = r"models/posenet was trained before the map was moved: its frames are .* m and 90.0 deg from where they"
    for name in ("posenet", "hybrid"):
        with pytest.raises(CheckpointError, match=refusal):
            load_estimator(scene, name)
    with pytest.raises(CheckpointError, match=refusal):
        train(scene, "posenet2", replace(FAST, start_from="posenet"))
    capsys.readouterr()
    scene = train(Scene.open(scene.path), "posenet", FAST)
    assert "trained already" not in capsys.readouterr().err
    [estimate] = load_estimator(scene, "posenet").estimate(ASKED, CAMERA)
    there = np.array([frame.map_from_cam.translation for frame in scene.frames])
    assert np.linalg.norm(estimate.map_from_cam.translation - there.mean(axis=0)) < 2.0


def test_a_menet_is_only_of_another_map_where_its_metres_changed(tmp_path):
    scene = make_scene(tmp_path / "scene", {"a": 30})
    describe(scene, "menet", "menet", where_trained(scene.posed_frames("train")))
    require_same_map(moved(scene, ASIDE), "menet")
    larger = moved(scene, ASIDE, scale=2.0)
    with pytest.raises(CheckpointError, match="before the map was moved"):
        require_same_map(larger, "menet")


def test_the_motion_of_a_menet_in_other_metres_is_not_used(tmp_path):
    options = replace(FAST, kind="menet", tuple_skip=1, image_size=64)
    scene = train(make_scene(tmp_path / "scene", {"a": 30}), "menet", options)
    VisualOdometry.load(scene)
    with pytest.raises(CheckpointError, match="before the map was moved"):
        VisualOdometry.load(moved(Scene.open(scene.path), ASIDE, scale=2.0))


def test_a_map_that_was_mended_a_little_keeps_its_models(tmp_path):
    scene = make_scene(tmp_path / "scene", {"a": 30, "b": 30})
    where = where_trained(scene.posed_frames("train"))
    assert {name.split("/")[0] for name in where} == {"a", "b"}
    describe(scene, "posenet", "posenet", where)
    mended = moved(scene, Pose(Rotation.from_euler("z", 0.5, degrees=True), np.array([0.03, 0.0, 0.02])))
    require_same_map(mended, "posenet")
    without_a = replace(mended, frames=tuple(frame for frame in mended.frames if frame.source == "b"))
    require_same_map(without_a, "posenet")  # a recording was taken out
    strange = replace(mended, frames=tuple(replace(frame, name=f"c/{frame.name}") for frame in mended.frames))
    with pytest.raises(CheckpointError, match="trained on frames that this map does not have"):
        require_same_map(strange, "posenet")


@pytest.mark.parametrize("trained_on", [3, {"a/0000.jpg": 4}, {"a/0000.jpg": [1, 2]}, {"a/0000.jpg": [0] * 7}])
def test_a_damaged_list_of_frames_is_named(tmp_path, trained_on):
    scene = make_scene(tmp_path / "scene", {"a": 5})
    describe(scene, "posenet", "posenet", trained_on)
    with pytest.raises(CheckpointError, match=r"model\.yaml is damaged"):
        require_same_map(scene, "posenet")


def test_a_model_that_does_not_say_where_it_was_trained_is_taken(tmp_path):
    scene = train(make_scene(tmp_path / "scene", {"a": 40}), "posenet", FAST)
    path = scene.models_dir / "posenet" / "model.yaml"
    description = yaml.safe_load(path.read_text())
    del description["trained_on"]
    path.write_text(yaml_text(description))
    load_estimator(moved(Scene.open(scene.path), ASIDE), "posenet")


def test_align_names_the_models_that_it_leaves_behind(tmp_path, capsys):
    poses = walk(40)
    stamps = 100_000_000 * np.arange(40)
    scene = mapped_scene(tmp_path / "scene", Trajectory.from_poses(stamps, poses), {"kind": "video", "path": "none"})
    for name, by in (("before", Pose.identity()), ("after", ASIDE)):
        write_tum(tmp_path / f"{name}.tum", Trajectory.from_poses(stamps, [by * pose for pose in poses]))
    assert main(["align", str(scene.path), "--reference", str(tmp_path / "before.tum")]) == 0
    describe(scene, "posenet", "posenet", where_trained(Scene.open(scene.path).posed_frames()))
    capsys.readouterr()
    assert main(["align", str(scene.path), "--reference", str(tmp_path / "before.tum")]) == 0
    assert "model" not in capsys.readouterr().err
    assert main(["align", str(scene.path), "--reference", str(tmp_path / "after.tum")]) == 0
    assert "align: the model posenet was trained in the map as it was: train it again" in capsys.readouterr().err
