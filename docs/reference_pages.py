"""Writes the pages of the reference: one for each room of campose_core, and one of the command line."""

import ast
import contextlib
import io
import os
import re
from pathlib import Path
from unittest.mock import patch

import campose_core
from campose_core.cli.main import VERBS, main

CORE = Path(campose_core.__file__).parent
SECTIONS = ("Args:", "Raises:", "Returns:", "Yields:")
ARGUMENT = re.compile(r"\w+(, \w+)*: ")
HELP_COLUMNS = "110"


def write_reference_pages(folder: Path) -> None:
    """Write index.md, cli.md and ROOM.md into `folder`; a page whose text is as before is left alone."""
    rooms = sorted(path.parent.name for path in CORE.glob("*/__init__.py") if path.parent.name != "cli")
    pages = {"cli": command_line_page(), "nouns": room_page("nouns", sorted(CORE.glob("*.py")))}
    packages = {room: sorted(path.parent for path in (CORE / room).rglob("__init__.py")) for room in rooms}
    pages |= {
        room: room_page(room, sorted(file for folder in folders for file in folder.glob("*.py")))
        for room, folders in packages.items()
    }
    contents = "\n".join(["cli", "nouns", *rooms])
    pages["index"] = (
        f"# Reference\n\nMade from the docstrings and parsers.\n\n```{{toctree}}\n:maxdepth: 1\n\n{contents}\n```\n"
    )
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        page = folder / f"{name}.md"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
    for page in folder.glob("*.md"):
        if page.stem not in pages:  # of a room that is gone
            page.unlink()


def command_line_page() -> str:
    """What `campose --help` and each `campose VERB --help` print."""
    page = f"# Command line\n\n```text\n{printed_by('--help')}\n```\n"
    for verb, description in VERBS.items():
        page += f"\n## campose {verb}\n\n{description}\n\n```text\n{printed_by(verb, '--help')}\n```\n"
    return page


def printed_by(*arguments: str) -> str:
    text = io.StringIO()
    wide = patch.dict(os.environ, COLUMNS=HELP_COLUMNS)
    with wide, contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main(arguments)
    return text.getvalue().strip()


def room_page(room: str, files: list[Path]) -> str:
    """One section for each module of a room that has something public."""
    about = "What every room speaks of." if room == "nouns" else ast.get_docstring(parsed(CORE / room / "__init__.py"))
    page = f"# {room}\n\n{about}\n"
    for file in files:
        names = public_names(file)
        if names and file.name != "__init__.py":
            module = ".".join(file.relative_to(CORE.parent).with_suffix("").parts)
            page += f"\n## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members: {names}\n```\n"
    return page


def public_names(file: Path) -> str:
    """The classes and functions that a module defines, without those that begin with an underscore."""
    defined = [node for node in parsed(file).body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return ", ".join(node.name for node in defined if not node.name.startswith("_"))


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def docstring_as_rst(_app: object, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Say to reStructuredText what docstrings here are: plain text, with code in backticks and indented tables."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines))
    lines[:] = [*"\n\n".join(map(block_as_rst, blocks)).split("\n"), ""]


def block_as_rst(block: str) -> str:
    """One paragraph. An indented one is shown as it stands; in others each `argument: ...` gets a line of its own."""
    if block.startswith(" "):
        return "::\n\n" + block
    if block.split("\n")[0].strip() in SECTIONS:  # napoleon's
        return escaped(block)
    if block.startswith(("- ", "* ")):
        return block[0] + escaped(block[1:])
    lines = [line.strip() for line in block.split("\n")]
    return escaped("\n".join("\n" + line if ARGUMENT.match(line) else line for line in lines))


def escaped(text: str) -> str:
    """Code in backticks becomes a literal, also within a word; elsewhere no character means anything."""
    parts = re.split(r"`([^`]+)`", text)
    plain = [re.sub(r"([*|\\]|_\b)", r"\\\1", part) for part in parts[::2]]
    literals = [f"\\ ``{part}``\\ " for part in parts[1::2]]
    return "".join(piece for pair in zip(plain, [*literals, ""], strict=True) for piece in pair)
