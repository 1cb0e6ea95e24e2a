"""Paths that begin with ~: a shell writes out that of a word of its own alone, not that of scene:=~/kitchen."""

from pathlib import Path


def from_home(path: str) -> Path:
    """Return the path with ~ or ~USER at its start written out; as it is of a user whom nobody knows, or can have."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):
        return Path(path)
