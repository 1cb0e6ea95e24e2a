"""How this process gets its memory from the system."""

import contextlib
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_large_buffers() -> None:
    """Tell glibc to keep the memory of large buffers, see mallopt(3).

    By default each raw image, and each layer's output in training, is a fresh mapping whose page faults cost more than
    filling it; both thresholds are needed.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 256 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)
