"""The landmarks of a scene for people to look at: their places and colours, and which of them each keyframe sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.arrays import read_arrays
from campose_core.bag.ros_messages import RosMessages
from campose_core.errors import MappingError, SceneError
from campose_core.geometry import Array
from campose_core.scene import Scene

MAX_POINTS = 50_000  # of a cloud: 0.8 MB; a map of a thousand keyframes has more, and looks no better


class SceneLandmarks(NamedTuple):
    """xyz (N, 3) metres in the map frame, rgb (N, 3); the rows that a keyframe sees, by its name in frames.csv."""

    xyz: Array
    rgb: NDArray[np.uint8]
    seen_by: Mapping[str, NDArray[np.intp]]

    def cloud(self, messages: RosMessages, frame_id: str, stamp_ns: int) -> Any:
        """Make a PointCloud2, of every k-th landmark where there are more than MAX_POINTS."""
        step = 1 + (len(self.xyz) - 1) // MAX_POINTS
        return messages.point_cloud(frame_id, stamp_ns, self.xyz[::step], self.rgb[::step])


def read_landmarks(scene: Scene) -> SceneLandmarks | None:
    """Read the landmarks in the map frame; None when the scene is not mapped or not aligned.

    Raises:
        SceneError: SCENE/sfm/landmarks.npz is damaged.
    """
    path = scene.sfm_dir / "landmarks.npz"
    if scene.alignment is None or not path.is_file():
        return None
    try:
        arrays = read_arrays(path, ("xyz", "rgb", "frame_names", "observed_by", "observed"))
    except MappingError as error:
        raise SceneError(str(error)) from error
    xyz, rgb, names, observed_by, observed = arrays.values()
    if xyz.ndim != 2 or xyz.shape[1] != 3 or rgb.shape != xyz.shape or rgb.dtype != np.uint8:
        raise SceneError(f"{path}: expected xyz (N, 3) and rgb (N, 3) uint8, got {xyz.shape} and {rgb.shape}")
    if observed_by.shape != observed.shape or (len(observed) and not 0 <= observed.min() <= observed.max() < len(xyz)):
        raise SceneError(f"{path}: keyframes that see landmarks it does not hold: run `campose map` again")
    order = np.argsort(observed_by, kind="stable")
    ends = np.searchsorted(observed_by[order], np.arange(1, len(names)))
    seen = np.split(observed[order].astype(np.intp), ends) if len(names) else []
    in_map = scene.alignment.map_from_sfm.transform(xyz) if len(xyz) else xyz
    return SceneLandmarks(in_map, rgb, dict(zip(names.tolist(), seen, strict=True)))
