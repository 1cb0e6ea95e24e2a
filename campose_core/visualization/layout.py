"""Where config/foxglove_layout.json is, and what to tell a person who wants to look."""

import sysconfig
from pathlib import Path

LAYOUT = "foxglove_layout.json"


def layout_path() -> Path | None:
    """The layout in a checkout, or as pip installed it; None when it was not installed."""
    in_checkout = Path(__file__).resolve().parents[2] / "config" / LAYOUT
    installed = Path(sysconfig.get_path("data")) / "share" / "campose_ros" / "config" / LAYOUT
    return next((path for path in (in_checkout, installed) if path.is_file()), None)


def how_to_look(source: str) -> str:
    """Instructions; `source` is what to open in the app (`Open connection, ws://...` or `Open local file, ...`)."""
    layout = layout_path() or f"config/{LAYOUT} of the campose repository"
    return f"In Foxglove or Lichtblick: {source}\nOnce: Layouts, Import from file, {layout}"
