"""How far away is what a frame shows, from the landmarks it sees: sparse points made into a coarse inverse depth map.

Inverse depth is an affine function of the pixel on any plane, so that linear interpolation between landmarks is exact
on walls, floors and table tops. Beyond the outermost landmarks the nearest one counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial import QhullError

from campose_core.errors import MappingError
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene

SIDE = 56  # of a depth map, in its cells
MIN_LANDMARKS = 12
MIN_DEPTH_M = 0.1


def inverse_depths(scene: Scene, frames: Sequence[SceneFrame], network_input: NetworkInput) -> NDArray[np.float32]:
    """Measure [N, SIDE, SIDE] 1/m, of the network's view of each frame; zeros where a frame has too few landmarks.

    All zeros for a scene without landmarks, or one that is not aligned.
    """
    maps = np.zeros((len(frames), SIDE, SIDE), dtype=np.float32)
    try:
        landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    except MappingError:
        return maps
    if scene.alignment is None:
        return maps
    landmarks = landmarks.transformed(scene.alignment.map_from_sfm)
    row_of = {name: row for row, name in enumerate(landmarks.frame_names)}
    for index, frame in enumerate(frames):
        row = row_of.get(frame.name)
        if row is None or frame.map_from_cam is None:
            continue
        seen = landmarks.observed[landmarks.observed_by == row]
        maps[index] = _inverse_depth(frame.map_from_cam.inverse().transform(landmarks.xyz[seen]), network_input)
    return maps


def _inverse_depth(points_in_cam: Array, network_input: NetworkInput) -> NDArray[np.float32]:
    """[SIDE, SIDE] from landmarks (n, 3) in the camera's frame."""
    points = points_in_cam[points_in_cam[:, 2] > MIN_DEPTH_M]
    if len(points) < MIN_LANDMARKS:
        return np.zeros((SIDE, SIDE), dtype=np.float32)
    camera = network_input.camera.resized(SIDE, SIDE)
    pixels = points[:, :2] / points[:, 2:] * camera.focal + camera.centre
    inverse = 1.0 / points[:, 2]
    columns, rows = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    nearest = NearestNDInterpolator(pixels, inverse)(columns, rows)
    try:
        between = LinearNDInterpolator(pixels, inverse)(columns, rows)
    except QhullError:  # all on one line
        return np.asarray(nearest, dtype=np.float32)
    return np.where(np.isnan(between), nearest, between).astype(np.float32)
