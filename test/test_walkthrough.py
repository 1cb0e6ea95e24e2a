"""The walk-through page is a program: its blocks run from top to bottom."""

import re
import shutil

import pytest


@pytest.mark.slow
def test_the_page_runs(small_world, small_scene, tmp_path, monkeypatch, pytestconfig, capsys):
    shutil.copytree(small_scene, tmp_path / "scene")
    for name in ("later.mp4", "later.tum"):
        (tmp_path / name).symlink_to(small_world / name)
    page = (pytestconfig.rootpath / "docs" / "walkthrough.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) > 4
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"block {number}", "exec"), names)
    printed = capsys.readouterr().out
    assert all(row in printed for row in ("structure", "retrieval", "linear"))
    assert (tmp_path / "linear.png").read_bytes().startswith(b"\x89PNG")
