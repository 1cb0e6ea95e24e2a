"""sfm/report.json: what was written reads back the same, of this version and of earlier ones."""

import json
from dataclasses import replace

import pytest

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.joining.loop_drift import LoopDrift
from campose_core.landmark_map.held_out import NOTHING, HeldOutReport
from campose_core.scene.scene import Scene
from campose_core.sfm.report import GivenPosesReport, MapReport, RigReport
from campose_core.sfm.rig_calibration import RigScale

# As a version before this class wrote it, of a rig and of given poses at once.
EARLIER = """{
 "frames": 366,
 "median_features": 1034.0,
 "pairs": 5771,
 "verified": 4090,
 "loops": 922,
 "verified_loops": 418,
 "registered": 360,
 "landmarks": 36661,
 "reprojection_px": 0.40083843105296024,
 "other_models": [
  3,
  12
 ],
 "tried": {
  "global": 300,
  "incremental": 360
 },
 "joined_by": [
  "odometry"
 ],
 "loop_drift": {
  "loops": 0
 },
 "rigs": [
  {
   "cameras": [
    "left",
    "right"
   ],
   "held": true,
   "moments": 40,
   "scale": null,
   "relative_error": 0.0,
   "off_m": {
    "right": 0.001
   },
   "off_deg": {
    "right": 0.02
   }
  },
  {
   "cameras": [
    "a",
    "b"
   ],
   "held": false
  }
 ],
 "cameras": {
  "mapping": {
   "model": "PINHOLE",
   "width": 640,
   "height": 480,
   "params": [
    420.0611189670233,
    420.0611189670233,
    321.3,
    238.4
   ]
  }
 },
 "given_poses": {
  "adjusted": true,
  "given_px": 1.84,
  "adjusted_px": 0.26,
  "median_m": 0.018,
  "max_m": 0.2,
  "median_deg": 0.43
 },
 "held_out": {
  "keyframes": 4,
  "found": 0,
  "median_percent_of_depth": null,
  "median_deg": null
 },
 "detail": "half",
 "keyframes": 360,
 "keyframes_left_out": {
  "static": 6,
  "blurred": 0,
  "dark": 0
 },
 "posed": 366,
 "without_pose": [
  "a/1.jpg"
 ]
}"""


def loaded(folder, text: str) -> MapReport:
    (folder / "sfm").mkdir()
    (folder / "sfm" / "report.json").write_text(text)
    return MapReport.load(Scene(folder, "scene"))


def test_the_report_of_an_earlier_version_is_written_again_to_the_byte(tmp_path):
    report = loaded(tmp_path, EARLIER)
    assert report.loop_drift == LoopDrift(0)
    assert report.rigs == [
        RigReport(["left", "right"], RigScale(40, None, 0.0, {"right": 0.001}, {"right": 0.02})),
        RigReport(["a", "b"]),
    ]
    assert report.cameras == {
        "mapping": Camera("PINHOLE", 640, 480, (420.0611189670233, 420.0611189670233, 321.3, 238.4))
    }
    assert report.given_poses.text() == (
        "given poses adjusted by 1.8 cm / 0.43 deg in the median: residual 1.84 px before, 0.26 px after"
    )
    assert report.held_out == HeldOutReport(4, 0)
    assert report.model_sizes == [360, 12, 3]
    report.save(tmp_path / "sfm")
    assert (tmp_path / "sfm" / "report.json").read_text() == EARLIER


def test_what_strong_matching_says_is_read_again(tmp_path):
    report = MapReport(
        registered=9, matching="strong", removable=0.5, loops_refused=["a and b look alike"], held_by_second=["c"],
        joins_refused=["3 keyframes: jumps"],
    )  # fmt: skip
    report.save(tmp_path / "sfm")
    assert MapReport.load(Scene(tmp_path, "scene")) == report


def test_what_a_report_does_not_say_is_not_known(tmp_path):
    assert MapReport.load(Scene(tmp_path, "scene")) == MapReport()
    report = loaded(tmp_path, '{"registered": 5, "held_out": {"found": 3}, "of a version to come": 1}')
    assert report == MapReport(registered=5, held_out=HeldOutReport(found=3))
    assert report.to_dict()["registered"] == 5
    assert "landmarks" not in report.to_dict()
    assert report.model_sizes == [5]
    assert MapReport().model_sizes == []


def test_a_later_stage_takes_the_place_of_what_was_known():
    found = MapReport(frames=3, landmarks=10).with_stage(MapReport(landmarks=8, pairs=0))
    assert found == MapReport(frames=3, landmarks=8, pairs=0)
    assert json.loads(json.dumps(found.to_dict())) == {"frames": 3, "pairs": 0, "landmarks": 8}


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"frames": "many"}', '{"tried": 3}', '{"rigs": [{}]}', '{"cameras": {"a": {"model": "PINHOLE"}}}',
     '{"held_out": 3}', '{"given_poses": {"adjusted": true}}'],
)  # fmt: skip
def test_a_damaged_report_names_the_file_and_the_cure(tmp_path, text):
    with pytest.raises(MappingError, match=r"sfm/report\.json is damaged .*: run `campose map .*` again"):
        loaded(tmp_path, text)


def test_why_pieces_were_not_joined_is_read_again(tmp_path):
    report = MapReport(registered=60, other_models=[12], joins_refused=["12 keyframes a/1.jpg .. a/9.jpg: planar"])
    assert loaded(tmp_path, json.dumps(report.to_dict())) == report


def test_words():
    kept = GivenPosesReport(False, 0.26, 0.25, 0.0, 0.0, 0.0)
    assert kept.text() == "given poses kept: residual 0.26 px, an adjustment would leave 0.25 px"
    assert HeldOutReport(0, 0).text() == NOTHING
    again = HeldOutReport(60, 58, 0.14, 0.11)
    assert again.text() == (
        "held out: 58 of 60 keyframes found again in a map without them, median 0.14 % of the depth / 0.11 deg"
    )
    assert replace(again, found=0, median_percent_of_depth=None).text().endswith("found again in a map without them")
