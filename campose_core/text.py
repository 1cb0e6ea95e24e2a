"""Text that others wrote, such as names of files, frames and cameras, on its way to a terminal or into a log."""


def one_line(text: str) -> str:
    r"""Return text that stays in its line and moves no cursor: what is not printable is escaped (`\n`, `\x1b`).

    That is control characters, line separators, marks that turn the direction of writing, and bytes of a file's name
    that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
