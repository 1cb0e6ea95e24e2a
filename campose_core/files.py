"""Files that are whole or absent: written beside their place, then renamed. And where installed files are."""

import io
import json
import os
import re
import shutil
import stat
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from campose_core.errors import CamposeError

MAX_BYTES = 2**30  # of what is read as a whole: frames.csv of five million frames


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` when the block ends without an exception.

    Works for a file and for a folder (which the block creates). After a kill the old content is still in place; what
    the killed process had written is removed the next time. Only a folder that is killed between the two renames of its
    exchange is absent then, never half there. An OSError from the block that names no file names `path`.
    """
    new_folders = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    beside, aside = (path.with_name(f".{path.name}.{os.getpid()}.{suffix}") for suffix in ("part", "old"))
    try:
        yield beside
        if beside.is_dir() and path.exists():
            path.rename(aside)
        beside.replace(path)
    except OSError as error:
        # A full disk is found by a write, which knows no name. Without an errno a name would hide the message.
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
    finally:
        _remove(beside)
        _remove(aside)
        if not path.exists():
            for folder in new_folders:  # the innermost first; others may have put something into one meanwhile
                with suppress(OSError):
                    folder.rmdir()


def _remove_leftovers(path: Path) -> None:
    """Remove what processes that are gone left beside `path`."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.(part|old)")
    for left in path.parent.iterdir():
        found = pattern.fullmatch(left.name)
        if found and (int(found[1]) == os.getpid() or not Path(f"/proc/{found[1]}").exists()):
            _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes, whole or not at all; on disk when this returns."""
    with replacing(path) as beside:
        _write_to_disk(beside, data)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write several files of UTF-8 text; none takes its place before all are on disk."""
    with ExitStack() as stack:
        for path, text in texts.items():
            beside = stack.enter_context(replacing(path))
            try:
                _write_to_disk(beside, text.encode("utf-8"))
            except OSError as error:
                error.filename = error.filename or str(path)
                raise


def _write_to_disk(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_bytes(path: Path, error: type[CamposeError], most: int = MAX_BYTES) -> bytes:
    """Read a file as a whole.

    Raises:
        error: it has more than `most` bytes, or is none: a pipe would be waited for, and a device never ends.
        OSError: it cannot be read.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise error(f"{path}: cannot be read: it is no file, but a pipe or a device")
        if found.st_size > most:
            raise error(f"{path}: cannot be read: it has more than {most >> 20} MB, as no file of its kind")
        return file.read()


def read_json(path: Path, error: type[CamposeError]) -> Any:
    """Read a JSON file.

    Raises:
        error: missing, or no JSON; the file is named.
    """
    try:
        return json.loads(read_bytes(path, error).decode("utf-8"))
    except OSError as fault:
        raise error(f"{path}: cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:  # nested some thousand deep
        raise error(f"{path} is damaged: it is not JSON") from fault


def config_file(name: str) -> Path | None:
    """Find a file of config/: in a checkout, or as colcon or pip installed it; None when it was not installed."""
    in_checkout = Path(__file__).resolve().parents[1] / "config" / name
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(":")), sysconfig.get_path("data")]
    installed = (Path(prefix) / "share" / "campose_ros" / "config" / name for prefix in prefixes)
    return next((path for path in (in_checkout, *installed) if path.is_file()), None)


def is_there(path: Path) -> bool:
    """Tell whether a file or folder is there, of a name that another file gives: none has one that no disk takes."""
    try:
        return path.exists()
    except OSError:  # too long
        return False


def check_format(path: Path, found: object, known: int, error: type[CamposeError], older: str = "") -> None:
    """Refuse a file of a format that this code does not read.

    found: the number in the file; known: the highest that is read. older: what to do with a lower one, where those are
    not read any more.

    Raises:
        error: it is newer, older, or no number at all.
    """
    if not isinstance(found, int) or found < 1:
        raise error(f"{path}: expected `format: {known}`: not written by campose")
    if found > known:
        raise error(f"{path}: format {found}, this campose reads up to {known}: upgrade campose")
    if found < known and older:
        raise error(f"{path}: format {found}, this campose reads {known}: {older}")


def check_whole(path: Path, text: str, error: type[CamposeError]) -> None:
    """Refuse a table of ours that ends within a line, whose last number may be read as another than was written.

    Raises:
        error: it does; the line is named.
    """
    if text and not text.endswith("\n"):
        raise error(f"{path}:{len(text.splitlines())}: ends within a line: it was cut off, copy it again")


def read_text(path: Path, error: type[CamposeError]) -> str:
    """Read a text file that a person gives, with or without a byte order mark.

    Raises:
        error: why it cannot be read, and what helps.
    """
    try:
        if path.parent == Path("/dev/fd"):  # of a shell's <(command)
            return path.read_text(encoding="utf-8-sig")
        return io.StringIO(read_bytes(path, error).decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError as fault:
        raise error(f"{path}: this is no text in UTF-8: give another file, or save it as UTF-8") from fault
    except FileNotFoundError as fault:
        raise error(f"{path}: no such file") from fault
    except IsADirectoryError as fault:
        raise error(f"{path}: this is a folder, a text file is needed") from fault
    except PermissionError as fault:
        raise error(f"{path}: may not be read: allow it with `chmod u+r`") from fault
    except OSError as fault:
        raise error(f"{path}: cannot be read from its disk: copy it from where it came") from fault
