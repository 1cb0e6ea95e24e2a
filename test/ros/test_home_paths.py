"""A path that begins with ~, as in scene:=~/kitchen, which no shell writes out, is in the home folder."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from client import Client
from scipy.spatial.transform import Rotation

from campose_core.errors import CamposeError, SceneError, UsageError
from campose_core.geometry import Pose
from campose_core.localization.result import LocalizationResult, Status
from campose_ros.loading import load
from campose_ros.parameters import LocalizerParameters
from campose_ros.pose_memory import PoseMemory
from campose_ros.replay_node import options_of
from campose_ros.ros_arguments import check_arguments
from campose_ros.scene_service import folder_of


def test_of_a_scene(wall_scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(wall_scene.parent))
    loaded = load(f"~/{wall_scene.name}", LocalizerParameters(estimator="retrieval"), ())
    assert loaded.scene.path == wall_scene
    assert folder_of(f"~/{wall_scene.name}") == str(wall_scene)
    with pytest.raises(SceneError, match="~nobody_of_that_name/kitchen is not a scene"):
        load("~nobody_of_that_name/kitchen", LocalizerParameters(), ())


def test_of_what_is_written(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    memory = PoseMemory(client.node, "~/last.json", "hall")
    pose = Pose(Rotation.identity(), np.zeros(3))
    memory.take(LocalizationResult(1, Status.TRACKING, map_from_base=pose, covariance=np.eye(6)))
    memory.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.json"]
    options = options_of(["~/drive.mcap", "--out", "~/replay"])
    assert (options.bag, options.out) == (tmp_path / "drive.mcap", tmp_path / "replay")


def test_a_parameter_file_has_to_be_named_whole() -> None:
    with pytest.raises(UsageError, match="there is no such file: a shell writes ~ out only where a word begins"):
        check_arguments(["--ros-args", "--params-file", "~/robot.yaml"])


def test_no_url_is_no_folder() -> None:
    with pytest.raises(CamposeError, match="map_url is empty"):
        folder_of("")
