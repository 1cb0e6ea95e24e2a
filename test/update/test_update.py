"""A map that takes in what has changed: a room in which a cabinet was moved after it was mapped."""

import json
import shutil
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from learnable import QUICK, SMALL
from moved_furniture import moved, record, within

from campose_core.cli.main import main
from campose_core.cli.update import train_again
from campose_core.errors import AlignmentError, MappingError
from campose_core.geometry import pose_error
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.map_scale import MapScale, ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.scene.split import split
from campose_core.sfm.registration import SfmPoses
from campose_core.simulation.building import build_world
from campose_core.trajectory import read_tum
from campose_core.update.report import HeldOutFigures
from campose_core.update.step import UpdateOptions, refusal, undo_update, update_scene

pytestmark = pytest.mark.slow

WORLD = build_world("small", 0)
CABINET = WORLD.boxes[10]  # by the north wall
ASSUMED = MapScale(ScaleBasis.ASSUMED, 0.15, (1.0, 2.0, 0.6))  # as a mark; it is right
SHIFT = (-1.69, 0.0, 0.0)  # to a free place by the same wall


class Updated(NamedTuple):
    before: Path
    scene: Scene
    report: dict
    was_current: bool
    truth: Path


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """changed.bag and changed.tum: a drive through the room with the cabinet elsewhere."""
    folder = tmp_path_factory.mktemp("changed")
    record(moved(WORLD, [CABINET], SHIFT), folder, "changed")
    return folder


@pytest.fixture(scope="module")
def updated(small_scene, changed, tmp_path_factory) -> Updated:
    """A scene with a model, before and after the update."""
    from dataclasses import replace

    from campose_core.learning.train import train

    folder = tmp_path_factory.mktemp("updated")
    options = replace(QUICK, **SMALL, epochs=1)
    before = Scene.open(shutil.copytree(small_scene, folder / "before"))
    assert before.alignment is not None
    before = replace(before, alignment=replace(before.alignment, scale=ASSUMED))
    train(split(before), "posenet-tiny", options)
    scene = Scene.open(shutil.copytree(folder / "before", folder / "scene", copy_function=shutil.copy2))
    scene, report = update_scene(
        scene, changed / "changed.bag", UpdateOptions(fps=None, reference=changed / "changed.tum")
    )
    return Updated(folder / "before", scene, report, scene.is_current("train:posenet-tiny"), changed / "changed.tum")


def files(folder: Path) -> dict[str, bytes]:
    """All but cache/, which may be deleted."""
    names = {path: str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for path, name in names.items() if not name.startswith("cache/")}


def in_map(scene: Scene) -> np.ndarray:
    assert scene.alignment is not None
    return scene.alignment.map_from_sfm.transform(Landmarks.load(scene.sfm_dir / "landmarks.npz").xyz)


def test_the_moved_cabinet_fades_where_it_was_and_appears_where_it_is(updated):
    old, new = in_map(Scene.open(updated.before)), in_map(updated.scene)
    there = moved(WORLD, [CABINET], SHIFT).boxes[10]
    front = [xyz[xyz[:, 1] < CABINET.high[1] - 0.05] for xyz in (old, new)]  # not of the wall behind it
    faded = 1 - within(front[1], CABINET, 0.03).sum() / within(front[0], CABINET, 0.03).sum()
    assert faded > 0.35  # a third of it is seen from one place or none
    assert within(front[1], there, 0.03).sum() > within(front[0], there, 0.03).sum() + 20
    counts = updated.report["landmarks"]
    at_the_cabinet = within(front[0], CABINET, 0.1).sum() - within(front[1], CABINET, 0.1).sum()
    assert at_the_cabinet > 0.8 * counts["removed"] > 0  # hardly anything else was removed
    assert counts["added"] > 50
    assert counts["refreshed"] > 100


def test_frames_left_out_of_the_update_are_found_no_worse(updated):
    before, after = updated.report["held_out"]["before"], updated.report["held_out"]["after"]
    assert before["frames"] == after["frames"] == updated.report["held_out"]["frames"] > 8
    assert after["found"] >= before["found"]
    assert after["median_inliers"] >= before["median_inliers"]
    assert after["median_m"] < 0.03
    on_disk = json.loads((updated.scene.reports_dir / "update-changed.json").read_text())
    assert on_disk == updated.report
    assert (updated.scene.reports_dir / "update-changed.png").read_bytes().startswith(b"\x89PNG")


