"""`campose doctor`: every state of a scene gets an answer, and nothing but reports/ is written."""

import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from two_rooms import drive, mapped, scene_at, spin, textured

from campose_core.cli.main import main
from campose_core.doctor.coverage import FOUND, LOST
from campose_core.doctor.diagnosis import Diagnosis, diagnose
from campose_core.doctor.diagnosis_picture import COLOURS, LINK, picture_of
from campose_core.doctor.diagnosis_text import MAX_LINES, text_of
from campose_core.doctor.record_next import WIND, wind
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene

pytest.importorskip("cv2")
pytest.importorskip("matplotlib")

EAST_ONLY = mapped(drive(np.arange(0.6, 9.5, 0.2), 0), per_m2=30)
AROUND = [pose for x in (1.2, 3.0, 7.0, 9.0) for pose in spin(x, 2.0)]
BOTH_WAYS = mapped([*AROUND, *drive(np.arange(3.0, 9.5, 0.25), 0), *drive(np.arange(8.5, 1.5, -0.25), 180)], per_m2=40)
TOP = {
    "format", "scene", "state", "healthy", "frames", "coverage", "weak_links", "open_loops", "thin_stretches",
    "missing", "health", "held_out", "cameras", "record_next", "scale", "unit",
}  # fmt: skip


@pytest.fixture(scope="module")
def one_way(tmp_path_factory) -> Diagnosis:
    return diagnose(scene_at(tmp_path_factory.mktemp("one way"), EAST_ONLY))


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory) -> Diagnosis:
    return diagnose(scene_at(tmp_path_factory.mktemp("both ways"), BOTH_WAYS))


@pytest.fixture(scope="module")
def hanging(tmp_path_factory) -> Diagnosis:
    """A map that hangs on a weak link, a frame that found no place, and other models beside it."""
    report = {
        "registered": 60,
        "other_models": [12],
        "held_out": {"found": 3},
        "joins_refused": ["12 keyframes: jumps"],
    }
    scene = scene_at(tmp_path_factory.mktemp("hanging"), hurt(), missing={20: textured(1)}, report=report)
    return diagnose(scene)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def doctor(path: Path, capsys, *options: str) -> tuple[int, str, str]:
    code = main(["doctor", str(path), *options])
    said = capsys.readouterr()
    return code, said.out, said.err


def hurt() -> Landmarks:
    """East of x = 6 the map has landmarks of its own where the rest has the same ones, all but a few."""
    whole, count = EAST_ONLY, len(EAST_ONLY.xyz)
    beyond = whole.frame_positions[whole.observed_by, 0] > 6.0
    own = beyond & (whole.observed % 20 > 0)
    twice = {name: np.concatenate([getattr(whole, name)] * 2) for name in ("xyz", "rgb", "descriptors")}
    return replace(whole, **twice, observed=np.where(own, whole.observed + count, whole.observed).astype(np.int32))


def test_a_door_seen_from_one_side_is_what_to_record_next(one_way):
    (door,) = [entry for entry in one_way.record_next if entry.kind == "passage"]
    assert re.fullmatch(r"the door at \(5.1, ...\) was seen from one side only: drive through it westwards", door.text)
    assert door.place == pytest.approx((5.1, 1.95), abs=0.1)
    assert any(entry.kind == "direction" and "no keyframe looks" in entry.text for entry in one_way.record_next)
    assert not one_way.healthy


def test_a_scene_that_was_walked_through_both_ways_is_healthy(both_ways):
    assert [entry.text for entry in both_ways.record_next] == []
    assert both_ways.healthy
    assert text_of(both_ways).endswith("nothing more to record (gaps of less than 0.5 m2 are left out)")


def test_a_weak_link_is_named_with_its_place(hanging):
    (link,) = [entry for entry in hanging.record_next if entry.kind == "link"]
    assert "hangs on" in link.text
    assert link.place is not None
    assert link.place[0] == pytest.approx(6.0, abs=1.5)


def test_frames_without_a_pose_are_told_with_their_time(tmp_path):
    dark = {20 + i: (textured(i) * 0.05).astype(np.uint8) for i in range(4)}
    poses = EAST_ONLY
    scene = scene_at(
        tmp_path, poses, missing=dark, report={"keyframes_left_out": {"static": 7, "blurred": 0, "dark": 4}}
    )
    found = diagnose(scene)
    assert [stretch.reason for stretch in found.missing] == ["dark"] * 4
    assert "1 frame at 4.1 s of a: too dark" in text_of(found)
    assert "no keyframes: 7 static, 4 dark" in text_of(found)
    assert found.to_dict()["frames"]["keyframes_left_out"] == {"static": 7, "blurred": 0, "dark": 4}


def empty(path: Path) -> Scene:
    Scene(path, "nothing").save()
    return Scene.open(path)


def extracted(path: Path) -> Scene:
    scene = scene_at(path, EAST_ONLY, missing={3: textured(1)})
    for file in (path / "sfm").iterdir():
        file.unlink()
    return scene


