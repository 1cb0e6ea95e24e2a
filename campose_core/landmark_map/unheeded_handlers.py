"""Import code that sets a handler of its own for SIGTERM, and let the one from before stand all the while.

To put the old one back afterwards leaves a moment in which the other kills, and to block the signal until then does so
in one thread: any other one, of BLAS or DDS, takes it. So the import runs in a thread of its own, which the kernel
tells that its sigaction has been done, and does nothing (a seccomp filter, which ends with the thread).
"""

from __future__ import annotations

import ctypes
import platform
import signal
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

# Of <linux/prctl.h>, <linux/seccomp.h> and <linux/bpf_common.h>.
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
CALL_AT, SIGNAL_AT, ACTION_AT = 0, 16, 24  # bytes into struct seccomp_data: its number and first two arguments
LET, PRETEND = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO of no error
RT_SIGACTION = {"x86_64": 13, "aarch64": 134}  # the call's number


def keeping_sigterm(load: Callable[[], T]) -> T:
    """Return what `load` does, which runs in a thread; the handler of SIGTERM is the same before, meanwhile and after.

    On other processors, and where a kernel has no such filters, it is only put back at the end.
    """
    libc = ctypes.CDLL(None)
    action = ctypes.create_string_buffer(512)  # struct sigaction has at most 152 bytes; Python's signal shows no C code
    libc.sigaction(int(signal.SIGTERM), None, action)
    try:
        with ThreadPoolExecutor(1, initializer=_set_no_sigterm) as thread:
            return thread.submit(load).result()
    finally:
        libc.sigaction(int(signal.SIGTERM), action, None)


def _set_no_sigterm() -> None:
    call = RT_SIGACTION.get(platform.machine())
    if call is None:
        return
    steps = [
        (LOAD_WORD, 0, 0, CALL_AT),
        (JUMP_IF_EQUAL, 0, 5, call),  # else five steps on: let it
        (LOAD_WORD, 0, 0, SIGNAL_AT),
        (JUMP_IF_EQUAL, 0, 3, int(signal.SIGTERM)),
        (LOAD_WORD, 0, 0, ACTION_AT),
        (JUMP_IF_EQUAL, 1, 0, 0),  # it only asks which handler stands
        (RETURN, 0, 0, PRETEND),
        (RETURN, 0, 0, LET),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    filter_of_calls = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(program)))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # without it only root may; of this thread alone
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter_of_calls), 0, 0)
