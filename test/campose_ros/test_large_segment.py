"""Who publishes images gets a large shared-memory segment, unless somebody decided otherwise."""

import os
from pathlib import Path

import pytest

from campose_core.files import config_file
from campose_ros import large_segment
from campose_ros.large_segment import PROFILE, VARIABLES, use_large_segment


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards


def profiles() -> set[str]:
    return {os.environ[name] for name in VARIABLES}


def test_the_profile_is_named_for_every_fast_dds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_segment, "SEGMENT_BYTES", 0)
    use_large_segment()
    assert profiles() == {str(config_file(PROFILE))}


def test_a_profile_of_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES[1], "mine.xml")
    use_large_segment()
    assert profiles() == {"", "mine.xml"}


def test_where_shared_memory_is_small_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(large_segment, "SHARED_MEMORY", tmp_path / "none")
    use_large_segment()
    assert profiles() == {""}
    assert "may be lost" in capsys.readouterr().err


def test_configuration_is_found_where_colcon_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "share" / "campose_ros" / "config" / "only_here.yaml"
    file.parent.mkdir(parents=True)
    file.touch()
    assert config_file(file.name) is None
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    assert config_file(file.name) == file
