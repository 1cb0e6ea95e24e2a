"""The import of pycolmap, in a process of its own."""

import subprocess
import sys

import pytest

pytest.importorskip("pycolmap")

# SIGTERM arrives at each import of a module, the last of which pycolmap does when it has set its handlers. The other
# thread takes a signal that the importing one would hold back.
PROGRAM = """
import ctypes, os, signal, sys, threading
from campose_core.landmark_map.colmap import load_pycolmap

def handler(number):
    action = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).sigaction(int(number), None, action)
    return action.raw[:8]

def watch(event, arguments):
    if event == "import":
        during.append((handler(signal.SIGTERM) == ours, handler(signal.SIGABRT) == before))
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: print("asked to end"))
ours, before, during = handler(signal.SIGTERM), handler(signal.SIGABRT), []
sys.addaudithook(watch)
load_pycolmap()
assert (True, False) in during, "no import once pycolmap has set handlers: this tests nothing"
assert all(kept for kept, _ in during) and handler(signal.SIGTERM) == ours
signal.signal(signal.SIGTERM, signal.SIG_DFL)
assert handler(signal.SIGTERM) != ours, "the filter holds beyond the import"
print("goes on")
"""


def test_a_signal_during_the_import_reaches_the_handler_from_before():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.splitlines()) == {"asked to end", "goes on"}, ran.stderr
