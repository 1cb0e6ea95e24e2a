"""What a person sees of a command: its results on stdout, and lines on stderr, those that the library logs among them.

Nothing else prints, so that no name of a file or a frame can write on the terminal as it likes.
"""

import logging
import sys

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
    """Show what campose_core logs while it works; a second call changes nothing."""
    logger = logging.getLogger("campose_core")
    if not any(isinstance(handler, _Lines) for handler in logger.handlers):
        logger.addHandler(_Lines())
        logger.setLevel(logging.INFO)
        logger.propagate = False