STATES = {
    "empty": empty,
    "extracted": extracted,
    "mapped": lambda path: scene_at(path, EAST_ONLY, aligned=False, floor=False),
    "mapped, with a floor": lambda path: scene_at(path, EAST_ONLY, aligned=False),
    "aligned": lambda path: scene_at(path, EAST_ONLY),
    "aligned, without a floor": lambda path: scene_at(path, EAST_ONLY, floor=False),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_scene_gets_an_answer_and_nothing_else_changes(tmp_path, capsys, state):
    STATES[state](tmp_path)
    before = digests(tmp_path)
    code, out, err = doctor(tmp_path, capsys, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert set(found) == TOP
    assert found["state"] == state.split(",")[0]
    assert (found["coverage"] is not None) == (found["health"] is not None) == (found["state"] == "aligned")
    after = digests(tmp_path)
    written = {name for name in after if after[name] != before.get(name)}
    assert before.keys() <= after.keys()
    assert written == {"reports/doctor.json"} | ({"reports/doctor.png"} if found["state"] == "aligned" else set())
    assert json.loads((tmp_path / "reports/doctor.json").read_text()) == found
    code, out, _ = doctor(tmp_path, capsys)
    assert code == 0
    assert 1 < len(out.splitlines()) <= MAX_LINES
    next_step = {"empty": "campose extract", "extracted": "campose map", "mapped": "campose align"}
    assert next_step.get(found["state"], "record next:") in out


def test_the_json_keeps_its_shape(hanging):
    found = json.loads(json.dumps(hanging.to_dict(), allow_nan=False))
    assert set(found["frames"]) == {
        "extracted", "posed", "keyframes", "keyframes_left_out", "models", "joins_refused", "held_by_second",
        "poor_pictures",
    }  # fmt: skip
    assert found["frames"]["models"] == [60, 12]
    assert found["frames"]["joins_refused"] == ["12 keyframes: jumps"]
    assert "not joined: 12 keyframes: jumps" in text_of(hanging)
    coverage = found["coverage"]
    assert set(coverage) == {"step_m", "area_m2", "views", "found", "doubtful", "lost", "places"}
    assert set(coverage["places"][0]) == {"place", "expected", "level"}
    assert len(coverage["places"][0]["expected"]) == len(coverage["places"][0]["level"]) == 8
    assert {level for place in coverage["places"] for level in place["level"]} == {
        "found",
        "doubtful",
        "lost",
        "at wall",
    }
    assert coverage["found"] + coverage["doubtful"] + coverage["lost"] == pytest.approx(1.0)
    assert set(found["weak_links"][0]) == {"landmarks", "hangs_on", "border", "keyframes_beyond"}
    assert set(found["missing"][0]) == {
        "source", "start_s", "end_s", "frames", "reason", "before", "after", "place", "facts", "usual",
    }  # fmt: skip
    assert set(found["record_next"][0]) == {"kind", "text", "place", "headings", "weight"}
    weights = [entry["weight"] for entry in found["record_next"]]
    assert weights == sorted(weights, reverse=True)
    assert all(0 < weight <= 1 for weight in weights)


def colours_of(diagnosis: Diagnosis) -> dict[str, int]:
    """How many pixels of the image have each colour that means something."""
    data = picture_of(diagnosis)
    assert data is not None
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert min(image.size) > 600
    pixels = np.asarray(image)
    meant = (*COLOURS.values(), LINK)
    return {colour: int((pixels == ImageColor.getrgb(colour)).all(axis=2).sum()) for colour in meant}


def test_the_picture_shows_headings_that_are_missing_and_weak_links(hanging, both_ways):
    poor, good = colours_of(hanging), colours_of(both_ways)
    assert all(count > 100 for count in poor.values()), poor
    assert good[LINK] == 0
    assert good[COLOURS[LOST]] < 0.2 * poor[COLOURS[LOST]]
    assert good[COLOURS[FOUND]] > poor[COLOURS[FOUND]]


def test_a_scene_without_coordinates_has_no_picture(tmp_path):
    assert picture_of(diagnose(scene_at(tmp_path, EAST_ONLY, aligned=False))) is None


@pytest.mark.parametrize("damaged", ["sfm/landmarks.npz", "sfm/report.json", "floor/map.pgm", "frames.csv"])
def test_a_damaged_file_is_one_line_and_exit_1(tmp_path, capsys, damaged):
    scene_at(tmp_path, EAST_ONLY)
    (tmp_path / damaged).write_bytes(b"\x00broken")
    code, out, err = doctor(tmp_path, capsys)
    assert (code, out) == (1, "")
    assert len(err.strip().splitlines()) == 1
    assert damaged.split("/")[-1] in err
    assert not (tmp_path / "reports").exists()


def test_frames_that_came_after_the_map_mean_that_it_must_be_made_again(tmp_path, capsys):
    scene = scene_at(tmp_path, EAST_ONLY, missing={3: textured(1)})
    scene.with_step("extract:b", {}).save()
    code, out, _ = doctor(tmp_path, capsys)
    assert code == 0
    assert "campose map" in out


def test_the_compass_has_north_along_y():
    assert [wind(np.radians(45 * i)) for i in range(8)] == list(WIND)
    assert wind(-np.pi / 2) == "south"
    assert wind(2 * np.pi - 0.1) == "east"
