"""How the options of a verb are parsed."""

from typing import NoReturn

from jsonargparse import ArgumentParser

from campose_core.text import one_line


class VerbParser(ArgumentParser):
    """A parser whose refusals stay in one line, whatever the words that it was given."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print usage and message on stderr, and exit with 2."""
        super().error(one_line(" ".join(message.split())), ex)
