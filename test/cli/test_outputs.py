"""A file where a folder is to be written, and the reverse, is refused in one line, before anything is read."""

import pytest

from campose_core.cli.main import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evaluate a.tum b.tum --report file", "--report file is a file, and a folder is to be written"),
        ("evaluate a.tum b.tum --json folder", "--json folder is a folder, and a file is to be written"),
        ("evaluate a.tum b.tum --json file/m.json", "--json file/m.json: file is a file, and no folder"),
        ("localize scene video.mp4 --out folder", "--out folder is a folder, and a file is to be written"),
        ("replay video.mp4 --scene scene --out file", "--out file is a file, and a folder is to be written"),
        ("view scene --mcap folder", "--mcap folder is a folder, and a file is to be written"),
        ("localize scene nowhere.jpg --show", "nowhere.jpg: no such file"),
        ("doctor file", "file is a file: a scene is the folder that `campose build SOURCE --scene DIR` makes"),
    ],
)
def test_what_is_of_the_wrong_kind_is_told_before_the_work(tmp_path, monkeypatch, capfd, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert main(words.split()) in (1, 2)
    told = capfd.readouterr().err
    assert said in told
    assert told.count("\n") == 1
