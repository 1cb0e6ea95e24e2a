"""Settings of Sphinx. `make docs` makes docs/_build of the pages here and of those that reference_pages.py writes.

The pages are Markdown that GitHub shows as well; MyST reads it. Heavy packages are stood in for: the reference needs
campose_core and the extra `docs`, nothing else.
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from reference_pages import docstring_as_rst, write_reference_pages  # noqa: E402

from campose_core import __version__  # noqa: E402

project = "campose"
author = "campose developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"campose {version}"

myst_heading_anchors = 4
myst_fence_as_directive = []
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
autodoc_typehints_format = "short"
autodoc_mock_imports = [
    "av", "cv2", "foxglove", "matplotlib", "pycolmap", "pytorch_lightning", "pyvista", "rosbags", "safetensors",
    "torch", "torchvision",
]  # fmt: skip


def offer_files_outside(_app: object, _name: str, source: list[str]) -> None:
    """README.md and its neighbours are no pages of these docs: a link to one offers the file."""
    source[0] = re.sub(r"\]\(((?:\.\./)+[A-Z]+\.md)\)", r"](<path:\1>)", source[0])


def setup(app) -> None:  # type: ignore[no-untyped-def]
    app.connect("source-read", offer_files_outside)
    app.connect("builder-inited", lambda _: write_reference_pages(DOCS / "reference"))
    app.connect("autodoc-process-docstring", docstring_as_rst, priority=400)  # before napoleon's 500
