"""Truth for sets that come without: one reconstruction of mapping and query frames together, by DISK and LightGlue.

Other features than campose uses, so that what is hard for campose's own does not decide what counts as true; good for
this benchmark only. A mapper may put what nothing joins into one model, at any distance and scale: of the models of
both mappers the largest part counts whose images hold together. A frame that is not in it, or with few points only,
is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.real.answers import Poses
from benchmarks.real.learned_map import LearnedFeatures, learned_model, matches_of
from benchmarks.real.pictures import Images
from benchmarks.real.sets import RealSet
from campose_core.cli.console import say
from campose_core.errors import CamposeError
from campose_core.geometry import Pose
from campose_core.joining.components import pieces_of
from campose_core.landmark_map.colmap import load_pycolmap

MIN_POINTS = 30  # of a frame that counts as known


def joint_truth(real_set: RealSet, pictures: Mapping[str, Images], out: Path) -> Poses:
    """joint_from_cam by frame, in a frame and at a scale of its own; empty where nothing came out."""
    parts = [pictures[recording.name] for recording in (*real_set.mapping, *real_set.queries)]
    what = f"{real_set.name}, joint truth"
    try:
        features = LearnedFeatures("disk", out / "features")
        best = learned_model(
            features, parts, out, what, worth=lambda model: len(_held_together(model, matches_of(out)))
        )
    except CamposeError as error:
        say(f"{what}: {error}")
        return {}
    if best.model is None:
        say(f"{what}: {best.error}")
        return {}
    poses = _held_together(best.model, matches_of(out))
    for part in parts:
        say(f"{what}: {sum(key in poses for key in part.keys)} of {len(part.keys)} frames of {part.name} known")
    return poses


def _held_together(model: Path, database: Path) -> Poses:
    """By frame, of the largest part of a model."""
    reconstruction: Any = load_pycolmap().Reconstruction(model)
    with load_pycolmap().Database.open(database) as db:
        pieces = pieces_of(reconstruction, db)
    if not pieces:
        return {}
    points = {image.name: image.num_points3D for image in reconstruction.images.values()}
    held: dict[str, Pose] = pieces[0].world_from_cam
    return {name.removesuffix(".jpg"): pose for name, pose in held.items() if points[name] >= MIN_POINTS}
