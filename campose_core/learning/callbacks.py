"""What is kept of a training run while pytorch-lightning runs it: the best weights, the history, and a way to go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from campose_core.files import replacing
from campose_core.learning.module import PoseTraining

log = logging.getLogger(__name__)

SAVE_EVERY_S = 10.0
COLUMNS = ("epoch", "loss", "val_median_m", "val_median_deg", "beta", "gamma", "learning_rate", "seconds")


class Record(Callback):
    """The figures of every epoch, and the weights of the one that did best on the validation frames.

    A line on stderr for each tenth of the run. All of it goes with the state of a run that is interrupted.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.rows: list[list[float]] = []
        self.best: dict[str, float] = {}
        self.best_weights: dict[str, Tensor] = {}
        self._seconds_before, self._started = 0.0, time.monotonic()
        self._rate = 0.0

    @property
    def seconds(self) -> float:
        """Return the seconds of training, of all sittings together."""
        return self._seconds_before + time.monotonic() - self._started

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]  # at the end of the epoch it is that of the next

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PoseTraining)
        residuals, loss = pl_module.residuals, float(trainer.callback_metrics["loss"])
        assert residuals is not None
        epoch, epochs = trainer.current_epoch + 1, pl_module.options.epochs
        weights = [float(parameter.detach()) for parameter in (pl_module.loss.beta, pl_module.loss.gamma)]
        figures = [residuals.median_m, residuals.median_deg]
        self.rows.append([epoch, loss, *figures, *weights, self._rate, round(self.seconds, 2)])
        if not self.best or residuals.score < self.best["score"]:
            named = zip(("val_median_m", "val_median_deg"), figures, strict=True)
            self.best = {"epoch": epoch, "score": residuals.score, **dict(named)}
            self.best_weights = deepcopy(pl_module.trained.state_dict())
        if epoch % max(1, epochs // 10) == 0 and trainer.is_global_zero:
            log.info(
                f"{self._name}: epoch {epoch}/{epochs}, loss {loss:.3f}, validation median "
                f"{figures[0]:.3f} m {figures[1]:.2f} deg, {self.seconds:.0f} s"
            )

    def metrics_csv(self) -> str:
        """Write the figures as CSV, a row an epoch."""
        lines = [",".join(COLUMNS), *(",".join(f"{value:.6g}" for value in row) for row in self.rows)]
        return "".join(line + "\n" for line in lines)

    def state_dict(self) -> dict[str, Any]:
        kept = {"rows": self.rows, "best": self.best, "best_weights": self.best_weights}
        return {**kept, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.best = state_dict["rows"], state_dict["best"]
        self.best_weights = state_dict["best_weights"]
        self._seconds_before, self._started = state_dict["seconds"], time.monotonic()
        log.info(f"going on after epoch {len(self.rows)}")


class SaveState(Checkpoint):
    """The state of the run, at the end of an epoch, every ten seconds at most."""

    def __init__(self, path: Path, digest: str) -> None:
        self._path, self._digest, self._saved_at = path, digest, -SAVE_EVERY_S

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        due = trainer.strategy.broadcast(time.monotonic() - self._saved_at > SAVE_EVERY_S)
        if due:  # in all processes or in none: they wait for each other
            trainer.save_checkpoint(self._path)
            self._saved_at = time.monotonic()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["campose_digest"] = self._digest


class WholeFiles(TorchCheckpointIO):
    """Checkpoints that are whole or absent, and hold no code: a full disk or a kill leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with replacing(Path(path)) as beside, open(beside, "wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # what torch makes of a write that fails
                raise OSError(f"{path}: the state of the training cannot be written: is the disk full?") from error

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> Any:
        loaded: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return loaded
