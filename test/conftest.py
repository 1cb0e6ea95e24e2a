"""Shared fixtures. `shared_data` holds real recordings that are not part of the repository."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine fails no test, and the same examples are tried every time; `make search` tries others.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: what is broken shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


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
