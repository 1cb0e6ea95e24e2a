"""The service load_scene: another scene while the node runs, or the code that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nav_msgs.srv import LoadMap

from campose_core.errors import CamposeError, SceneError
from campose_core.files import is_there
from campose_core.scene.scene import Scene
from campose_ros.loading import LoadedScene, load
from campose_ros.plain_log import fault_line

if TYPE_CHECKING:
    from campose_ros.live import Configured

SCENE_FILE = "scene.yaml"


def load_scene(url: str, configured: Configured | None, response: LoadMap.Response) -> LoadedScene | str:
    """Load and publish the scene at `url`; returns it, or the reason why the present one stays.

    response: gets the map and nav_msgs/LoadMap's code: RESULT_MAP_DOES_NOT_EXIST where there is no scene,
    RESULT_INVALID_MAP_METADATA where its description is damaged, RESULT_INVALID_MAP_DATA where anything else of it is,
    RESULT_UNDEFINED_FAILURE where the node is not configured, or fails.
    """
    response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
    if configured is None:
        return "configure the node first"
    try:
        loaded = load(url, configured.parameters, configured.cameras)
        response.map = configured.outputs.publish_scene(loaded)
    except CamposeError as error:
        response.result = _code(url)
        return str(error)
    except Exception as error:  # would end the node and what it can still do
        return fault_line(error)
    response.result = LoadMap.Response.RESULT_SUCCESS
    return loaded


def _code(url: str) -> int:
    """Find out which part of the scene it was that could not be loaded."""
    if not is_there(Path(url) / SCENE_FILE):
        return int(LoadMap.Response.RESULT_MAP_DOES_NOT_EXIST)
    try:
        Scene.open(url)
    except SceneError:
        return int(LoadMap.Response.RESULT_INVALID_MAP_METADATA)
    return int(LoadMap.Response.RESULT_INVALID_MAP_DATA)
