"""Other light and weather for training views; what is where in the image stays, so that labels stay exact."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

MIN_WINDOW = 0.85  # of each side: of the area 0.72, about the least view that localization accepts


class Window(v2.Transform):
    """A camera that sees less, with its principal point elsewhere: a random window of the image stays where it is,
    and beyond it the edge repeats, as `NetworkInput.prepare` fills what a camera does not show."""

    def forward(self, image_3hw: Tensor) -> Tensor:
        height, width = image_3hw.shape[-2:]
        share_2 = MIN_WINDOW + (1.0 - MIN_WINDOW) * torch.rand(2)
        tall, wide = int(share_2[0] * height), int(share_2[1] * width)
        top, left = int(torch.randint(height - tall + 1, ())), int(torch.randint(width - wide + 1, ()))
        window = functional.crop(image_3hw, top, left, tall, wide)
        return functional.pad(window, [left, top, width - wide - left, height - tall - top], padding_mode="edge")


class Haze(v2.Transform):
    """Grey air before everything, thicker towards the top, where an image mostly shows what is far."""

    def forward(self, image_3hw: Tensor) -> Tensor:
        thick, grey = float(torch.empty(()).uniform_(0.2, 0.6)), float(torch.empty(()).uniform_(150.0, 230.0))
        veil_h1 = thick * torch.linspace(1.0, 0.5, image_3hw.shape[-2])[:, None]
        return _image(image_3hw * (1.0 - veil_h1) + grey * veil_h1)


class Rain(v2.Transform):
    """Bright slanted streaks, and less contrast."""

    def forward(self, image_3hw: Tensor) -> Tensor:
        height, width = image_3hw.shape[-2:]
        drops_1hw = (torch.rand(1, height, width) < 0.004).float()
        length, slant = height // 12, float(torch.empty(()).uniform_(-0.3, 0.3))
        streaks_1hw = torch.zeros_like(drops_1hw)
        for step in range(length):
            streaks_1hw += torch.roll(drops_1hw, (step, round(slant * step)), dims=(1, 2)) * (1.0 - step / length)
        return _image(20.0 + 0.85 * image_3hw + 90.0 * streaks_1hw.clamp_max(1.0))


class Night(v2.Transform):
    """A tenth to a half of the light, bluish, with the noise of a camera that amplifies."""

    def forward(self, image_3hw: Tensor) -> Tensor:
        share = math.exp(float(torch.empty(()).uniform_(math.log(0.1), math.log(0.5))))
        tint_311 = torch.tensor([0.85, 0.9, 1.1]).view(3, 1, 1)
        return _image(image_3hw * share * tint_311 + 5.0 * torch.randn(image_3hw.shape))


def augmentation(kind: str) -> nn.Module:
    """Make the transform of images uint8 [3, H, W], by torch's global generator. kind: none, light or weather."""
    if kind == "none":
        return nn.Identity()
    light = [
        v2.RandomApply([v2.ColorJitter(0.3, 0.25, 0.25, 0.02)], 0.8),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 1.5))], 0.25),
        v2.RandomApply([Window()], 0.3),
    ]
    weather = [v2.RandomApply([v2.RandomChoice([Haze(), Rain(), Night()])], 0.3)] if kind == "weather" else []
    return v2.Compose([*light, *weather])


def augmented(image_bhw3: Tensor, augment: nn.Module) -> Tensor:
    """Augment each image uint8 [B, H, W, 3] by itself."""
    if isinstance(augment, nn.Identity):
        return image_bhw3
    return torch.stack([augment(image.permute(2, 0, 1)).permute(1, 2, 0) for image in image_bhw3])


def _image(values_3hw: Tensor) -> Tensor:
    return values_3hw.round().clamp(0, 255).to(torch.uint8)
