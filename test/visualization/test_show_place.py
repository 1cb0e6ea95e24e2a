"""`campose localize SCENE IMAGE --show`: where an image was taken, in words and drawn."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.cli.show_place import facts_of, in_words
from campose_core.floor import FloorMap
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import Kind
from campose_core.localization.result import LocalizationResult, Status
from campose_core.trajectory import read_tum
from campose_core.visualization.place import heading_of
from campose_core.walkable import WalkableMap

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photo(small_world, tmp_path_factory) -> tuple[Path, Pose]:
    """An image of the later drive, and where it was taken."""
    frame = list(open_recording(small_world / "later.bag").frames())[5]
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    Image.fromarray(frame.image).save(path, quality=95)
    return path, dict(read_tum(small_world / "later.tum"))[frame.stamp_ns]


@pytest.fixture(autouse=True)
def without_a_display(monkeypatch, tmp_path):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_place_is_printed_and_drawn(small_scene, photo, tmp_path, capsys):
    path, truth = photo
    assert main(["localize", str(small_scene), str(path), "--show", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["state"] == "TRACKING"
    assert np.linalg.norm(np.subtract([facts["x_m"], facts["y_m"], facts["z_m"]], truth.translation)) < 0.05
    turned = np.radians(facts["heading_deg"]) - heading_of(truth)
    assert abs(np.angle(np.exp(1j * turned))) < np.radians(1)
    assert np.shape(facts["covariance"]) == (6, 6)
    assert facts["landmarks"] >= 20
    moved = np.subtract([facts["snapped"]["x_m"], facts["snapped"]["y_m"]], [facts["x_m"], facts["y_m"]])
    assert np.linalg.norm(moved) == pytest.approx(facts["snap_distance_m"], abs=1e-9)
    drawing = np.asarray(Image.open(tmp_path / facts["drawing"]).convert("RGB")).astype(int)
    assert facts["drawing"] == "photo-place.png"
    for color in ((60, 220, 80), (0xD5, 0x5E, 0x00)):  # a landmark that was found, and the place on the floor
        assert (np.abs(drawing - color).max(axis=2) < 30).sum() > 20


def test_a_picture_of_nothing_is_an_answer(small_scene, tmp_path, capsys):
    Image.new("RGB", (320, 240), (90, 90, 90)).save(tmp_path / "grey.png")
    assert main(["localize", str(small_scene), "grey.png", "--show", "--out", "here.png"]) == 0
    assert capsys.readouterr().out.splitlines() == ["grey.png: not found: no pose found in the image", "here.png"]
    assert Image.open("here.png").format == "PNG"


def test_a_picture_is_a_recording_too(small_scene, photo, capsys):
    path, truth = photo
    assert main(["localize", str(small_scene), str(path), "--out", "one.tum"]) == 0
    ((_, pose),) = read_tum(Path("one.tum"))
    assert np.linalg.norm(pose.translation - truth.translation) < 0.05


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{photo}"], 2, "--out EST.tum is missing, or --show"),
        (["{bag}"], 2, "--out EST.tum is missing"),
        (["{bag}", "--show"], 2, "is not an image"),
        (["nowhere.jpg", "--show"], 2, "nowhere.jpg: no such file"),
        (["{photo}", "--show", "--out", "place.jpg"], 2, "call it PLACE.png"),
        (["junk.jpg", "--show"], 1, "junk.jpg: cannot be decoded as an image"),
        (["{photo}", "--show", "--out", "junk.jpg/place.png"], 2, "junk.jpg is a file, and no folder"),
        (["{photo}", "--out", "."], 2, "--out . is a folder, and a file is to be written"),
    ],
)
def test_what_cannot_be_done_is_one_line(small_scene, small_world, photo, capfd, arguments, code, message):
    Path("junk.jpg").write_text("junk")
    words = [word.format(photo=photo[0], bag=small_world / "later.bag") for word in arguments]
    capfd.readouterr()
    assert main(["localize", str(small_scene), *words]) == code
    said = capfd.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert not any("Traceback" in line for line in said)
    assert sorted(path.name for path in Path().iterdir()) == ["junk.jpg"]


def test_an_image_whose_focal_length_stays_open_is_not_found_and_says_the_cure(small_scene, capsys):
    Image.new("RGB", (300, 300)).save("square.png")
    assert main(["localize", str(small_scene), "square.png", "--show"]) == 0
    told = capsys.readouterr()
    assert "not found" in told.out
    assert "stays open" in told.err
    assert "give the camera with --camera FILE" in told.err


@pytest.mark.parametrize(
    ("far_m", "said"), [(0.0, "walkable floor is 1.55 m away"), (4.0, "no walkable floor is near")]
)
def test_off_the_map_is_said_in_words_and_in_json_that_programs_read(far_m, said):
    floor = FloorMap(np.pad(np.zeros((40, 40), np.int8), 40, constant_values=-1), 0.05, (-2.0, -2.0, 0.0))
    pose = Pose.from_quat_xyzw([0.0, 0.0, 0.0, 1.0], [-1.35 - far_m, 1.0, 1.0])
    seen = LocalizationResult(0, Status.TRACKING, pose, pose, covariance=1e-4 * np.eye(6), kind=Kind.RELOCALIZED)
    result = seen.snapped(WalkableMap.from_floor(floor, max_snap_m=1.5), None)
    facts = json.loads(json.dumps(facts_of(result)), parse_constant=pytest.fail)  # JSON knows no Infinity
    assert facts["off_map"] is True
    assert facts.get("snap_distance_m") == (None if far_m else pytest.approx(1.55, abs=1e-6))
    assert said in in_words(result)
