"""Train a pose network on a scene: the best epoch on the validation split becomes models/NAME.

Its covariance is calibrated on the residuals on the test split, seen from the frames and from a little beside them: the
validation frames chose the epoch, and lie between stretches that were trained on. Only a scene without test frames has
it from the validation split.

A killed run goes on at the epoch it last saved and, on a CPU, ends with the same weights as one that was not killed:
the state holds the weights and the optimiser, and everything random follows from seed and epoch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from campose_core.errors import LearningError, WorkerDone
from campose_core.floorplan.scene_floor import walkable_of, why_not_snapped
from campose_core.geometry import Pose
from campose_core.learning.checkpoint import DESCRIPTION, TrainedModel, load, save
from campose_core.learning.features import FeatureSamples, feature_samples, features_of
from campose_core.learning.floor_loss import FloorDistance
from campose_core.learning.head import count_anchors
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.material import Material, frames_of_split, joined, material_of_splits, ordered_frames
from campose_core.learning.model import PoseNetwork, create_model, to_numbers
from campose_core.learning.module import VALIDATION_BATCH, PoseTraining
from campose_core.learning.nearby_views import with_views
from campose_core.learning.networks import MENET
from campose_core.learning.options import TrainOptions
from campose_core.learning.same_map import is_of_this_map, require_same_map
from campose_core.learning.samples import ImageSamples, Samples
from campose_core.learning.trainer import fit
from campose_core.learning.unlabelled import unlabelled_material
from campose_core.learning.validation import Residuals
from campose_core.pixels.large_buffers import keep_large_buffers
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.frames_table import SPLITS, SceneFrame
from campose_core.scene.scene import Scene

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
FRAMES_AN_ANCHOR = 10  # fewer tell little of what differs within a part
# What a model that is gone on with decides.
LAYERS = ("backbone", "grid", "components", "linear_layers", "hidden", "dropout")
METRICS_OF_CLOSED_FORM = "epoch,val_median_m,val_median_deg,seconds\n"


def train(scene: Scene, name: str, options: TrainOptions) -> Scene:
    """Train the model `name` of a scene, unless that is done; returns the scene with the step recorded, saved.

    Of several processes only the first one returns; the others end when their share is done.

    Raises:
        LearningError: nothing to train or validate on, a recording shorter than a tuple, a backbone or weights that
            cannot be had, or a loss that is not finite (the frames of the batch are named).
        SceneError: another process writes the scene.
        OSError: the disk is full; an earlier model of that name is still whole.
        WorkerDone: in all processes of a training on several devices but the one that goes on.
    """
    if not NAME.fullmatch(name):
        raise LearningError(f"{name!r} cannot be the name of a model: use letters, digits, '-', '_', '+' and '.'")
    # Of several processes the first one holds the scene for all.
    with scene.writing("models", "cache", "reports") if _is_first() else nullcontext():
        return _train(scene, name, options)


def _train(scene: Scene, name: str, options: TrainOptions) -> Scene:
    step, folder = f"train:{name}", scene.models_dir / name
    done = scene.is_done(step, options.to_dict()) and (folder / DESCRIPTION).is_file()
    if done and is_of_this_map(scene, name):
        log.info(f"{name}: trained already with these options")
        return scene
    keep_large_buffers()
    state_path = scene.path / "cache" / f"train-{name}.ckpt"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        run_ = _Run(scene, options)
        if options.network.in_closed_form:
            best, metrics_csv, writes = *run_.solve(), True
        else:
            best, metrics_csv, writes = run_.fit(name, state_path, _digest(scene, step, options))
    if not writes:
        raise WorkerDone  # what a caller does next is done once, and with the model, which is not there yet
    model = run_.finished(best)
    save(folder, model, metrics_csv, frames_of_split(scene, "train"))
    scene = scene.with_step(step, options.to_dict())
    scene.save()
    state_path.unlink(missing_ok=True)
    log.info(
        f"{name}: validation median {best['val_median_m']:.3f} m, {best['val_median_deg']:.2f} deg "
        f"({best['seconds']:.0f} s)"
    )
    return scene


def _is_first() -> bool:
    """Tell whether this process is the only one, or the first that torchrun or Lightning started."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


