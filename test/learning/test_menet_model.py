"""MeNet: two images in, how the camera moved between them out."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from learnable import QUICK, make_scene, make_scene_by_heart
from PIL import Image

from campose_core.errors import LearningError
from campose_core.geometry import pose_error
from campose_core.learning.checkpoint import load
from campose_core.learning.kinds.menet import CONVOLUTIONS, MIN_SIZE, PairEncoder
from campose_core.learning.model import create_model
from campose_core.learning.train import train
from campose_core.scene.split import SplitOptions

MENET = replace(QUICK, kind="menet", image_size=MIN_SIZE, tuple_skip=1)


@pytest.mark.parametrize(("size", "side"), [(64, 1), (128, 2), (224, 4)])
def test_six_strides_leave_one_cell_of_sixty_four_pixels(size, side):
    encoder = PairEncoder(size)
    assert encoder.size == CONVOLUTIONS[-1][0] * side * side
    assert encoder.training
    pairs = torch.randint(0, 256, (3, 2, size, size, 3), dtype=torch.uint8)
    assert encoder.eval()(pairs).shape == (3, encoder.size)


def test_pictures_that_leave_nothing_are_refused():
    with pytest.raises(LearningError, match="at least 64 pixels a side, got 63"):
        PairEncoder(MIN_SIZE - 1)
    with pytest.raises(LearningError, match="at least 64 pixels"):
        create_model(replace(MENET, image_size=32).architecture)


def test_both_pictures_and_their_order_count():
    torch.manual_seed(0)
    network = create_model(MENET.architecture).eval()
    pair = torch.randint(0, 256, (1, 2, 64, 64, 3), dtype=torch.uint8)
    other = pair.clone()
    other[0, 1] = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8)
    found = [network(inputs).position for inputs in (pair, pair.flip(1), other)]
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.slow
def test_it_trains_on_pairs_and_answers_with_a_motion(tmp_path):
    scene = train(
        make_scene_by_heart(tmp_path / "scene", 24),
        "menet",
        replace(MENET, tuple_skip=4, epochs=16, learning_rate=2e-3),
    )
    folder = scene.models_dir / "menet"
    with open(folder / "metrics.csv") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < losses[0] - 3.0
    model = load(folder)
    frames = [f for f in scene.frames if f.source == "a"]
    errors, motions = [], []
    for first, second in zip(frames, frames[4:], strict=False):
        pictures = [np.asarray(Image.open(scene.frame_path(f)).convert("RGB")) for f in (first, second)]
        prepared = [model.network_input.prepare(picture, scene.cameras["camera"]) for picture in pictures]
        pose, covariance = model.relative(*prepared)
        truth = first.map_from_cam.inverse() * second.map_from_cam
        errors.append(pose_error(pose, truth)[0])
        motions.append(np.linalg.norm(truth.translation))
        assert np.linalg.eigvalsh(covariance).min() >= 0
    assert np.median(errors) < 0.5 * np.median(motions)


def test_a_recording_of_one_frame_is_refused(tmp_path):
    split = SplitOptions(scheme="source", val_sources=("c",))
    scene = make_scene(tmp_path / "scene", {"a": 12, "b": 1, "c": 5}, split)
    with pytest.raises(LearningError, match="recording b has one training frame; menet learns from pairs"):
        train(scene, "menet", MENET)
    assert not scene.models_dir.exists()


def test_a_recording_with_one_frame_to_judge_is_left_out_of_the_judging(tmp_path):
    """It may have enough to train on: eight frames leave one for validation and one for the test."""
    scene = make_scene(tmp_path / "scene", {"a": 24, "b": 8})
    counts = {split: len([f for f in scene.posed_frames(split) if f.source == "b"]) for split in ("val", "test")}
    assert counts == {"val": 1, "test": 1}
    assert load(train(scene, "menet", replace(MENET, epochs=1)).models_dir / "menet").metrics["epoch"] == 1


def test_a_scene_with_nothing_to_judge_pairs_by_is_refused_before_training(tmp_path):
    scene = make_scene(tmp_path / "scene", {"a": 8}, SplitOptions())
    with pytest.raises(LearningError, match="no recording has two validation frames"):
        train(scene, "menet", MENET)
    assert not scene.models_dir.exists()
