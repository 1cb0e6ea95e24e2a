"""The recipes of docs/extend/: a page's file and line added to campose, and the command line of that campose."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from plugins import write_package

ROOT = Path(__file__).resolve().parents[2]
IN_THE_TABLE, AS_PLUGIN = WAYS = ("a line in the table", "an entry point")
# Where a way takes half a minute: estimators and sources show every time that plug-ins are found.
WAYS_IN_TURN = (IN_THE_TABLE, pytest.param(AS_PLUGIN, marks=pytest.mark.long))


@dataclass(frozen=True)
class Campose:
    """The command line of campose with what lies in `folder` on its path."""

    folder: Path

    def __call__(self, *arguments: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "campose_core.cli.main", *map(str, arguments)]
        path = {"PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)])}
        return subprocess.run(command, cwd=self.folder, env=os.environ | path, capture_output=True, text=True)


def add_by_recipe(page: str, way: str, folder: Path) -> Campose:
    """Follow docs/extend/PAGE.md into an empty folder."""
    text = (ROOT / "docs" / "extend" / f"{page}.md").read_text(encoding="utf-8")
    source, line = blocks(text, "python")[:2]
    if way == AS_PLUGIN:
        found = re.search(r'\[project\.entry-points\."campose\.(\w+)"\]\n(\S+) = "(.*)"\n', blocks(text, "toml")[0])
        assert found
        seam, name, value = found.groups()
        write_package(folder, value.split(":")[0], source, {seam: {name: value}})
        return Campose(folder)
    value = re.fullmatch(r'".*": "(.*):.*",\n', line)
    table = re.search(r"in `(\w+)` of `(campose_core/\S+\.py)`", text)
    assert value
    assert table
    shutil.copytree(ROOT / "campose_core", folder / "campose_core", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / f"{value[1].replace('.', '/')}.py").write_text(source)
    file = folder / table[2]
    before, name, after = file.read_text().partition(f"\n{table[1]}: ")
    assert name, f"{table[2]} has no {table[1]}"
    kinds, end, rest = after.partition("\n    },\n")
    file.write_text(f"{before}{name}{kinds}\n        {line}{end[1:]}{rest}")
    return Campose(folder)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
