"""Denormal numbers are zero in the block and the thread that asks for it, and nowhere else."""

import sys
import threading

import numpy as np
import pytest

from campose_core.features.denormals import denormals_as_zero

SMALL = np.array([1e-39, 1e-38], dtype=np.float32)  # the second is half of what is normal


def products() -> list[float]:
    return [float(value) for value in SMALL * np.float32(0.5)]


@pytest.mark.skipif(sys.platform != "linux", reason="changes nothing there")
def test_they_are_zero_within_and_come_back():
    before = products()
    assert min(before) > 0
    with denormals_as_zero():
        assert products() == [0.0, 0.0]
        with denormals_as_zero():
            assert products() == [0.0, 0.0]
        assert products() == [0.0, 0.0]
    assert products() == before


def test_an_error_leaves_nothing_behind():
    before = products()
    with pytest.raises(ZeroDivisionError), denormals_as_zero():
        raise ZeroDivisionError
    assert products() == before


def test_other_threads_compute_as_before():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        inside.wait()
        seen.extend(products())
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with denormals_as_zero():
        inside.set()
        assert done.wait(60)
    thread.join()
    assert seen == products()
    assert min(seen) > 0
