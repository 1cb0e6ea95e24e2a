"""Names that others chose do not write on terminals and in logs as they like."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import CamposeError, FloorError
from campose_core.floor import FloorMap
from campose_core.text import one_line
from campose_core.trajectory import Trajectory, write_tum

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\nfloor: done\r\x9b31m\u202e\u2028"


@given(st.text(st.characters()))
def test_any_text_becomes_one_printable_line(text):
    assert one_line(text).isprintable()
    assert one_line(text) == text or not text.isprintable()
    one_line(text).encode("utf-8")


@given(st.text(st.characters()))
def test_a_refusal_is_one_line_whatever_it_quotes(text):
    assert str(CamposeError(text)) == one_line(text)


def test_a_name_in_a_map_yaml_does_not_break_the_refusal(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        'image: "walls.pgm\\nfloor: done"\nresolution: 0.05\norigin: [0, 0, 0]\n'
        "negate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.2\n"
    )
    with pytest.raises(FloorError, match=r"walls\.pgm\\nfloor: done") as refused:
        FloorMap.load(path)
    assert str(refused.value).isprintable()


def test_what_is_plain_stays():
    for text in ("Küche 2, Ø 3 m", "床", ""):
        assert one_line(text) == text


def printed(capfd) -> str:
    out, err = capfd.readouterr()
    text = out + err
    assert text.strip()
    assert all(c == "\n" or c.isprintable() for c in text)
    assert "\nfloor: done" not in text
    assert r"\x1b[2J" in text
    return text


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor", HOSTILE],
        ["map", HOSTILE],
        ["localize", HOSTILE, "x.mp4", "--out", "x.tum"],
        ["view", HOSTILE],
        ["evaluate", HOSTILE, "x.tum"],
        ["floor", "scene", "--resolution", HOSTILE],
        ["doctor", "scene", "--" + HOSTILE],
        [HOSTILE],
    ],
    ids=lambda arguments: arguments[0][:8],
)
def test_a_refusal_prints_no_name_raw(arguments, capfd):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code in (1, 2)
    printed(capfd)


def test_a_table_prints_no_name_raw(tmp_path, capfd):
    walk = Trajectory(np.arange(3) * 10**9, np.eye(3), Rotation.identity(3))
    estimate = tmp_path / f"{HOSTILE}.tum"
    for path in (estimate, tmp_path / "true.tum"):
        write_tum(path, walk)
    assert main(["evaluate", str(estimate), str(tmp_path / "true.tum")]) == 0
    printed(capfd)


def calls_of_print(path: Path) -> list[int]:
    tree = ast.parse(path.read_text())
    return [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"]


def test_the_console_alone_prints():
    folders = (ROOT / "campose_core", ROOT / "campose_ros")
    scripts = ROOT / "campose_core" / "features" / "weights"
    files = [path for folder in folders for path in folder.rglob("*.py") if scripts not in path.parents]
    found = {path.relative_to(ROOT).as_posix() for path in files if calls_of_print(path)}
    assert found == {"campose_core/cli/console.py"}
