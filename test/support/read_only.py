"""Runs verbs one after the other in a process that may not write where the permissions do not allow it, root or not.

    python read_only.py < [[VERB, ...], ...]

It prints their exit codes and what each wrote to stderr, as JSON.
"""

import ctypes
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER = 1, 2, 3
VERSION_3 = 0x20080522  # capset(2)


def drop_privileges() -> None:
    """Give up what lets root write anywhere."""
    if os.geteuid() != 0:
        return
    header, words = (ctypes.c_uint32 * 2)(VERSION_3, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, words) == 0
    for word in (0, 1):  # effective, permitted
        words[word] &= ~sum(1 << bit for bit in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER))
    assert libc.capset(header, words) == 0


def main() -> None:
    from campose_core.cli.main import main as campose

    commands = json.load(sys.stdin)
    drop_privileges()
    told = []
    for arguments in commands:
        said = io.StringIO()
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            code = campose(arguments)
        told.append({"code": code, "stderr": said.getvalue()})
    print(json.dumps(told))


if __name__ == "__main__":
    main()
