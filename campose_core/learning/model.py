"""Pose networks: an image in, a position, a rotation and the error to expect out.

PoseNet: Kendall and Cipolla, "Geometric loss functions for camera pose regression with deep learning", CVPR 2017.
MapNet: Brahmbhatt et al., "Geometry-aware learning of maps for camera localization", CVPR 2018. It is the network of
PoseNet; what it adds is in training: tuples of frames, and a loss on their relative poses. So is Linear-PoseNet, with
one linear layer on principal components of the features, solved in closed form (linear_posenet.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Backbone
from campose_core.learning.head import Anchored, PoseHead
from campose_core.learning.kinds.menet import PairEncoder
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.networks import MENET
from campose_core.learning.options import KINDS, Architecture


class PoseNet(nn.Module):
    """A backbone and a head. MeNet has the same head on an encoder of two images, and its poses are relative."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone: Backbone | PairEncoder
        if architecture.backbone == MENET:
            self.backbone = PairEncoder(architecture.image_size)
        else:
            self.backbone = Backbone(architecture.backbone, architecture.image_size, architecture.grid)
        self.head = PoseHead(self.backbone.size, architecture)

    def forward(self, image: Tensor) -> PoseNumbers:
        """uint8 RGB pictures [B, H, W, 3] -> map_from_cam [B]; of MeNet pairs [B, 2, H, W, 3] -> first_from_second."""
        return self.anchored(image).best()

    def anchored(self, image: Tensor) -> Anchored:
        """What the network says of each anchor."""
        anchored: Anchored = self.head(self.backbone(image))
        return anchored


def create_model(architecture: Architecture) -> PoseNet:
    """The network with random weights.

    Raises:
        LearningError: no such model or backbone, or sizes that make no network.
    """
    if architecture.kind not in KINDS:
        raise LearningError(f"no kind of model {architecture.kind!r}; there is {', '.join(KINDS)}")
    if not 1 <= architecture.linear_layers <= 3 or architecture.hidden < 1 or not 0 <= architecture.dropout < 1:
        raise LearningError(f"a head needs 1 to 3 linear layers and a dropout of 0 to 1, got {architecture}")
    return PoseNet(architecture)


def to_poses(numbers: PoseNumbers) -> list[Pose]:
    """Poses [B] of finite numbers.

    Raises:
        GeometryError: one is not finite.
    """
    position, rotation = (np.asarray(t.detach().cpu(), dtype=np.float64) for t in numbers[:2])
    return [Pose(Rotation.from_matrix(r), t) for r, t in zip(rotation, position, strict=True)]


def to_numbers(poses: Sequence[Pose]) -> PoseNumbers:
    """Poses as tensors [N]."""
    position = np.array([pose.translation for pose in poses]).reshape(-1, 3)
    rotation = np.array([pose.rotation.as_matrix() for pose in poses]).reshape(-1, 3, 3)
    return PoseNumbers(torch.from_numpy(position).float(), torch.from_numpy(rotation).float())


def is_finite(numbers: PoseNumbers) -> bool:
    return bool(numbers.position.isfinite().all() and numbers.rotation.isfinite().all())
