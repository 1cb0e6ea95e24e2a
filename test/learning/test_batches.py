"""Which rows come in which batch: told by the seed, shared by processes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from campose_core.learning.batches import Draws, loader
from campose_core.learning.losses import PoseNumbers
from campose_core.learning.samples import Inputs

counts = st.integers(1, 60)
batch_sizes = st.integers(1, 17)
seeds = st.integers(0, 2**31)


def rows(count: int, start: int = 0, length: int = 2) -> torch.Tensor:
    """Rows that name themselves: no index comes twice."""
    return torch.arange(start, start + count * length).view(count, length)


def epoch(draws: Draws, number: int = 0) -> list:
    draws.set_epoch(number)
    return list(draws)


def frames_of(batches: list) -> list[tuple[int, ...]]:
    return [tuple(row) for batch in batches for row in batch.frames.tolist()]


@given(counts, batch_sizes, seeds)
def test_every_labelled_row_comes_once_an_epoch(count, batch_size, seed):
    draws = Draws(rows(count), None, batch_size, seed, rank=0, processes=1)
    batches = epoch(draws)
    assert sorted(frames_of(batches)) == [tuple(row) for row in rows(count).tolist()]
    assert len(batches) == len(draws)
    assert [len(batch.frames) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    assert all(batch.labelled.all() for batch in batches)


@given(counts, batch_sizes, seeds, st.integers(1, 3))
def test_a_rest_that_is_too_small_is_left_out_but_never_all(count, batch_size, seed, processes):
    size = max(batch_size, 2 * processes)
    draws = Draws(rows(count), None, size, seed, 0, processes, least=2)
    batches, (whole, rest) = epoch(draws), divmod(count, size)
    assert len(batches) == len(draws)
    if whole:
        assert len(batches) == whole + (rest >= 2 * processes)
        assert all(len(batch.frames) >= 2 for batch in batches)
    else:
        assert len(batches) == (count >= processes)


@given(counts, st.integers(4, 17), seeds, st.integers(2, 4), st.integers(0, 3))
def test_processes_share_a_batch_without_overlap_in_equal_parts(count, batch_size, seed, processes, number):
    """And together have what one process alone would have, but for what cannot be shared out."""
    shares = [epoch(Draws(rows(count), None, batch_size, seed, rank, processes), number) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    [alone] = [epoch(Draws(rows(count), None, batch_size, seed, 0, 1), number)]
    for together in zip(*shares, strict=True):
        assert len({len(batch.frames) for batch in together}) == 1
        assert len(together[0].frames) >= 1
        assert len({batch.seed for batch in together}) == processes  # views of their own
    for together, whole in zip(zip(*shares, strict=True), alone, strict=False):
        found, expected = set(frames_of(list(together))), set(frames_of([whole]))
        assert len(found) == sum(len(batch.frames) for batch in together)
        assert found <= expected
        assert len(expected) - len(found) == len(expected) % processes
    assert len(alone) - len(shares[0]) in (0, 1)


@given(st.integers(8, 60), batch_sizes, seeds, st.integers(0, 50))
def test_a_seed_and_an_epoch_tell_everything(count, batch_size, seed, number):
    def drawn(seed: int, number: int) -> list:
        batches = epoch(Draws(rows(count), rows(9, 1000), batch_size, seed, 0, 1), number)
        return [(frames_of([batch]), batch.seed) for batch in batches]

    assert drawn(seed, number) == drawn(seed, number)
    assert drawn(seed, number) != drawn(seed, number + 1)
    assert drawn(seed, number) != drawn(seed + 1, number)


@given(counts, st.integers(1, 60), batch_sizes, seeds, st.integers(1, 3))
def test_beside_each_labelled_row_comes_one_without_a_label(count, others, batch_size, seed, processes):
    if batch_size < processes:
        return
    for rank in range(processes):
        for batch in epoch(Draws(rows(count), rows(others, 1000), batch_size, seed, rank, processes)):
            assert len(batch.frames) == len(batch.labelled)
            assert 2 * int(batch.labelled.sum()) == len(batch.labelled)
            assert (batch.frames[batch.labelled] < 1000).all()
            assert (batch.frames[~batch.labelled] >= 1000).all()


def test_all_unlabelled_rows_have_their_turn():
    draws = Draws(rows(40), rows(7, 1000), 8, 0, 0, 1)
    seen = {row for number in range(4) for row in frames_of(epoch(draws, number)) if row[0] >= 1000}
    assert seen == {tuple(row) for row in rows(7, 1000).tolist()}


class Told:
    """Samples that tell what they were asked for, and what the generator says."""

    def batch(self, frames_bt: torch.Tensor) -> Inputs:
        label = PoseNumbers(frames_bt[..., None].expand(-1, -1, 3).float(), torch.eye(3).expand(*frames_bt.shape, 3, 3))
        return Inputs(torch.rand(frames_bt.numel(), 4), label)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_follows_from_its_seed_in_a_worker_too(workers):
    draws = Draws(rows(20), rows(5, 1000), 6, 3, 0, 1)
    batches = list(loader(Told(), draws, workers))
    assert len(batches) == len(draws)
    for batch, draw in zip(batches, draws, strict=True):
        assert torch.equal(batch.frames, draw.frames)
        assert torch.equal(batch.labelled, draw.labelled)
        np.testing.assert_array_equal(batch.label.position[..., 0].numpy(), draw.frames.numpy())
        torch.manual_seed(draw.seed)
        assert torch.equal(batch.inputs, torch.rand(draw.frames.numel(), 4))


def test_the_generator_does_not_feel_how_many_batches_there_were():
    """So that what is drawn after them is the same."""
    after = []
    for count in (6, 40):
        torch.manual_seed(11)
        list(loader(Told(), Draws(rows(count), None, 6, 3, 0, 1), workers=0))
        after.append(torch.rand(3))
    assert torch.equal(*after)
