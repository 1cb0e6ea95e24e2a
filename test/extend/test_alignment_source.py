"""The recipe of docs/extend/alignment_source.md: its file and its one line, through the command line."""

import re
from pathlib import Path

import numpy as np
import pytest
from plugins import install
from recorded_walks import Walk, path_errors

from campose_core.alignment.sources.table import SOURCES
from campose_core.cli.main import main
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extend" / "alignment_source.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(params=["a line in the table", "an entry point"])
def added(request, tmp_path, monkeypatch) -> None:
    source, line = blocks("python")
    group, entry = re.fullmatch(r'\[project\.entry-points\."campose\.(\w+)"\]\n(.*)\n', blocks("toml")[0]).groups()
    if request.param == "an entry point":
        name, value = entry.split(" = ")
        install(tmp_path / "package", monkeypatch, "total_station", source, {group: {name: value.strip('"')}})
        return
    name, value = re.fullmatch(r'"(.*)": "(.*)",\n', line).groups()
    module = value.split(":")[0]
    assert module.rpartition(".")[0] == "campose_core.alignment.sources"  # where a file of campose itself goes
    install(tmp_path / "package", monkeypatch, "total_station", source, {})
    monkeypatch.setitem(SOURCES.table, name, value.replace(module, "total_station"))


def survey(scene: Scene, trajectory: Trajectory) -> Path:
    """Write every fifth place of the camera beside the recording of the scene."""
    path = Path(f"{scene.sources['walk']['path']}.places.csv")
    rows = [
        ",".join([str(stamp), *(f"{value:.4f}" for value in pose.translation)]) for stamp, pose in list(trajectory)[::5]
    ]
    path.write_text("stamp_ns,x,y,z\n" + "\n".join(rows) + "\n")
    return path


def test_the_smallest_source_aligns_a_scene(added, tmp_path, capsys):
    walk = Walk(tmp_path, 1).mounted().odometry()
    scene = walk.scene()
    survey(scene, walk.truth)
    assert main(["align", str(scene.path), "--from", "total_station"]) == 0
    aligned = Scene.open(scene.path)
    assert aligned.alignment.method == "point pairs"
    assert np.median(list(path_errors(aligned, walk.truth))) < 0.03
    assert [check.method for check in aligned.alignment.checks] == ["odometry /odom"]
    assert "total_station walk  applied" in capsys.readouterr().err


def test_where_it_is_missing_or_wrong_a_line_says_so(added, tmp_path, capsys):
    walk = Walk(tmp_path, 2).mounted().odometry()
    scene = walk.scene()
    assert main(["align", str(scene.path), "--from", "total_station"]) == 1
    assert "hold no total_station (RECORDING.places.csv beside a recording)" in capsys.readouterr().err
    path = survey(scene, walk.truth)
    path.write_text("stamp_ns,x,y,z\nyesterday,1,2,3\n")
    assert main(["align", str(scene.path)]) == 0
    assert f"align: not used: total_station: {path}: not a table of stamp_ns,x,y,z" in capsys.readouterr().err
    assert Scene.open(scene.path).alignment.method == "odometry"


def test_the_help_names_it(added, capsys):
    with pytest.raises(SystemExit):
        main(["align", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "total_station (RECORDING.places.csv beside a recording)" in said
