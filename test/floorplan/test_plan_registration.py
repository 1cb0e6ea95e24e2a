"""A plan is placed by point pairs, and pairs that contradict each other are named."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.cli.main import main
from campose_core.errors import FloorError
from campose_core.floor import FloorMap
from campose_core.floorplan.drawing_registration import register_plan
from campose_core.scene.scene import Scene

WIDTH, HEIGHT = 200, 120
PIXELS = np.array([[20, 10], [180, 15], [170, 100], [30, 90], [100, 60]], dtype=float)
TRUE = FloorMap(np.zeros((HEIGHT, WIDTH), dtype=np.int8), 0.07, (3.0, -4.0, 2.1))


@pytest.fixture
def plan(tmp_path):
    pixels = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)
    pixels[:, :8] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "plan.png")
    return tmp_path / "plan.png"


def places(pixels: np.ndarray) -> np.ndarray:
    """Where the centres of these pixels lie on the true map."""
    return TRUE.centre_of(np.column_stack([HEIGHT - 1 - pixels[:, 1], pixels[:, 0]]))


def write(path, pixels, xy) -> str:
    rows = [",".join(f"{v:.6f}" for v in (*pixel, *place)) for pixel, place in zip(pixels, xy, strict=True)]
    path.write_text("\n".join(["px,py,x,y", *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_pairs_give_scale_turn_and_place(plan, tmp_path, count):
    found = register_plan(plan, write(tmp_path / "pairs.csv", PIXELS[:count], places(PIXELS[:count])))
    assert found.resolution == pytest.approx(TRUE.resolution, rel=1e-5)
    assert found.origin == pytest.approx(TRUE.origin, abs=1e-4)
    assert found.residual_m.max() < 1e-4


def test_clicks_that_are_a_pixel_off_are_averaged(plan, tmp_path):
    clicked = PIXELS + np.random.default_rng(0).normal(0, 0.7, PIXELS.shape)
    found = register_plan(plan, write(tmp_path / "pairs.csv", clicked, places(PIXELS)))
    assert found.resolution == pytest.approx(TRUE.resolution, rel=0.01)
    assert 0 < found.residual_m.max() < 0.12


@pytest.mark.parametrize(("count", "wrong"), [(5, 3), (4, 0), (3, 1)])
def test_pairs_that_contradict_each_other_are_refused_with_the_odd_one(plan, tmp_path, count, wrong):
    xy = places(PIXELS[:count])
    xy[wrong] += (2.0, -1.5)
    with pytest.raises(FloorError, match=r"pairs\.csv: the point pairs contradict each other by up to \d") as caught:
        register_plan(plan, write(tmp_path / "pairs.csv", PIXELS[:count], xy))
    if count > 3:
        assert f"pair {wrong + 1} (pixel {PIXELS[wrong, 0]:g}, {PIXELS[wrong, 1]:g}) is 2.50 m" in str(caught.value)
    else:  # of three pairs each two agree
        assert str(caught.value).endswith(": one of the three is wrong; a fourth would show which")


@pytest.mark.parametrize(("axes", "shift"), [((-1, 1), (WIDTH - 1, 0)), ((1, -1), (0, HEIGHT - 1))])
def test_pixels_that_count_from_another_corner_are_a_mirror_image(plan, tmp_path, axes, shift):
    flipped = PIXELS * axes + shift
    with pytest.raises(FloorError, match=r"contradict each other .* mirror image: py counts from the top"):
        register_plan(plan, write(tmp_path / "pairs.csv", flipped, places(PIXELS)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("px,py,x,y\n", "two or more pairs at different places are needed, got 0"),
        ("px,py,x,y\n1,2,3,4\n1,2,3,4\n", "two or more pairs at different places"),
        ("x,y\n1,2\n", r"the columns must be `px,py,x,y` .* got `x,y`"),
        ("px,py,x,y\n1,2,3,4\n1,2,three,4\n", r"pairs\.csv:3: not a row of four finite numbers"),
        ("px,py,x,y\n1,2,3,nan\n", r"pairs\.csv:2: not a row"),
        ("px,py,x,y\n1,2,3\n", r"pairs\.csv:2: has 3 values, and the first line names 4 columns"),
        ("px,py,x,y\n1,2,3,4,5\n", r"pairs\.csv:2: has 5 values"),
    ],
)
def test_tables_that_cannot_be_used(plan, tmp_path, text, said):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(FloorError, match=said):
        register_plan(plan, tmp_path / "pairs.csv")


def test_the_verb_places_a_plan_by_pairs(plan, tmp_path, capsys):
    scene = Scene.open_or_create(tmp_path / "scene")
    scene.save()
    pairs = write(tmp_path / "pairs.csv", PIXELS, places(PIXELS))
    assert main(["floor", str(scene.path), "--plan", str(plan), "--points", pairs, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["made_from"] == "painted zones"
    assert facts["points_max_m"] < 1e-3
    floor = FloorMap.load(scene.floor_yaml)
    painted = floor.centre_of([HEIGHT - 1 - 60, 3])
    assert np.allclose(painted, places(np.array([[3.0, 60.0]]))[0], atol=1e-3)
    assert Rotation.from_euler("z", floor.origin[2]).magnitude() == pytest.approx(2.1, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--points", "pairs.csv", "--resolution", "0.1"], 2, "leave out --resolution, --distance and --origin"),
        (["--points", "pairs.csv"], 1, "pairs.csv: no such file"),
        (["--points", "1", "2", "3", "--distance", "2"], 2, "needs four numbers X1 Y1 X2 Y2, or one CSV file"),
        (["--points", "1", "2", "3", "door", "--distance", "2"], 2, "got 1 2 3 door"),
        (
            ["--resolution", "160"],
            1,
            "one cell would be 160 m wide: its resolution, or the points that give it, are in "
            "metres a pixel (160 pixels a metre are 0.00625)",
        ),
        (["--points", "0", "0", "10", "0", "--distance", "5000"], 1, "one cell would be 500 m wide"),
        (
            ["--resolution", "0.1", "--origin", "0", "0", "90"],
            1,
            "the yaw of its origin, 90, is in radians (90 degrees are 1.5708)",
        ),
        (["--resolution", "0.1", "--colour", "blue"], 1, "hardly any of it is painted blue"),
    ],
)
def test_the_verb_refuses_points_in_one_line(plan, tmp_path, capsys, arguments, code, said):
    scene = Scene.open_or_create(tmp_path / "scene")
    scene.save()
    assert main(["floor", str(scene.path), "--plan", str(plan), *arguments]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
