"""From features to a pose: which part of the building it is, and where in it.

One regression over a whole building averages between places that look alike. With anchors (Saha, Varma and Jawahar,
"Improved visual relocalization by discovering anchor points", BMVC 2018) a head first chooses among parts of the
training poses, and then tells the offset from that part's centre. One anchor is PoseNet's head.
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn

from campose_core.geometry import Array
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.options import Architecture
from campose_core.learning.rotations import columns_of_rotation, rotation_from_columns

# Two columns of a rotation matrix, see rotations.py.
ROTATION_NUMBERS = 6
# A camera on a robot keeps its height: a spread of zero must not divide.
MIN_SPREAD_M = 0.01
# e^-7 m is a millimetre, e^3 m is beyond any building: the exponential of a spread stays a number.
SPREAD_RANGE = (-7.0, 3.0)
# Cameras that look a radian apart are in different parts, as are cameras so many metres apart.
METRES_A_RADIAN = 1.0
# Root mean square distance from the centre of a part. A kitchen, 17.5 cm / 7.8 deg with one anchor, had 15.3 cm /
# 4.8 deg with the six that this makes, and 17 cm / 7 deg with twenty.
PART_M = 0.3
ANCHORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # numbers to try


class Anchored(NamedTuple):
    """What a head says of each of A anchors: position [B, A, 3] in metres, two columns of the rotation [B, A, 6], and
    how likely it is [B, A] (logits); log_spread [B, 2] of the pose at the most likely one."""

    position: Tensor
    columns: Tensor
    logits: Tensor
    log_spread: Tensor

    def at(self, anchor_b: Tensor) -> PoseNumbers:
        """Return the poses [B] at these anchors (B,), as rows of the A."""
        rows_b = torch.arange(len(anchor_b), device=anchor_b.device)
        rotation = rotation_from_columns(self.columns[rows_b, anchor_b])
        return PoseNumbers(self.position[rows_b, anchor_b], rotation, self.log_spread)

    def best(self) -> PoseNumbers:
        """Return the poses [B] at the most likely anchor."""
        return self.at(self.logits.argmax(1))


class PoseHead(nn.Module):
    """Features -> principal components -> dropout and one to three linear layers -> poses.

    Positions are learned in standard deviations of the training positions; these, the anchors and the components are
    buffers, so that weights run alone. The expected error has a layer of its own on the last features and the choice
    among anchors, detached: it learns from the errors of the pose and leaves the pose alone.
    """

    position_mean_3: Tensor
    position_std_3: Tensor
    anchor_a3: Tensor
    anchor_view_a3: Tensor
    anchor_spread_3: Tensor

    def __init__(self, features: int, architecture: Architecture) -> None:
        super().__init__()
        inputs = architecture.components or features
        self.components: nn.Linear | None = None
        if architecture.components:
            self.components = nn.Linear(features, inputs).requires_grad_(False)
        self.anchors = architecture.anchors
        sizes = [inputs, *[architecture.hidden] * (architecture.linear_layers - 1)]
        layers: list[nn.Module] = [nn.Dropout(architecture.dropout)]
        for size, next_size in pairwise(sizes):
            layers += [nn.Linear(size, next_size), nn.ReLU(), nn.Dropout(architecture.dropout)]
        self.layers = nn.Sequential(*layers)
        self.pose = nn.Linear(sizes[-1], self.anchors * (3 + ROTATION_NUMBERS))
        self.choice = nn.Linear(sizes[-1], self.anchors) if self.anchors > 1 else None
        self.spread = nn.Linear(sizes[-1] + self.anchors, 2)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)
        self.register_buffer("position_mean_3", torch.zeros(3))
        self.register_buffer("position_std_3", torch.ones(3))
        self.register_buffer("anchor_a3", torch.zeros(self.anchors, 3))
        self.register_buffer("anchor_view_a3", torch.zeros(self.anchors, 3))
        self.register_buffer("anchor_spread_3", torch.ones(3))

    def forward(self, features_bf: Tensor) -> Anchored:
        """Turn features [B, F] of the backbone into poses [B] at each anchor."""
        return self.from_components(features_bf if self.components is None else self.components(features_bf))

    def from_components(self, components_bk: Tensor) -> Anchored:
        """Turn principal components [B, K], or features where there are none, into poses [B] at each anchor."""
        last = self.layers(components_bk)
        out_ba9 = self.pose(last).float().unflatten(1, (self.anchors, -1))
        logits = torch.zeros(len(last), 1, device=last.device) if self.choice is None else self.choice(last).float()
        offset_ba3 = out_ba9[..., :3] * self.anchor_spread_3 + self.anchor_a3
        known = torch.cat([last.float(), torch.softmax(logits, 1)], dim=1).detach()
        return Anchored(
            offset_ba3 * self.position_std_3 + self.position_mean_3,
            out_ba9[..., 3:],
            logits,
            self.spread(known).float().clamp(*SPREAD_RANGE),
        )

    def nearest_anchor(self, label: PoseNumbers) -> Tensor:
        """Return the anchor [B] to which each of these poses [B] belongs."""
        position = (label.position - self.position_mean_3) / self.position_std_3
        anchors = torch.cat([self.anchor_a3 * self.position_std_3, self.anchor_view_a3], dim=1)
        poses = torch.cat([position * self.position_std_3, _view(label.rotation)], dim=1)
        return torch.cdist(poses, anchors).argmin(1)

    def set_positions(self, positions_n3: Array) -> None:
        """Take the mean and spread of the training positions [N, 3], metres, as the head's unit from now on."""
        self.position_mean_3 = torch.as_tensor(positions_n3.mean(0), dtype=torch.float32)
        spread = np.maximum(positions_n3.std(0), MIN_SPREAD_M)
        self.position_std_3 = torch.as_tensor(spread, dtype=torch.float32)

    def set_poses(self, label: PoseNumbers, seed: int) -> None:
        """Take the unit and the anchors of the training poses [N], the anchors by k-means over places and views."""
        self.set_positions(label.position.double().numpy())
        if self.anchors == 1:
            return
        centre_a6, from_centre_n6 = _parts(label, self.anchors, seed)
        within = np.maximum(from_centre_n6[:, :3].std(0), MIN_SPREAD_M)
        centre_a3 = torch.from_numpy(centre_a6[:, :3]).float()
        self.anchor_a3 = (centre_a3 - self.position_mean_3) / self.position_std_3
        self.anchor_view_a3 = torch.from_numpy(centre_a6[:, 3:]).float()
        self.anchor_spread_3 = torch.from_numpy(within).float() / self.position_std_3

    def set_motions(self, translations_n3: Array) -> None:
        """Take the unit of the translations [N, 3], metres, of MeNet's training pairs.

        Training begins at no motion: turns are small, and a random rotation is far from all of them.
        """
        self.set_positions(translations_n3)
        nn.init.zeros_(self.pose.weight)
        with torch.no_grad():
            self.pose.bias.copy_(torch.cat([torch.zeros(3), columns_of_rotation(torch.eye(3))]))


def count_anchors(label: PoseNumbers, most: int, seed: int) -> int:
    """Count as few anchors as parts of PART_M are enough for, at most `most`: each is learned from its own frames.

    label: the training poses [N].
    """
    for count in ANCHORS:
        if count >= most:
            break
        _, from_centre_n6 = _parts(label, count, seed)
        if np.sqrt((from_centre_n6**2).sum(1).mean()) <= PART_M:
            return count
    return most


def _parts(label: PoseNumbers, count: int, seed: int) -> tuple[Array, Array]:
    """Centres [A, 6] of parts of the training poses, and how each pose differs from its own [N, 6]."""
    pose_n6 = torch.cat([label.position, _view(label.rotation)], dim=1).double().numpy()
    if count == 1:
        return pose_n6.mean(0, keepdims=True), pose_n6 - pose_n6.mean(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a robot that stands still has fewer poses than anchors
        centre_a6, member_n = kmeans2(pose_n6, count, minit="++", seed=seed)
    return centre_a6, pose_n6 - centre_a6[member_n]


def _view(rotation: Tensor) -> Tensor:
    """Where cameras look [N, 3], as long as a radian counts."""
    return rotation[..., 2] * METRES_A_RADIAN
