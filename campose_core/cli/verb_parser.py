"""How the options of a verb are parsed."""

import argparse
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from campose_core.text import one_line

# Options that name an input. The last of two would win in silence, and the other be taken for read.
INPUTS = ("--camera", "--map", "--points", "--poses", "--query", "--reference", "--topic", "--tracker", "--unlabelled")


class VerbParser(ArgumentParser):
    """A parser whose refusals stay in one line, whatever the words that it was given."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print usage and message on stderr, and exit with 2."""
        super().error(one_line(" ".join(message.split())), ex)

    def parse_args(self, args: Sequence[str] | None = None, *others: Any, **named: Any) -> Namespace:  # type: ignore[override]
        """Parse the words of a verb; an input that is given twice is refused where one is taken."""
        words = list(args or ())
        for option in sorted(set(INPUTS) - self._repeatable()):
            values = [after for word, after in pairwise(words) if word == option]
            values += [word.removeprefix(f"{option}=") for word in words if word.startswith(f"{option}=")]
            if len(set(values)) > 1:
                self.error(f"{option} is given twice ({', '.join(values)}), and one is taken: leave out one")
        return super().parse_args(args, *others, **named)

    def _repeatable(self) -> set[str]:
        several = [action for action in self._actions if isinstance(action, argparse._AppendAction)]
        return {option for action in several for option in action.option_strings}
