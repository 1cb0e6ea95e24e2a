"""Where config/foxglove_layout.json is, and what to tell a person who wants to look."""

from pathlib import Path

from campose_core.files import config_file

LAYOUT = "foxglove_layout.json"


def layout_path() -> Path | None:
    """Find the layout in a checkout, or as it was installed; None when it was not."""
    return config_file(LAYOUT)


def how_to_look(source: str) -> tuple[str, str]:
    """Write instructions in lines; `source`: what to open (`Open connection, ws://...` or `Open local file, ...`)."""
    layout = layout_path() or f"config/{LAYOUT} of the campose repository"
    return f"In Foxglove or Lichtblick: {source}", f"Once: Layouts, Import from file, {layout}"
