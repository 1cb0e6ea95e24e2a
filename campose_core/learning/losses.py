"""What a pose network is trained to make small.

Errors are taken on SE(3): the difference of positions in metres, and the logarithm of the quaternion of the rotation
from label to prediction, which is half a rotation vector. Near the label that is what MapNet subtracts, and it has no
jump anywhere: q and -q are one rotation. Every function takes any leading shape and has finite gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from campose_core.learning.rotations import rotation_log


class PoseNumbers(NamedTuple):
    """Position [..., 3] in metres and rotation [..., 3, 3] of map_from_cam; of predictions also `log_spread` [..., 2],
    the logarithm of the error that the network expects of the two, in metres and radians."""

    position: Tensor
    rotation: Tensor
    log_spread: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence[PoseNumbers]) -> PoseNumbers:
        """Join predictions [N] with their spread, one after the other."""
        return cls(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    def part(self, index: object) -> PoseNumbers:
        """Index the leading axes."""
        spread = None if self.log_spread is None else self.log_spread[index]  # type: ignore[index]
        return PoseNumbers(self.position[index], self.rotation[index], spread)  # type: ignore[index]

    def view(self, *leading: int) -> PoseNumbers:
        """Reshape to other leading axes."""
        spread = None if self.log_spread is None else self.log_spread.reshape(*leading, 2)
        return PoseNumbers(self.position.reshape(*leading, 3), self.rotation.reshape(*leading, 3, 3), spread)


def relative(first: PoseNumbers, second: PoseNumbers) -> PoseNumbers:
    """Compute `first_from_second` of two poses in one frame."""
    first_from_map = first.rotation.transpose(-1, -2)
    translation = (first_from_map @ (second.position - first.position).unsqueeze(-1)).squeeze(-1)
    return PoseNumbers(translation, first_from_map @ second.rotation)


def pose_errors(predicted: PoseNumbers, label: PoseNumbers) -> tuple[Tensor, Tensor]:
    """Compute the position error [..., 3] in metres, and the rotation error [..., 3] as a log quaternion."""
    turn = label.rotation.transpose(-1, -2) @ predicted.rotation
    return predicted.position - label.position, 0.5 * rotation_log(turn)


def penalty_of(errors: Tensor, kind: str) -> Tensor:
    """Sum up errors [..., 3] in a scalar: mse |e|^2 (eq. 9), l1 |e|_1 (eq. 11), smooth_l1 (Huber's, bend at 1), rmse.

    The mean is over the leading axes, the sum over the three components.
    """
    if kind == "mse":
        return (errors * errors).sum(-1).mean()
    if kind == "l1":
        return errors.abs().sum(-1).mean()
    if kind == "smooth_l1":
        return nn.functional.smooth_l1_loss(errors, torch.zeros_like(errors), reduction="none").sum(-1).mean()
    # sqrt has no gradient at zero.
    return torch.sqrt((errors * errors).sum(-1).mean() + 1e-12)


class PoseLoss(nn.Module):
    """Position and rotation errors, weighted, over single frames or tuples of frames.

    h = exp(-beta) P + beta + exp(-gamma) Q + gamma: Kendall and Cipolla, CVPR 2017, eq. 7; MapNet (Brahmbhatt et al.,
    CVPR 2018), eq. 3; the paper's eq. 11, and with fixed weights its eq. 9. A tuple of more than one frame adds alpha
    times h of the relative poses of its neighbours (MapNet, eq. 4; eq. 10), here composed on SE(3) where the
    publications subtract components.
    """

    def __init__(self, penalty: str, alpha: float, beta: float, gamma: float, learn_weights: bool) -> None:
        super().__init__()
        self.penalty, self.alpha = penalty, alpha
        self.beta = nn.Parameter(torch.tensor(float(beta)), requires_grad=learn_weights)
        self.gamma = nn.Parameter(torch.tensor(float(gamma)), requires_grad=learn_weights)

    def forward(self, predicted: PoseNumbers, label: PoseNumbers, labelled_b: Tensor | None = None) -> Tensor:
        """Weigh the errors of poses [B, T] in a scalar. T frames of one recording, in time order.

        labelled_b: bool; the poses of other rows are known relative to each other only (MapNet+: eq. 6 and 7 of
        MapNet), and so only their relative errors count.
        """
        absolute = (predicted, label)
        if labelled_b is not None:
            absolute = (predicted.part(labelled_b), label.part(labelled_b))
        loss = self._weighted(*absolute)
        if label.position.shape[1] > 1 and self.alpha > 0:
            loss = loss + self.alpha * self._weighted(_neighbours(predicted), _neighbours(label))
        return loss

    def _weighted(self, predicted: PoseNumbers, label: PoseNumbers) -> Tensor:
        position_error, rotation_error = pose_errors(predicted, label)
        position, rotation = penalty_of(position_error, self.penalty), penalty_of(rotation_error, self.penalty)
        return torch.exp(-self.beta) * position + self.beta + torch.exp(-self.gamma) * rotation + self.gamma


def spread_loss(predicted: PoseNumbers, label: PoseNumbers) -> Tensor:
    """Make `log_spread` tell the size of the errors, and leave the poses alone.

    Negative logarithm of a Laplace density of three dimensions, |e| / s + 3 log s, of detached errors: the mean of
    squares would follow the few worst frames.
    """
    assert predicted.log_spread is not None
    position_error, rotation_error = pose_errors(
        PoseNumbers(predicted.position.detach(), predicted.rotation.detach()), label
    )
    sizes = torch.stack([position_error.norm(dim=-1), 2.0 * rotation_error.norm(dim=-1)], dim=-1)
    return (sizes * torch.exp(-predicted.log_spread) + 3.0 * predicted.log_spread).sum(-1).mean()


def _neighbours(poses: PoseNumbers) -> PoseNumbers:
    """[B, T] -> relative poses of each frame and the next, [B, T - 1]."""
    return relative(poses.part((slice(None), slice(None, -1))), poses.part((slice(None), slice(1, None))))
