"""A map written in another program's form, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from campose_core.errors import SceneError
from campose_core.files import replacing
from campose_core.interchange.colmap_form import write_colmap
from campose_core.interchange.hloc_form import write_hloc
from campose_core.interchange.nerfstudio_form import write_nerfstudio
from campose_core.scene.scene import Scene

FORMS: dict[str, Callable[[Scene, Path], int]] = {
    "colmap": write_colmap,
    "nerfstudio": write_nerfstudio,
    "hloc": write_hloc,
}


def export_scene(scene: Scene, form: str, out: Path) -> int:
    """Write the scene's map as the new folder `out`; form: one of FORMS. Returns how many images it has.

    Raises:
        SceneError: there is something at `out`. MappingError: the map cannot be written in that form.
    """
    if out.exists():
        raise SceneError(f"{out} exists already: name a new folder to write to")
    with replacing(out) as beside:
        beside.mkdir()
        return FORMS[form](scene, beside)
