"""Plans with walls in ink: walls stay, what else is drawn goes, and the outside is unknown."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from campose_core.cli.main import main
from campose_core.errors import FloorError
from campose_core.floorplan.drawing import floor_from_drawing
from campose_core.scene.scene import Scene

METRES = 0.02  # per pixel
INK, PAPER = (35, 32, 30), (250, 247, 238)


def plan(wall: int = 8, thin: int = 1) -> Image.Image:
    """Two rooms of 4 x 4 m with a door of 1 m between them and one to the outside, on 12 x 8 m of paper.

    Beside the walls: a door swing, lettering, and a dimension line.
    """
    image = Image.new("RGB", (600, 400), PAPER)
    draw = ImageDraw.Draw(image)
    for box in ((100, 100, 500, 300), (100, 100, 300, 300)):
        draw.rectangle(box, outline=INK, width=wall)
    draw.rectangle((300 - wall, 175, 300, 225), fill=PAPER)
    draw.rectangle((380, 300 - wall, 430, 300), fill=PAPER)
    draw.arc((250, 175, 350, 275), 270, 360, fill=INK, width=thin)
    draw.line((300, 175, 300, 225), fill=INK, width=thin)
    draw.text((150, 150), "kitchen", fill=INK, font_size=18)
    draw.line((100, 340, 500, 340), fill=INK, width=thin)
    return image


def pixels(floor) -> tuple[np.ndarray, np.ndarray]:
    """Free and occupied, first row as in the drawing."""
    return np.flipud(floor.free), np.flipud(floor.occupied)


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("jpg", {"quality": 60})])
def test_walls_stay_and_the_rest_of_the_ink_goes(tmp_path, suffix, options):
    path = tmp_path / f"plan.{suffix}"
    plan().save(path, **options)
    floor, kind = floor_from_drawing(path, METRES, (1.0, 2.0, 0.3))
    free, occupied = pixels(floor)
    assert kind == "walls"
    assert (floor.resolution, floor.origin) == (METRES, (1.0, 2.0, 0.3))
    walls = np.all(np.asarray(plan(thin=0)) == INK, axis=2)
    walls[:, 109:291] &= ~((np.arange(400) > 120) & (np.arange(400) < 280))[:, None]  # the lettering
    walls[320:] = False  # the dimension line
    core = ndimage.binary_erosion(walls, iterations=2)
    assert occupied[core].all()
    assert not occupied[~ndimage.binary_dilation(walls, iterations=3)].any()
    # Both rooms and the door between them are one free piece; beyond the walls nothing is known.
    assert free[200, 120:480].all()
    assert free[160, 150:220].all()
    outside = floor.occupancy[::-1][[20, 340, 200, 200], [300, 300, 50, 560]]
    assert (outside == -1).all()
    assert not free[303:].any()


def test_walls_of_single_lines(tmp_path):
    image = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(image).rectangle((50, 50, 250, 150), outline=0, width=2)
    image.save(tmp_path / "plan.png")
    free, occupied = pixels(floor_from_drawing(tmp_path / "plan.png", 0.05)[0])
    assert occupied[50, 50:251].all()
    assert free[52:149, 52:249].all()
    assert not free[:50].any()


def test_paint_is_found_by_itself_and_walls_can_be_asked_for(tmp_path):
    image = plan()
    ImageDraw.Draw(image).rectangle((310, 110, 490, 200), fill=(255, 0, 0))
    image.save(tmp_path / "plan.png")
    painted, kind = floor_from_drawing(tmp_path / "plan.png", METRES)
    assert kind == "paint"
    assert pixels(painted)[1][150, 400]
    assert pixels(painted)[0][20, 20]
    asked, kind = floor_from_drawing(tmp_path / "plan.png", METRES, kind="walls")
    assert kind == "walls"
    assert not pixels(asked)[0][20, 20]


def test_transparent_paper_is_paper_and_far_beyond_it_nothing_is_known(tmp_path):
    rgba = np.dstack([np.asarray(plan()), np.full((400, 600), 255, dtype=np.uint8)])
    rgba[120:140, 400:440, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "plan.png")
    floor, _ = floor_from_drawing(tmp_path / "plan.png", METRES)
    assert (np.flipud(floor.occupancy)[122:138, 402:438] == -1).all()
    assert pixels(floor)[0][200, 450]


def blank() -> Image.Image:
    return Image.new("RGB", (100, 80), PAPER)


def lettering() -> Image.Image:
    image = blank()
    ImageDraw.Draw(image).text((20, 20), "no plan", fill=INK, font_size=14)
    return image


def night() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).choice([10, 240], (80, 100), p=[0.8, 0.2]).astype(np.uint8))


def open_corner() -> Image.Image:
    image = Image.new("RGB", (400, 400), PAPER)
    ImageDraw.Draw(image).line([(50, 50), (50, 350), (350, 350)], fill=INK, width=8)
    return image


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (blank, "no ink is on it"),
        (lettering, "a plan without walls, or with another scale"),
        (night, r"8\d % of it is dark"),
        (open_corner, r"its walls enclose nothing: close gaps that are wider than 1\.4 m"),
    ],
)
def test_drawings_without_usable_walls_say_why(tmp_path, draw, said):
    draw().save(tmp_path / "plan.png")
    with pytest.raises(FloorError, match=rf"plan\.png: .*{said}"):
        floor_from_drawing(tmp_path / "plan.png", METRES)


def test_the_verb_says_what_it_read(tmp_path, capsys):
    scene = Scene.open_or_create(tmp_path / "scene")
    scene.save()
    plan().save(tmp_path / "plan.png")
    arguments = ["floor", str(scene.path), "--plan", str(tmp_path / "plan.png"), "--resolution", "0.02"]
    assert main(arguments) == 0
    assert "from walls in ink" in capsys.readouterr().out
    assert main([*arguments, "--walls"]) == 0
    assert "done already" in capsys.readouterr().err
    blank().save(tmp_path / "blank.png")
    assert main(["floor", str(scene.path), "--plan", str(tmp_path / "blank.png"), "--resolution", "0.02"]) == 1
    assert "no ink is on it, nor paint" in capsys.readouterr().err
    assert scene.floor_yaml.is_file()
