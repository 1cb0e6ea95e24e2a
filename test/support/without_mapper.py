"""Processes in which pycolmap and torch cannot be imported, whether they are installed or not."""

import os
from pathlib import Path

WITHOUT_MAPPER = Path(__file__).parent / "without_mapper_path"


def environment_without_mapper() -> dict[str, str]:
    """Of a child process."""
    return {**os.environ, "PYTHONPATH": f"{WITHOUT_MAPPER}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
