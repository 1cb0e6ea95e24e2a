"""One reader of YAML: bounded, without aliases, and with one kind of error."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from campose_core.alignment.sources.markers import read_markers
from campose_core.capture.camera_file import read_camera_file
from campose_core.cli.numbers import Count, PositiveNumber
from campose_core.errors import CamposeError, FloorError
from campose_core.floor import FloorMap
from campose_core.scene.scene import Scene
from campose_core.walkable import load_walkable
from campose_core.yaml_files import MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse_yaml, read_yaml, yaml_text

LAUGHS = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}' if before else 'x'] * 9)}]\n"
    for before, name in zip(["", *"abcdefgh"], "abcdefghi", strict=True)
)
REFUSED = {
    "alias": ("a: &x [1]\nb: *x\n", "line 2: the alias \\*x is not followed"),
    "billion laughs": (LAUGHS + "d: *i\n", "the alias \\*a is not followed"),
    "alias in itself": ("a: &a [*a]\n", "the alias"),
    "deep flow": ("[" * 10_000 + "]" * 10_000, "nested|not yaml"),
    "deep blocks": ("- " * 10_000, "nested more than"),
    "deep keys": ("? " * 10_000, "nested more than"),
    "not closed": ("a: [", "is damaged: it is not yaml at line"),
    "two documents": ("a: 1\n---\nb: 2\n", "it is not yaml at line 2"),
    "tag of Python": ("!!python/object/apply:os.system ['touch pwned']", "it is not yaml at line 1"),
    "no date": ("!!timestamp 2001-99-99", "a value does not fit its tag"),
    "no bool": ("!!bool perhaps", "a value does not fit its tag"),
    "empty number": ("!!int ''", "a value does not fit its tag"),
    "number of a thousand digits": ("a: " + "9" * 1000, "it is not yaml at line 1, column 4"),
    "list as key": ("? [a]\n: b\n", "it is not yaml at line 1"),
    "control character": ("a: \x01", "it is not yaml"),
    "NUL": ("a: \0", "it is not yaml"),
    "many values": ("[" + "1," * (MAX_VALUES + 1) + "]", f"more than {MAX_VALUES} values"),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.values(), ids=REFUSED)
def test_what_no_file_needs_is_refused_by_name_and_place(tmp_path, text, told):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(FloorError, match=told) as error:
        read_yaml(path, FloorError)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_other_files_than_text_are_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(FloorError, match="byte 3 is not UTF-8"):
        read_yaml(path, FloorError)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FloorError, match="more than 4 MB"):
        read_yaml(path, FloorError)
    with pytest.raises(FloorError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path, FloorError)
    with pytest.raises(FloorError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "b.yaml", FloorError)


def test_what_never_ends_is_not_read_to_its_end():
    with pytest.raises(FloorError, match="it is no file, but a pipe or a device"):
        read_yaml(Path("/dev/zero"), FloorError)


def test_files_of_other_programs_are_read():
    nav2 = "# a comment\nimage: map.pgm\nresolution: 0.05\norigin: [-1.0, 2, 0]\nnegate: 0\n"
    read = {"image": "map.pgm", "resolution": 0.05, "origin": [-1.0, 2, 0], "negate": 0}
    assert parse_yaml(nav2.encode(), "x", FloorError) == read
    json = '{"width": 640,\t"params": [1.5e+2, -3]}'
    assert parse_yaml(json.encode(), "x", FloorError) == {"width": 640, "params": [150.0, -3]}
    metadata = "rosbag2_bagfile_information:\n  version: 9\n  files:\n    - path: a.mcap\n      message_count: 3\n"
    assert (
        parse_yaml(metadata.encode(), "x", FloorError)["rosbag2_bagfile_information"]["files"][0]["message_count"] == 3
    )
    assert parse_yaml("\ufeffa: 1".encode(), "x", FloorError) == {"a": 1}
    assert parse_yaml(b"name: 2001-99-99", "x", FloorError) == {"name": "2001-99-99"}
    assert parse_yaml(b"", "x", FloorError) is None
    at_the_bound = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert len(parse_yaml(at_the_bound.encode(), "x", FloorError)) == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back(value):
    assert parse_yaml(yaml_text(value).encode(), "x", FloorError) == value
    assert parse_yaml(yaml_text(value, flow=None).encode(), "x", FloorError) == value


def test_a_value_that_stands_in_two_places_is_written_without_an_alias():
    shared = {"a": [1]}
    text = yaml_text({"x": shared, "y": shared})
    assert parse_yaml(text.encode(), "x", FloorError) == {"x": shared, "y": shared}
    assert "&" in yaml.safe_dump({"x": shared, "y": shared})  # what PyYAML would write


@given(st.text(alphabet="[]{}:-?*&!|>'\"#%@,0123456789.aeinfx \n\t\u00e9\ud800", max_size=60) | st.text(max_size=60))
def test_any_text_is_yaml_or_refused_in_a_line(text):
    told = "a.yaml"
    try:
        parse_yaml(text.encode("utf-8", "surrogatepass"), "a.yaml", FloorError)
    except FloorError as error:
        told = str(error)
    assert told.startswith("a.yaml")
    assert "\n" not in told


@pytest.mark.parametrize("text", [LAUGHS + "name: *i\n", "- " * 5000, "format: 1\nname: 2001-99-99\n2001-99-99: 1\n"])
def test_every_reader_reads_so(tmp_path, text):
    """Each takes the file by name, in no time."""
    pytest.importorskip("cv2")
    readers = {
        "camera.yaml": read_camera_file, "markers.yaml": read_markers, "map.yaml": FloorMap.load,
        "scene.yaml": lambda path: Scene.open(path.parent), "walkable.yaml": lambda path: load_walkable(path.parent),
    }  # fmt: skip
    for name, reader in readers.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "map.yaml").write_text("")
        (folder / name).write_text(text)
        with pytest.raises(CamposeError, match=r"\.yaml") as error:
            reader(folder / name)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 1000 + len(os.fspath(folder))


def test_a_number_that_an_option_has_bounded_is_written_as_a_number():
    bounded = [Count(100), PositiveNumber(0.5), True]
    assert parse_yaml(yaml_text(bounded).encode(), "here", CamposeError) == [100, 0.5, True]
