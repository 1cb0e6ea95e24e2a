"""Whether a model answers in the frame that the scene's map has now: a map may be aligned anew after a training.

Beside its weights a model keeps where some of its training frames were; where they are now is in frames.csv.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from campose_core.errors import CamposeError, CheckpointError, in_words
from campose_core.geometry import Pose, pose_error
from campose_core.learning.networks import MENET
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.yaml_files import read_yaml

KEPT = 16  # frames, spread over all of them
MOVED_M, MOVED_DEG = 0.1, 2.0  # in the median: less is below what networks err by


def where_trained(frames: Sequence[SceneFrame]) -> dict[str, list[float]]:
    """Return x, y, z, qx, qy, qz, qw in the map of some frames, by their names, as a model's description holds them."""
    chosen = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, KEPT).astype(int))] if frames else []
    poses = ((frame.name, frame.map_from_cam) for frame in chosen)
    return {name: [*map(float, (*pose.translation, *pose.quat_xyzw))] for name, pose in poses if pose is not None}


def require_same_map(scene: Scene, name: str) -> None:
    """Refuse a model whose frames lie elsewhere in the map by now; of a MeNet, elsewhere beside each other.

    A model that does not say where its frames were, as those of earlier versions, is taken as it is.

    Raises:
        CheckpointError: they do, or none of them is in the scene, or the description is damaged.
    """
    path = scene.models_dir / name / "model.yaml"
    description = read_yaml(path, CheckpointError)
    try:
        relative = description["architecture"]["kind"] == MENET
        then = {frame: Pose.from_quat_xyzw(n[3:], n[:3]) for frame, n in description.get("trained_on", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError, CamposeError) as error:
        raise CheckpointError(f"{path} is damaged: {in_words(error)}") from error
    now = {frame.name: frame.map_from_cam for frame in scene.posed_frames() if frame.map_from_cam is not None}
    known = [frame for frame in then if frame in now]
    if then and not known:
        raise CheckpointError(f"{path.parent} was trained on frames that this map does not have: train it again")
    moved_m, moved_deg = _moved([then[f] for f in known], [now[f] for f in known], relative)
    if moved_m > MOVED_M or moved_deg > MOVED_DEG:
        raise CheckpointError(
            f"{path.parent} was trained before the map was moved: its frames are {moved_m:.2f} m and {moved_deg:.1f} "
            "deg from where they were, and its answers would be as well: train it again, or remove it"
        )


def is_of_this_map(scene: Scene, name: str) -> bool:
    """Tell whether a model can be used in the map as it is now, see `require_same_map`."""
    try:
        require_same_map(scene, name)
    except CheckpointError:
        return False
    return True


def _moved(then: Sequence[Pose], now: Sequence[Pose], relative: bool) -> tuple[float, float]:
    """Return the medians in metres and degrees; relative: of each frame as the first one sees it."""
    if not then:
        return 0.0, 0.0
    if relative:
        then, now = ([poses[0].inverse() * pose for pose in poses] for poses in (then, now))
    metres, radians = np.median([pose_error(a, b) for a, b in zip(now, then, strict=True)], axis=0)
    return float(metres), float(np.degrees(radians))
