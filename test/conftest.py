"""Shared fixtures. `shared_data` holds real recordings that are not part of the repository."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings
from missing_packages import reason_to_skip

from campose_core.cli.console import show_log

# A busy machine fails no test, and the same examples are tried every time; `make search` tries others.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
# What the library logs, as its commands show it.
show_log()

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: what is broken shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a test module that imports a package of an extra which is not installed."""
    report = yield
    reason = reason_to_skip(report.call.excinfo.value) if report.failed else ""
    if reason:
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, reason)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that needs such a package."""
    report = yield
    reason = reason_to_skip(call.excinfo.value) if report.failed else ""
    if reason:
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, reason)
    return report


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real recordings are not here: {folder} is missing")
    return folder


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `campose simulate --size small` writes: a furnished room, two drives, and their truth. Read only."""
    from campose_core.simulation.simulate import simulate

    folder = tmp_path_factory.mktemp("worlds") / "small"
    simulate(folder, "small")
    return folder


@pytest.fixture(scope="session")
def small_scene(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene that `campose build` makes of the small world's mapping drive. Read only: copy it to change it."""
    from campose_core.cli.main import main

    folder = tmp_path_factory.mktemp("scenes") / "small"
    world = str(small_world)
    arguments = ["--scene", str(folder), "--reference", f"{world}/mapping.tum", "--map", f"{world}/floor/map.yaml"]
    assert main(["build", f"{world}/mapping.bag", *arguments]) == 0
    return folder
