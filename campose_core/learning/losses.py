"""What a pose network is trained to make small.

Quaternions are xyzw. All functions take any leading shape; their gradients are finite everywhere.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from campose_core.learning.model import PoseNumbers


def quat_exp(logq: Tensor) -> Tensor:
    """Unit quaternion [..., 4] (xyzw) of a log quaternion [..., 3]: (v sin|v| / |v|, cos|v|).

    MapNet (Brahmbhatt et al., CVPR 2018), eq. 2, inverted.
    """
    # sqrt has no gradient at zero, where sin|v| / |v| is 1.
    norm = torch.sqrt((logq * logq).sum(-1, keepdim=True) + 1e-12)
    return torch.cat([logq * torch.sin(norm) / norm, torch.cos(norm)], dim=-1)


def quat_log(quat_xyzw: Tensor) -> Tensor:
    """Log quaternion [..., 3], norm at most pi / 2, of unit quaternions [..., 4]; q and -q give the same."""
    quat_xyzw = torch.where(quat_xyzw[..., 3:] < 0, -quat_xyzw, quat_xyzw)
    norm = torch.sqrt((quat_xyzw[..., :3] ** 2).sum(-1, keepdim=True) + 1e-12)
    return quat_xyzw[..., :3] * torch.atan2(norm, quat_xyzw[..., 3:]) / norm


def quat_conjugate(quat_xyzw: Tensor) -> Tensor:
    return torch.cat([-quat_xyzw[..., :3], quat_xyzw[..., 3:]], dim=-1)


def quat_multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product of [..., 4] (xyzw): the rotation a after b."""
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    vector = aw * bv + bw * av + torch.linalg.cross(av, bv)
    return torch.cat([vector, aw * bw - (av * bv).sum(-1, keepdim=True)], dim=-1)


def quat_rotate(quat_xyzw: Tensor, vector: Tensor) -> Tensor:
    """Vectors [..., 3] turned by unit quaternions [..., 4]."""
    axis, w = quat_xyzw[..., :3], quat_xyzw[..., 3:]
    twice = 2.0 * torch.linalg.cross(axis, vector)
    return vector + w * twice + torch.linalg.cross(axis, twice)


def relative(first: PoseNumbers, second: PoseNumbers) -> PoseNumbers:
    """`first_from_second` of two poses in the map frame, composed on SE(3)."""
    first_from_map = quat_conjugate(quat_exp(first.logq))
    translation = quat_rotate(first_from_map, second.position - first.position)
    return PoseNumbers(translation, quat_log(quat_multiply(first_from_map, quat_exp(second.logq))))


def logq_distance(predicted: Tensor, label: Tensor) -> Tensor:
    """L1 distance [...] between log quaternions [..., 3], to the nearer of the label's two logarithms.

    A rotation has two unit quaternions, q with log v and -q with log v - pi v / |v|. A prediction that keeps to either
    is right, so a recording that turns past 180 degrees need not jump.
    """
    norm = torch.linalg.vector_norm(label, dim=-1, keepdim=True)
    other = label - math.pi * label / norm.clamp_min(1e-6)
    near, far = (predicted - label).abs().sum(-1), (predicted - other).abs().sum(-1)
    return torch.where((norm[..., 0] > 1e-6) & (far < near), far, near)


class PoseLoss(nn.Module):
    """L1 on position and log quaternion with learned weights, over single frames or tuples of frames.

    h = exp(-beta) L_position + beta + exp(-gamma) L_rotation + gamma: Kendall and Cipolla, CVPR 2017, eq. 7, in the
    form of MapNet, eq. 3. A tuple of more than one frame adds h of the relative poses of its neighbours (MapNet,
    eq. 4), here composed on SE(3) where the publication subtracts components.
    """

    def __init__(self, beta: float, gamma: float) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(beta))
        self.gamma = nn.Parameter(torch.tensor(gamma))

    def forward(self, predicted: PoseNumbers, label: PoseNumbers) -> Tensor:
        """position and logq [B, T, 3] each -> scalar. T frames of one recording, in time order."""
        loss = self._weighted(predicted, label)
        if label.position.shape[1] > 1:
            loss = loss + self._weighted(_neighbours(predicted), _neighbours(label))
        return loss

    def _weighted(self, predicted: PoseNumbers, label: PoseNumbers) -> Tensor:
        position = (predicted.position - label.position).abs().sum(-1).mean()
        rotation = logq_distance(predicted.logq, label.logq).mean()
        return torch.exp(-self.beta) * position + self.beta + torch.exp(-self.gamma) * rotation + self.gamma


def _neighbours(poses: PoseNumbers) -> PoseNumbers:
    """[B, T, 3] each -> relative poses of each frame and the next, [B, T - 1, 3] each."""
    first = PoseNumbers(poses.position[:, :-1], poses.logq[:, :-1])
    second = PoseNumbers(poses.position[:, 1:], poses.logq[:, 1:])
    return relative(first, second)
