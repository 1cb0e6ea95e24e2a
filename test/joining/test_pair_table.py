"""Tables of point pairs are read as people and spreadsheets write them, and a line of another length is refused."""

import pytest

from campose_core.errors import AlignmentError
from campose_core.joining.pair_table import read_pair_table

FORMS = ("name", "x", "y", "z"), ("sfm_x", "sfm_y", "sfm_z", "x", "y", "z")


def read(tmp_path, text):
    (tmp_path / "pairs.csv").write_bytes(text.encode())
    return read_pair_table(tmp_path / "pairs.csv", AlignmentError, FORMS, "`name,x,y,z`")


@pytest.mark.parametrize(
    "text",
    [
        "name,x,y,z\na/1.jpg,1.5,-2,0.25\n",
        "\ufeffname,x,y,z\r\na/1.jpg,1.5,-2,0.25\r\n",
        "# taped on Monday\nName, X, Y, Z\n\n  # the door\na/1.jpg, 1.5, -2, 0.25\n",
        "name;x;y;z\na/1.jpg;1,5;-2;0,25\n",  # of a spreadsheet in German or French
        "name\tx\ty\tz\na/1.jpg\t1.5\t-2\t0.25\n",
        'who,"z","y","x","name"\nme,0.25,-2,1.5,"a/1.jpg"\n',
    ],
    ids=["plain", "mark and CRLF", "blanks and remarks", "semicolons", "tabs", "order, quotes, another column"],
)
def test_the_same_pair_however_it_is_written(tmp_path, text):
    form, (row,) = read(tmp_path, text)
    assert form == FORMS[0]
    assert {name: row.values[name] for name in form} == {"name": "a/1.jpg", "x": "1.5", "y": "-2", "z": "0.25"}
    lines = text.splitlines()
    assert row.line == next(i for i, line in enumerate(lines, start=1) if "a/1.jpg" in line)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Decimal commas between commas were read as x 1, y 5, z -2.
        ("name,x,y,z\na/1.jpg,1,5,-2,0,25\n", r"pairs\.csv:2: has 6 values, .* 4 columns: .*columns apart by `;`"),
        ("name,x,y,z\na/1.jpg,1.5,-2\n", r"pairs\.csv:2: has 3 values"),
        ("name,x,y\na,1,2\n", r"pairs\.csv: the columns must be `name,x,y,z`; got `name,x,y`"),
        ("name,x,x,y,z\na,1,1,2,3\n", r"the columns must be .*; got `name,x,x,y,z`"),
        ("", r"the columns must be .*; got ``"),
    ],
)
def test_other_tables_are_refused_with_what_they_hold(tmp_path, text, said):
    with pytest.raises(AlignmentError, match=said):
        read(tmp_path, text)


def test_either_form_is_told_by_its_columns(tmp_path):
    form, (row,) = read(tmp_path, "x,y,z,sfm_x,sfm_y,sfm_z\n1,2,3,4,5,6\n")
    assert form == FORMS[1]
    assert [row.values[name] for name in form] == ["4", "5", "6", "1", "2", "3"]