class _Run:
    """What a run trains, on what, and what judges it."""

    def __init__(self, scene: Scene, options: TrainOptions) -> None:
        self._scene, self._options, self._started = scene, options, time.monotonic()
        self._kind = options.network
        splits = [frames_of_split(scene, "train"), frames_of_split(scene, "val"), ordered_frames(scene, "test")]
        self._input = NetworkInput.covering(scene.cameras[splits[0][0].camera], options.image_size)
        if len(splits[0]) < 2:
            raise LearningError(f"{scene.path}: a network needs at least two frames to learn from, there is one")
        self._rows = self._kind.rows([frame.source for frame in splits[0]], options)
        self._network = self._new_network(splits[0])
        with_depth = options.views > 0 and options.view_shift_m > 0
        self._material, self._val, self._test = material_of_splits(scene, splits, self._input, with_depth)
        if not options.start_from:
            self._kind.set_unit(self._network.head, self._material.poses, self._rows, options)
        self._unlabelled_rows: Tensor | None = None
        if options.unlabelled:
            self._take_in_unlabelled()

    def fit(self, name: str, state_path: Path, digest: str) -> tuple[dict[str, float], str, bool]:
        """Train by gradient descent: best epoch's figures, history, and whether this process writes the model."""
        options, floor = self._options, None
        if options.walkable_weight > 0:
            walkable = walkable_of(self._scene)
            if walkable is None:
                why = why_not_snapped(self._scene) or "run `campose floor`"
                raise LearningError(f"{self._scene.path} has no floor map for the walkable loss: {why}")
            floor = FloorDistance(walkable)
        training = PoseTraining(
            self._network, options, self._samples(), (self._rows, self._unlabelled_rows),
            self._judging(self._val, "validation frames"), self._material.names, floor,
        )  # fmt: skip
        record, writes = fit(training, name, state_path, digest, self._scene)
        training.cpu()
        training.trained.load_state_dict(record.best_weights)
        return {**record.best, "seconds": record.seconds}, record.metrics_csv(), writes

    def solve(self) -> tuple[dict[str, float], str]:
        """Train in closed form: the same figures and history."""
        samples, head = self._samples(), self._network.head
        assert isinstance(samples, FeatureSamples)
        inputs, poses = self._judging(self._val, "validation frames")

        def residuals() -> Residuals:
            with torch.no_grad():
                return Residuals.of(head.from_components(inputs).best(), poses, "of the closed form")

        label = samples.label_vn.view(samples.label_vn.position[..., 0].numel())
        figures = self._kind.solve(head, samples.components_vnk.flatten(0, 1), label, lambda: residuals().score)
        found, seconds = residuals(), time.monotonic() - self._started
        best = {"val_median_m": found.median_m, "val_median_deg": found.median_deg, **figures, "seconds": seconds}
        return best, METRICS_OF_CLOSED_FORM + f"1,{found.median_m:.6g},{found.median_deg:.6g},{seconds:.6g}\n"

    def finished(self, best: Mapping[str, float]) -> TrainedModel:
        """Return the network as it stands, with the covariance that unseen frames show."""
        use_test = len(self._judged_rows(self._test)) >= 2
        judged = self._test if use_test else self._val
        if not self._kind.relative:
            frames = ordered_frames(self._scene, "test" if use_test else "val")
            judged = with_views(self._scene, frames, judged, self._input, self._options.seed)
        inputs, poses = self._judging(judged, "frames that calibrate the covariance")
        predicted = predictions(self._predict, inputs)
        calibration = Residuals.of(predicted, poses, "at the end").calibration()
        counts = {f"{split}_frames": float(len(self._scene.posed_frames(split))) for split in SPLITS}
        trained = self._network if self._options.trains_backbone else self._network.head
        sizes = {
            "parameters": float(sum(p.numel() for p in self._network.parameters())),
            "trainable_parameters": float(sum(p.numel() for p in trained.parameters() if p.requires_grad)),
        }
        metrics = {**best, "total_seconds": time.monotonic() - self._started, **counts, **sizes}
        return TrainedModel(self._network.eval(), self._input, calibration, self._options.to_dict(), metrics)

    def _new_network(self, frames: Sequence[SceneFrame]) -> PoseNetwork:
        options = self._options
        if options.start_from:
            trained = sorted(path.parent.name for path in self._scene.models_dir.glob("*/model.yaml"))
            if options.start_from not in trained:
                raise LearningError(
                    f"{self._scene.path} has no model {options.start_from!r} to start from: give the name of one: "
                    f"{', '.join(trained) or 'none yet'}"
                )
            start = load(self._scene.models_dir / options.start_from)
            require_same_map(self._scene, options.start_from)
            has, asked = start.network.architecture.to_dict(), options.architecture.to_dict()
            if (has["kind"] == MENET) != self._kind.relative:
                raise LearningError(f"a {options.kind} cannot begin with {options.start_from}, a {has['kind']}")
            if start.network_input.size != self._input.size:
                size = start.network_input.size
                raise LearningError(
                    f"{options.start_from} takes images of {size} pixels a side, not {self._input.size}: give "
                    f"--image-size {size}"
                )
            if start.network_input != self._input:
                raise LearningError(
                    f"{options.start_from} was trained on images of another camera, {start.network_input.camera}, not "
                    f"{self._input.camera}: train it again"
                )
            others = {name: f"{name} {has[name]}, not {asked[name]}" for name in LAYERS if has[name] != asked[name]}
            if others:
                log.info(f"{options.start_from} brings its layers: {'; '.join(others.values())}")
            start.network.architecture = replace(start.network.architecture, kind=options.kind)
            return start.network
        architecture = options.architecture
        label = to_numbers([frame.map_from_cam for frame in frames if frame.map_from_cam is not None])
        most = max(1, min(architecture.anchors, len(frames) // FRAMES_AN_ANCHOR))
        network = create_model(replace(architecture, anchors=count_anchors(label, most, options.seed)))
        network.backbone.load_weights(options.weights)
        return network

    def _samples(self) -> Samples:
        options = self._options
        images = ImageSamples(self._material, self._input.camera, options)
        if options.trains_backbone:
            if options.keeps_early_layers:
                self._network.backbone.keep_early(options.kept_stride)
            return self._kind.samples(images)
        self._network.backbone.requires_grad_(False)
        return feature_samples(self._scene.path / "cache", self._network, self._material, images, options)

    def _judging(self, material: Material, description: str) -> tuple[Tensor, Sequence[Pose]]:
        """Return inputs of the network, or of the head where the backbone is frozen, and the poses they should give."""
        rows = self._judged_rows(material)
        if len(rows) == 0:
            raise LearningError(
                f"{self._scene.path}: {self._options.kind} is judged by pairs: no recording has two {description}"
            )
        poses = self._kind.answers(material.poses, rows)
        if self._options.trains_backbone:
            return torch.from_numpy(np.array(material.images[rows.numpy()])), poses
        cache = self._scene.path / "cache"
        return features_of(cache, self._network, material.images, description), poses

    def _judged_rows(self, material: Material) -> Tensor:
        return self._kind.judged_rows(material.sources, self._options)

    def _predict(self, inputs: Tensor) -> PoseNumbers:
        network = self._network.eval()
        return network(inputs) if self._options.trains_backbone else network.head.from_components(inputs).best()

    def _take_in_unlabelled(self) -> None:
        """Append recordings without a reference to the frames that have labels."""
        labelled, options = self._material, self._options
        others = [unlabelled_material(self._scene, path, self._input) for path in options.unlabelled]
        self._material = joined([labelled, *others])
        rows = self._kind.rows(self._material.sources[len(labelled) :], options)
        self._unlabelled_rows = rows + len(labelled)


def predictions(predict: Callable[[Tensor], PoseNumbers], inputs: Tensor) -> PoseNumbers:
    """Predict many inputs [N, ...], some at a time."""
    with torch.no_grad():
        return PoseNumbers.joined([predict(chunk) for chunk in inputs.split(VALIDATION_BATCH)])


def _digest(scene: Scene, step: str, options: TrainOptions) -> str:
    """Of all that a resumed run must have in common with the run it goes on with."""
    poses = [(f.name, f.split, *map(float, (*f.map_from_cam.translation, *f.map_from_cam.quat_xyzw)))
             for f in scene.frames if f.map_from_cam is not None]  # fmt: skip
    cameras = {name: camera.to_dict() for name, camera in scene.cameras.items()}
    return hashlib.sha256(json.dumps([step, options.to_dict(), poses, cameras]).encode()).hexdigest()
