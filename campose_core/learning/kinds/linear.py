"""Linear-PoseNet: poses as a linear function of principal components of features, in closed form.

The paper's reference [2]: PCA of the features of a pretrained network, then linear regression. Rotations are regressed
as two columns of the matrix and made orthonormal. The ridge that keeps the coefficients small is the one that does best
on the validation frames.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from campose_core.errors import LearningError
from campose_core.learning.head import PoseHead
from campose_core.learning.kinds.base import NetworkKind
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.options import Architecture, TrainOptions
from campose_core.learning.rotations import columns_of_rotation

RIDGES = tuple(10.0**exponent for exponent in (-4.0, -3.5, -3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0))


class LinearPoseNet(NetworkKind):
    """A frozen backbone and one linear layer."""

    in_closed_form = True

    def check(self, options: TrainOptions) -> None:
        super().check(options)
        if not options.components:
            raise LearningError("linear regresses on principal components: components must be at least 1")
        if options.start_from:
            raise LearningError("linear is solved at once and goes on with no model: leave out start_from")

    def trains_backbone(self, options: TrainOptions) -> bool:
        return False

    def architecture(self, options: TrainOptions) -> Architecture:
        return Architecture(
            options.kind, options.backbone, options.grid, options.components, options.image_size, 1, 1, 1, 0.0
        )

    def solve(
        self, head: PoseHead, components_nk: Tensor, label: PoseNumbers, score: Callable[[], float]
    ) -> dict[str, float]:
        return {"ridge": fit(head, components_nk, label, score)}


def fit(head: PoseHead, components_nk: Tensor, label: PoseNumbers, score: Callable[[], float]) -> float:
    """Solve the last layer of a head that has no other; returns the ridge, relative to the variance of a component.

    components_nk: [N, K], of the training frames, whose poses [N] are `label`.

    score: how bad the head is on the validation frames, as it stands.
    """
    position_n3 = (label.position - head.position_mean_3) / head.position_std_3
    target_n9 = torch.cat([position_n3, columns_of_rotation(label.rotation)], dim=1).double()
    inputs_nk = components_nk.double()
    mean_k, mean_9 = inputs_nk.mean(0), target_n9.mean(0)
    centred_nk = inputs_nk - mean_k
    gram_kk = centred_nk.T @ centred_nk / len(inputs_nk)
    cross_k9 = centred_nk.T @ (target_n9 - mean_9) / len(inputs_nk)
    variance = gram_kk.diagonal().mean()

    def solve(ridge: float) -> float:
        weight_k9 = torch.linalg.solve(gram_kk + ridge * variance * torch.eye(len(gram_kk)), cross_k9)
        with torch.no_grad():
            head.pose.weight.copy_(weight_k9.T)
            head.pose.bias.copy_(mean_9 - mean_k @ weight_k9)
        return score()

    best = min(RIDGES, key=solve)
    solve(best)
    return best
