"""Pose networks: an image in, a position, a rotation and the error to expect out.

PoseNet: Kendall and Cipolla, "Geometric loss functions for camera pose regression with deep learning", CVPR 2017.
MapNet: Brahmbhatt et al., "Geometry-aware learning of maps for camera localization", CVPR 2018. It is the network of
PoseNet; what it adds is in training: tuples of frames, and a loss on their relative poses. So is Linear-PoseNet, with
one linear layer on principal components of the features, solved in closed form (linear_posenet.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from campose_core.errors import LearningError
from campose_core.geometry import Array, Pose
from campose_core.learning.backbone import Backbone
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.menet import MENET, PairEncoder
from campose_core.learning.options import KINDS, Architecture
from campose_core.learning.rotations import columns_of_rotation, rotation_from_columns

# Two columns of a rotation matrix, see rotations.py.
ROTATION_NUMBERS = 6
# A camera on a robot keeps its height: a spread of zero must not divide.
MIN_SPREAD_M = 0.01
# e^-7 m is a millimetre, e^3 m is beyond any building: the exponential of a spread stays a number.
SPREAD_RANGE = (-7.0, 3.0)


class PoseHead(nn.Module):
    """Features -> principal components -> dropout and one to three linear layers -> pose.

    Positions are learned in standard deviations of the training positions; these, and the components, are buffers, so
    that weights run alone. The expected error has a layer of its own on the last features, detached: it learns from the
    errors of the pose and leaves the pose alone.
    """

    def __init__(self, features: int, architecture: Architecture) -> None:
        super().__init__()
        inputs = architecture.components or features
        self.components: nn.Linear | None = None
        if architecture.components:
            self.components = nn.Linear(features, inputs).requires_grad_(False)
        sizes = [inputs, *[architecture.hidden] * (architecture.linear_layers - 1)]
        layers: list[nn.Module] = [nn.Dropout(architecture.dropout)]
        for size, next_size in pairwise(sizes):
            layers += [nn.Linear(size, next_size), nn.ReLU(), nn.Dropout(architecture.dropout)]
        self.layers = nn.Sequential(*layers)
        self.pose = nn.Linear(sizes[-1], 3 + ROTATION_NUMBERS)
        self.spread = nn.Linear(sizes[-1], 2)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)
        self.position_mean_3: Tensor
        self.position_std_3: Tensor
        self.register_buffer("position_mean_3", torch.zeros(3))
        self.register_buffer("position_std_3", torch.ones(3))

    def forward(self, features_bf: Tensor) -> PoseNumbers:
        """Features [B, F] of the backbone -> poses [B]."""
        return self.from_components(features_bf if self.components is None else self.components(features_bf))

    def from_components(self, components_bk: Tensor) -> PoseNumbers:
        """Principal components [B, K], or features where there are none -> poses [B]."""
        last = self.layers(components_bk)
        out = self.pose(last).float()
        return PoseNumbers(
            out[..., :3] * self.position_std_3 + self.position_mean_3,
            rotation_from_columns(out[..., 3:]),
            self.spread(last.detach()).float().clamp(*SPREAD_RANGE),
        )

    def set_positions(self, positions_n3: Array) -> None:
        """Of the training frames: from now on their mean and spread are the head's unit."""
        self.position_mean_3 = torch.as_tensor(positions_n3.mean(0), dtype=torch.float32)
        spread = np.maximum(positions_n3.std(0), MIN_SPREAD_M)
        self.position_std_3 = torch.as_tensor(spread, dtype=torch.float32)

    def set_motions(self, translations_n3: Array) -> None:
        """Of MeNet's training pairs: they give the unit. Training begins at no motion: turns are small, and a random
        rotation is far from all of them."""
        self.set_positions(translations_n3)
        nn.init.zeros_(self.pose.weight)
        with torch.no_grad():
            self.pose.bias.copy_(torch.cat([torch.zeros(3), columns_of_rotation(torch.eye(3))]))


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
        poses: PoseNumbers = self.head(self.backbone(image))
        return poses


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
