"""docs/reliability.md promises nothing without a test."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "reliability.md").read_text().splitlines() if line.startswith("| ")]
TESTS = [row for row in ROWS if "`test/" in row]


@cache
def names_in(file: str) -> set[str]:
    return {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_each_of_the_25_faults_has_a_row():
    assert [int(found[1]) for row in TESTS if (found := re.match(r"\| (\d+) \|", row))] == list(range(1, 26))


@pytest.mark.parametrize("row", TESTS, ids=lambda row: row[:40])
def test_the_names_in_a_row_exist(row):
    for file, name in re.findall(r"`(test/[\w/]+\.py)::(\w+)`", row.rpartition(" | ")[2]):
        assert name in names_in(file), f"{file} has no {name}"
    assert row.count("::") == len(re.findall(r"`test/[\w/]+\.py::\w+`", row)) > 0
