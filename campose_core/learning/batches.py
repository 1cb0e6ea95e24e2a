"""Which samples come in which batch of which epoch, in how many processes: told by the seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from campose_core.learning.losses import PoseNumbers
from campose_core.learning.samples import Samples


class Batch(NamedTuple):
    """inputs as `Samples` yields them; label [B, T]; labelled [B] bool, false where only relative poses are known;
    frames [B, T], indices for messages."""

    inputs: Tensor
    label: PoseNumbers
    labelled: Tensor
    frames: Tensor


class Draw(NamedTuple):
    """A batch to come: its rows of frames [B, T], which of them are labelled [B], and a seed for its views."""

    frames: Tensor
    labelled: Tensor
    seed: int


class Draws(Sampler[Draw]):
    """All labelled rows [M, T] in random order; beside each, where there are any, a row [U, T] without labels.

    batch_size is that of all processes together: with W of them the one of this rank takes every W-th row of a batch,
    and rows that cannot be shared out evenly are left out, so that the mean over processes is that over the batch.
    So is a rest of fewer than `least` rows a process behind whole batches; which these are differs by epoch.
    """

    def __init__(
        self, rows_mt: Tensor, unlabelled_ut: Tensor | None, batch_size: int, seed: int, rank: int, processes: int,
        least: int = 1,
    ) -> None:  # fmt: skip
        self._rows_mt, self._unlabelled_ut = rows_mt, unlabelled_ut
        self._batch_size, self._seed, self._least = batch_size, seed, least
        self._rank, self._processes = rank, processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draw from now on as this epoch (from 0) does; the trainer calls it before each."""
        self._epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(len(self._rows_mt), self._batch_size)
        return whole + (rest >= self._processes * (self._least if whole else 1))

    def __iter__(self) -> Iterator[Draw]:
        random = torch.Generator().manual_seed(hash((self._seed, self._epoch)))
        order_m = torch.randperm(len(self._rows_mt), generator=random)
        for number, chosen in enumerate(order_m.split(self._batch_size)[: len(self)]):
            rows_bt = self._rows_mt[self._shared(chosen)]
            labelled_b = torch.ones(len(rows_bt), dtype=torch.bool)
            if self._unlabelled_ut is not None:
                other = torch.randint(len(self._unlabelled_ut), (len(chosen),), generator=random)
                rows_bt = torch.cat([rows_bt, self._unlabelled_ut[self._shared(other)]])
                labelled_b = torch.cat([labelled_b, torch.zeros(len(rows_bt) - len(labelled_b), dtype=torch.bool)])
            yield Draw(rows_bt, labelled_b, hash((self._seed, self._epoch, number, self._rank)))

    def _shared(self, chosen: Tensor) -> Tensor:
        even = len(chosen) - len(chosen) % self._processes
        return chosen[self._rank : even : self._processes]


class _Drawn(Dataset[Batch]):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitem__(self, draw: Draw) -> Batch:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw.seed)
            inputs, label = self._samples.batch(draw.frames)
        return Batch(inputs, label, draw.labelled, draw.frames)


def loader(samples: Samples, draws: Draws, workers: int) -> DataLoader[Batch]:
    """Make a loader with one item a batch. workers: processes that draw beside this one."""
    return DataLoader(
        _Drawn(samples), batch_size=None, sampler=draws, num_workers=workers, persistent_workers=workers > 0
    )
