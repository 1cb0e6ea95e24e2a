"""A trained model as a folder that runs alone.

    models/NAME/
      model.yaml           format, architecture, input camera, calibration, options, metrics, where some of its
                           frames were in the map, versions, sha256
      weights.safetensors  every tensor of the network: backbone, head, and what turns its numbers into poses
      metrics.csv          one row per epoch

safetensors holds no code, but neither it nor torch notices a flipped byte: the digest does.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from campose_core.camera import Camera
from campose_core.errors import CamposeError, CheckpointError, MissingDependency, in_words
from campose_core.files import check_format, read_bytes, replacing, write_bytes, write_text
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.learning.model import PoseNetwork, create_model, is_finite, to_poses
from campose_core.learning.options import Architecture
from campose_core.learning.same_map import where_trained
from campose_core.learning.validation import Calibration
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.frames_table import SceneFrame
from campose_core.yaml_files import read_yaml, yaml_text

FORMAT = 2
PACKAGES = ("torch", "torchvision", "safetensors", "numpy")
WEIGHTS, DESCRIPTION, METRICS = "weights.safetensors", "model.yaml", "metrics.csv"


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A network in evaluation mode and what inference needs beside it.

    calibration: from the network's own expectation to a covariance in map axes, by residuals on unseen frames.
    options, metrics: of the training run, for people and reports.
    """

    network: PoseNetwork
    network_input: NetworkInput
    calibration: Calibration
    options: Mapping[str, Any]
    metrics: Mapping[str, float]

    def estimate(self, image: Image, camera: Camera) -> tuple[Pose, Array] | None:
        """Estimate map_from_cam of an image (H, W, 3) uint8 RGB, with covariance (6, 6); None without a finite number.

        Raises:
            LearningError: the image does not have the camera's size, or shows too little of the trained view.
        """
        return self._answer(torch.from_numpy(self.network_input.prepare(image, camera).copy())[None])

    def relative(self, first: Image, second: Image) -> tuple[Pose, Array] | None:
        """Estimate first_from_second of two prepared images (S, S, 3) uint8 by MeNet, with its covariance (6, 6)."""
        return self._answer(torch.stack([torch.from_numpy(p.copy()) for p in (first, second)])[None])

    def _answer(self, inputs: Tensor) -> tuple[Pose, Array] | None:
        with torch.inference_mode():
            predicted = self.network(inputs)
        if not is_finite(predicted):
            return None
        return to_poses(predicted)[0], self.calibration.of(predicted.log_spread[0].numpy())


def save(folder: Path, model: TrainedModel, metrics_csv: str, frames: Sequence[SceneFrame] = ()) -> None:
    """Write a model folder, whole or not at all. metrics_csv: the text of its metrics.csv. frames: of its training."""
    weights = save_tensors({name: tensor.contiguous() for name, tensor in model.network.state_dict().items()})
    description = {
        "format": FORMAT,
        "architecture": model.network.architecture.to_dict(),
        "input_camera": model.network_input.camera.to_dict(),
        "calibration": model.calibration.to_dict(),
        "options": dict(model.options),
        "metrics": {name: float(value) for name, value in model.metrics.items()},
        "trained_on": where_trained(frames),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    with replacing(folder) as beside:
        write_bytes(beside / WEIGHTS, weights)
        write_text(beside / METRICS, metrics_csv)
        write_text(beside / DESCRIPTION, yaml_text(description))


def load(folder: Path) -> TrainedModel:
    """Read a model folder; nothing in it is executed.

    Raises:
        CheckpointError: missing, damaged, of another format, or weights that do not fit the architecture.
        MissingDependency: the backbone needs a package that is not installed.
    """
    description_path, weights_path = folder / DESCRIPTION, folder / WEIGHTS
    for path in (description_path, weights_path):
        if not path.is_file():
            raise CheckpointError(f"{folder} is not a trained model: {path.name} is missing")
    try:
        description = read_yaml(description_path, CheckpointError)
        found = description.get("format") if isinstance(description, dict) else None
        check_format(description_path, found, FORMAT, CheckpointError, "train again")
        architecture = Architecture(**description["architecture"])
        network_input = NetworkInput(Camera.from_dict(description["input_camera"]))
        calibration = Calibration.from_dict(description["calibration"])
        options = dict(description["options"])
        metrics = {str(name): float(value) for name, value in description["metrics"].items()}
        expected_sha256 = str(description["sha256"])
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, CamposeError) as error:
        raise CheckpointError(f"{description_path} is damaged: {in_words(error)}") from error
    camera = network_input.camera
    if (camera.width, camera.height) != (architecture.image_size, architecture.image_size):
        raise CheckpointError(f"{description_path} is damaged: {camera} does not have the network's image_size")

    weights = read_bytes(weights_path, CheckpointError)
    found_sha256 = hashlib.sha256(weights).hexdigest()
    if found_sha256 != expected_sha256:
        raise CheckpointError(
            f"{weights_path} is damaged or from another model: sha256 {found_sha256[:12]}..., "
            f"{DESCRIPTION} says {expected_sha256[:12]}...: copy the folder again, or train again"
        )
    try:
        tensors = load_tensors(weights)
        network = create_model(architecture, tensors)
        network.load_state_dict(tensors)
    except MissingDependency:
        raise
    except (SafetensorError, RuntimeError, TypeError, CamposeError) as error:
        reason = str(error).strip().splitlines()[:2][-1].strip()[:160]  # torch begins with the name of its class
        raise CheckpointError(f"{weights_path}: they do not fit the architecture: {reason}: train again") from error
    not_finite = [n for n, t in network.state_dict().items() if t.is_floating_point() and not t.isfinite().all()]
    if not_finite:
        raise CheckpointError(f"{weights_path}: {not_finite[0]} holds numbers that are not finite: train again")
    return TrainedModel(network.eval(), network_input, calibration, options, metrics)
