"""`campose align --tracker`: of which recording a tracker is, what is reported, and what is refused before any work."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tracked_walks import tracked_walk

from campose_core.alignment.evidence import Evidence
from campose_core.alignment.request import AlignRequest, TrackerRequest
from campose_core.alignment.sources.base import Borrowed, MappedScene
from campose_core.alignment.sources.tracker import Tracker
from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.errors import AlignmentError
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.trajectory import write_tum


@pytest.fixture
def walk():
    return tracked_walk(2, planar=True)


@pytest.fixture
def scene(walk, tmp_path) -> Scene:
    frames = tuple(SceneFrame(f"a/{stamp}.jpg", "a", int(stamp), "a") for stamp in walk.stamps_ns)
    camera = Camera.from_field_of_view(64, 48, 60.0)
    scene = Scene(tmp_path / "scene", "scene", {"a": camera}, {"a": {}}, frames=frames).with_step("map", {})
    scene.save()
    positions = np.array([pose.translation for pose in walk.sfm_from_cams])
    quats_xyzw = np.array([pose.quat_xyzw for pose in walk.sfm_from_cams])
    SfmPoses(np.array([frame.name for frame in frames]), positions, quats_xyzw).save(scene.sfm_dir / "poses.npz")
    write_tum(tmp_path / "tracker.tum", walk.tracker)
    return scene


def evidence_of(scene: Scene, tracker: TrackerRequest, source: str | None = None) -> Evidence:
    asked = Tracker(MappedScene(scene, AlignRequest(tracker=tracker, source=source)))
    (name,) = asked.names()
    return asked.evidence(name, Borrowed())


def test_what_it_found_is_evidence_and_stands_in_a_report(scene, walk, tmp_path, capsys):
    mounting = (*walk.body_from_cam.translation, *walk.body_from_cam.quat_xyzw)
    tracker = TrackerRequest(path=tmp_path / "tracker.tum", mounting=mounting)
    evidence = evidence_of(scene, tracker)
    assert evidence.scale == pytest.approx(walk.map_from_sfm.scale, rel=1e-3)
    assert evidence.place_m == np.inf  # the height on the body was only said: no other source contradicts it
    path = np.array([pose.translation for pose in walk.sfm_from_cams])
    off = evidence.alignment.map_from_sfm.transform(path) - walk.map_from_sfm.transform(path)
    assert np.median(np.linalg.norm(off, axis=1)) < 0.005
    report = json.loads((scene.path / "reports" / "tracker.json").read_text())
    assert report["time_offset_s"] == pytest.approx(walk.offset_ns / 1e9, abs=0.003)
    assert report["undetermined"][2] == pytest.approx(1.0, abs=1e-3)
    assert report["residual"]["mounting_m"] < 0.005
    assert "turned about its axis" in capsys.readouterr().err


def test_a_tracker_of_one_of_several_recordings_needs_its_name(scene, tmp_path):
    tracker = TrackerRequest(path=tmp_path / "tracker.tum")
    other = tuple(replace(frame, name=frame.name.replace("a/", "b/"), source="b") for frame in scene.frames)
    both = replace(scene, frames=scene.frames + other)
    with pytest.raises(
        AlignmentError, match="of which recording is it? Name one of a, b with --source".replace("?", r"\?")
    ):
        evidence_of(both, tracker)
    with pytest.raises(AlignmentError, match="no frame comes from the source 'c'; there are a, b"):
        evidence_of(both, tracker, "c")
    assert evidence_of(both, tracker, "a").alignment is not None


def test_the_file_is_named_where_the_two_have_nothing_in_common(scene, tmp_path):
    write_tum(tmp_path / "other.tum", tracked_walk(50).tracker)
    with pytest.raises(AlignmentError, match=r"other\.tum: .*(turn|move) alike"):
        evidence_of(scene, TrackerRequest(path=tmp_path / "other.tum"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--tracker", "nowhere.tum"], 1, "nowhere.tum: no such file or folder"),
        (["--tracker-topic", "/pose"], 2, "--tracker-topic tells about --tracker"),
        (["--mounting", "0", "0", "0", "0", "0", "0", "1"], 2, "--mounting tells about --tracker"),
    ],
)
def test_options_are_refused_before_any_work(scene, capsys, arguments, code, message):
    assert main(["align", str(scene.path), *arguments]) == code
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1


def test_a_tracker_in_millimetres_is_refused_and_writes_no_report(scene, walk, tmp_path, capsys):
    scene = replace(scene, sources={"a": {"kind": "bag"}}).with_step("map", {})
    scene.save()
    before = {path: path.read_bytes() for path in scene.path.rglob("*") if path.is_file()}
    grown = replace(walk.tracker, positions=1000.0 * walk.tracker.positions)
    write_tum(tmp_path / "mm.tum", grown)
    assert main(["align", str(scene.path), "--tracker", str(tmp_path / "mm.tum")]) == 1
    assert "m/s fast: is it in millimetres or centimetres?" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in scene.path.rglob("*") if path.is_file()} == before
