"""Whether COLMAP can read a map: asked in a process of its own, since on damaged files COLMAP aborts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from campose_core.errors import MappingError
from campose_core.scene.scene import Scene
from campose_core.sfm.stage_process import StageCrash, run_stage
from campose_core.update.mapped_model import whole_map

TIMEOUT_S = 3600.0


def check_map(scene: Scene, database: Path | None) -> None:
    """Have the scene's model read, and the copy `database` of its database.

    Raises:
        MappingError: one of them is damaged, or the model is of another scene; the scene's file is named.
    """
    model, own = scene.sfm_dir / "model", scene.sfm_dir / "database.db"
    arguments = {"model": str(model), "database": None if database is None else str(database)}
    with tempfile.TemporaryDirectory() as work:
        try:
            images = run_stage(whole_map, arguments, Path(work) / "map.log", TIMEOUT_S, 0)["images"]
        except StageCrash as crash:
            raise MappingError(
                f"COLMAP {crash.cause} when it read {model} and {own}: they are damaged, or there is too little "
                "memory; run `campose map` again"
            ) from crash
        except MappingError as error:
            raise MappingError(str(error).replace(str(database), str(own))) from error
    if strangers := set(images) - {frame.name for frame in scene.frames}:
        raise MappingError(
            f"{model} is of another map: frames.csv lacks its image {min(strangers)}; run `campose map` again"
        )
