"""Three ways for a network to say how far off it is, by how well that fits and what it costs.

    python -m benchmarks.uncertainty --scene SCENE --query query.mp4 --reference query.tum

spread: the error that one network predicts, what campose ships. dropout: 16 passes of the head with dropout on.
ensemble: three networks trained with other seeds. constant: the same covariance for every image, the row to beat.
Each is calibrated as `campose train` does, on the scene's test frames and views from a little beside them; `frames
alone` are without these views. Judged on the query: mean log likelihood of the position errors (higher is better), and
the share of them in their own 90 % ellipsoid.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import chi2

from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.evaluation.run import frames_with_camera
from campose_core.geometry import Array, Pose
from campose_core.learning.checkpoint import TrainedModel, load
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.material import material_of_splits, ordered_frames
from campose_core.learning.nearby_views import with_views
from campose_core.learning.options import TrainOptions
from campose_core.learning.train import train
from campose_core.learning.validation import Calibration, Residuals
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum

PASSES = 16
BACKBONE = "efficientnet_lite0"
Answers = tuple[PoseNumbers, float]  # with the milliseconds an image takes


def once(model: TrainedModel, pictures: torch.Tensor) -> Answers:
    start = time.perf_counter()
    with torch.inference_mode():
        found = [model.network(picture[None]) for picture in pictures]
    return PoseNumbers.joined(found), 1e3 * (time.perf_counter() - start) / len(pictures)


def by_dropout(model: TrainedModel, pictures: torch.Tensor) -> Answers:
    head, found, start = model.network.head, [], time.perf_counter()
    with torch.inference_mode():
        for picture in pictures:
            features = model.network.backbone(picture[None])
            sure = head(features).best()
            head.layers.train()
            drawn = head(features.expand(PASSES, -1)).best()
            head.layers.eval()
            found.append(_with_spread_of(sure, drawn))
    return PoseNumbers.joined(found), 1e3 * (time.perf_counter() - start) / len(pictures)


def by_ensemble(models: list[TrainedModel], pictures: torch.Tensor) -> Answers:
    each = [once(model, pictures) for model in models]
    first = each[0][0]
    spreads = []
    for i in range(len(pictures)):
        drawn = PoseNumbers.joined([answers.part(slice(i, i + 1)) for answers, _ in each])
        spreads.append(_with_spread_of(first.part(slice(i, i + 1)), drawn))
    return PoseNumbers.joined(spreads), sum(ms for _, ms in each)


def _with_spread_of(answer: PoseNumbers, drawn: PoseNumbers) -> PoseNumbers:
    """The answer with the root mean square distance of the drawn ones from it, not below a millimetre."""
    metres = (drawn.position - answer.position).norm(dim=-1).square().mean().sqrt()
    cosine = ((drawn.rotation.transpose(-1, -2) @ answer.rotation).diagonal(dim1=-2, dim2=-1).sum(-1) - 1.0) / 2.0
    radians = torch.arccos(cosine.clamp(-1.0, 1.0)).square().mean().sqrt()
    return PoseNumbers(answer.position, answer.rotation, torch.stack([metres, radians]).clamp_min(1e-3).log()[None])


def judged(residuals: Residuals, calibration: Calibration) -> tuple[float, float]:
    """Mean log likelihood of the position errors, and the share inside of their 90 % ellipsoids."""
    errors, likelihoods, inside = residuals.vectors[:, :3], [], []
    for error, spread in zip(errors, residuals.log_spread, strict=True):
        covariance: Array = calibration.of(spread)[:3, :3]
        squared = float(error @ np.linalg.solve(covariance, error))
        likelihoods.append(-0.5 * (squared + np.linalg.slogdet(2.0 * np.pi * covariance)[1]))
        inside.append(squared <= chi2.ppf(0.9, 3))
    return float(np.mean(likelihoods)), float(np.mean(inside))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, required=True, help="a scene with a split that has test frames")
    parser.add_argument("--query", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    options = parser.parse_args()
    scene = Scene.open(options.scene)
    plain = {"kind": "posenet", "backbone": BACKBONE}
    for seed in range(3):
        scene = train(scene, f"posenet-seed{seed}", TrainOptions(**plain, seed=seed))
    scene = train(scene, "posenet-dropout", TrainOptions(**plain, dropout=0.1))
    models = [load(scene.models_dir / f"posenet-seed{seed}") for seed in range(3)]
    dropout, network_input = load(scene.models_dir / "posenet-dropout"), models[0].network_input

    unseen = ordered_frames(scene, "test")
    (test,) = material_of_splits(scene, [unseen], network_input, with_depth=False)
    test = with_views(scene, unseen, test, network_input, seed=0)
    recording, truth = open_recording(options.query), read_tum(options.reference)
    frames = list(frames_with_camera(scene, recording, None, "query"))
    seen = np.stack([network_input.prepare(frame.image, camera) for frame, camera in frames])
    poses: list[Pose | None] = [truth.at(frame.stamp_ns) for frame, _ in frames]
    known = [i for i, pose in enumerate(poses) if pose is not None]
    inputs = (torch.from_numpy(np.array(test.images)), torch.from_numpy(seen[known]))
    references = (test.poses, [poses[i] for i in known])

    ways = {
        "constant": [once(models[0], pictures) for pictures in inputs],
        "spread": [once(models[0], pictures) for pictures in inputs],
        f"dropout, {PASSES} passes": [by_dropout(dropout, pictures) for pictures in inputs],
        f"ensemble of {len(models)}": [by_ensemble(models, pictures) for pictures in inputs],
    }
    print(f"{'way':20} {'exponent':>8} {'log likelihood':>15} {'in 90 %':>8} {'ms an image':>12}")
    for name, answers in ways.items():
        held_out, query = (
            Residuals.of(numbers, poses, name) for (numbers, _), poses in zip(answers, references, strict=True)
        )
        alone = Residuals(held_out.vectors[: len(unseen)], held_out.log_spread[: len(unseen)])
        for label, residuals in ((name, held_out), ("  frames alone", alone)):
            calibration = residuals.calibrated(0.0) if name == "constant" else residuals.calibration()
            likelihood, inside = judged(query, calibration)
            numbers = f"{likelihood:15.2f} {100 * inside:7.0f}% {answers[1][1]:12.1f}"
            print(f"{label:20} {calibration.exponent:8.1f} {numbers}", flush=True)


if __name__ == "__main__":
    show_log()
    main()
