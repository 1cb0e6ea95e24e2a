"""Pose networks: an image in, a position and a log quaternion out.

PoseNet: Kendall and Cipolla, "Geometric loss functions for camera pose regression with deep learning", CVPR 2017.
MapNet: Brahmbhatt et al., "Geometry-aware learning of maps for camera localization", CVPR 2018.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Backbone
from campose_core.learning.options import Architecture
from campose_core.learning.pose_space import PoseSpace


class PoseNumbers(NamedTuple):
    """Position in metres and log quaternion of map_from_body, each [..., 3] (see pose_space.py)."""

    position: Tensor
    logq: Tensor


class PoseNet(nn.Module):
    """Backbone -> dropout -> one to three linear layers -> position and log quaternion.

    What makes its numbers poses (mean and spread of the training frames) are buffers, so that weights run alone.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = Backbone(architecture.backbone, architecture.image_size)
        self.head = _head(self.backbone.size, architecture)
        self.register_buffer("position_mean_3", torch.zeros(3))
        self.register_buffer("position_std_3", torch.ones(3))
        self.register_buffer("body_from_cam_quat_xyzw_4", torch.tensor([0.0, 0.0, 0.0, 1.0]))

    def forward(self, image_bhw3: Tensor) -> PoseNumbers:
        """uint8 RGB pictures [B, H, W, 3] -> position [B, 3] in metres, log quaternion [B, 3]."""
        return self.from_features(self.backbone(image_bhw3))

    def from_features(self, features_bf: Tensor) -> PoseNumbers:
        """Backbone features [B, F] -> position [B, 3] in metres, log quaternion [B, 3]."""
        out_b6 = self.head(features_bf)
        return PoseNumbers(out_b6[:, :3] * self.position_std_3 + self.position_mean_3, out_b6[:, 3:])

    def set_pose_space(self, space: PoseSpace) -> None:
        self.position_mean_3 = torch.as_tensor(space.position_mean, dtype=torch.float32)
        self.position_std_3 = torch.as_tensor(space.position_std, dtype=torch.float32)
        self.body_from_cam_quat_xyzw_4 = torch.as_tensor(space.body_from_cam.as_quat(), dtype=torch.float32)

    def pose_space(self) -> PoseSpace:
        buffers = (self.position_mean_3, self.position_std_3, self.body_from_cam_quat_xyzw_4)
        mean, std, quat = (np.asarray(b.cpu(), dtype=np.float64) for b in buffers)
        return PoseSpace(mean, std, Rotation.from_quat(quat))

    def poses(self, numbers: PoseNumbers) -> list[Pose]:
        """Predictions [B, 3] and [B, 3] as poses map_from_cam.

        Raises:
            GeometryError: a prediction is not finite.
        """
        position, logq = (np.asarray(t.detach().cpu(), dtype=np.float64) for t in numbers)
        return self.pose_space().decode(position, logq)


class MapNet(PoseNet):
    """The network of PoseNet; what it adds is in training: tuples of frames, and a loss on their relative poses."""


MODELS: dict[str, type[PoseNet]] = {"posenet": PoseNet, "mapnet": MapNet}


def create_model(architecture: Architecture) -> PoseNet:
    """The network with random weights.

    Raises:
        LearningError: no such model or backbone, or sizes that make no network.
    """
    if architecture.kind not in MODELS:
        raise LearningError(f"no kind of model {architecture.kind!r}; there is {', '.join(MODELS)}")
    if not 1 <= architecture.linear_layers <= 3 or architecture.hidden < 1 or not 0 <= architecture.dropout < 1:
        raise LearningError(f"a head needs 1 to 3 linear layers and a dropout of 0 to 1, got {architecture}")
    return MODELS[architecture.kind](architecture)


def _head(features: int, architecture: Architecture) -> nn.Sequential:
    sizes = [features, *[architecture.hidden] * (architecture.linear_layers - 1), 6]
    layers: list[nn.Module] = []
    for size, next_size in pairwise(sizes):
        layers += [nn.Dropout(architecture.dropout), nn.Linear(size, next_size), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
