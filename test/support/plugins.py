"""An installed package that extends campose: a module with its metadata on the path, as pip would lay it out."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    source: str,
    entries: Mapping[str, Mapping[str, str]],
) -> None:
    """Install `module` with this source, for this test; entries: seam -> name -> "module:Class"."""
    write_package(folder, module, source, entries)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop(module, None)  # of another test


def write_package(folder: Path, module: str, source: str, entries: Mapping[str, Mapping[str, str]]) -> None:
    """The same as files only, for another process that has `folder` on its path."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{module}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    lines = []
    for seam, names in entries.items():
        lines += [f"[campose.{seam}]", *(f"{name} = {value}" for name, value in names.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
