"""Truth for sets that come without: one reconstruction of mapping and query frames together, by DISK and LightGlue.

Other features than campose uses, so that what is hard for campose's own does not decide what counts as true; good for
this benchmark only. A frame that the model does not hold, or holds by few points, is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.real.answers import Poses
from benchmarks.real.learned_map import LearnedFeatures, learned_model
from benchmarks.real.pictures import Pictures
from benchmarks.real.sets import RealSet
from campose_core.errors import CamposeError
from campose_core.mapping.colmap import from_colmap_pose, load_pycolmap
from campose_core.progress import say

LEAST_POINTS = 30  # of a frame that counts as known


def joint_truth(real_set: RealSet, pictures: Mapping[str, Pictures], out: Path) -> Poses:
    """joint_from_cam by frame, in a frame and at a scale of its own; empty where nothing came out."""
    parts = [pictures[recording.name] for recording in (*real_set.mapping, *real_set.queries)]
    what = f"{real_set.name}, joint truth"
    try:
        best = learned_model(LearnedFeatures("disk", out / "features"), parts, out, what)
    except CamposeError as error:
        say(f"{what}: {error}")
        return {}
    if best.model is None:
        say(f"{what}: {best.error}")
        return {}
    model = load_pycolmap().Reconstruction(best.model)
    images = [model.image(image_id) for image_id in model.reg_image_ids()]
    poses = {
        image.name.removesuffix(".jpg"): from_colmap_pose(image.cam_from_world().inverse())
        for image in images
        if image.num_points3D >= LEAST_POINTS
    }
    for part in parts:
        say(f"{what}: {sum(key in poses for key in part.keys)} of {len(part.keys)} frames of {part.name}")
    return poses
