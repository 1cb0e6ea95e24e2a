"""Train a pose network on a scene: the best epoch on the validation split becomes models/NAME.

Its covariance is that of the residuals on the test split: the validation frames chose the epoch, and lie between
stretches that were trained on. Only a scene without test frames has it from the validation split.

A killed run goes on at the epoch it last saved and, on a CPU, ends with the same weights as one that was not killed:
the state holds the weights, the optimiser and the random generator.
"""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from campose_core.errors import LearningError
from campose_core.files import replacing
from campose_core.geometry import Array, Pose
from campose_core.learning.checkpoint import DESCRIPTION, TrainedModel, save
from campose_core.learning.data import (
    FeatureSamples,
    PictureSamples,
    Samples,
    backbone_features,
    frames_of_split,
    tuple_rows,
)
from campose_core.learning.frame_cache import Pictures, cached_pictures
from campose_core.learning.losses import PoseLoss
from campose_core.learning.model import PoseNet, PoseNumbers, create_model
from campose_core.learning.options import TrainOptions
from campose_core.learning.pose_space import PoseSpace
from campose_core.learning.preprocess import NetworkInput
from campose_core.learning.validation import Residuals
from campose_core.progress import say, track
from campose_core.scene import SPLITS, Scene, SceneFrame

SAVE_EVERY_S = 10.0
COLUMNS = ("epoch", "loss", "val_median_m", "val_median_deg", "beta", "gamma", "learning_rate", "seconds")


def train(scene: Scene, name: str, options: TrainOptions) -> Scene:
    """Train the model `name` of a scene, unless that is done; returns the scene with the step recorded, saved.

    Raises:
        LearningError: nothing to train or validate on, a recording shorter than a tuple, a backbone or weights that
            cannot be had, or a loss that is not finite (the frames of the batch are named).
    """
    step, folder = f"train:{name}", scene.models_dir / name
    if name in ("structure", "retrieval") or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise LearningError(f"{name!r} cannot be the name of a model: use letters, digits, '-', '_' and '.'")
    if scene.is_done(step, options.to_dict()) and (folder / DESCRIPTION).is_file():
        say(f"{name}: trained already with these options")
        return scene
    state_path = scene.path / "cache" / f"train-{name}.pt"
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        training = _Training(scene, options)
        training.resume(state_path, _digest(scene, step, options))
        training.run(state_path, name)

    network, covariance = training.best_network()
    counts = {split: float(len(scene.posed_frames(split))) for split in SPLITS}
    metrics = {**training.best, **{f"{split}_frames": count for split, count in counts.items()}}
    model = TrainedModel(network, training.network_input, covariance, options.to_dict(), metrics)
    save(folder, model, training.metrics_csv())
    scene = scene.with_step(step, options.to_dict())
    scene.save()
    state_path.unlink(missing_ok=True)
    say(
        f"{name}: validation median {metrics['val_median_m']:.3f} m, {metrics['val_median_deg']:.2f} deg "
        f"(epoch {training.best['epoch']} of {training.epoch}, {training.seconds:.0f} s)"
    )
    return scene


