"""Features of a frozen backbone, computed once: by this run, or by an earlier one that asked for the same.

    SCENE/cache/features-KEY.safetensors    KEY covers images, camera, depths, poses, backbone, views, seed
    SCENE/cache/seen-KEY.safetensors        of validation and test frames; KEY covers images, backbone and components

A cache may be deleted at any time. Backbones cost seconds to minutes, the layers on top of them seconds: whoever
compares losses or heads pays for the backbone once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from campose_core.camera import Camera
from campose_core.files import write_bytes
from campose_core.learning.frame_cache import Images
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.material import Material
from campose_core.learning.model import PoseNetwork, to_numbers
from campose_core.learning.options import TrainOptions
from campose_core.learning.principal import fit_components
from campose_core.learning.samples import ImageSamples, Inputs
from campose_core.progress import track

log = logging.getLogger(__name__)

BATCH = 16
MAX_RAW = 4096  # images whose whole features are kept, to find their principal components


class FeatureSamples:
    """The principal components [V + 1, N, K] of each frame and of its views, with the poses of the views.

    Each time a frame is drawn, one of its views is, with the label of that view.
    """

    def __init__(self, components_vnk: Tensor, label_vn: PoseNumbers) -> None:
        self.components_vnk, self.label_vn = components_vnk, label_vn

    def batch(self, frames_bt: Tensor) -> Inputs:
        view_bt = torch.randint(len(self.components_vnk), frames_bt.shape)
        drawn = (view_bt, frames_bt)
        return Inputs(self.components_vnk[drawn].flatten(0, 1), self.label_vn.part(drawn))


def feature_samples(
    cache: Path, network: PoseNetwork, material: Material, images: ImageSamples, options: TrainOptions
) -> FeatureSamples:
    """Read the features of all images and their views from the folder `cache`, or compute and put them there.

    Also sets the principal components of the network's head, unless these came with weights to start from.
    """
    head = network.head
    path = cache / f"features-{_key(network, material, images.camera, options)}.safetensors"
    found = _cached(path)
    if found is None:
        found = _computed(network, material, images, options)
        write_bytes(path, save(found))
    if head.components is not None and "axes" in found:
        with torch.no_grad():
            head.components.weight.copy_(found["axes"])
            head.components.bias.copy_(found["offset"])
    return FeatureSamples(found["components"], PoseNumbers(found["position"], found["rotation"]))


def _computed(
    network: PoseNetwork, material: Material, images: ImageSamples, options: TrainOptions
) -> dict[str, Tensor]:
    """components [V + 1, N, K], position and rotation of their views; axes and offset of components found anew."""
    head, backbone, found = network.head, network.backbone, dict[str, Tensor]()
    finds_components = head.components is not None and not options.start_from
    # Of views too: what differs between them is what the layers have to tell apart.
    raw_frames = min(len(material), MAX_RAW // (1 + options.views)) if finds_components else 0
    order_n = torch.randperm(len(material))
    first, rest = order_n[:raw_frames], order_n[raw_frames:]
    views = [_View(images, material, new) for new in [False] + [True] * options.views]
    parts = []
    if finds_components:
        assert head.components is not None
        raw = [_run(backbone, first, view.of, f"features of {view}").half() for view in views]
        fit_components(head.components, torch.cat(raw))
        found = {"axes": head.components.weight, "offset": head.components.bias}
        parts.append([torch.cat([head.components(chunk.float()) for chunk in one.split(BATCH)]) for one in raw])
    if len(rest):
        parts.append([_run(backbone, rest, view.of, f"features of {view}", head.components) for view in views])
    back_n = order_n.argsort()
    found["components"] = torch.stack([torch.cat(part)[back_n] for part in zip(*parts, strict=True)])
    found["position"] = torch.stack([torch.cat([p.position for p in view.poses])[back_n] for view in views])
    found["rotation"] = torch.stack([torch.cat([p.rotation for p in view.poses])[back_n] for view in views])
    return {name: tensor.detach().contiguous() for name, tensor in found.items()}


class _View:
    """The frames as recorded, or a new view of each, with the poses of those that were asked for."""

    def __init__(self, images: ImageSamples, material: Material, new: bool) -> None:
        self._images, self._new = images, new
        self._recorded, self._label = _recorded(material.images), to_numbers(material.poses)
        self.poses: list[PoseNumbers] = []

    def __str__(self) -> str:
        return "views" if self._new else "frames"

    def of(self, frames_n: Tensor) -> Tensor:
        """Return images [B, S, S, 3]."""
        if self._new:
            image_bhw3, poses = self._images.all_views(frames_n)
        else:
            image_bhw3, poses = self._recorded(frames_n), self._label.part(frames_n)
        self.poses.append(poses)
        return image_bhw3


def features_of(cache: Path, network: PoseNetwork, images: Images, description: str) -> Tensor:
    """Return what the layers of the head see of images [N, S, S, 3], with a frozen backbone: [N, K].

    From the folder `cache`, or computed and put there. description: what the progress is called.
    """
    components, architecture = network.head.components, network.architecture
    digest = hashlib.blake2b(np.ascontiguousarray(images).data, digest_size=10)
    digest.update(json.dumps([architecture.backbone, architecture.grid]).encode())
    _add_tensors(digest, network.backbone)
    if components is not None:
        _add_tensors(digest, components)
    path = cache / f"seen-{digest.hexdigest()}.safetensors"
    found = _cached(path)
    if found is None:
        every = torch.arange(len(images))
        found = {"seen": _run(network.backbone, every, _recorded(images), description, components)}
        write_bytes(path, save(found))
    return found["seen"]


def _recorded(images: Images) -> Callable[[Tensor], Tensor]:
    def chosen(frames_n: Tensor) -> Tensor:
        return torch.from_numpy(images[frames_n.numpy()])

    return chosen


def _run(
    backbone: nn.Module,
    frames_n: Tensor,
    images: Callable[[Tensor], Tensor],
    description: str,
    components: nn.Module | None = None,
) -> Tensor:
    """Run a backbone in evaluation mode over the images of these frames, batch by batch: [N, F] or [N, K]."""
    was_training = backbone.training
    backbone.eval()
    found = []
    with torch.no_grad():
        for chosen in track(list(frames_n.split(BATCH)), description):
            features_bf = backbone(images(chosen))
            found.append(features_bf if components is None else components(features_bf))
    backbone.train(was_training)
    return torch.cat(found)


def _key(network: PoseNetwork, material: Material, camera: Camera, options: TrainOptions) -> str:
    digest = hashlib.blake2b(digest_size=10)
    for array in (material.images, material.inverse_depth):
        digest.update(np.ascontiguousarray(array).data)
    for pose in material.poses:
        digest.update(np.concatenate([pose.translation, pose.quat_xyzw]).data)
    _add_tensors(digest, network.backbone)
    if options.start_from and network.head.components is not None:
        _add_tensors(digest, network.head.components)
    architecture = network.architecture
    told = [architecture.grid, architecture.components, options.views, options.view_shift_m, options.augment]
    digest.update(json.dumps([*told, camera.to_dict(), options.seed, bool(options.start_from)]).encode())
    return digest.hexdigest()


def _add_tensors(digest: hashlib.blake2b, module: nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())


def _cached(path: Path) -> dict[str, Tensor] | None:
    """None where it is not there, or damaged."""
    try:
        return load_file(path) if path.is_file() else None
    except (OSError, SafetensorError):
        log.info(f"{path} is damaged: the features are computed again")
        return None