def test_poses_cameras_and_alignment_of_before_do_not_move(updated):
    before, after = Scene.open(updated.before), updated.scene
    assert after.alignment is not None
    assert before.alignment is not None
    assert after.alignment.to_dict() == before.alignment.to_dict()
    assert after.scale == ASSUMED
    assert after.cameras["mapping"] == before.cameras["mapping"]
    rows = [frame for frame in after.frames if frame.source != "changed"]
    for old_row, row in zip(before.frames, rows, strict=True):
        assert (row.name, row.stamp_ns, row.split) == (old_row.name, old_row.stamp_ns, old_row.split)
        np.testing.assert_allclose(row.map_from_cam.matrix(), old_row.map_from_cam.matrix(), rtol=0, atol=1e-12)
    old, new = (Landmarks.load(scene.sfm_dir / "landmarks.npz") for scene in (before, after))
    kept = np.isin(new.frame_names, old.frame_names)
    np.testing.assert_allclose(new.frame_positions[kept], old.frame_positions, rtol=0, atol=1e-12)
    was, now = SfmPoses.load(before).poses(), SfmPoses.load(after).poses()
    assert all(np.array_equal(now[name].matrix(), pose.matrix()) for name, pose in was.items())


def test_the_new_frames_are_where_the_camera_was(updated):
    truth = dict(read_tum(updated.truth))
    frames = [frame for frame in updated.scene.posed_frames() if frame.source == "changed"]
    assert len(frames) == len(truth)
    errors = np.array([pose_error(frame.map_from_cam, truth[frame.stamp_ns]) for frame in frames])
    assert np.median(errors[:, 0]) < 0.02
    assert np.degrees(np.median(errors[:, 1])) < 0.4
    assert {frame.split for frame in frames} >= {"train", "val", "test"}


def test_steps_are_done_and_models_are_stale_until_they_are_trained_again(updated, tmp_path, capsys):
    scene = updated.scene
    assert all(scene.is_current(step) for step in ("extract:changed", "map", "align", "split", "floor"))
    assert not updated.was_current
    copy = Scene.open(shutil.copytree(scene.path, tmp_path / "scene"))
    trained = train_again(copy)
    assert trained.is_current("train:posenet-tiny")
    assert "training again with the new frames: posenet-tiny; as before" in capsys.readouterr().err
    assert trained.steps["train:posenet-tiny"]["options"] == scene.steps["train:posenet-tiny"]["options"]
    undo_update(trained)
    assert files(tmp_path / "scene") == files(updated.before)


def test_a_model_that_was_removed_does_not_come_back(updated, tmp_path, capsys):
    scene = Scene.open(shutil.copytree(updated.scene.path, tmp_path / "scene"))
    shutil.rmtree(scene.models_dir / "posenet-tiny")
    train_again(scene)
    assert not (scene.models_dir / "posenet-tiny").exists()
    assert not capsys.readouterr().err


def test_undo_restores_every_file(updated, tmp_path, capsys):
    scene = shutil.copytree(updated.scene.path, tmp_path / "scene")
    assert files(scene) != files(updated.before)
    assert main(["update", str(scene), "--undo"]) == 0
    assert files(scene) == files(updated.before)
    assert main(["update", str(scene), "--undo"]) == 1
    assert "no update to undo" in capsys.readouterr().err


def test_undo_keeps_a_model_that_was_trained_since(updated, tmp_path, capsys):
    scene = shutil.copytree(updated.scene.path, tmp_path / "scene")
    mine = shutil.copytree(scene / "models" / "posenet-tiny", scene / "models" / "posenet-mine")
    trained = files(mine)
    assert main(["update", str(scene), "--undo"]) == 0
    assert "trained since, and as they were: posenet-mine" in capsys.readouterr().err
    assert files(mine) == trained
    shutil.rmtree(mine)
    assert files(scene) == files(updated.before)


def test_undo_does_not_take_later_work_with_it(updated, tmp_path):
    scene = Scene.open(shutil.copytree(updated.scene.path, tmp_path / "scene"))
    scene.with_step("split", {"scheme": "other"}).save()
    with pytest.raises(MappingError, match="since the update: no way back"):
        undo_update(Scene.open(scene.path))


def test_the_same_recording_joins_once(updated, changed):
    with pytest.raises(MappingError, match=r"is part of .* already, as changed"):
        update_scene(updated.scene, changed / "changed.bag", UpdateOptions())


