"""What a kind of network decides: what it is made of, what makes a sample, and by what it is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Backbone, Encoder
from campose_core.learning.head import PoseHead
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.material import tuple_rows
from campose_core.learning.model import to_numbers
from campose_core.learning.options import Architecture, TrainOptions
from campose_core.learning.samples import ImageSamples, Samples


class NetworkKind:
    """Poses of single images by a backbone of torchvision and a head; other kinds say what they do differently.

    relative: an answer is the pose of the second of two images in the first, not of an image in the map.
    learns_unlabelled: recordings without a reference may be given for training.
    in_closed_form: trained by `solve` instead of by gradient descent; the backbone is then frozen.
    """

    relative: ClassVar[bool] = False
    learns_unlabelled: ClassVar[bool] = False
    in_closed_form: ClassVar[bool] = False

    def check(self, options: TrainOptions) -> None:
        """Raise LearningError where the options do not suit this kind."""
        if options.unlabelled and not self.learns_unlabelled:
            raise LearningError(f"only mapnet+ learns from unlabelled recordings, not {options.kind}")

    def trains_backbone(self, options: TrainOptions) -> bool:
        """Tell whether the whole network learns, or the head alone, on features that are computed once."""
        return not options.frozen

    def architecture(self, options: TrainOptions) -> Architecture:
        """Return what is stored with the weights, and builds the network again."""
        return Architecture(
            options.kind, options.backbone, options.grid, 0 if self.trains_backbone(options) else options.components,
            options.image_size, options.linear_layers, options.hidden, options.anchors, options.dropout,
        )  # fmt: skip

    def encoder(self, architecture: Architecture) -> Encoder:
        """Make what turns images into features, with random weights.

        Raises:
            LearningError: no such backbone, or images too small for it.
        """
        return Backbone(architecture.backbone, architecture.image_size, architecture.grid)

    def tuple_offsets(self, options: TrainOptions) -> tuple[int, ...]:
        """Return the frames of a sample, counted from its first, within one recording."""
        return (0,)

    def rows(self, sources: Sequence[str], options: TrainOptions) -> Tensor:
        """List all samples as rows [M, T] of frame indices; sources (N,): the recording of each frame, in time order.

        Raises:
            LearningError: a recording is too short.
        """
        return tuple_rows(sources, self.tuple_offsets(options))

    def samples(self, images: ImageSamples) -> Samples:
        """Return what a network that is trained throughout draws from."""
        return images

    def judged_rows(self, sources: Sequence[str], options: TrainOptions) -> Tensor:
        """List frame indices [V] of what the network is judged by, or [V, 2] of pairs; may be none.

        sources (N,): the recording of each frame, in time order.
        """
        return torch.arange(len(sources))

    def answers(self, poses: Sequence[Pose], rows: Tensor) -> Sequence[Pose]:
        """Return what it should say of `rows`, by the poses map_from_cam (N,) of all frames."""
        return [poses[index] for index in rows.tolist()]

    def set_unit(self, head: PoseHead, poses: Sequence[Pose], rows: Tensor, options: TrainOptions) -> None:
        """Tell the head where the training poses lie and how far apart, so that its numbers are about 1."""
        head.set_poses(to_numbers(poses), options.seed)

    def solve(
        self, head: PoseHead, components_nk: Tensor, label: PoseNumbers, score: Callable[[], float]
    ) -> dict[str, float]:
        """Train the head at once, where `in_closed_form`; returns figures for the metrics.

        components_nk: [N, K], of the training frames, whose poses [N] are `label`.

        score: how bad the head is on the validation frames, as it stands.
        """
        raise NotImplementedError
