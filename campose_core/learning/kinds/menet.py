"""MeNet: the relative pose of two images, by nine convolutions over both as one picture of six channels.

Section III of the paper; the sizes of the convolutions are those of its authors. Their loss is the paper's eq. 9.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from campose_core.errors import LearningError

# Channels, kernel, stride of the nine.
CONVOLUTIONS = (
    (16, 7, 2), (32, 5, 2), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (256, 3, 2), (256, 3, 1), (512, 3, 2),
)  # fmt: skip
LEAST_SIZE = 64  # smaller pictures leave nothing after six strides


class PairEncoder(nn.Module):
    """Pairs of pictures -> features. `size` is their number.

    Raises:
        LearningError: pictures too small for six strides.
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        if image_size < LEAST_SIZE:
            raise LearningError(f"menet needs pictures of at least {LEAST_SIZE} pixels a side, got {image_size}")
        channels, layers = 6, []
        for next_channels, kernel, stride in CONVOLUTIONS:
            layers += [nn.Conv2d(channels, next_channels, kernel, stride, kernel // 2, bias=False),
                       nn.BatchNorm2d(next_channels), nn.ReLU()]  # fmt: skip
            channels = next_channels
        self.convolutions = nn.Sequential(*layers)
        with torch.no_grad():
            self.size = int(self.convolutions.eval()(torch.zeros(1, 6, image_size, image_size)).numel())
        self.train()

    def forward(self, pair_b2hw3: Tensor) -> Tensor:
        """uint8 RGB pairs [B, 2, H, W, 3] -> features [B, F]."""
        picture_b6hw = pair_b2hw3.permute(0, 1, 4, 2, 3).flatten(1, 2).float() / 127.5 - 1.0
        features: Tensor = self.convolutions(picture_b6hw)
        return features.flatten(1)