class _Training:
    """One run: what changes from epoch to epoch, and how it is saved."""

    def __init__(self, scene: Scene, options: TrainOptions) -> None:
        self.options = options
        self.frames, val_frames = frames_of_split(scene, "train"), frames_of_split(scene, "val")
        test_frames = scene.posed_frames("test")
        self.rows_mt = tuple_rows(self.frames, options.tuple_offsets)
        poses, self.val_poses, self.test_poses = _poses(self.frames), _poses(val_frames), _poses(test_frames)
        space = PoseSpace.of(poses)
        self.network = network = create_model(options.architecture)
        network.backbone.load_weights(options.weights)
        network.set_pose_space(space)
        self.network_input = NetworkInput.covering(scene.cameras[self.frames[0].camera], options.image_size)
        pictures = cached_pictures(scene, [*self.frames, *val_frames, *test_frames], self.network_input)
        self.val_pictures, self.test_pictures = np.split(pictures[len(poses) :], [len(val_frames)])
        self.samples: Samples
        if options.frozen:
            network.backbone.requires_grad_(False)
            views = (self.network_input, options.views, options.seed)
            self.samples = FeatureSamples(network.backbone, pictures[: len(poses)], poses, space, *views)
            self.val_features = self._features(self.val_pictures, "validation frames")
        else:
            self.samples = PictureSamples(pictures[: len(poses)], poses, space, self.network_input, options.views)
        self.trained: nn.Module = network.head if options.frozen else network
        network.eval()
        self.loss = PoseLoss(options.beta, options.gamma)
        decayed = [parameter for parameter in network.parameters() if parameter.requires_grad]
        groups = [
            {"params": decayed, "weight_decay": options.weight_decay},
            {"params": list(self.loss.parameters()), "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.Adam(groups, lr=options.learning_rate)
        self.digest = ""
        self.epoch = 0
        self.seconds = 0.0
        self.rows: list[list[float]] = []
        self.best: dict[str, float] = {}
        self.best_weights: dict[str, Tensor] = {}

    def run(self, state_path: Path, name: str) -> None:
        """All epochs that are left."""
        started, saved_at = time.monotonic() - self.seconds, -math.inf
        limit_s = math.inf if self.options.max_minutes is None else 60.0 * self.options.max_minutes
        while self.epoch < self.options.epochs and self.seconds < limit_s:
            loss = self._train_epoch()
            residuals = self._validate()
            self.epoch += 1
            self.seconds = time.monotonic() - started
            self._record(loss, residuals)
            if self.epoch % max(1, self.options.epochs // 10) == 0:
                say(
                    f"{name}: epoch {self.epoch}/{self.options.epochs}, loss {loss:.3f}, validation median "
                    f"{residuals.median_m:.3f} m {residuals.median_deg:.2f} deg, {self.seconds:.0f} s"
                )
            if time.monotonic() - saved_at > SAVE_EVERY_S:
                self._save(state_path)
                saved_at = time.monotonic()

    def _train_epoch(self) -> float:
        """One pass over all tuples in random order; returns the mean loss."""
        options = self.options
        for group in self.optimizer.param_groups:
            group["lr"] = options.learning_rate * 0.5 * (1 + math.cos(math.pi * self.epoch / options.epochs))
        self.trained.train()
        total = 0.0
        batches = torch.randperm(len(self.rows_mt)).split(options.batch_size)
        # An epoch over pictures takes a while and gets a bar; one over features is over before a bar is drawn.
        for chosen in batches if options.frozen else track(batches, f"epoch {self.epoch + 1} of {options.epochs}"):
            rows_bt = self.rows_mt[chosen]
            batch = self.samples.batch(rows_bt)
            predicted = self.network.from_features(batch.inputs) if options.frozen else self.network(batch.inputs)
            shape = (*rows_bt.shape, 3)
            predicted_bt3 = PoseNumbers(predicted.position.view(shape), predicted.logq.view(shape))
            loss = self.loss(predicted_bt3, batch.label)
            if not torch.isfinite(loss):
                names = ", ".join(self.frames[i].name for i in rows_bt.flatten()[:3].tolist())
                raise LearningError(
                    f"the loss is {float(loss.detach())} in epoch {self.epoch + 1}, in the batch with {names}, ...: "
                    f"lower the learning_rate ({options.learning_rate})"
                )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(chosen)
        self.trained.eval()
        return total / len(self.rows_mt)

    def _validate(self) -> Residuals:
        frozen = self.options.frozen
        features = self.val_features if frozen else self._features(self.val_pictures, "validation frames")
        return self._residuals(features, self.val_poses)

    def _residuals(self, features: Tensor, poses: Sequence[Pose]) -> Residuals:
        with torch.no_grad():
            predicted = self.network.from_features(features)
        if not (predicted.position.isfinite().all() and predicted.logq.isfinite().all()):
            raise LearningError(
                f"the network predicts no number after epoch {self.epoch + 1}: "
                f"lower the learning_rate ({self.options.learning_rate})"
            )
        return Residuals.of(self.network.poses(predicted), poses)

    def _features(self, pictures: Pictures, description: str) -> Tensor:
        return backbone_features(self.network.backbone, len(pictures), pictures.__getitem__, description)

    def _record(self, loss: float, residuals: Residuals) -> None:
        beta, gamma = (float(p.detach()) for p in (self.loss.beta, self.loss.gamma))
        rate = self.optimizer.param_groups[0]["lr"]
        self.rows.append(
            [self.epoch, loss, residuals.median_m, residuals.median_deg, beta, gamma, rate, round(self.seconds, 2)]
        )
        if not self.best or residuals.score < self.best["score"]:
            self.best = {
                "epoch": self.epoch,
                "score": residuals.score,
                "val_median_m": residuals.median_m,
                "val_median_deg": residuals.median_deg,
            }
            self.best_weights = deepcopy(self.trained.state_dict())

    def best_network(self) -> tuple[PoseNet, Array]:
        """The network with the weights of the best epoch, and its covariance (6, 6)."""
        self.trained.load_state_dict(self.best_weights)
        self.network.eval()
        if not self.test_poses:
            return self.network, self._validate().covariance()
        features = self._features(self.test_pictures, "test frames")
        return self.network, self._residuals(features, self.test_poses).covariance()

    def metrics_csv(self) -> str:
        lines = [",".join(COLUMNS), *(",".join(f"{value:.6g}" for value in row) for row in self.rows)]
        return "".join(line + "\n" for line in lines)

    def _save(self, path: Path) -> None:
        state = {
            "digest": self.digest,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "rows": self.rows,
            "best": self.best,
            "best_weights": self.best_weights,
            "weights": self.trained.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
        }
        with replacing(path) as beside:
            torch.save(state, beside)

    def resume(self, path: Path, digest: str) -> None:
        """Go on from the state at `path` where it belongs to the same data and options."""
        self.digest = digest
        if not path.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except (OSError, EOFError, KeyError, RuntimeError, pickle.UnpicklingError):
            say(f"{path}: the state of an earlier run is damaged: training from the start")
            return
        if state.get("digest") != digest:
            say(f"{path}: an earlier run had other frames or options: training from the start")
            return
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.rows, self.best, self.best_weights = state["rows"], state["best"], state["best_weights"]
        self.trained.load_state_dict(state["weights"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        say(f"going on after epoch {self.epoch}")


def _poses(frames: Sequence[SceneFrame]) -> list[Pose]:
    return [frame.map_from_cam for frame in frames if frame.map_from_cam is not None]


def _digest(scene: Scene, step: str, options: TrainOptions) -> str:
    """Of all that a resumed run must have in common with the run it goes on with."""
    poses = [(f.name, f.split, *map(float, (*f.map_from_cam.translation, *f.map_from_cam.quat_xyzw)))
             for f in scene.frames if f.map_from_cam is not None]  # fmt: skip
    cameras = {name: camera.to_dict() for name, camera in scene.cameras.items()}
    return hashlib.sha256(json.dumps([step, options.to_dict(), poses, cameras]).encode()).hexdigest()
