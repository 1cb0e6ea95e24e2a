"""Rotation matrices in torch: differentiable, any leading shape, gradients finite everywhere but at half turns."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_from_columns(columns: Tensor) -> Tensor:
    """Make rotations [..., 3, 3] of any six numbers [..., 6]: the first two columns, made orthonormal.

    Continuous, which no three or four numbers are (Zhou et al., "On the continuity of rotation representations in
    neural networks", CVPR 2019): a robot that turns on the spot meets no jump.
    """
    first = _unit(columns[..., :3])
    second = columns[..., 3:] - (first * columns[..., 3:]).sum(-1, keepdim=True) * first
    second = _unit(second)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def columns_of_rotation(rotation: Tensor) -> Tensor:
    """Return the six numbers [..., 6] that `rotation_from_columns` makes [..., 3, 3] of."""
    return torch.cat([rotation[..., 0], rotation[..., 1]], dim=-1)


def rotation_log(rotation: Tensor) -> Tensor:
    """Compute rotation vectors [..., 3] of [..., 3, 3]: the odd part is sin(angle) axis, the trace 1 + 2 cos(angle)."""
    sines = 0.5 * torch.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        dim=-1,
    )
    cosine = 0.5 * (rotation.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True) - 1.0)
    # sqrt has no gradient at zero, where angle / sin(angle) is 1.
    sine = torch.sqrt((sines * sines).sum(-1, keepdim=True) + 1e-12)
    return sines * torch.atan2(sine, cosine) / sine


def rotation_exp(vector: Tensor) -> Tensor:
    """Compute rotations [..., 3, 3] of rotation vectors [..., 3], radians."""
    zero = torch.zeros_like(vector[..., 0])
    x, y, z = vector.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(skew)


def _unit(vector: Tensor) -> Tensor:
    return vector / torch.sqrt((vector * vector).sum(-1, keepdim=True) + 1e-12)
