"""COLMAP's two mappers on a database of matches, and the one that makes more of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.real.colmap_stages import run_stage
from benchmarks.real.kept import kept
from campose_core.cli.console import say
from campose_core.errors import MappingError
from campose_core.landmark_map.colmap import load_pycolmap

MAPPER_S = 1800  # for each of the two
MAPPERS = {"global": "map_globally", "incremental": "map_incrementally"}


@dataclass(frozen=True)
class BestModel:
    """model: a folder of COLMAP's, None where `error` says why there is none. models: the sizes of each mapper's."""

    model: Path | None
    models: dict[str, list[int]]
    seconds: float
    error: str | None


def images_in(model: Path) -> int:
    return int(load_pycolmap().Reconstruction(model).num_reg_images())


def best_model(
    out: Path,
    inputs: dict[str, Any],
    database: Path,
    pictures: Path,
    frames: int,
    what: str,
    worth: Callable[[Path], int] = images_in,
) -> BestModel:
    """Both mappers, unless the global one's model is worth all `frames`; kept in out/MAPPER.

    inputs: what `database` was made from. images: the folder of its images. what: for the lines on the way. worth: of
    a model, in frames.
    """
    best, largest, seconds, error = None, 0, 0.0, "COLMAP's mappers made no model"
    models: dict[str, list[int]] = {}
    for mapper in MAPPERS:
        if largest == frames:
            break
        say(f"{what}: {mapper} mapper")
        result = kept(out / mapper, {**inputs, "limit_s": MAPPER_S}, partial(_map, mapper, database, pictures))
        seconds += result["seconds"]
        models[mapper] = result["models"]
        say(f"{what}: {mapper} mapper: models of {result['models']} in {result['seconds']:.0f} s {result['error']}")
        if result["models"] and (frames_held := worth(out / mapper / "largest")) > largest:
            best, largest = out / mapper / "largest", frames_held
        error = result["error"] or error
    return BestModel(best, models, seconds, None if best else error)


def _map(mapper: str, database: Path, pictures: Path, folder: Path) -> dict[str, Any]:
    """A fault of the mapper is a result too: it would come again."""
    started = time.monotonic()
    own = folder / "database.db"  # the mapper may write to it
    shutil.copyfile(database, own)
    work = folder / "models"
    work.mkdir()
    arguments: dict[str, Any] = {"database": str(own), "folder": str(pictures), "out": str(work)}
    if mapper == "incremental":
        arguments["most_s"] = MAPPER_S
    models, error = [], ""
    try:
        models = run_stage(MAPPERS[mapper], folder / "mapper.log", limit_s=MAPPER_S + 300, **arguments)["models"]
    except MappingError as failure:
        error = str(failure)
    if models:
        (work / "largest").rename(folder / "largest")
    shutil.rmtree(work)
    own.unlink()
    return {"seconds": time.monotonic() - started, "models": models, "error": error}
