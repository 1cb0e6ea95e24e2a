"""For TensorBoard: curves, some training pictures as the network gets them, and the predicted path over the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger

from campose_core.errors import MissingDependency
from campose_core.extras import load_extra
from campose_core.floor import FloorMap
from campose_core.frame import Image
from campose_core.geometry import Array, positions_of
from campose_core.learning.batches import Batch
from campose_core.learning.module import PoseTraining
from campose_core.plotting.figure import WIDTH_INCHES, new_figure, pixels_of
from campose_core.plotting.floor_plan import corners_around, draw_floor, show_from_above
from campose_core.plotting.palette import BLUE, VERMILION

PICTURES = 8


def tensorboard_logger(folder: Path, name: str) -> TensorBoardLogger:
    """Make the logger of a run; raises MissingDependency where tensorboard is not installed."""
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
            true_n3 = positions_of(pl_module.validation_poses)
            predicted_n3 = true_n3 + pl_module.residuals.vectors[:, :3]
            picture = draw_path(true_n3[:, :2], predicted_n3[:, :2], self._floor)
            _writer(trainer).add_image("validation path", picture, trainer.current_epoch, dataformats="HWC")


def draw_path(true_n2: Array, predicted_n2: Array, floor: FloorMap | None) -> Image:
    """Draw, from above, the floor where there is one, and from each true position a line to the predicted one.

    true_n2, predicted_n2: [N, 2], metres, map frame.
    """
    figure = new_figure(WIDTH_INCHES, WIDTH_INCHES)
    axes = figure.add_subplot()
    if floor is not None:
        draw_floor(axes, floor)
    every = np.stack([true_n2, predicted_n2])
    axes.plot(every[..., 0], every[..., 1], color=VERMILION, linewidth=0.8)
    axes.plot(*true_n2.T, "o", color=BLUE, markersize=4, markeredgewidth=0, label="true")
    axes.plot(*predicted_n2.T, "o", color=VERMILION, markersize=3, markeredgewidth=0, label="predicted")
    show_from_above(axes, *corners_around(every.reshape(-1, 2)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False)
    return pixels_of(figure)


def _writer(trainer: pl.Trainer) -> Any:
    assert isinstance(trainer.logger, TensorBoardLogger)
    return trainer.logger.experiment
