"""Which folder the map_url of load_scene means: URLs as the comments of nav_msgs/srv/LoadMap have them."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'campose_ros[ros]'")

from campose_core.errors import SceneError
from campose_ros.scene_service import folder_of


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("/maps/kitchen", "/maps/kitchen"),
        ("maps/100%25 kitchen#2", "maps/100%25 kitchen#2"),
        ("file:///maps/kitchen", "/maps/kitchen"),
        ("file://localhost/maps/kitchen/", "/maps/kitchen/"),
        ("file:/maps/kitchen", "/maps/kitchen"),
        ("file:///maps/the%20kitchen#2", "/maps/the kitchen#2"),
    ],
)
def test_a_path_or_a_file_url(url: str, folder: str) -> None:
    assert folder_of(url) == folder


def test_a_folder_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ament_index_python")
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "our_maps").touch()
    (tmp_path / "share" / "our_maps").mkdir()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    assert folder_of("package://our_maps/scenes/the%20kitchen") == f"{tmp_path}/share/our_maps/scenes/the kitchen"
    for url, name in (("package://no_maps/scenes", "no_maps"), ("package://no maps/scenes", "no maps")):
        with pytest.raises(SceneError, match=f"{url}: there is no package {name} on AMENT_PREFIX_PATH"):
            folder_of(url)
    monkeypatch.delenv("AMENT_PREFIX_PATH")
    with pytest.raises(SceneError, match="there is no package our_maps on AMENT_PREFIX_PATH: source its workspace"):
        folder_of("package://our_maps/scenes")


def test_without_the_index_of_packages_the_cure_is_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ament_index_python.packages", None)
    with pytest.raises(SceneError, match="ament_index_python, which finds packages, is not installed: give a path"):
        folder_of("package://our_maps/kitchen")


@pytest.mark.parametrize(
    "url", ["http://host/kitchen", "file://host/kitchen", "package:///kitchen", "s3://maps/kitchen"]
)
def test_a_url_of_another_kind_is_refused_by_name(url: str) -> None:
    with pytest.raises(SceneError, match=f"{url}: a scene is a folder on this machine"):
        folder_of(url)


def test_of_a_user_whom_nobody_can_be_it_is_a_path() -> None:
    assert folder_of("~nobody\0/kitchen") == "~nobody\0/kitchen"
