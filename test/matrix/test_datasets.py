"""The field's data sets: a rendered world in their layouts, and published numbers that say where they are from."""

import json
from pathlib import Path

import numpy as np
import pytest
from rendered_datasets import LAYOUTS, shots_of
from written_exports import Shot

from campose_core.camera import Camera
from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.errors import CaptureError
from campose_core.geometry import Pose
from campose_core.matrix.datasets.layouts import DATASETS, plan_of, scenes_of
from campose_core.matrix.datasets.published import SOURCES, published
from campose_core.matrix.datasets.table import table_text

NAMES = {"7scenes": "chess", "12scenes": "apt1_kitchen", "cambridge": "ShopFacade", "tum": "fr1_xyz"}
CAMERA = Camera("PINHOLE", 64, 48, (60.0, 60.0, 31.5, 23.5))


def grey_shots(first: int, count: int) -> list[Shot]:
    """Images that tell their number by their brightness, along a line."""
    image = np.ones((48, 64, 3), dtype=np.uint8)
    return [
        Shot(image * (first + n), 10**9 * (1 + n), Pose.from_quat_xyzw([0, 0, 0, 1], [0.1 * (first + n), 0, 1]))
        for n in range(count)
    ]


@pytest.fixture(params=DATASETS)
def written(request, tmp_path: Path) -> tuple[str, Path]:
    return request.param, LAYOUTS[request.param](tmp_path / "set", grey_shots(20, 12), grey_shots(100, 6), CAMERA)


def test_scenes_are_found_under_their_published_names_from_above_and_by_themselves(written):
    dataset, folder = written
    [(name, scene)] = scenes_of(dataset, folder).items()
    assert name == NAMES[dataset]
    assert list(scenes_of(dataset, scene).values()) == [scene]


def test_what_is_asked_is_the_test_part_and_what_is_mapped_is_the_rest(written):
    dataset, folder = written
    plan = plan_of(dataset, folder, ("structure",))
    [step] = plan.scenes[NAMES[dataset]].steps
    mapped = {round(float(frame.image.mean())) for frame in open_recording(step[1]).frames()}
    assert mapped == set(range(20, 32))
    if DATASETS[dataset].test:
        source = plan.recordings[NAMES[dataset]]
        asked = list(open_recording(source.path).frames())
        assert [round(float(frame.image.mean())) for frame in asked] == list(range(100, 106))
        truth = read_reference(source.reference)
        assert [truth.at(frame.stamp_ns).translation[0] for frame in asked] == pytest.approx(np.arange(100, 106) * 0.1)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_folder_without_scenes_is_refused_by_name(dataset, tmp_path):
    with pytest.raises(CaptureError, match=f"{tmp_path}: no scene of {DATASETS[dataset].program}"):
        scenes_of(dataset, tmp_path)


def test_a_scene_without_its_list_of_test_images_is_refused(tmp_path):
    folder = LAYOUTS["7scenes"](tmp_path / "set", grey_shots(20, 4), grey_shots(100, 4), CAMERA)
    (folder / "chess" / "TestSplit.txt").unlink()
    with pytest.raises(CaptureError, match=r"chess: has no TestSplit\.txt"):
        scenes_of("7scenes", folder)


@pytest.mark.parametrize("part", ["TrainSplit.txt", "TestSplit.txt"])
def test_a_sequence_that_is_missing_is_told_before_anything_is_mapped(part, tmp_path, capfd):
    folder = LAYOUTS["7scenes"](tmp_path / "set", grey_shots(20, 4), grey_shots(100, 4), CAMERA)
    with open(folder / "chess" / part, "a") as file:
        file.write("sequence9\n")
    assert main(["benchmark", "--dataset", "7scenes", str(folder), "--out", str(tmp_path / "out")]) == 1
    assert f"{part}: 'sequence9' is listed" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("dataset", DATASETS)
def test_published_numbers_have_a_source_a_truth_and_a_scene_that_can_be_found(dataset):
    scores = published(dataset)
    assert scores
    for score in scores:
        assert score.source in SOURCES
        assert score.truth
        assert (score.rmse_cm is None) == (score.median_cm is not None)
    assert DATASETS[dataset].truth in {score.truth for score in scores}, "some can be compared with ours"
    assert NAMES[dataset] in {score.scene for score in scores}
    text = table_text(scores)
    assert all(SOURCES[source] in text for source in {score.source for score in scores})


def test_the_folders_of_tum_have_the_names_of_the_papers(tmp_path):
    folders = {
        "rgbd_dataset_freiburg3_long_office_household": "fr3_long_office",
        "rgbd_dataset_freiburg3_nostructure_texture_near_withloop": "fr3_nstr_tex_near",
        "rgbd_dataset_freiburg2_desk_with_person": "fr2_desk_person",
        "rgbd_dataset_freiburg3_sitting_halfsphere": "fr3_sit_halfsph",
    }
    for folder in folders:
        (tmp_path / folder / "rgb").mkdir(parents=True)
        (tmp_path / folder / "rgb.txt").write_text("")
    assert set(scenes_of("tum", tmp_path)) == set(folders.values())
    assert set(folders.values()) <= {score.scene for score in published("tum")}


@pytest.mark.parametrize("other", [["--tables"], ["--query", "q.mp4", "--reference", "q.tum"], ["--epochs", "3"]])
def test_a_data_set_brings_its_own_images(other, tmp_path, capfd):
    assert main(["benchmark", "--dataset", "tum", str(tmp_path), *other]) == 2
    assert f"leave out {other[0]}" in capfd.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_rendered_world_in_each_layout_is_mapped_asked_and_put_beside(dataset, small_world, tmp_path, capfd):
    mapping, camera = shots_of(small_world, "mapping")
    folder = LAYOUTS[dataset](tmp_path / "set", mapping, shots_of(small_world, "later")[0], camera)
    assert main(["benchmark", "--dataset", dataset, str(folder), "--out", str(tmp_path / "out"), "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert {row["scene"] for row in rows} == {NAMES[dataset]}
    ours = [row for row in rows if row["source"] == "measured here"]
    assert len(ours) == (2 if DATASETS[dataset].test else 1)
    assert len(rows) > len(ours)
    if DATASETS[dataset].test:
        assert ours[0]["median_cm"] < 5
        assert ours[0]["median_cm"] < ours[1]["median_cm"], "better than the nearest image"
