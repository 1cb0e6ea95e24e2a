"""Shared fixtures. `shared_data` holds real recordings that are not part of the repository."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real recordings are not here: {folder} is missing")
    return folder
