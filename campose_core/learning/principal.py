"""Principal components of features, as a linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MIN_SHARE = 1e-3  # of the largest standard deviation: what varies less is the rounding of features in half precision


def fit_components(layer: nn.Linear, features_nf: Tensor) -> None:
    """Make `layer` the map from features to their principal components, each with a standard deviation of 1.

    A layer with more outputs than the features have components yields zeros for the rest. From the Gram matrix of the
    frames [N, N], which is smaller than the covariance of the features [F, F] where both tell the same.
    """
    count, mean_f = len(features_nf), features_nf.mean(0, dtype=torch.float32)
    gram_nn = torch.cat([_centred(rows, mean_f) @ _centred(features_nf, mean_f).T for rows in features_nf.split(1024)])
    squares_n, vectors_nn = torch.linalg.eigh(gram_nn.double())
    squares_n, vectors_nn = squares_n.flip(0).clamp_min(0.0), vectors_nn.flip(1)
    kept = min(layer.out_features, int((squares_n > MIN_SHARE**2 * squares_n[0]).sum()))
    # X = U S V^T: the axes V = X^T U / S, and a component has the standard deviation S / sqrt(N).
    scaled_nk = (vectors_nn[:, :kept] * (count**0.5 / squares_n[:kept])).float()
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:kept] = scaled_nk.T @ _centred(features_nf, mean_f)
        layer.bias.copy_(-layer.weight @ mean_f)


def _centred(rows_nf: Tensor, mean_f: Tensor) -> Tensor:
    return rows_nf.float() - mean_f
