"""Plans: paint is found through JPEG noise, the scale comes from two points, and a scene takes the floor in."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from campose_core.cli.main import main
from campose_core.errors import FloorError
from campose_core.floor import FloorMap
from campose_core.floorplan.attach import attach_floor
from campose_core.floorplan.drawing import floor_from_drawing
from campose_core.floorplan.painted_zones import floor_from_plan, resolution_from_points
from campose_core.scene.scene import Scene
from campose_core.walkable import load_walkable


def drawing(colour=(255, 0, 0)) -> np.ndarray:
    """A white room of 80 x 40 pixels in paint, with ink in it: lettering, a door swing and a green sign."""
    pixels = np.full((120, 200, 3), colour, dtype=np.uint8)
    pixels[40:80, 60:140] = 255
    pixels[50:52, 70:90] = 0
    pixels[60:70, 100:110] = (0, 140, 70)
    pixels[39:40, 60:140] = 20
    return pixels


def as_jpeg(pixels: np.ndarray, quality: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=quality)
    return data.getvalue()


@pytest.mark.parametrize("quality", [40, 75, 95])
@pytest.mark.parametrize(
    ("rgb", "name"), [((255, 0, 0), "red"), ((20, 60, 230), "#143ce6"), ((255, 0, 200), "#ff00c8")]
)
def test_paint_is_found_through_jpeg_noise(tmp_path, quality, rgb, name):
    (tmp_path / "plan.jpg").write_bytes(as_jpeg(drawing(rgb), quality))
    floor = floor_from_plan(tmp_path / "plan.jpg", 0.1, (1.0, 2.0, 0.0), name)
    expected = np.ones((120, 200), dtype=bool)
    expected[40:80, 60:140] = False
    wrong = np.flipud(floor.occupied) != expected
    # Right but for the rim, which JPEG smears over two pixels; in particular no speckle anywhere else.
    core = ndimage.binary_dilation(expected, iterations=3) & ndimage.binary_dilation(~expected, iterations=3)
    assert not (wrong & ~core).any()
    assert (floor.resolution, floor.origin) == (0.1, (1.0, 2.0, 0.0))
    assert ndimage.label(floor.free)[1] == 1


def on_transparent_paper(pixels: np.ndarray, paint_alpha: int = 255) -> Image.Image:
    """As CAD and slides export it: what is white there is nothing, whose colour is anything."""
    alpha = np.where((pixels == 255).all(axis=2), 0, 255)
    alpha[(pixels == (255, 0, 0)).all(axis=2)] = paint_alpha
    pixels = np.where(alpha[..., None] > 0, pixels, (255, 0, 0))
    return Image.fromarray(np.dstack([pixels, alpha]).astype(np.uint8))


def furnished() -> np.ndarray:
    """A white page with black walls around a room and a painted table in it."""
    page = np.full((240, 320, 3), 255, dtype=np.uint8)
    page[40:200, 40:280] = 0
    page[44:196, 44:276] = 255
    page[100:140, 100:160] = (255, 0, 0)
    return page


@pytest.mark.parametrize("paint_alpha", [255, 128])
@pytest.mark.parametrize("saved_as", ["RGBA", "P"])
def test_a_drawing_on_transparent_paper_is_that_on_white(tmp_path, capsys, paint_alpha, saved_as):
    Image.fromarray(furnished()).save(tmp_path / "white.png")
    image = on_transparent_paper(furnished(), paint_alpha)
    (image if saved_as == "RGBA" else image.quantize(8)).save(tmp_path / "clear.png")
    for options in ({}, {"kind": "walls"}):
        white, kind = floor_from_drawing(tmp_path / "white.png", 0.05, **options)
        clear, clear_kind = floor_from_drawing(tmp_path / "clear.png", 0.05, **options)
        assert clear_kind == kind == options.get("kind", "paint")
        if kind == "paint" or paint_alpha == 255:
            np.testing.assert_array_equal(clear.occupancy, white.occupancy)
        assert clear.free[120, 220]
    said = capsys.readouterr().err
    assert said.count("clear.png: its transparent pixels are taken for white paper") == 2
    assert "white.png: its transparent" not in said


def test_a_building_that_is_cut_out_has_paper_of_its_own(tmp_path, capsys):
    page = np.dstack([furnished(), np.zeros((240, 320), dtype=np.uint8)])
    page[40:200, 40:280, 3] = 255
    Image.fromarray(page).save(tmp_path / "plan.png")
    floor, _ = floor_from_drawing(tmp_path / "plan.png", 0.05)
    assert (floor.occupancy[:40] == -1).all()
    assert floor.free[60, 60]
    assert "plan.png: its transparent pixels are unknown: it has paper of its own" in capsys.readouterr().err


def test_transparent_pixels_are_unknown(tmp_path):
    rgba = np.dstack([drawing(), np.full((120, 200), 255, dtype=np.uint8)])
    rgba[:, :30, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "plan.png")
    occupancy = floor_from_plan(tmp_path / "plan.png", 0.1).occupancy
    assert (occupancy[:, :30] == -1).all()
    assert (occupancy[:, 30:] != -1).all()


def test_scale_from_two_points():
    assert resolution_from_points((10, 20), (40, 60), 2.5) == pytest.approx(0.05)
    for bad in (((1, 1), (1, 1), 2.0), ((0, 0), (1, 1), 0.0), ((0, 0), (1, 1), float("nan"))):
        with pytest.raises(FloorError, match="two different points and a positive distance"):
            resolution_from_points(*bad)


@pytest.mark.parametrize(
    ("pixels", "colour", "said"),
    [
        (np.full((20, 20, 3), 255), "red", "nothing is painted red"),
        (np.full((20, 20, 3), (255, 0, 0)), "red", "all of it is painted red"),
        (drawing(), "gray", "'gray' is too close to gray"),
        (drawing(), "redd", "'redd' is not a colour"),
    ],
)
def test_unusable_plans_say_what_to_do(tmp_path, pixels, colour, said):
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(tmp_path / "plan.png")
    with pytest.raises(FloorError, match=said):
        floor_from_plan(tmp_path / "plan.png", 0.1, colour=colour)


@pytest.mark.parametrize("arguments", [["--resolution", "0.01"], ["--points", "pairs.csv"]])
def test_a_plan_that_is_no_picture_is_to_be_exported(tmp_path, scene, capsys, arguments):
    (tmp_path / "plan.PDF").write_bytes(b"%PDF-1.4\n")
    assert main(["floor", str(scene.path), "--plan", str(tmp_path / "plan.PDF"), *arguments]) == 1
    assert "plan.PDF: the plan cannot be read: export it as a picture (PNG)" in capsys.readouterr().err


def test_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "plan.png").write_text("no image")
    with pytest.raises(FloorError, match=r"plan\.png: the plan cannot be read"):
        floor_from_plan(tmp_path / "plan.png", 0.1)


@pytest.fixture
def scene(tmp_path) -> Scene:
    scene = Scene.open_or_create(tmp_path / "scene")
    scene.save()
    return scene


def test_campus_plan_becomes_the_floor_of_a_scene(shared_data, scene, capsys):
    plan = str(shared_data / "maps" / "campus_plan_walkable.jpg")
    # The upper corridor is 66 pixels wide; taken as 3 m.
    assert (
        main(["floor", str(scene.path), "--plan", plan, "--points", "1000", "264", "1000", "330", "--distance", "3"])
        == 0
    )
    assert "m2 walkable" in capsys.readouterr().out
    walkable = load_walkable(scene.path / "floor")
    resolution = walkable.floor.resolution
    assert resolution == pytest.approx(3 / 66)
    # By hand in the image: the corridors, their middle, and the red around them.
    for x, y, is_free in (
        (1200, 300, True),
        (450, 700, True),
        (1760, 600, True),
        (1200, 700, False),
        (100, 100, False),
    ):
        row, column = 1258 - 1 - y, x
        assert walkable.floor.free[row, column] == is_free
    assert ndimage.label(walkable.floor.free)[1] == 1
    # From 10 cm inside the red, back onto the corridor.
    into_paint = walkable.floor.centre_of([1258 - 1 - 262, 1200]) + np.array([0, 0.1])
    snap = walkable.snap(*into_paint)
    assert snap.snapped
    assert snap.y < into_paint[1]


def test_attached_map_is_kept_exactly_and_not_written_twice(tmp_path, scene):
    source = FloorMap(np.pad(np.zeros((40, 60), dtype=np.int8), 2, constant_values=100), 0.1, (1.0, -2.0, 0.4))
    mask = FloorMap(np.where(np.arange(64) < 10, 100, 0)[None].repeat(44, 0), 0.1, (1.0, -2.0, 0.4))
    map_yaml, keepout_yaml = source.save(tmp_path / "maps"), mask.save(tmp_path / "maps", "mask")
    attached = attach_floor(scene, map_yaml, keepout_yaml, radius_m=0.15, max_snap_m=0.7)
    walkable = load_walkable(scene.floor_yaml.parent)
    assert (walkable.floor.occupancy == source.occupancy).all()
    assert walkable.floor.origin == source.origin
    assert not walkable.walkable[:, :10].any()
    assert walkable.max_snap_m == 0.7
    written = scene.floor_yaml.stat().st_mtime_ns
    again = attach_floor(Scene.open(scene.path), map_yaml, keepout_yaml, radius_m=0.15, max_snap_m=0.7)
    assert (again.steps, scene.floor_yaml.stat().st_mtime_ns) == (attached.steps, written)
    attach_floor(again, map_yaml, radius_m=0.15, max_snap_m=0.7)
    assert not (scene.path / "floor" / "keepout.yaml").exists()
    assert Scene.open(scene.path).steps["floor"]["options"]["keepout"] is None


def test_the_verb_prints_json(tmp_path, scene, capsys):
    map_yaml = FloorMap(np.zeros((40, 60), dtype=np.int8), 0.1).save(tmp_path, "open")
    assert main(["floor", str(scene.path), "--map", str(map_yaml), "--radius", "0.5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["width_m"], facts["height_m"], facts["free_m2"]) == pytest.approx((6, 4, 24))
    assert facts["walkable_m2"] == pytest.approx(5 * 3)


def test_a_floor_that_cannot_be_used_leaves_the_old_one(tmp_path, scene):
    good = FloorMap(np.zeros((40, 60), dtype=np.int8), 0.1).save(tmp_path, "good")
    full = FloorMap(np.full((40, 60), 100), 0.1).save(tmp_path, "full")
    scene = attach_floor(scene, good)
    with pytest.raises(FloorError, match=r"full\.yaml: the floor map has no free cells"):
        attach_floor(scene, full)
    assert load_walkable(scene.floor_yaml.parent).floor.free.all()
    assert [p.name for p in scene.path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("resolution", "yaw", "said"),
    [(50.0, 0.0, "one cell would be 50 m wide"), (0.05, -180.0, "is in radians (-180 degrees are -3.1416)")],
)
def test_a_map_in_other_units_is_refused(tmp_path, scene, capsys, resolution, yaw, said):
    yaml = FloorMap(np.zeros((40, 60), dtype=np.int8), resolution, (0.0, 0.0, yaw)).save(tmp_path, "given")
    assert main(["floor", str(scene.path), "--map", str(yaml)]) == 1
    assert f"{yaml}: " in (told := capsys.readouterr().err)
    assert said in told
    assert not scene.floor_yaml.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 1, "the scene has no landmarks yet, run `campose map"),
        (["--map", "a.yaml", "--plan", "b.png"], 2, "give either"),
        (["--plan", "b.png"], 2, "a plan has no scale"),
        (["--plan", "b.png", "--points", "1", "2", "3", "4"], 2, "a plan has no scale"),
        (["--plan", "b.png", "--resolution", "0.1"], 1, "b.png: the plan cannot be read"),
        (["--plan", "b.png", "--resolution", "0.1", "--distance", "3"], 2, "give either --resolution"),
        (["--map", "b.yaml", "--resolution", "0.1"], 2, "belong to --plan"),
        (["--map", "a.yaml"], 1, "a.yaml: cannot be read: No such file"),
    ],
)
def test_the_verb_refuses_in_one_line(scene, capsys, arguments, code, said):
    assert main(["floor", str(scene.path), *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
