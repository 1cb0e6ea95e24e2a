"""What a person sees of a command: its results on stdout, and lines on stderr, those that the library logs among them.

Nothing else prints, so that no name of a file or a frame can write on the terminal as it likes.
"""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Callable

from campose_core.cli.interrupts import INTERRUPTED
from campose_core.errors import CamposeError, WorkerDone
from campose_core.text import one_line


def say(message: str) -> None:
    """Print one line on stderr, in order with the progress bars."""
    print(one_line(message), file=sys.stderr, flush=True)


def show(*lines: str) -> None:
    """Print lines of a result on stdout."""
    print("\n".join(map(one_line, lines)))


class _Lines(logging.Handler):
    """The messages alone, on whatever stderr is by then."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def show_log() -> None:
    """Show what campose_core logs while it works; a second call changes nothing.

    Python's warnings are for who writes code (`python -W default` shows them), and quote what is in a file as it is.
    """
    if not sys.warnoptions:
        logging.captureWarnings(True)
        warnings = logging.getLogger("py.warnings")
        warnings.propagate = False
        warnings.addHandler(logging.NullHandler())
    logger = logging.getLogger("campose_core")
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())
        logger.setLevel(logging.INFO)
        logger.propagate = False


def hand_log_to(handler: logging.Handler) -> None:
    """Have what `show_log` shows go to another handler instead; where nothing is shown, nothing changes."""
    logger = logging.getLogger("campose_core")
    for shown in [shown for shown in logger.handlers if isinstance(shown, _Lines)]:
        logger.removeHandler(shown)
        logger.addHandler(handler)


def exit_code_of(program: str, work: Callable[[], int | None]) -> int:
    """Run what a program does, and return its exit code; what goes wrong is one line on stderr that begins with it.

    A fault that nobody has foreseen is one of this code, not of what it was given: its traceback goes into a file.
    """
    try:
        return _written_out(work)
    except CamposeError as error:
        say(f"{program}: {error}")
        return error.exit_code
    except WorkerDone:
        return 0
    except KeyboardInterrupt:
        say(f"{program}: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:  # a full disk, a folder that must not be written to: the system's line names it
        say(f"{program}: {error}")
    except MemoryError:
        say(f"{program}: not enough memory: give it more, or less to do")
    except Exception as error:
        say(f"{program}: failed in a way that it should not ({type(error).__name__}); please report {_kept(program)}")
    return 1


def _written_out(work: Callable[[], int | None]) -> int:
    """Do the work, and write out what it printed: what hinders that is told here, and not by Python at its very end."""
    try:
        code = work() or 0
    except SystemExit:  # of --help
        _flush()
        raise
    _flush()
    return code


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()
        raise


def _drop_stdout() -> None:
    """Let Python, which writes what is left when it ends, find a stdout that takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _kept(program: str) -> str:
    """Return the file that the traceback of the exception at hand is in, or its place where no file can be written."""
    trace = traceback.format_exc()
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix=f"{program.replace(' ', '-')}-", suffix=".traceback", delete=False
        ) as file:
            file.write(f"{' '.join(sys.argv)}\n{trace}")
    except (OSError, UnicodeEncodeError):
        return trace.strip().splitlines()[-2].strip()
    return file.name
