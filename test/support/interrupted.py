"""Runs a program's main with signals at every moment that Python tells of: Ctrl-C until the prompt is back.

    python interrupted.py NUMBER BEGINS MODULE[:FUNCTION] ARGUMENTS...

From the first event BEGINS on ("import NAME" or the name of an event of sys.addaudithook), the signal NUMBER comes at
each file opened, renamed or removed and each import; and once more while the interpreter takes itself apart.
"""

import importlib
import os
import signal
import sys

number, begins, module = int(sys.argv[1]), sys.argv[2], sys.argv[3]
del sys.argv[1:4]
ME = os.getpid()
EVENTS = ("open", "os.rename", "os.remove", "shutil.rmtree", "import")
begun = False


class Late:
    """Goes with the names of this module, which is after Python has dropped its handlers of signals."""

    def __del__(self, kill=os.kill, me=ME, number=number) -> None:
        kill(me, number)


late = Late()


def interrupt(event: str, args: tuple) -> None:
    global begun
    begun = begun or begins in (event, f"{event} {args[0] if args else ''}")
    if begun and event in EVENTS:
        signal.raise_signal(number)


module, _, function = module.partition(":")
main = getattr(importlib.import_module(module), function or "main")
sys.addaudithook(interrupt)
sys.exit(main())
