"""The walkable loss: metres that a predicted position lies off the floor, differentiable through a distance field.

The paper's wish: a network may then use what the building knows, that no robot stands in a wall.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from campose_core.walkable import WalkableMap

MARGIN_M = 5.0  # around the map; farther out the distance no longer grows, but a network that far off has other losses


class FloorDistance(nn.Module):
    """Distance in metres from the nearest walkable cell, as a field that positions are looked up in, between cells too.

    Zero on walkable cells; its slope leads back to them.
    """

    distance_11hw: Tensor
    grid_from_map_23: Tensor

    def __init__(self, walkable: WalkableMap) -> None:
        super().__init__()
        floor = walkable.floor
        margin = int(np.ceil(MARGIN_M / floor.resolution))
        distance = distance_transform_edt(np.pad(~walkable.walkable, margin, constant_values=True)) * floor.resolution
        self.register_buffer("distance_11hw", torch.from_numpy(distance).float()[None, None])
        # grid_sample counts from -1 to 1 between the outer edges; the floor knows how to count in cells.
        corner, one_x, one_y = floor.grid_of([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) + margin
        size = np.array(distance.shape[::-1])
        affine = np.column_stack([one_x - corner, one_y - corner, corner]) * 2.0 / size[:, None]
        affine[:, 2] -= 1.0
        self.register_buffer("grid_from_map_23", torch.from_numpy(affine).float())

    def forward(self, position: Tensor) -> Tensor:
        """Look up how far positions [..., 3] or [..., 2] in the map frame are off the floor: metres [...]."""
        grid = position[..., :2] @ self.grid_from_map_23[:, :2].T + self.grid_from_map_23[:, 2]
        found = grid_sample(self.distance_11hw, grid.reshape(1, 1, -1, 2), padding_mode="border", align_corners=False)
        return found.reshape(position.shape[:-1])
