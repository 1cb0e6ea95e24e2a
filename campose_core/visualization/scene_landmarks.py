"""The landmarks of a scene for people to look at: their places and colours, and which of them each keyframe sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.bag.ros_messages import RosMessages
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import read_shown
from campose_core.scene.scene import Scene

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
        MappingError: SCENE/sfm/landmarks.npz is damaged.
    """
    path = scene.sfm_dir / "landmarks.npz"
    if scene.alignment is None or not path.is_file():
        return None
    arrays = read_shown(path)
    xyz, rgb, names = arrays["xyz"], arrays["rgb"], arrays["frame_names"]
    observed_by, observed = arrays["observed_by"], arrays["observed"]
    order = np.argsort(observed_by, kind="stable")
    ends = np.searchsorted(observed_by[order], np.arange(1, len(names)))
    seen = np.split(observed[order].astype(np.intp), ends) if len(names) else []
    in_map = scene.alignment.map_from_sfm.transform(xyz) if len(xyz) else xyz
    return SceneLandmarks(in_map, rgb, dict(zip(names.tolist(), seen, strict=True)))
