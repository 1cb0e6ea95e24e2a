"""Pose networks: an image in, a position, a rotation and the error to expect out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from campose_core.geometry import Pose, positions_of
from campose_core.learning.backbone import Encoder
from campose_core.learning.head import Anchored, PoseHead
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.networks import NETWORKS
from campose_core.learning.options import Architecture


class PoseNetwork(nn.Module):
    """A backbone, which the kind chooses, and a head. MeNet's backbone takes two images, and its poses are relative."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone: Encoder = NETWORKS.load(architecture.kind)().encoder(architecture)
        if weights is not None:  # some hundred bytes can describe layers of terabytes
            told = {name[5:]: weight.to("meta") for name, weight in weights.items() if name.startswith("head.")}
            with torch.device("meta"):
                PoseHead(self.backbone.size, architecture).load_state_dict(told)
        self.head = PoseHead(self.backbone.size, architecture)

    def forward(self, image: Tensor) -> PoseNumbers:
        """Turn RGB images uint8 [B, H, W, 3] into map_from_cam [B]; MeNet: [B, 2, H, W, 3] into first_from_second."""
        return self.anchored(image).best()

    def anchored(self, image: Tensor) -> Anchored:
        """Return what the network says of each anchor, of images [B, H, W, 3] or pairs [B, 2, H, W, 3] uint8."""
        anchored: Anchored = self.head(self.backbone(image))
        return anchored


def create_model(architecture: Architecture, weights: Mapping[str, Tensor] | None = None) -> PoseNetwork:
    """Make the network with random weights. weights: that will be loaded, whose shapes are compared beforehand.

    Raises:
        LearningError: no such model or backbone. RuntimeError: the weights are of another one.
    """
    return PoseNetwork(architecture, weights)


def to_poses(numbers: PoseNumbers) -> list[Pose]:
    """Turn finite numbers [B] into poses.

    Raises:
        GeometryError: one is not finite.
    """
    position, rotation = (np.asarray(t.detach().cpu(), dtype=np.float64) for t in numbers[:2])
    return [Pose(Rotation.from_matrix(r), t) for r, t in zip(rotation, position, strict=True)]


def to_numbers(poses: Sequence[Pose]) -> PoseNumbers:
    """Stack poses into tensors [N]."""
    position = positions_of(poses)
    rotation = np.array([pose.rotation.as_matrix() for pose in poses]).reshape(-1, 3, 3)
    return PoseNumbers(torch.from_numpy(position).float(), torch.from_numpy(rotation).float())


def is_finite(numbers: PoseNumbers) -> bool:
    """Tell whether no position or rotation holds a NaN or an infinity; the spread may."""
    return bool(numbers.position.isfinite().all() and numbers.rotation.isfinite().all())
