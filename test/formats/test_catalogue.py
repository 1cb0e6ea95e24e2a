"""docs/formats.md is what the rows beside the readers say."""

import runpy
from pathlib import Path

from campose_core.formats.catalogue import BRINGS, formats

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_made_of_the_rows_beside_the_readers():
    page = runpy.run_path(str(DOCS / "formats_page.py"))["page"]
    assert (DOCS / "formats.md").read_text() == page(), "run docs/formats_page.py"


def test_each_row_says_what_it_brings():
    rows = [row for rows in formats().values() for row in rows]
    assert len({(row.form, row.program) for row in rows}) == len(rows) > 20
    for row in rows:
        assert row.brings
        assert set(row.brings) <= set(BRINGS)
        assert "|" not in "".join([row.form, row.program, row.typed, row.note])  # of the table on the page
