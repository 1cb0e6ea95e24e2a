"""Numbers below 1e-38 count as zero while a network runs: attention is full of them, each takes a processor ten times
as long as another, and no result shows whether they were there.

ONNX Runtime's own way (session.set_denormal_as_zero) stays on afterwards, for all that the process computes.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class _Control(NamedTuple):
    """Of fenv_t of glibc and musl: its bytes, where the control word lies, and its bits that flush to zero."""

    size: int
    offset: int
    bits: int


_CONTROLS = {
    "x86_64": _Control(32, 28, 1 << 15 | 1 << 6),  # MXCSR: FTZ, of results, and DAZ, of what goes in
    "aarch64": _Control(8, 0, 1 << 24),  # FPCR: FZ
}


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """In this thread, and in what it starts, within the block; on other systems and processors nothing changes."""
    control = _CONTROLS.get(platform.machine()) if sys.platform == "linux" else None
    if control is None:
        yield
        return
    libm = ctypes.CDLL(None)  # which every Python is linked with
    before = ctypes.create_string_buffer(control.size)
    libm.fegetenv(before)
    flushing = ctypes.create_string_buffer(before.raw, control.size)
    word = ctypes.c_uint32.from_buffer(flushing, control.offset)
    word.value |= control.bits
    libm.fesetenv(flushing)
    try:
        yield
    finally:
        libm.fesetenv(before)
