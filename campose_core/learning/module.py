"""One training step and one validation, as pytorch-lightning wants them: its Trainer has the loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.batches import Batch, Draws, loader
from campose_core.learning.floor_loss import FloorDistance
from campose_core.learning.head import Anchored
from campose_core.learning.losses import PoseLoss, PoseNumbers, spread_loss
from campose_core.learning.model import PoseNetwork
from campose_core.learning.options import TrainOptions
from campose_core.learning.samples import Samples
from campose_core.learning.validation import Residuals

VALIDATION_BATCH = 64


class PoseTraining(pl.LightningModule):
    """A network, or with a frozen backbone its head alone, on its way to small errors.

    samples: to train on, with the rows of frames [M, T] that make one, and perhaps rows [U, T] without labels.
    validation: inputs [V, ...] as the network, or the head, takes them, and their poses. names: of the frames.
    """

    def __init__(
        self,
        network: PoseNetwork,
        options: TrainOptions,
        samples: Samples,
        rows: tuple[Tensor, Tensor | None],
        validation: tuple[Tensor, Sequence[Pose]],
        names: Sequence[str],
        floor: FloorDistance | None,
    ) -> None:
        super().__init__()
        self.options = options
        self.trained: nn.Module = network if options.trains_backbone else network.head
        self.loss = PoseLoss(options.penalty, options.alpha, options.beta, options.gamma, options.learn_weights)
        self.floor = floor
        # Behind torch's back: a frozen backbone is no part of what is trained, nor of its saved state.
        self._whole = (network,)
        self._samples, self._rows, self._names = samples, rows, names
        self._validation, self._found = validation, list[PoseNumbers]()
        self.residuals: Residuals | None = None

    @property
    def validation_poses(self) -> Sequence[Pose]:
        """Return the poses (V,) that the network is judged by."""
        return self._validation[1]

    def forward(self, inputs: Tensor) -> PoseNumbers:
        """Turn images, pairs or principal components into poses."""
        return self.anchored(inputs).best()

    def anchored(self, inputs: Tensor) -> Anchored:
        """Turn the same inputs into poses at each anchor."""
        whole = self.options.trains_backbone
        return self._whole[0].anchored(inputs) if whole else self._whole[0].head.from_components(inputs)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        # Dropout draws alike in a run that was killed here and one that was not.
        torch.manual_seed(hash((self.options.seed, self.current_epoch, batch_index, self.global_rank)))
        try:
            anchored, shape = self.anchored(batch.inputs), batch.label.position.shape[:-1]
        except ValueError as error:
            if len(batch.inputs) > 1:
                raise
            raise LearningError(
                f"a batch of one image of {self.options.image_size} pixels has no statistics for batch normalisation: "
                "give a larger batch_size or image_size, or more frames"
            ) from error
        with torch.autocast(self.device.type, enabled=False):  # rotations need all their digits
            # Where the place is known its own anchor learns, whichever would have been chosen.
            likeliest, right = anchored.logits.argmax(1), self._whole[0].head.nearest_anchor(batch.label.view(-1))
            known_n = batch.labelled[:, None].expand(shape).flatten()
            predicted = anchored.at(torch.where(known_n, right, likeliest)).view(*shape)
            loss = self.loss(predicted, batch.label, None if self._rows[1] is None else batch.labelled)
            if anchored.logits.shape[1] > 1:
                choosing = nn.functional.cross_entropy(anchored.logits[known_n], right[known_n])
                loss = loss + torch.exp(-self.loss.beta.detach()) * choosing  # a wrong choice costs about a metre
            if self.floor is not None:
                loss = loss + self.options.walkable_weight * self.floor(predicted.position).mean()
            answered = anchored.best().view(*shape)
            total = loss + spread_loss(answered.part(batch.labelled), batch.label.part(batch.labelled))
        if not torch.isfinite(total):
            names = ", ".join(self._names[i] for i in batch.frames.flatten()[:3].tolist())
            raise LearningError(
                f"the loss is {float(total.detach())} in epoch {self.current_epoch + 1}, in the batch with {names}, "
                f"...: lower the learning_rate ({self.options.learning_rate})"
            )
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.frames))
        return total

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        self._found.append(self(batch))

    def on_validation_epoch_end(self) -> None:
        found, self._found = self._found, []
        numbers = PoseNumbers.joined(found)  # in single precision, whatever the layers before the head run in
        self.residuals = Residuals.of(numbers, self._validation[1], f"after epoch {self.current_epoch + 1}")
        self.log("val_median_m", self.residuals.median_m)
        self.log("val_median_deg", self.residuals.median_deg)
        self.log("val_score", self.residuals.score)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        decayed = [parameter for parameter in self.trained.parameters() if parameter.requires_grad]
        groups = [
            {"params": decayed, "weight_decay": self.options.weight_decay},
            {"params": list(self.loss.parameters()), "weight_decay": 0.0},
        ]
        optimizer = torch.optim.Adam(groups, lr=self.options.learning_rate, fused=True)
        epochs = self.options.epochs
        falling = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda epoch: 0.5 * (1.0 + math.cos(math.pi * min(epoch, epochs) / epochs))
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": falling, "interval": "epoch"}}

    def train_dataloader(self) -> DataLoader[Batch]:
        options = self.options
        if options.batch_size < self.trainer.world_size:
            raise LearningError(f"batch_size {options.batch_size} is too small for {self.trainer.world_size} processes")
        least = 2 if options.trains_backbone else 1  # one image has no statistics for batch normalisation
        draws = Draws(*self._rows, options.batch_size, options.seed, self.global_rank, self.trainer.world_size, least)
        if len(draws) == 0:
            raise LearningError(f"{len(self._rows[0])} samples are too few for {self.trainer.world_size} processes")
        # Workers draw ahead as soon as there is a loader: in a run that goes on, before the trainer tells the epoch.
        draws.set_epoch(self.trainer.fit_loop.epoch_progress.current.ready)
        return loader(self._samples, draws, options.workers)

    def val_dataloader(self) -> DataLoader[Any]:
        # Each process validates on all frames: their figures are the same, and no frame is counted twice.
        chunks: Any = list(self._validation[0].split(VALIDATION_BATCH))
        return DataLoader(chunks, batch_size=None)
