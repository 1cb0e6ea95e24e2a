"""Training samples: images or features, seen from a little elsewhere each time, with the pose of that view.

Everything random comes from torch's global generator, which the loader seeds for each batch: the same batch of the same
epoch is the same in a run that was killed, in a process beside this one, and in a worker.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from campose_core.camera import Camera
from campose_core.learning.augment import augmentation, augmented
from campose_core.learning.losses import PoseNumbers, relative
from campose_core.learning.material import Material
from campose_core.learning.model import to_numbers
from campose_core.learning.options import TrainOptions
from campose_core.learning.view_synthesis import ViewOptions, moved, random_views, synthesise


class Inputs(NamedTuple):
    """inputs: images uint8 [B * T, S, S, 3], pairs [B, 2, S, S, 3], or components [B * T, K]; label: [B, T]."""

    inputs: Tensor
    label: PoseNumbers


class Samples(Protocol):
    """What training draws from."""

    def batch(self, frames_bt: Tensor) -> Inputs:
        """Draw the frames with these indices [B, T]."""
        ...


class ImageSamples:
    """For a network that is trained throughout: images, of which a share `views / (1 + views)` is a new view."""

    def __init__(self, material: Material, camera: Camera, options: TrainOptions) -> None:
        self._material, self.camera = material, camera
        self._label = to_numbers(material.poses)
        self._depth = torch.from_numpy(material.inverse_depth)
        self._share = options.views / (1 + options.views)
        self._views = ViewOptions(shift_m=options.view_shift_m)
        self._augment = augmentation(options.augment)

    def batch(self, frames_bt: Tensor) -> Inputs:
        frames_n = frames_bt.flatten()
        image_nhw3 = torch.from_numpy(self._material.images[frames_n.numpy()])
        label = self._label.part(frames_n)
        turned_k = (torch.rand(len(frames_n)) < self._share).nonzero()[:, 0]
        if len(turned_k):
            chosen = (image_nhw3[turned_k], self._depth[frames_n[turned_k]], label.part(turned_k))
            view_khw3, seen_from = self._view(*chosen)
            image_nhw3[turned_k] = view_khw3
            label.position[turned_k], label.rotation[turned_k] = seen_from.position, seen_from.rotation
        return Inputs(image_nhw3, label.view(*frames_bt.shape))

    def all_views(self, frames_n: Tensor) -> tuple[Tensor, PoseNumbers]:
        """Make a view of each of these frames (N,): images [N, S, S, 3] uint8 and their poses."""
        image_nhw3 = torch.from_numpy(self._material.images[frames_n.numpy()])
        return self._view(image_nhw3, self._depth[frames_n], self._label.part(frames_n))

    def _view(self, image_bhw3: Tensor, depth_bhw: Tensor, label: PoseNumbers) -> tuple[Tensor, PoseNumbers]:
        cam_from_view = random_views(depth_bhw, self._views)
        view_bhw3 = synthesise(image_bhw3, depth_bhw, self.camera, *cam_from_view)
        return augmented(view_bhw3, self._augment), moved(label, *cam_from_view)


class PairSamples:
    """For MeNet: two images, and the pose of the second in the first."""

    def __init__(self, images: ImageSamples) -> None:
        self._images = images

    def batch(self, frames_b2: Tensor) -> Inputs:
        images, label = self._images.batch(frames_b2)
        pair = relative(label.part((slice(None), slice(0, 1))), label.part((slice(None), slice(1, 2))))
        return Inputs(images.unflatten(0, frames_b2.shape), pair)
