"""The yardstick on real recordings: what it finds in a folder, what it counts as right, and what it keeps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from campose_core.camera import Camera
from campose_core.errors import CaptureError
from campose_core.geometry import Pose, Similarity
from campose_core.trajectory import Trajectory

pytest.importorskip("cv2", reason="needs the extra `map`")

from benchmarks.real.alignment import extent, truth_from_map
from benchmarks.real.answers import Answers
from benchmarks.real.kept import digest_of_files, kept
from benchmarks.real.pictures import Undistortion, pictures_of
from benchmarks.real.scoring import Known, needs_joint, score, what_is_known
from benchmarks.real.sets import Recorded, find_sets, open_set, read_correspondences
from benchmarks.real.table import table
from benchmarks.real.truth import Nowhere, PoseTruth, Resemblance, Verdict, poses_of_frames

PERIOD_NS = 100_000_000


def pose(x: float, y: float = 0.0, yaw_deg: float = 0.0) -> Pose:
    return Pose(Rotation.from_euler("z", yaw_deg, degrees=True), np.array([x, y, 0.0]))


def picture(path: Path, brightness: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (brightness,) * 3).save(path)


def tum(path: Path, poses: dict[float, Pose]) -> None:
    rows = [" ".join(map(str, [stamp, *one.translation, *one.quat_xyzw])) for stamp, one in poses.items()]
    path.write_text("\n".join(["# stamp_s x y z qx qy qz qw", *rows]) + "\n")


def frames(recording: str, count: int) -> list[str]:
    return [f"{recording}/{i * PERIOD_NS}" for i in range(count)]


def walk(recording: str, count: int) -> dict[str, Pose]:
    """Along a line, 10 m in all."""
    return {key: pose(10.0 * i / (count - 1)) for i, key in enumerate(frames(recording, count))}


# Sets.


def test_a_set_is_a_folder_with_recordings_to_map_from_and_to_answer(tmp_path: Path):
    for name in ("a/mapping_left/2.jpg", "a/mapping_right/1.png", "a/query/1.jpg", "a/query_wrong_floor/1.jpg"):
        picture(tmp_path / name)
    picture(tmp_path / "not a set/mapping/1.jpg")
    picture(tmp_path / "b/mapping/1.jpg")
    (tmp_path / "b/query.mp4").write_bytes(b"no matter")
    a, b = find_sets([tmp_path])
    assert [one.name for one in (a, b)] == ["a", "b"]
    assert [recording.name for recording in a.mapping] == ["mapping_left", "mapping_right"]
    assert [recording.name for recording in a.queries] == ["query"]
    assert [recording.name for recording in a.wrong] == ["query_wrong_floor"]
    assert find_sets([tmp_path / "a"]) == [a]


def test_what_else_lies_in_a_set_confuses_nobody(tmp_path: Path):
    for name in ("mapping/1.jpg", "query/1.jpg"):
        picture(tmp_path / name)
    (tmp_path / "mapping_notes").mkdir()
    (tmp_path / "mapping_notes" / "read me.txt").write_text("no images")
    (tmp_path / "query.txt").write_text("no recording")
    for name in ("mapping.tum", "mapping_rgbd.tum", "query.tum", "query_rgbd.tum"):
        tum(tmp_path / name, {0.0: pose(0.0)})
    found = open_set(tmp_path)
    assert [recording.truth for recording in found.mapping] == [tmp_path / "mapping.tum"]
    assert [recording.truth for recording in found.queries] == [tmp_path / "query.tum"]


def test_several_forms_of_one_stem_are_one_recording_pictures_before_video_before_bag(tmp_path: Path):
    (tmp_path / "mapping.bag").mkdir()
    (tmp_path / "mapping.bag" / "metadata.yaml").write_text("")
    (tmp_path / "mapping.mp4").write_bytes(b"")
    picture(tmp_path / "query" / "1.jpg")
    (tmp_path / "query.mp4").write_bytes(b"")
    found = open_set(tmp_path)
    assert [recording.path.name for recording in found.mapping] == ["mapping.mp4"]
    assert [recording.path.name for recording in found.queries] == ["query"]
    (tmp_path / "mapping.mp4").unlink()
    assert [(recording.name, recording.path.name) for recording in open_set(tmp_path).mapping] == [
        ("mapping", "mapping.bag")
    ]


def test_the_truth_of_the_only_recording_may_have_the_plain_name_and_of_several_each_has_its_own(tmp_path: Path):
    picture(tmp_path / "mapping_walk" / "1.jpg")
    for name in ("query_a", "query_b"):
        picture(tmp_path / name / "1.jpg")
    for name in ("mapping.tum", "query.tum", "query_b.tum"):
        tum(tmp_path / name, {0.0: pose(0.0)})
    found = open_set(tmp_path)
    assert found.reference is not None
    assert found.reference.truth == tmp_path / "mapping.tum"
    assert [recording.truth for recording in found.queries] == [None, tmp_path / "query_b.tum"]


def test_a_folder_without_sets_and_two_sets_of_one_name_are_refused(tmp_path: Path):
    with pytest.raises(CaptureError, match="no set"):
        find_sets([tmp_path])
    for place in ("x", "y"):
        picture(tmp_path / place / "same" / "mapping" / "1.jpg")
        picture(tmp_path / place / "same" / "query" / "1.jpg")
    with pytest.raises(CaptureError, match="same"):
        find_sets([tmp_path / "x", tmp_path / "y"])


def test_correspondences_are_read_in_order_and_other_columns_ignored(tmp_path: Path):
    file = tmp_path / "correspondences.csv"
    file.write_text("query_index,mapping_index,orb_inliers\n14,12,92\n8,10,20\n")
    assert read_correspondences(file) == [(8, 10), (14, 12)]
    file.write_text("query,mapping\n1,2\n")
    with pytest.raises(CaptureError, match="query_index"):
        read_correspondences(file)


# Truth.


def test_pictures_of_a_folder_are_paired_with_the_truth_by_number_whatever_they_are_called(tmp_path: Path):
    for name in ("1305031229.52.jpg", "1305031229.62.jpg", "1305031230.00.jpg"):
        picture(tmp_path / "mapping" / name)
    picture(tmp_path / "query" / "1.jpg")
    tum(tmp_path / "mapping.tum", {0.0: pose(1.0), 0.2: pose(3.0), 0.3: pose(4.0)})
    found = open_set(tmp_path)
    known = what_is_known(found, pictures_of(found, tmp_path / "out"))
    assert {key: placed.translation[0] for key, placed in known.metric.items()} == {
        "mapping/0": 1.0,
        "mapping/200000000": 3.0,  # what is missing at 0.1 s is not made up
    }


def test_frames_of_a_video_are_paired_by_their_time(tmp_path: Path):
    (tmp_path / "query.mp4").write_bytes(b"")
    trajectory = Trajectory.from_poses([0, PERIOD_NS], [pose(0.0), pose(1.0)])
    found = poses_of_frames(Recorded("query", tmp_path / "query.mp4"), [50_000_000, 10**9], trajectory)
    assert {key: placed.translation[0] for key, placed in found.items()} == {"query/50000000": 0.5}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (pose(1.49, yaw_deg=4.9), Verdict.RIGHT),
        (pose(1.49, yaw_deg=5.1), Verdict.OFF),
        (pose(1.51), Verdict.OFF),
        (pose(2.01), Verdict.WRONG_AND_SURE),
        (None, Verdict.LOST),
    ],
)
def test_metric_truth_half_a_metre_and_five_degrees_are_right_and_a_metre_is_wrong(answer: Pose | None, verdict):
    assert PoseTruth({"query/0": pose(1.0)}).judge("query/0", answer).verdict is verdict


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (pose(1.9, yaw_deg=4.9), Verdict.RIGHT),
        (pose(1.9, yaw_deg=5.1), Verdict.OFF),
        (pose(2.1), Verdict.OFF),
        (pose(3.1), Verdict.WRONG_AND_SURE),
    ],
)
def test_truth_up_to_scale_counts_in_shares_of_the_mapping_path(answer: Pose, verdict: Verdict):
    truth = PoseTruth({"query/0": pose(1.0)}, extent=20.0)
    assert truth.judge("query/0", answer).verdict is verdict


def test_a_query_without_truth_is_unknown_whatever_was_answered():
    truth = PoseTruth({"query/0": pose(1.0)})
    assert {truth.judge("query/1", answer).verdict for answer in (None, pose(0.0))} == {Verdict.UNKNOWN}


def test_resemblance_the_mapping_frame_nearest_to_the_answer_counts():
    mapped = walk("mapping", 101)
    truth = Resemblance([(10, 20), (20, 40)], frames("query", 30), frames("mapping", 101), mapped)

    def verdict(query: int, nearest: int) -> Verdict:
        return truth.judge(f"query/{query * PERIOD_NS}", mapped[f"mapping/{nearest * PERIOD_NS}"]).verdict

    assert [verdict(15, nearest) for nearest in (25, 30, 35)] == [Verdict.RIGHT] * 3
    assert [verdict(15, nearest) for nearest in (24, 36, 10, 50)] == [Verdict.OFF] * 4
    assert [verdict(15, nearest) for nearest in (9, 51)] == [Verdict.WRONG_AND_SURE] * 2
    assert truth.judge(f"query/{15 * PERIOD_NS}", None).verdict is Verdict.LOST


def test_resemblance_before_the_first_row_the_end_of_the_mapping_walk_is_right_and_the_way_to_the_first_row():
    mapped = walk("mapping", 101)
    truth = Resemblance([(10, 20), (20, 40)], frames("query", 30), frames("mapping", 101), mapped)

    def verdict(query: int, nearest: int) -> Verdict:
        return truth.judge(f"query/{query * PERIOD_NS}", mapped[f"mapping/{nearest * PERIOD_NS}"]).verdict

    assert [verdict(3, nearest) for nearest in (80, 100)] == [Verdict.RIGHT] * 2
    assert [verdict(3, nearest) for nearest in (79, 50)] == [Verdict.WRONG_AND_SURE] * 2
    assert verdict(8, 16) is Verdict.RIGHT
    assert verdict(25, 40) is Verdict.UNKNOWN  # beyond the last row nothing is known


def test_resemblance_of_two_frames_at_one_place_the_one_that_looks_the_same_way_is_taken():
    mapped = {"mapping/0": pose(0.0), "mapping/1": pose(1.0), "mapping/2": pose(0.01, yaw_deg=180.0)}
    truth = Resemblance([(0, 0)], ["query/0"], list(mapped), mapped)
    assert truth.nearest(pose(0.0, yaw_deg=170.0)) == 2
    assert truth.nearest(pose(0.01, yaw_deg=10.0)) == 0


def test_elsewhere_only_lost_is_right():
    assert Nowhere().judge("query_wrong/0", None).verdict is Verdict.RIGHT
    assert Nowhere().judge("query_wrong/0", pose(0.0)).verdict is Verdict.WRONG_AND_SURE


# The similarity between a map and the truth.


def curve(count: int) -> dict[str, Pose]:
    return {key: pose(0.1 * i, np.sin(0.1 * i), 3.0 * i) for i, key in enumerate(frames("mapping", count))}


def moved(poses: dict[str, Pose]) -> tuple[dict[str, Pose], Similarity]:
    map_from_truth = Similarity(0.3, Rotation.from_euler("zyx", [1.0, 0.2, -0.4]), np.array([5.0, -2.0, 1.0]))
    return {key: map_from_truth.transform_pose(placed) for key, placed in poses.items()}, map_from_truth


def test_a_similarity_holds_though_a_third_of_the_map_is_folded_away():
    truth = curve(60)
    mapped, map_from_truth = moved(truth)
    for key in list(mapped)[:20]:
        mapped[key] = pose(7.0, -3.0, 90.0) * mapped[key]
    found = truth_from_map(mapped, truth)
    assert found is not None
    assert found.scale * map_from_truth.scale == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose((found * map_from_truth).transform([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], atol=1e-6)


def test_a_similarity_of_frames_on_one_line_takes_its_turn_from_where_they_look():
    truth = walk("mapping", 20)
    mapped, map_from_truth = moved(truth)
    found = truth_from_map(mapped, truth)
    assert found is not None
    np.testing.assert_allclose((found * map_from_truth).transform([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], atol=1e-6)


def test_a_frame_that_a_mapper_threw_far_away_does_not_stretch_the_extent():
    assert extent({**walk("mapping", 30), "mapping/away": pose(1e4)}) == pytest.approx(10.0)


def test_two_frames_in_common_place_no_map():
    assert truth_from_map(dict(list(curve(60).items())[:2]), curve(60)) is None


# The row.


def known_set(**more: Any) -> Known:
    return Known({"mapping": frames("mapping", 20)}, {"query": frames("query", 4)}, {}, **more)


def test_the_row_of_a_metric_set():
    metric = {**walk("mapping", 20), "query/0": pose(1.0), "query/100000000": pose(2.0), "query/200000000": pose(3.0)}
    queries = {
        "query/0": pose(1.1),
        "query/100000000": pose(9.0),
        "query/200000000": None,
        "query/300000000": pose(0.0),
    }
    answers = Answers("campose", 20, walk("mapping", 20), queries, seconds=3.0, absolute=True)
    row = score("s", known_set(metric=metric), answers)
    expected = {"frames": 20, "frames_mapped": 20, "queries": 4, "answered": 3, "right": 1, "wrong_and_sure": 1}
    assert row.items() >= expected.items()
    assert (row["unknown"], row["unknown_frames"]) == (1, ["query/300000000"])
    assert row["median_m"] == pytest.approx(7.0)
    assert row["map_median_m"] == pytest.approx(0.0, abs=1e-6)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_a_median_among_unanswered_queries_is_infinite_and_that_is_null():
    metric = {**walk("mapping", 20), **dict.fromkeys(frames("query", 4), pose(1.0))}
    answers = Answers("campose", 20, walk("mapping", 20), {"query/0": pose(1.0)}, absolute=True)
    row = score("s", known_set(metric=metric), answers)
    assert (row["median_m"], row["answered_median_m"], row["right"]) == (None, 0.0, 1)


def test_an_answer_in_a_map_of_its_own_frame_is_brought_to_the_truth_by_the_mapping_frames():
    joint = {**curve(20), **dict.fromkeys(frames("query", 4), pose(1.0, 0.5))}
    mapped, map_from_truth = moved(curve(20))
    queries = dict.fromkeys(frames("query", 4), map_from_truth.transform_pose(pose(1.0, 0.5)))
    row = score("s", known_set(joint=joint), Answers("plain", 20, mapped, queries))
    assert (row["right"], row["truth"], row["map_median_m"]) == (4, "up to scale", None)
    assert row["median_share"] == pytest.approx(0.0, abs=1e-6)
    assert extent({key: joint[key] for key in frames("mapping", 20)}) == pytest.approx(2.1, abs=0.1)


def test_answers_to_other_places_are_wrong_and_sure_and_counted_apart():
    known = Known(
        {"mapping": frames("mapping", 20)},
        {"query": ["query/0"]},
        {"query_wrong_a": ["query_wrong_a/0", "query_wrong_a/1"]},
        metric={**walk("mapping", 20), "query/0": pose(1.0)},
    )
    queries = {"query/0": pose(1.0), "query_wrong_a/0": pose(0.0), "query_wrong_a/1": None}
    foreign = {"other": {"query/0": pose(0.0), "query/1": None}}
    row = score("s", known, Answers("campose", 20, walk("mapping", 20), queries, foreign, absolute=True))
    expected = {"queries": 1, "right": 1, "wrong_and_sure": 2, "wrong_in_own_set": 0, "elsewhere_queries": 2}
    assert row.items() >= expected.items()
    assert (row["elsewhere_answered"], row["foreign_queries"], row["foreign_answered"]) == (1, 2, 1)


def test_a_set_that_failed_is_a_row_with_its_error():
    row = score("s", known_set(metric=walk("mapping", 20)), Answers("campose", error="no scale"))
    assert (row["frames"], row["frames_mapped"], row["answered"], row["error"]) == (20, 0, 0, "no scale")
    assert "s, campose: no scale" in table([row])


def test_joint_truth_is_asked_for_only_where_the_set_says_nothing():
    query = dict.fromkeys(frames("query", 4), pose(0.0))
    assert needs_joint(known_set())
    assert needs_joint(known_set(metric=query))  # poses of the query alone lie in no frame that a map is in
    assert not needs_joint(known_set(metric={**walk("mapping", 20), **query}))
    assert not needs_joint(known_set(rows=[(0, 0)]))


# What is kept.


def test_a_result_is_computed_anew_only_when_its_inputs_change(tmp_path: Path):
    recording = tmp_path / "recording"
    picture(recording / "1.jpg")
    runs = []

    def compute(folder: Path) -> dict[str, Any]:
        runs.append(1)
        (folder / "model").write_text("a model")
        return {"frames": len(runs)}

    def result(version: int = 1) -> dict[str, Any]:
        inputs = {"version": version, "files": digest_of_files(sorted(recording.iterdir()))}
        return kept(tmp_path / "out" / "plain", inputs, compute)

    assert [result(), result()] == [{"frames": 1}] * 2
    picture(recording / "1.jpg", brightness=101)
    assert result() == {"frames": 2}
    (recording / "1.jpg").rename(recording / "2.jpg")
    assert result() == {"frames": 3}
    assert [result(version=2), result(version=2)] == [{"frames": 4}] * 2
    assert (tmp_path / "out" / "plain" / "model").read_text() == "a model"


def test_what_failed_is_not_kept(tmp_path: Path):
    def failing(folder: Path) -> dict[str, Any]:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        kept(tmp_path / "plain", {}, failing)
    assert not (tmp_path / "plain").exists()


# Images.


def test_undistorted_pictures_lose_nothing_at_their_sides():
    barrel = Camera("OPENCV", 320, 180, (216.0, 216.0, 159.5, 89.5, -0.35, 0.1, 0.0, 0.0))
    undistortion = Undistortion(barrel)
    assert undistortion.camera.focal == (216.0, 216.0)
    edges = (np.array([[0.0, 90.0], [undistortion.camera.width - 1, 90.0]]) - undistortion.camera.centre) / 216.0
    seen = barrel.distort(edges) * barrel.focal + barrel.centre
    np.testing.assert_allclose(seen[:, 0], [0.0, 319.0], atol=1.0)
    flat = undistortion(np.full((180, 320, 3), 200, dtype=np.uint8))
    assert flat.shape[:2] == undistortion.mask.shape
    assert (flat[undistortion.mask > 0] == 200).all()
