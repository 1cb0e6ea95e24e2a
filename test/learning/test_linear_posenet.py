"""Linear-PoseNet: what is linear is found exactly, without one step of descent."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learnable import CAMERA, QUICK, SMALL, make_scene_by_heart
from PIL import Image

from campose_core.errors import LearningError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.head import PoseHead
from campose_core.learning.kinds.linear import RIDGES, fit
from campose_core.learning.losses import PoseNumbers, pose_errors
from campose_core.learning.rotations import rotation_exp
from campose_core.learning.train import train
from campose_core.scene.scene import Scene

LINEAR = replace(QUICK, kind="linear", **SMALL)


def turning(random: torch.Generator, count: int) -> tuple[torch.Tensor, PoseNumbers]:
    """Inputs [N, 8] of which positions and both columns of the rotations, about z, are linear functions."""
    angle = 3.0 * torch.randn(count, generator=random)
    inputs = torch.randn(count, 8, generator=random)
    position = inputs[:, 2:5] @ torch.randn(3, 3, generator=random) + torch.tensor([10.0, -4.0, 1.2])
    inputs[:, 0], inputs[:, 1] = angle.cos(), angle.sin()
    mixed = inputs @ torch.linalg.qr(torch.randn(8, 8, generator=random))[0] + torch.randn(8, generator=random)
    return mixed, PoseNumbers(position, rotation_exp(torch.stack([0 * angle, 0 * angle, angle], dim=-1)))


def head_for(label: PoseNumbers) -> PoseHead:
    head = PoseHead(8, replace(LINEAR, components=8).architecture).eval()
    head.set_positions(label.position.numpy())
    return head


@settings(max_examples=20)
@given(st.integers(0, 2**16))
def test_a_linear_relation_is_recovered_on_frames_never_seen(seed):
    random = torch.Generator().manual_seed(seed)
    inputs, label = turning(random, 120)
    seen, unseen = slice(0, 80), slice(80, None)
    head = head_for(label.part(seen))

    def score() -> float:
        position, rotation = pose_errors(head.from_components(inputs[unseen]).best(), label.part(unseen))
        return float((position.norm(dim=-1).mean() + rotation.norm(dim=-1).mean()).detach())

    assert fit(head, inputs[seen], label.part(seen), score) == RIDGES[0]
    assert score() < 0.02


@settings(max_examples=20)
@given(st.integers(0, 2**16))
def test_the_ridge_is_the_one_that_does_best_on_other_frames(seed):
    """With noise on few frames, where the smallest ridge learns the noise by heart."""
    random = torch.Generator().manual_seed(seed)
    inputs, label = turning(random, 60)
    noisy = inputs + 0.3 * torch.randn(inputs.shape, generator=random)
    few, others = slice(0, 10), slice(10, None)
    head, scores = head_for(label.part(few)), []

    def score() -> float:
        position, rotation = pose_errors(head.from_components(noisy[others]).best(), label.part(others))
        scores.append(float((position.norm(dim=-1).mean() + rotation.norm(dim=-1).mean()).detach()))
        return scores[-1]

    ridge = fit(head, noisy[few], label.part(few), score)
    tried = scores[: len(RIDGES)]
    assert ridge == RIDGES[int(np.argmin(tried))]
    assert score() == pytest.approx(min(tried))


def test_it_trains_in_closed_form_and_answers(tmp_path):
    scene = train(make_scene_by_heart(tmp_path / "scene", 24), "linear", LINEAR)
    folder = scene.models_dir / "linear"
    model = load(folder)
    assert model.metrics["ridge"] <= 1e-3
    with open(folder / "metrics.csv") as file:
        [row] = csv.DictReader(file)
    assert float(row["val_median_m"]) == pytest.approx(model.metrics["val_median_m"], rel=1e-4)
    errors = []
    for frame in scene.posed_frames("train"):
        image = np.asarray(Image.open(scene.frame_path(frame)).convert("RGB"))
        pose, covariance = model.estimate(image, CAMERA)
        errors.append(pose_error(pose, frame.map_from_cam))
        assert np.linalg.eigvalsh(covariance).min() >= 0
    position, angle = np.median(errors, axis=0)
    assert position < 0.05
    assert np.degrees(angle) < 2.0
    assert Scene.open(scene.path).is_done("train:linear", LINEAR.to_dict())
    assert not list((scene.path / "cache").glob("train-*"))


def test_it_needs_components():
    with pytest.raises(LearningError, match="components must be at least 1"):
        replace(LINEAR, components=0)
