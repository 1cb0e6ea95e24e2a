"""Stages of structure from motion that read images or write what localization needs.

Like `matches`, `reconstruction` and `triangulation`, each takes and returns what JSON can hold, since they run in child
processes, see `campose_core.sfm.stage_process`: what they return is their part of the `MapReport`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.features.base import Detail
from campose_core.features.registry import FEATURES
from campose_core.image_files import opened
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.landmarks import landmarks_from_model
from campose_core.landmark_map.lens import pixels_without_lens, without_lens
from campose_core.sfm.colmap_database import import_images, write_features
from campose_core.sfm.cross_validation import hold_out
from campose_core.sfm.report import MapReport

log = logging.getLogger(__name__)


def features(
    *,
    images: str,
    database: str,
    cameras: dict[str, dict[str, Any]],
    names: dict[str, list[str]],
    shared: list[list[str]],
    kind: str,
    detail: str,
) -> dict[str, Any]:
    """Write the features of the keyframes; `cameras` and `names` by source, and the sources that `shared` one camera.

    kind: of the features. detail: what images are looked at for.

    Raises:
        MappingError: a keyframe cannot be read, or many of them show next to nothing.
    """
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    pycolmap.Database.open(database).close()
    for group in shared:
        names_of_group = [name for source in group for name in names[source]]
        import_images(database, images, names_of_group, without_lens(Camera.from_dict(cameras[group[0]])))
    lenses = {source: Camera.from_dict(fields) for source, fields in cameras.items()}
    of_kind = FEATURES.load(kind)
    extract, counts = of_kind(Detail(detail)), {}
    with pycolmap.Database.open(database) as db:
        for image in db.read_all_images():
            try:
                with opened(Path(images) / image.name, MappingError) as file:
                    decoded = np.asarray(file.convert("RGB"))
            except MappingError:  # COLMAP has read no more than the header; it is named below
                continue
            found = extract(decoded)
            pixels = pixels_without_lens(lenses[image.name.split("/")[0]], found.pixels)
            usable = np.isfinite(pixels).all(axis=1)
            write_features(db, image.image_id, pixels[usable], of_kind.to_bytes(found.descriptors[usable]), of_kind)
            counts[image.name] = len(found.pixels)
            log.info(f"Extracted [{len(counts)}/")  # counted by the parent, as COLMAP's own
    wanted = {name for source in names.values() for name in source}
    unread = sorted(wanted - counts.keys())
    if unread:
        raise MappingError(f"{len(unread)} frames could not be read, the first: {Path(images) / unread[0]}")
    poor = [name for name, count in counts.items() if count < 50]
    if len(poor) > 0.5 * len(counts):
        raise MappingError(
            f"features: {len(poor)} of {len(counts)} frames show fewer than 50 features ({poor[0]} ...): too dark, "
            "too blurred or blank. Record in better light, more slowly, and with furniture or posters in view"
        )
    return MapReport(frames=len(counts), median_features=float(np.median(list(counts.values())))).to_dict()


def landmarks(*, database: str, model: str, kind: str, detail: str, out: str) -> dict[str, Any]:
    """Write the landmarks with one descriptor each, and the keyframes' poses and global descriptors: to localize by."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        result = landmarks_from_model(pycolmap.Reconstruction(model), db, detail=Detail(detail), features=kind)
    result.save(Path(out))
    return MapReport(landmarks=len(result.xyz)).to_dict()


def held_out(
    *,
    models: list[dict[str, str]],
    kinds: list[str],
    stamps_ns: dict[str, dict[str, int]],
    counted: list[str],
    out: str,
) -> dict[str, Any]:
    """Measure how well keyframes are found again in a map without them, by the first of the kinds that finds them.

    models: `database` and `model` of each of `kinds`, on the same poses. stamps_ns: keyframes by source and name.
    counted: the sources whose stamps only count images.
    """
    result, removable = hold_out(models, kinds, stamps_ns, counted)
    result.save(Path(out))
    return MapReport(held_out=result.report(), removable=removable).to_dict()
