"""What is kept of fuzzing, and changes of it, at every reader: taken, or refused in a line. `make fuzz` goes on."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS, attempt, remove_folder, seeds

ODD = (
    b"1e900000", b"nan", b".inf", b"-1", b"\0", b"\xff" * 7 + b"\x7f", b"[" * 50, b'"', b"\n", b"2001-99-99",
)  # fmt: skip
CHANGES = 60  # of the kept inputs of a target; a tenth where they are decoded


@pytest.fixture(params=TARGETS)
def target(request):
    yield request.param
    remove_folder(request.param)


def changed(data: bytes, random: np.random.Generator) -> bytes:
    """Bytes turned, cut out, doubled or put in: what breaks text as well as records."""
    start, end = sorted(int(at) for at in random.integers(0, len(data) + 1, 2))
    end = min(end, start + 16)
    put = [b"", data[start:end] * 2, random.bytes(end - start), ODD[int(random.integers(len(ODD)))]]
    return data[:start] + put[int(random.integers(len(put)))] + data[end:]


def test_kept_inputs_and_changes_of_them(target):
    kept = [path.read_bytes() for path in seeds(target)]
    taken = [attempt(target, data) for data in kept]
    assert any(taken), "none is taken: the others are refused for no good reason"
    random = np.random.default_rng(0)
    for _ in range(CHANGES // 10 if TARGETS[target].decodes else CHANGES):
        data = kept[int(random.integers(len(kept)))]
        for _ in range(int(random.integers(1, 4))):
            data = changed(data, random)
        attempt(target, data)


NUMBERS = (b"1e308", b"nan", b"-1", b"0", b"1e999", b"9" * 400, b"[]", b"null", b"")
PLACES = 12  # of a kept input


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if not target.decodes])
def test_each_value_of_a_kept_text_may_be_anything(name):
    """Numbers that no type holds, and words that no disk has as a name."""
    random = np.random.default_rng(0)
    for kept in seeds(name):
        data = kept.read_bytes()
        values = [match.span() for match in re.finditer(rb"[-+]?\d[\d.eE+-]*|[A-Za-z_]\w*", data)]
        for at in random.permutation(len(values))[:PLACES]:
            start, end = values[at]
            attempt(name, data[:start] + NUMBERS[int(random.integers(len(NUMBERS)))] + data[end:])
    remove_folder(name)


def test_a_long_run_goes_on_from_there_and_from_what_was_tried_before(tmp_path):
    pytest.importorskip("atheris")
    (tmp_path / "executions.json").write_text('{"tum": 998000, "points": 1000000}')
    command = [sys.executable, str(Path(__file__).parent / "run.py"), "tum", "points", "--findings", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "2000 executions, 1000000 in all, nothing found" in re.sub(" +", " ", done.stdout)
    assert "points 1000000 executions before this run" in re.sub(" +", " ", done.stdout)
    assert json.loads((tmp_path / "executions.json").read_text()) == {"tum": 1000000, "points": 1000000}
