"""Text that others wrote, such as names of files, frames and cameras, on its way to a terminal or into a log."""

from collections.abc import Iterable


def one_line(text: str) -> str:
    r"""Return text that stays in its line and moves no cursor: what is not printable is escaped (`\n`, `\x1b`).

    That is control characters, line separators, marks that turn the direction of writing, and bytes of a file's name
    that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(words: Iterable[str]) -> str:
    """Return words of a file, joined by commas, as a message can hold them: one line, and not a long one."""
    return one_line(",".join(words)[:200])
