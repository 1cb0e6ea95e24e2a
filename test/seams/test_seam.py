"""The table of a seam, and plug-ins from installed packages: real ones, on the path with their metadata."""

import sys

import pytest
from plugins import install

from campose_core.errors import LocalizationError, PluginError
from campose_core.seams.seam import Seam
from campose_core.trajectory import Trajectory

SEAM: Seam[type] = Seam(
    "things", {"trajectory": "campose_core.trajectory:Trajectory", "gone": "no_such_module:Thing"},
    LocalizationError, members=("answer",),
)  # fmt: skip
GOOD = "class Thing:\n    def answer(self):\n        return 42\n"


def test_the_table_comes_first_and_is_imported_late():
    assert SEAM.load("trajectory") is Trajectory
    assert SEAM.names() == ["trajectory", "gone"]
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):  # a mistake of ours, not of a plug-in
        SEAM.load("gone")


def test_an_unknown_name_lists_the_known_ones_and_the_nearest(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "seam_one", GOOD, {"things": {"brought": "seam_one:Thing"}})
    with pytest.raises(LocalizationError, match=r"no 'brougt' among the things trajectory, gone, brought; .*'brought'"):
        SEAM.load("brougt")
    with pytest.raises(LocalizationError, match=r"trajectory, gone, brought$"):
        SEAM.load("zzz")


def test_an_installed_package_adds_a_name(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "seam_two", GOOD, {"things": {"brought": "seam_two:Thing"}})
    assert "seam_two" not in sys.modules
    assert SEAM.names() == ["trajectory", "gone", "brought"]
    assert "seam_two" not in sys.modules
    assert SEAM.load("brought")().answer() == 42


def test_a_plugin_takes_no_name_of_the_table(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "seam_three", GOOD, {"things": {"trajectory": "seam_three:Thing"}})
    assert SEAM.load("trajectory") is Trajectory
    assert SEAM.names() == ["trajectory", "gone"]


@pytest.mark.parametrize(
    ("source", "value", "what"),
    [
        ("raise ValueError('boom')", "seam_four:Thing", "cannot be imported: ValueError: boom"),
        ("import no_such_module", "seam_four:Thing", "No module named 'no_such_module'"),
        ("", "seam_four:Thing", "AttributeError: .*Thing"),
        ("class Thing: pass", "seam_four:Thing", "has no answer"),
    ],
)
def test_a_broken_plugin_is_named(tmp_path, monkeypatch, source, value, what):
    install(tmp_path, monkeypatch, "seam_four", source, {"things": {"brought": value}})
    with pytest.raises(PluginError, match=rf"plug-in brought of seam-four \(campose.things: {value}\).*{what}"):
        SEAM.load("brought")


def test_two_packages_with_one_name_are_both_named(tmp_path, monkeypatch):
    for name in ("seam_five", "seam_six"):
        install(tmp_path / name, monkeypatch, name, GOOD, {"things": {"brought": f"{name}:Thing"}})
    with pytest.raises(PluginError, match=r"seam-five.* and .*seam-six.*uninstall one"):
        SEAM.load("brought")
