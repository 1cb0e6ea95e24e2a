"""The import of pycolmap, in a process of its own."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("pycolmap")

# SIGTERM arrives as soon as pycolmap has set a handler of its own, with the import under way.
PROGRAM = """
import ctypes, os, signal, sys
from campose_core.landmark_map.colmap import load_pycolmap

def handler():
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(int(signal.SIGTERM), None, action)
    return action.raw[:8]

def watch(event, arguments):
    if event == "import" and handler() != ours and not sent:
        sent.append(arguments[0])
        os.kill(os.getpid(), signal.SIGTERM)

signal.signal(signal.SIGTERM, lambda *_: print("asked to end"))
ours, sent = handler(), []
sys.addaudithook(watch)
load_pycolmap()
assert sent and handler() == ours
print("goes on")
"""


def test_a_signal_during_the_import_reaches_the_handler_from_before():
    # No thread but the importing one, in which the signal waits.
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, env=alone)
    assert (ran.returncode, ran.stdout) == (0, "asked to end\ngoes on\n"), ran.stderr
