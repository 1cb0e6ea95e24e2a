"""The service load_scene: another scene while the node runs, or the code that says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nav_msgs.srv import LoadMap

from campose_core.errors import CamposeError, SceneError
from campose_core.files import is_there
from campose_core.scene.scene import Scene
from campose_ros.home_paths import from_home
from campose_ros.loading import LoadedScene, load
from campose_ros.plain_log import fault_line

if TYPE_CHECKING:
    from campose_ros.live import Configured

SCENE_FILE = "scene.yaml"
URL = re.compile(r"(file|package):/|[A-Za-z][A-Za-z0-9+.-]*://")
FILE_URL = re.compile(r"file:(?://(?:localhost)?)?(?P<path>/[^/].*|/)")
PACKAGE_URL = re.compile(r"package://(?P<package>[^/]+)/*(?P<path>.*)")


def load_scene(url: str, configured: Configured | None, response: LoadMap.Response) -> LoadedScene | str:
    """Load and publish the scene at `url`; returns it, or the reason why the present one stays.

    url: a folder, or as nav_msgs/LoadMap has it: file:///PATH or package://PACKAGE/PATH.
    response: gets the map and nav_msgs/LoadMap's code: RESULT_MAP_DOES_NOT_EXIST where there is no scene,
    RESULT_INVALID_MAP_METADATA where its description is damaged, RESULT_INVALID_MAP_DATA where anything else of it is,
    RESULT_UNDEFINED_FAILURE where the node is not configured, or fails.
    """
    response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
    if configured is None:
        return "configure the node first"
    try:
        folder = folder_of(url)
    except SceneError as error:
        response.result = LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST
        return str(error)
    try:
        loaded = load(folder, configured.parameters, configured.cameras)
        response.map = configured.outputs.publish_scene(loaded)
    except CamposeError as error:
        response.result = _code(folder)
        return str(error)
    except Exception as error:  # would end the node and what it can still do
        return fault_line(error)
    response.result = LoadMap.Response.RESULT_SUCCESS
    return loaded


def folder_of(url: str) -> str:
    """Return the folder that a URL means; what is none is a path already.

    Raises:
        SceneError: an empty one, a URL of another kind, or of a package that is not installed.
    """
    if not URL.match(url):
        if not url:
            raise SceneError("map_url is empty: give the path of a scene folder, file:///PATH or package://NAME/PATH")
        return str(from_home(url))
    if of_file := FILE_URL.fullmatch(url):
        return unquote(of_file["path"])
    if of_package := PACKAGE_URL.fullmatch(url):
        return str(_share_of(of_package["package"], url) / unquote(of_package["path"]))
    raise SceneError(f"{url}: a scene is a folder on this machine: give its path, file:///PATH or package://NAME/PATH")


def _share_of(package: str, url: str) -> Path:
    try:
        from ament_index_python.packages import get_package_share_directory
    except ImportError as error:
        raise SceneError(f"{url}: ament_index_python, which finds packages, is not installed: give a path") from error
    try:
        return Path(get_package_share_directory(package))
    except (LookupError, OSError, ValueError) as error:  # none of that name, no workspace at all, no name of one
        raise SceneError(
            f"{url}: there is no package {package} on AMENT_PREFIX_PATH: source its workspace before the node starts, "
            "or give a path"
        ) from error


def _code(folder: str) -> int:
    """Find out which part of the scene it was that could not be loaded."""
    if not is_there(Path(folder) / SCENE_FILE):
        return int(LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST)
    try:
        Scene.open(folder)
    except SceneError:
        return int(LoadMap.Response.RESULT_INVALID_MAP_METADATA)
    return int(LoadMap.Response.RESULT_INVALID_MAP_DATA)
