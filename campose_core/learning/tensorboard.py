"""For TensorBoard: curves, some training pictures as the network gets them, and the predicted path over the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from campose_core.capture.frame import Image
from campose_core.errors import MissingDependency
from campose_core.extras import load_extra
from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.learning.batches import Batch
from campose_core.learning.module import PoseTraining

PICTURES = 8
LEAST_PIXELS = 300  # of the path's picture, on its longer side
TRUE_COLOUR, PREDICTED_COLOUR = (40, 40, 40), (220, 40, 40)


def tensorboard_logger(folder: Path, name: str) -> TensorBoardLogger:
    """Raises MissingDependency where tensorboard is not installed."""
    try:
        load_extra("tensorboard", "train")
    except MissingDependency as error:
        raise MissingDependency("--tensorboard needs its package: pip install tensorboard") from error
    return TensorBoardLogger(folder, name=name, version="")


class Pictures(Callback):
    """Draws once the first batch, where it holds pictures, and after each epoch the path of the validation frames."""

    def __init__(self, floor: FloorMap | None) -> None:
        self._floor = floor

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if trainer.global_step == 0 and batch.inputs.ndim == 4:
            pictures = batch.inputs[:PICTURES].permute(0, 3, 1, 2)
            _writer(trainer).add_images("training pictures", pictures, 0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PoseTraining)
        if pl_module.residuals is not None and trainer.is_global_zero:
            true_n3 = np.array([pose.translation for pose in pl_module.validation_poses])
            predicted_n3 = true_n3 + pl_module.residuals.vectors[:, :3]
            picture = draw_path(true_n3[:, :2], predicted_n3[:, :2], self._floor)
            _writer(trainer).add_image("validation path", picture, trainer.current_epoch, dataformats="HWC")


def draw_path(true_n2: Array, predicted_n2: Array, floor: FloorMap | None) -> Image:
    """From above, north up: the floor where there is one, and from each true position a line to the predicted one."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    every = np.concatenate([true_n2, predicted_n2])
    if floor is None:
        low, high = every.min(0) - 0.5, every.max(0) + 0.5
        metre = LEAST_PIXELS / max(high - low)
        canvas = Pillow.new("RGB", tuple(np.ceil((high - low) * metre).astype(int).tolist()), (255, 255, 255))
        pixels = (every - low) * metre
    else:
        scale = max(1, round(LEAST_PIXELS / max(floor.shape)))
        grey = np.select([floor.free, floor.occupied], [255, 120], 215).astype(np.uint8)
        canvas = Pillow.fromarray(np.kron(grey[::-1], np.ones((scale, scale), np.uint8))).convert("RGB")
        pixels = floor.grid_of(every) * scale
    pixels[:, 1] = canvas.height - 1 - pixels[:, 1]
    draw = ImageDraw.Draw(canvas)
    for true, predicted in zip(pixels[: len(true_n2)], pixels[len(true_n2) :], strict=True):
        draw.line([*true, *predicted], fill=PREDICTED_COLOUR)
        draw.ellipse([*(true - 2), *(true + 2)], fill=TRUE_COLOUR)
        draw.ellipse([*(predicted - 1.5), *(predicted + 1.5)], fill=PREDICTED_COLOUR)
    return np.asarray(canvas)


def _writer(trainer: pl.Trainer) -> Any:
    assert isinstance(trainer.logger, TensorBoardLogger)
    return trainer.logger.experiment
