"""Writes formats.md, of the rows that stand beside the readers: run it after a change of these."""

from pathlib import Path

from campose_core.formats.catalogue import BRINGS, formats

PAGE = Path(__file__).with_name("formats.md")
HEAD = """# What is read

Made by `docs/formats_page.py` from the rows beside the readers. A file is told by what is in it, not by its name; \
what may mean two things, or nothing, is refused with a line that says what to do. Conventions that files do not say \
are checked where anything can tell: an image of another shape than the camera, a principal point that is not in the \
middle, a quaternion that is not of length 1, poses whose turns fit the images only as their inverse or with w first.
"""


def page() -> str:
    """Return the text of the page: a table for each reader."""
    text = HEAD
    for title, rows in formats().items():
        text += f"\n## {title.split(':')[0]}\n\n{title.split(': ', 1)[1].capitalize()}.\n\n"
        text += f"| file | of | given as | {' | '.join(BRINGS)} | |\n|---|---|---|{'---|' * len(BRINGS)}---|\n"
        for row in rows:
            brings = " | ".join("yes" if what in row.brings else "" for what in BRINGS)
            text += f"| {row.form} | {row.program} | {row.typed} | {brings} | {row.note} |\n"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
