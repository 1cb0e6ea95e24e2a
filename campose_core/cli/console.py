"""What a person sees of a running command: lines on stderr, those that the library logs among them."""

import logging
import sys


def say(message: str) -> None:
    """Print one line on stderr, in order with the progress bars."""
    print(message, file=sys.stderr, flush=True)


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
