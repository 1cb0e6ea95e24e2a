"""MeNet: the relative pose of two images, by nine convolutions over both as one image of six channels.

Section III of the paper; the sizes of the convolutions are those of its authors. Their loss is the paper's eq. 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Encoder
from campose_core.learning.head import PoseHead
from campose_core.learning.kinds.base import NetworkKind
from campose_core.learning.material import pair_rows
from campose_core.learning.networks import MENET
from campose_core.learning.options import Architecture, TrainOptions
from campose_core.learning.samples import ImageSamples, PairSamples, Samples

# Channels, kernel, stride of the nine.
CONVOLUTIONS = (
    (16, 7, 2), (32, 5, 2), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (256, 3, 2), (256, 3, 1), (512, 3, 2),
)  # fmt: skip
MIN_SIZE = 64  # smaller images leave nothing after six strides


class MeNet(NetworkKind):
    """Pairs of frames of one recording; it has no weights to begin with, and none to keep."""

    relative = True

    def trains_backbone(self, options: TrainOptions) -> bool:
        return True

    def architecture(self, options: TrainOptions) -> Architecture:
        return Architecture(options.kind, MENET, 1, 0, options.image_size, 2, options.hidden, 1, options.dropout)

    def encoder(self, architecture: Architecture) -> Encoder:
        return PairEncoder(architecture.image_size)

    def rows(self, sources: Sequence[str], options: TrainOptions) -> Tensor:
        return pair_rows(sources, options.tuple_skip, options.both_ways)

    def samples(self, images: ImageSamples) -> Samples:
        return PairSamples(images)

    def judged_rows(self, sources: Sequence[str], options: TrainOptions) -> Tensor:
        """List the pairs of those recordings that have any."""
        counts = Counter(sources)
        paired = [index for index, source in enumerate(sources) if counts[source] > 1]
        if not paired:
            return torch.zeros((0, 2), dtype=torch.int64)
        return torch.tensor(paired)[self.rows([sources[index] for index in paired], options)]

    def answers(self, poses: Sequence[Pose], rows: Tensor) -> Sequence[Pose]:
        """Return first_from_second of each pair."""
        return [poses[a].inverse() * poses[b] for a, b in rows.tolist()]

    def set_unit(self, head: PoseHead, poses: Sequence[Pose], rows: Tensor, options: TrainOptions) -> None:
        head.set_motions(np.array([motion.translation for motion in self.answers(poses, rows)]))


class PairEncoder(Encoder):
    """Pairs of images -> features. `size` is their number.

    Raises:
        LearningError: images too small for six strides.
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        if image_size < MIN_SIZE:
            raise LearningError(f"menet needs images of at least {MIN_SIZE} pixels a side, got {image_size}")
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
        """Turn uint8 RGB pairs [B, 2, H, W, 3] into features [B, F]."""
        image_b6hw = pair_b2hw3.permute(0, 1, 4, 2, 3).flatten(1, 2).float() / 127.5 - 1.0
        features: Tensor = self.convolutions(image_b6hw)
        return features.flatten(1)
