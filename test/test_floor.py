"""Floor maps: what map_server reads is what we read, cells and metres agree, and bad files are named."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from campose_core.errors import FloorError
from campose_core.floor import FloorMap

HEADER = {
    "image": "floor.png",
    "resolution": 0.05,
    "origin": [1.0, -2.0, 0.0],
    "negate": 0,
    "occupied_thresh": 0.65,
    "free_thresh": 0.196,
}
# gray: 1 - gray / 255 is how occupied it is. 89 and 90 stand on both sides of 0.65, 205 is just above 0.196.
GRAYS = [0, 89, 90, 128, 204, 205, 206, 254, 255]


def write_map(folder: Path, pixels, **changes) -> Path:
    fields = {**HEADER, **changes}
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(folder / "floor.png")
    (folder / "map.yaml").write_text(yaml.safe_dump({k: v for k, v in fields.items() if v is not None}))
    return folder / "map.yaml"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [100, 100, -1, -1, -1, -1, 0, 0, 0]),
        ({"mode": "Trinary"}, [100, 100, -1, -1, -1, -1, 0, 0, 0]),
        ({"negate": 1}, [0, -1, -1, -1, 100, 100, 100, 100, 100]),
        ({"negate": True}, [0, -1, -1, -1, 100, 100, 100, 100, 100]),
        # (1 - gray / 255 - 0.196) / (0.65 - 0.196) in percent, rounded half up
        ({"mode": "SCALE"}, [100, 100, 99, 67, 1, 0, 0, 0, 0]),
        ({"mode": "raw"}, [0, 89, 90, -1, -1, -1, -1, -1, -1]),
        ({"mode": "raw", "negate": 1}, [0, 89, 90, -1, -1, -1, -1, -1, -1]),
    ],
)
def test_modes_of_map_server(tmp_path, changes, expected):
    assert FloorMap.load(write_map(tmp_path, [GRAYS], **changes)).occupancy.tolist() == [expected]


def test_unknown_gray_is_free_when_the_threshold_says_so(tmp_path):
    # The trap of free_thresh 0.25 with map_saver's 205: nav2 takes it as free, so do we.
    assert FloorMap.load(write_map(tmp_path, [[205]], free_thresh=0.25)).occupancy.tolist() == [[0]]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"free_thresh": 0.25}, True),
        ({"free_thresh": 0.196}, False),
        ({"free_thresh": 0.25, "negate": 1}, False),
        ({"free_thresh": 0.25, "mode": "scale"}, False),
        ({"free_thresh": 0.25, "mode": "raw"}, False),
    ],
)
def test_a_map_of_nav2s_map_saver_whose_unknown_comes_back_free_is_told(tmp_path, caplog, changes, told):
    # nav2_map_server/src/map_io.cpp: trinary maps are of gray 254, 0 and 205, and free_thresh is 0.25 unless given.
    saved = np.full((40, 40), 205, dtype=np.uint8)
    saved[10:30, 10:30] = 0
    saved[11:29, 11:29] = 254
    yaml_path = write_map(tmp_path, saved, **changes)
    FloorMap.load(yaml_path)
    said = (
        f"{yaml_path}: WARNING: 75% of it is free by free_thresh 0.25, as nav2 takes it, and gray 205, which map_saver"
    )
    assert (said in caplog.text) == told
    assert ("with `free_thresh: 0.196` it is unknown" in caplog.text) == told


@pytest.mark.parametrize(
    ("mode", "expected"), [("trinary", [0, -1, -1]), ("scale", [0, -1, -1]), ("raw", [-1, -1, -1])]
)
def test_transparent_pixels_are_unknown(tmp_path, mode, expected):
    white = [[[255, 255, 255, 255], [255, 255, 255, 254], [0, 0, 0, 0]]]
    cells = FloorMap.load(write_map(tmp_path, white, mode=mode)).occupancy[0]
    assert cells[:2].tolist() == expected[:2]
    if mode != "raw":
        assert cells[2] == expected[2]


@pytest.mark.parametrize("name", ["map.pgm", "Map.PNG", "map.tif"])
def test_the_picture_in_place_of_its_yaml_is_told_which_one_to_give(tmp_path, name):
    picture = tmp_path / name
    Image.new("L", (4, 3)).save(picture)
    with pytest.raises(FloorError, match=rf"{name} is a picture, and a map is the yaml .*: give that; .*\(--plan\)$"):
        FloorMap.load(picture)
    beside = picture.with_suffix(".yml")
    beside.write_text(yaml.safe_dump({**HEADER, "image": name}))
    with pytest.raises(FloorError, match=rf"{name} is a picture, and a map is the yaml .*: give {beside}$"):
        FloorMap.load(picture)
    assert FloorMap.load(beside).shape == (3, 4)
    picture.unlink()
    with pytest.raises(FloorError, match=f"{name}: cannot be read: No such file"):
        FloorMap.load(picture)


def test_first_image_row_is_the_largest_y(tmp_path):
    floor = FloorMap.load(write_map(tmp_path, [[0, 254], [254, 254], [254, 254]]))
    assert floor.shape == (3, 2)
    assert np.argwhere(floor.occupied).tolist() == [[2, 0]]
    assert floor.cell_of([1.0 + 0.01, -2.0 + 0.149]).tolist() == [2, 0]
    assert floor.centre_of([0, 0]) == pytest.approx([1.025, -1.975])


@pytest.mark.parametrize("suffix", ["pgm", "png", "bmp", "tif"])
def test_image_formats_read_alike(tmp_path, suffix):
    pixels = np.array([GRAYS], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"other.{suffix}")
    expected = FloorMap.load(write_map(tmp_path, pixels)).occupancy
    assert (FloorMap.load(write_map(tmp_path, pixels, image=f"other.{suffix}")).occupancy == expected).all()


def test_sixteen_bit_and_palette_images_read_as_their_gray(tmp_path):
    expected = FloorMap.load(write_map(tmp_path, [GRAYS])).occupancy
    Image.fromarray(np.array([GRAYS], dtype=np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(np.array([GRAYS], dtype=np.uint8)).convert("RGB").quantize(16).save(tmp_path / "palette.png")
    for image in ("deep.png", "palette.png"):
        assert (FloorMap.load(write_map(tmp_path, [GRAYS], image=image)).occupancy == expected).all()


cells = st.sampled_from([-1, 0, 100])
percentages = st.integers(-1, 100)


@given(
    st.sampled_from([cells, percentages]).flatmap(lambda c: st.lists(st.lists(c, min_size=3, max_size=3), min_size=1))
)
def test_saved_maps_read_back_exactly(tmp_path_factory, occupancy):
    folder = tmp_path_factory.mktemp("map")
    floor = FloorMap(np.array(occupancy), 0.0371, (-1.234567890123, 5.5, 0.3))
    again = FloorMap.load(floor.save(folder))
    assert (again.occupancy == floor.occupancy).all()
    assert (again.resolution, again.origin) == (floor.resolution, floor.origin)


@given(
    st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(-4, 4)),
    st.floats(0.01, 1.0),
    st.integers(-50, 150),
    st.integers(-50, 150),
)
def test_cells_and_metres_round_trip(origin, resolution, row, column):
    floor = FloorMap(np.zeros((100, 100), dtype=np.int8), resolution, origin)
    assert floor.cell_of(floor.centre_of([row, column])).tolist() == [row, column]
    assert floor.contains([row, column]) == (0 <= row < 100 and 0 <= column < 100)


def test_yaw_turns_the_grid_about_its_origin():
    floor = FloorMap(np.zeros((10, 10), dtype=np.int8), 0.5, (1.0, 2.0, math.pi / 2))
    # Columns run along +y, rows along -x.
    assert floor.centre_of([0, 3]) == pytest.approx([1.0 - 0.25, 2.0 + 1.75])
    assert floor.centre_of([3, 0]) == pytest.approx([1.0 - 1.75, 2.0 + 0.25])


@pytest.mark.parametrize("key", ["image", "resolution", "origin", "negate", "occupied_thresh", "free_thresh"])
def test_missing_key_is_named(tmp_path, key):
    path = write_map(tmp_path, [[254]], **{key: None})
    with pytest.raises(FloorError, match=rf"{path}.*{key}"):
        FloorMap.load(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"free_thresh": 0.7}, "free_thresh 0.7 and occupied_thresh 0.65"),
        ({"occupied_thresh": 1.5}, "occupied_thresh 1.5"),
        ({"free_thresh": float("nan")}, "free_thresh must be a finite number"),
        ({"resolution": 0.0}, "resolution must be a positive"),
        ({"resolution": -0.05}, "resolution must be a positive"),
        ({"resolution": float("nan")}, "resolution must be a finite number"),
        ({"resolution": "wide"}, "resolution must be a finite number, got 'wide'"),
        ({"origin": [0.0, 0.0]}, r"origin must be three numbers \[x, y, yaw\]"),
        ({"origin": [0.0, 0.0, float("inf")]}, "origin must be a finite number"),
        ({"mode": "binary"}, "mode must be one of trinary, scale, raw, got 'binary'"),
        ({"negate": "maybe"}, "negate must be 0 or 1, got 'maybe'"),
        ({"image": "elsewhere.pgm"}, "image 'elsewhere.pgm' does not exist"),
        ({"image": "map.yaml"}, "image 'map.yaml' cannot be read"),
        ({"image": "a" * 300}, "image 'a+' does not exist"),
    ],
)
def test_bad_values_are_named_with_the_file(tmp_path, changes, said):
    path = write_map(tmp_path, [[254]], **changes)
    with pytest.raises(FloorError, match=said) as caught:
        FloorMap.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("folder", ["/home/robot/maps/", "C:\\maps\\", "maps/"])
def test_an_image_that_is_named_by_its_place_on_another_machine_is_taken_from_beside_the_yaml(tmp_path, folder):
    expected = FloorMap.load(write_map(tmp_path, [[254, 0], [205, 254]]))
    path = tmp_path / "map.yaml"
    fields = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**fields, "image": folder + fields["image"]}))
    assert (FloorMap.load(path).occupancy == expected.occupancy).all()


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "image: [", "\0"])
def test_a_file_that_is_no_map_yaml(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(FloorError, match=str(path)):
        FloorMap.load(path)
    path.write_text("image: a.png\nresolution: ]")
    with pytest.raises(FloorError, match=r"map\.yaml is damaged: it is not yaml at line 2, column 13$"):
        FloorMap.load(path)
    with pytest.raises(FloorError, match=r"absent\.yaml.*cannot be read"):
        FloorMap.load(tmp_path / "absent.yaml")


def test_a_map_that_pillow_calls_a_bomb_is_read_and_one_beyond_our_limit_refused(tmp_path, recwarn):
    Image.new("L", (10_000, 9_500), 254).save(tmp_path / "large.png")
    floor = FloorMap.load(write_map(tmp_path, [GRAYS], image="large.png"))
    assert floor.shape == (9_500, 10_000)
    assert floor.free.all()
    Image.new("1", (27_000, 25_000)).save(tmp_path / "huge.png")
    with pytest.raises(FloorError, match=r"'huge\.png' .* 27000x25000 pixels are 675 megapixels, at most 650"):
        FloorMap.load(write_map(tmp_path, [GRAYS], image="huge.png"))
    assert not recwarn.list


def test_truncated_image_is_refused(tmp_path):
    path = write_map(tmp_path, np.random.default_rng(0).integers(0, 255, (50, 50)))
    whole = (tmp_path / "floor.png").read_bytes()
    (tmp_path / "floor.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FloorError, match=r"floor\.png"):
        FloorMap.load(path)


def test_real_maps_load_and_round_trip(shared_data, tmp_path):
    free = {}
    for path in sorted((shared_data / "maps").glob("*.yaml")):
        floor = FloorMap.load(path)
        again = FloorMap.load(floor.save(tmp_path))
        assert (again.occupancy == floor.occupancy).all()
        free[path.stem] = float(floor.free.sum() * floor.resolution**2)
    # Square metres of open floor of the three office scans and of the depot.
    assert free["4_26_15"] == pytest.approx(973, abs=1)
    assert len(free) == 4
