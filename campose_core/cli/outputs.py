"""What is to be written is looked at before the work, not after it: a file where a folder is meant, and the reverse."""

from pathlib import Path

from campose_core.errors import UsageError


def check_file(option: str, path: Path) -> None:
    """Refuse what no file can be written to.

    Raises:
        UsageError: it is a folder, or lies in a file.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder, and a file is to be written: name one, such as {path / 'NAME'}")
    _check_parents(option, path)


def check_folder(option: str, path: Path) -> None:
    """Refuse what cannot be a folder.

    Raises:
        UsageError: it is a file, or lies in one.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{option} {path} is a file, and a folder is to be written: choose another name")
    _check_parents(option, path)


def _check_parents(option: str, path: Path) -> None:
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise UsageError(f"{option} {path}: {parent} is a file, and no folder: choose another place")
            return
