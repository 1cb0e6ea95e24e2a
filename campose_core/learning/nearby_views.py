"""Frames seen from a little elsewhere: what a camera meets that does not drive exactly where one drove before.

The residuals of the frames themselves say too little: they lie on the path that was trained on. A query beside it had
11 % of its positions in their 90 % ellipsoids; with views of the same unseen frames among the residuals 94 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from campose_core.learning.depth import inverse_depths
from campose_core.learning.material import Material
from campose_core.learning.model import to_numbers, to_poses
from campose_core.learning.view_synthesis import ViewOptions, moved, random_views, synthesise
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.statistics import evenly_spaced

VIEWS = 4  # of each frame
MAX_FRAMES = 200  # evenly of those there are: their neighbours say the same
BESIDE = ViewOptions(shift_m=0.25)


def with_views(
    scene: Scene, frames: Sequence[SceneFrame], material: Material, network_input: NetworkInput, seed: int
) -> Material:
    """Make VIEWS of each of `frames`, at most MAX_FRAMES of them, by their landmarks' depth; returns both together.

    material: of `frames`. Where a frame has no landmarks, its views are turned on the spot.
    """
    rows = evenly_spaced(len(material), MAX_FRAMES)
    chosen = [frames[row] for row in rows]
    images = torch.from_numpy(np.array(material.images[rows]))
    depth = torch.from_numpy(inverse_depths(scene, chosen, network_input))
    seen, poses = [images], [material.poses[row] for row in rows]
    label = to_numbers(poses)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(VIEWS):
            cam_from_view = random_views(depth, BESIDE)
            seen.append(synthesise(images, depth, network_input.camera, *cam_from_view))
            poses += to_poses(moved(label, *cam_from_view))
    return Material(
        names=(1 + VIEWS) * tuple(material.names[row] for row in rows),
        sources=(1 + VIEWS) * tuple(material.sources[row] for row in rows),
        images=torch.cat(seen).numpy(),
        inverse_depth=np.zeros((len(poses), 1, 1), dtype=np.float32),
        poses=tuple(poses),
    )
