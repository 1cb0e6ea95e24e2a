"""A node in a map whose scale nothing measured: it says so, covariances hold it, and nothing is snapped to a floor that
lies elsewhere."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")
pytest.importorskip("cv2", reason="the structure estimator needs OpenCV: pip install 'campose_ros[robot]'")

from client import Client, values
from diagnostic_msgs.msg import DiagnosticStatus
from drives import Drive
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.srv import LoadMap
from node_process import NodeProcess, StartNode

from campose_core.map_scale import MEASURED, UNKNOWN, MapScale, ScaleBasis
from campose_core.scene.scene import Scene

ASSUMED = MapScale(ScaleBasis.ASSUMED, 0.15, (0.0, 0.0, 1.2))


@pytest.fixture(scope="module")
def scenes(wall_scene: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[ScaleBasis, Path]:
    """The wall, with a floor that was made from it, by what its scale rests on."""
    folder, found = tmp_path_factory.mktemp("scales"), {}
    for scale in (MEASURED, ASSUMED, UNKNOWN):
        scene = Scene.open(shutil.copytree(wall_scene, folder / scale.basis.value))
        assert scene.alignment is not None
        own = scene.with_step("floor", {"landmarks": str(scene.path)})
        replace(own, alignment=replace(scene.alignment, scale=scale)).save()
        found[scale.basis] = scene.path
    return found


@pytest.fixture(scope="module")
def localizer(start_node: StartNode, scenes: dict[ScaleBasis, Path]) -> NodeProcess:
    images = {"image_topic": "/cam", "camera_info_topic": "/cam_info", "image_transport": "compressed"}
    node = start_node("scaled", scene=scenes[ScaleBasis.ASSUMED], **images)
    node.wait_for_output("listening to /cam/compressed")
    return node


@pytest.fixture(scope="module")
def drive(localizer: NodeProcess, client: Client) -> Drive:
    return Drive(client, "scaled", "/cam", "compressed")


@pytest.mark.parametrize("basis", [ScaleBasis.ASSUMED, ScaleBasis.UNKNOWN, ScaleBasis.MEASURED])
def test_the_node_says_what_its_metres_rest_on(
    drive: Drive, localizer: NodeProcess, scenes: dict[ScaleBasis, Path], basis: ScaleBasis
) -> None:
    client = drive.client
    covariances = client.collect(PoseWithCovarianceStamped, "/scaled/pose_with_covariance")
    load = client.call(LoadMap, "/scaled/load_scene", LoadMap.Request(map_url=str(scenes[basis])))
    assert load.result == LoadMap.Response.RESULT_SUCCESS
    drive.settle(3.0)
    client.until(lambda: drive.show(3.0) and covariances, "a covariance")
    status = drive.show(3.0)
    assert (status["state"], status["scale"]) == ("TRACKING", basis.value)
    assert ("snap_distance_m" in status) == (basis is not ScaleBasis.UNKNOWN)
    off_m = np.sqrt(np.diag(np.array(covariances[-1].pose.covariance).reshape(6, 6))[:2])
    expected = 0.15 * np.array([3.0, 1.5]) if basis is ScaleBasis.ASSUMED else np.zeros(2)
    assert np.abs(off_m - expected).max() < 0.05
    diagnosis = client.diagnosis(
        "scaled", lambda s: values(s).get("scale") == basis.value, "the scale", lambda: drive.show(3.0)
    )
    assert diagnosis.level == DiagnosticStatus.OK
    assert diagnosis.message == "localized"
    said = localizer.output()
    if basis is ScaleBasis.ASSUMED:
        assert "scale assumed (15 %)" in said
    if basis is ScaleBasis.UNKNOWN:
        assert "scale unknown: poses are in a unit of the map's own" in said
        assert "so poses are not snapped to it" in said
