"""campose: where is the camera on the floor plan, and when is it lost.

    from campose_core import Camera, FloorMap, Localizer, Pose, Scene, Trajectory

Importing this package imports nothing else: a public name is looked up in its module when it is first used (PEP 562).
Everything heavy (torch, pycolmap, PyAV, rosbags, foxglove-sdk, pyvista) is imported by the function that needs it, see
`campose_core.extras`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from campose_core.camera import Camera
    from campose_core.floor import FloorMap
    from campose_core.geometry import Pose
    from campose_core.localization.localizer import Localizer
    from campose_core.scene.scene import Scene
    from campose_core.trajectory import Trajectory

__version__ = "0.1.0"
__all__ = ["Camera", "FloorMap", "Localizer", "Pose", "Scene", "Trajectory"]

_MODULES = {
    "Camera": "camera",
    "FloorMap": "floor",
    "Localizer": "localization.localizer",
    "Pose": "geometry",
    "Scene": "scene.scene",
    "Trajectory": "trajectory",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