def test_killed_in_the_middle_the_scene_is_as_before_and_the_next_run_succeeds(small_scene, changed, tmp_path):
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    before = files(scene)
    command = [sys.executable, "-m", "campose_core.cli.main", "update", str(scene), str(changed / "changed.bag")]
    victim = subprocess.Popen([*command, "--no-train"], stderr=subprocess.DEVNULL)
    while not (scene / ".update.part" / "work" / "grow.log").exists():
        assert victim.poll() is None
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    visible = {name: content for name, content in files(scene).items() if not name.startswith(".")}
    assert visible == before
    again = subprocess.run([*command, "--no-train", "--json"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["keyframes_added"]
    assert not (scene / ".update.part").exists()


def test_another_building_is_refused_and_one_that_joins_in_part_is_named(small_scene, updated, tmp_path, capsys):
    record(build_world("small", 3), tmp_path, "elsewhere", rate_hz=1.5)
    scene = shutil.copytree(small_scene, tmp_path / "scene")
    before = files(scene)
    assert main(["update", str(scene), str(tmp_path / "elsewhere.bag")]) == 1
    assert "only 0 of" in (said := capsys.readouterr().err)
    assert "another place" in said
    assert files(scene) == before

    from campose_core.capture.extract import extract

    other = extract(Scene.open_or_create(tmp_path / "other"), [tmp_path / "elsewhere.bag"])
    pictures = tmp_path / "images"
    pictures.mkdir()
    here = sorted(frame.name for frame in updated.scene.frames if frame.source == "changed")
    for number, path in enumerate(
        [updated.scene.frames_dir / name for name in here] + [other.frame_path(frame) for frame in other.frames]
    ):
        shutil.copyfile(path, pictures / f"{number:03}.jpg")
    assert main(["update", str(scene), str(pictures), "--fps", "all", "--no-train", "--json"]) == 0
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert len(report["not_connected"]) == len(other.frames)
    assert report["not_connected"][0] == f"images/{len(here):06}.jpg"
    assert "do not connect" in told.err


def test_the_map_grows_where_the_recording_leaves_it(small_world, tmp_path, capsys):
    """Mapped is what the first third of the drive saw; the new drive goes on from there."""
    from campose_core.bag.writer import write_bag
    from campose_core.capture.sources.bag import BagRecording

    whole = BagRecording(small_world / "mapping.bag")
    write_bag(tmp_path / "begin.bag", islice(whole.frames(), 18), whole.camera)
    scene, reference = tmp_path / "scene", str(small_world / "mapping.tum")
    assert main(["build", str(tmp_path / "begin.bag"), "--scene", str(scene), "--reference", reference]) == 0
    capsys.readouterr()
    arguments = ["--fps", "all", "--reference", str(small_world / "later.tum"), "--json"]
    assert main(["update", str(scene), str(small_world / "later.bag"), *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["found_before"] < report["posed"]
    assert report["held_out"]["before"]["found"] < report["held_out"]["after"]["found"]
    truth = dict(read_tum(small_world / "later.tum"))
    errors = [
        pose_error(f.map_from_cam, truth[f.stamp_ns]) for f in Scene.open(scene).posed_frames() if f.source == "later"
    ]
    assert len(errors) > 0.9 * len(truth)
    assert np.max(errors, axis=0)[0] < 0.15


def test_a_map_without_metres_is_refused(small_scene, tmp_path, changed):
    from dataclasses import replace

    scene = replace(Scene.open(small_scene), alignment=None)
    with pytest.raises(AlignmentError, match="campose align"):
        update_scene(scene, changed / "changed.bag", UpdateOptions())


@pytest.mark.parametrize("arguments", [[], ["new.bag", "--undo"]])
def test_a_recording_or_undo_not_both(small_scene, arguments, capsys):
    assert main(["update", str(small_scene), *arguments]) == 2
    assert "or --undo" in capsys.readouterr().err


def test_a_reference_of_another_time_is_refused_before_anything_changes(small_scene, changed, tmp_path):
    (tmp_path / "other.tum").write_text("".join(f"{9000 + i} {i} 0 0 0 0 0 1\n" for i in range(5)))
    scene = Scene.open(shutil.copytree(small_scene, tmp_path / "scene"))
    before = files(scene.path)
    with pytest.raises(AlignmentError, match=r"The frames cover"):
        update_scene(scene, changed / "changed.bag", UpdateOptions(reference=tmp_path / "other.tum"))
    assert files(scene.path) == before


def test_the_refusal_of_a_worse_map_says_what_it_lost():
    before, after = (HeldOutFigures(frames=20, found=n, right=n, median_inliers=100) for n in (18, 15))
    assert "of 20 frames" in (text := refusal(before, after))
    assert "18 without the recording and 15 with it" in text
