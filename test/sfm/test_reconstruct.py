"""Structure from motion on rendered and real recordings, and its faults."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from campose_core.alignment.step import align_scene_by_distance, align_scene_to_points, align_scene_to_reference
from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.errors import AlignmentError, MappingError, SceneError
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm import stages
from campose_core.sfm.pipeline import MapOptions, map_scene
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.stage_process import run_stage
from campose_core.trajectory import read_tum

pytestmark = pytest.mark.slow


def copied(scene: Path, tmp_path: Path) -> Scene:
    return Scene.open(shutil.copytree(scene, tmp_path / "scene"))


def test_a_rendered_drive_is_mapped_to_its_truth(small_scene, small_world):
    scene, truth = Scene.open(small_scene), dict(read_tum(small_world / "mapping.tum"))
    assert len(scene.posed_frames()) > 0.95 * len(scene.frames)
    errors = np.array([pose_error(f.map_from_cam, truth[f.stamp_ns]) for f in scene.posed_frames()])
    assert np.median(errors[:, 0]) < 0.02
    assert np.degrees(np.median(errors[:, 1])) < 0.5
    assert scene.alignment is not None
    assert scene.alignment.residual.median_m == pytest.approx(np.median(errors[:, 0]), rel=0.1)


def test_the_landmark_map_holds_what_the_keyframes_see(small_scene):
    scene = Scene.open(small_scene)
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    camera = next(iter(scene.cameras.values()))
    in_view = []
    for frame in range(len(landmarks.frame_names)):
        seen = landmarks.xyz[landmarks.observed[landmarks.observed_by == frame]]
        pixels = camera.project(landmarks.world_from_cam(frame).inverse().transform(seen))
        in_view.append(np.mean((pixels > -1).all(1) & (pixels < [camera.width, camera.height]).all(1)))
    assert np.mean(in_view) > 0.99


def test_a_second_run_does_nothing_and_other_options_map_again(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    before = (scene.sfm_dir / "landmarks.npz").stat().st_mtime_ns
    assert map_scene(scene, MapOptions()) is scene
    fewer = map_scene(scene, MapOptions(max_keyframes=40))
    assert (scene.sfm_dir / "landmarks.npz").stat().st_mtime_ns != before
    assert fewer.alignment is None
    assert not fewer.posed_frames()
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    assert len(landmarks.frame_names) <= 40 < len(scene.frames)
    poses = SfmPoses.load(fewer).poses()
    assert len(poses) > 0.9 * len(scene.frames)  # the frames between keyframes found their place by PnP


def killed_and_resumed(scene: Scene) -> Landmarks:
    """kill -9 of the whole command in the middle of the stages; its child must not live on either."""
    shutil.rmtree(scene.sfm_dir)
    command = [sys.executable, "-m", "campose_core.cli.main", "map", str(scene.path)]
    work = scene.path / ".sfm.work"
    victim = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not (work / "half" / "features.json").exists():
        assert victim.poll() is None
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not (scene.sfm_dir / "landmarks.npz").exists()
    wait_until_no_stage_runs_for(work)
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert not work.exists()
    return Landmarks.load(scene.sfm_dir / "landmarks.npz")


def test_killed_while_mapping_the_next_run_has_the_same_keyframes(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    undisturbed = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    resumed = killed_and_resumed(scene)
    np.testing.assert_array_equal(resumed.frame_names, undisturbed.frame_names)


@pytest.mark.long
def test_killed_while_mapping_the_next_run_ends_with_the_same_result(small_scene, tmp_path):
    """One run in some twenty is another; where matches are the same and poses are not, the mapper differs."""
    scene = copied(small_scene, tmp_path)
    undisturbed, matches = Landmarks.load(scene.sfm_dir / "landmarks.npz"), matches_of(scene)
    resumed = killed_and_resumed(scene)
    assert matches_of(scene) == matches
    np.testing.assert_allclose(resumed.frame_positions, undisturbed.frame_positions, atol=1e-6)
    assert len(resumed.xyz) == len(undisturbed.xyz)


def matches_of(scene: Scene) -> dict[int, list[list[int]]]:
    """The verified matches of each pair of keyframes."""
    with load_pycolmap().Database.open(scene.sfm_dir / "database.db") as db:
        pairs, geometries = db.read_two_view_geometries()
        return {int(p): g.inlier_matches.tolist() for p, g in zip(pairs, geometries, strict=True)}


def test_killed_while_the_map_is_exchanged_no_old_alignment_stays_with_a_new_map(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    landmarks = scene.sfm_dir / "landmarks.npz"
    old_map = landmarks.open("rb")  # held open, so that its inode is not given to another file
    command = [sys.executable, "-m", "campose_core.cli.main", "map", str(scene.path), "--max-keyframes", "40"]
    victim = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with old_map, suppress(FileNotFoundError):  # between the two renames
        while os.path.samestat(landmarks.stat(), os.fstat(old_map.fileno())):
            assert victim.poll() is None
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    killed = Scene.open(scene.path)
    assert killed.alignment is None
    assert not killed.posed_frames()
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    again = Scene.open(scene.path)
    assert 0 < len(Landmarks.load(again.sfm_dir / "landmarks.npz").frame_names) <= 40
    assert not list(scene.path.glob(".sfm*"))


def wait_until_no_stage_runs_for(work: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        commands = [p / "cmdline" for p in Path("/proc").iterdir() if p.name.isdigit()]
        running = [c for c in commands if c.exists() and str(work).encode() in read(c)]
        if not running:
            return
        time.sleep(0.2)
    raise AssertionError(f"a stage outlived its parent: {running}")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_stage_that_dies_is_reported_not_shared(tmp_path):
    """A database that is none makes COLMAP throw; the caller gets one line and lives on."""
    (tmp_path / "bad.db").write_bytes(b"not a database" * 100)
    arguments = {"database": str(tmp_path / "bad.db"), "model": str(tmp_path / "m"), "out": str(tmp_path / "o.npz")}
    with pytest.raises(MappingError, match=r"the stage 'landmarks' (failed|died)"):
        run_stage(stages.landmarks, arguments, tmp_path / "log", 60, 1)


def test_a_stage_that_hangs_is_stopped(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    shutil.rmtree(scene.sfm_dir)
    with pytest.raises(MappingError, match="took too long"):
        map_scene(scene, MapOptions(stage_timeout_s=0.3))


def folder_of(images: list[np.ndarray], folder: Path) -> Path:
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:03}.jpg", quality=95)
    return folder


def mapped(images: list[np.ndarray], tmp_path: Path) -> Scene:
    scene = extract(Scene.open_or_create(tmp_path / "scene"), [folder_of(images, tmp_path / "pictures")])
    return map_scene(scene, MapOptions())


def test_blank_pictures_name_the_stage_and_the_remedy(tmp_path):
    with pytest.raises(MappingError, match=r"features: .*better light"):
        mapped([np.full((240, 320, 3), 90, np.uint8)] * 5, tmp_path)
    assert not (tmp_path / "scene" / "sfm").exists()


def test_notes_of_unfinished_work_that_are_damaged(tmp_path):
    with pytest.raises(MappingError, match="better light"):
        mapped([np.full((240, 320, 3), 90, np.uint8)] * 3, tmp_path)
    scene, work = Scene.open(tmp_path / "scene"), tmp_path / "scene" / ".sfm.work"
    (work / "half" / "features.json").write_text("[" * 100_000)
    with pytest.raises(MappingError, match=r"features\.json is damaged .*: remove .*\.sfm\.work/half, then map again"):
        map_scene(scene, MapOptions())
    (work / "inputs.json").write_text("{")  # it is of other inputs, for all one knows
    with pytest.raises(MappingError, match="better light"):
        map_scene(scene, MapOptions())


def test_pictures_without_overlap_name_the_stage_and_the_remedy(tmp_path):
    generator = np.random.default_rng(0)
    blobs = [generator.integers(0, 255, (15, 12, 3), dtype=np.uint8) for _ in range(6)]
    images = [np.asarray(Image.fromarray(blob).resize((320, 240), Image.Resampling.BICUBIC)) for blob in blobs]
    with pytest.raises(MappingError, match=r"no model .* keyframes: 0 of \d+ pairs .* share 15 or more features"):
        mapped(images, tmp_path)


def test_pure_rotation_names_the_stage_and_the_remedy(tmp_path):
    """Views of a camera that turns on the spot, cut out of one image by homographies: there is no parallax."""
    generator = np.random.default_rng(0)
    sphere = Image.fromarray(generator.integers(0, 255, (150, 400, 3), dtype=np.uint8))
    panorama = np.asarray(sphere.resize((1600, 600), Image.Resampling.BICUBIC))
    rows, columns = np.mgrid[0:240, 0:320]
    x, y = (columns - 159.5) / 277.0, (rows - 119.5) / 277.0
    images = []
    for yaw in np.radians(np.arange(-40, 41, 10)):
        longitude, latitude = np.arctan(x) + yaw, np.arctan2(y, np.hypot(x, 1))
        images.append(
            panorama[(300 + latitude * 500).astype(int).clip(0, 599), (800 + longitude * 500).astype(int).clip(0, 1599)]
        )
    with pytest.raises(MappingError, match=r"mapping: no model .* (\d+) of these by a turn on the spot"):
        mapped(images, tmp_path)


@pytest.mark.parametrize("left", [0.0, 0.5])
def test_frames_that_vanished_are_named(small_scene, tmp_path, left):
    scene = copied(small_scene, tmp_path)
    shutil.rmtree(scene.sfm_dir)
    path = scene.frame_path(scene.frames[3])
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    with pytest.raises(MappingError, match=r"1 frames could not be read"):
        map_scene(scene, MapOptions())


def test_rows_of_an_extraction_that_was_killed_before_it_was_recorded_are_not_mapped(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    with open(scene.path / "frames.csv", "a") as file:
        file.write("walk/1.jpg,walk,7,walk,,,,,,,,\n")
    with pytest.raises(SceneError, match="the extraction of 'walk' was cut short"):
        map_scene(Scene.open(scene.path), MapOptions(max_keyframes=20))


def test_alignment_by_points_and_by_distance_agree_with_the_reference(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    truth = {f.name: f.map_from_cam for f in scene.posed_frames() if f.map_from_cam}
    names = sorted(truth)
    chosen = [names[i * (len(names) - 1) // 4] for i in range(5)]
    lines = [f"{name},{','.join(str(v) for v in truth[name].translation)}" for name in chosen]
    (tmp_path / "pairs.csv").write_text("name,x,y,z\n" + "\n".join(lines))
    by_points = align_scene_to_points(scene, tmp_path / "pairs.csv")
    for frame in by_points.posed_frames():
        assert isinstance(frame.map_from_cam, Pose)
        assert pose_error(frame.map_from_cam, truth[frame.name])[0] < 0.02

    metres = float(np.linalg.norm(truth[chosen[0]].translation - truth[chosen[2]].translation))
    by_distance = align_scene_by_distance(scene, chosen[0], chosen[2], metres, height_m=0.5)
    assert by_distance.alignment is not None
    assert scene.alignment is not None
    assert by_distance.alignment.map_from_sfm.scale == pytest.approx(scene.alignment.map_from_sfm.scale, rel=0.02)


def test_a_reference_of_another_time_names_both_intervals(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    (tmp_path / "other.tum").write_text("".join(f"{9000 + i} {i} 0 0 0 0 0 1\n" for i in range(5)))
    with pytest.raises(AlignmentError, match=r"The frames cover .* s, the reference 9000\.000 \.\. 9004\.000 s"):
        align_scene_to_reference(scene, tmp_path / "other.tum")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "the columns must be"),
        ("name,x,y,z\nnobody.jpg,1,2,3\n", r":2: frame 'nobody.jpg' is not in the reconstruction"),
        ("sfm_x,sfm_y,sfm_z,x,y,z\n1,2,3,4,5\n", ":2: has 5 values, and the first line names 6 columns"),
        ("sfm_x,sfm_y,sfm_z,x,y,z\n1,2,3,4,5,nan\n", ":2: not a row of finite numbers"),
        ("sfm_x,sfm_y,sfm_z,x,y,z\n" + "0,0,0,0,0,0\n1,1,1,1,1,1\n2,2,2,2,2,2\n", r"pairs\.csv: .*one line"),
        ("sfm_x,sfm_y,sfm_z,x,y,z\n0,0,0,0,0,0\n", "three or more"),
    ],
)
def test_bad_point_pairs(small_scene, tmp_path, text, message):
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(AlignmentError, match=message):
        align_scene_to_points(Scene.open(small_scene), tmp_path / "pairs.csv")


def test_frames_that_changed_since_they_were_mapped_are_not_aligned(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    source = scene.steps["extract:mapping"]["options"]["path"]
    scene = extract(scene, [source], fps=2)
    with pytest.raises(MappingError, match=r"other frames .* run `campose map"):
        align_scene_by_distance(scene, "a", "b", 1.0, 0.5)


def test_damaged_poses_say_so(small_scene, tmp_path):
    scene = copied(small_scene, tmp_path)
    path = scene.sfm_dir / "poses.npz"
    whole, poses = path.read_bytes(), SfmPoses.load(scene).positions
    generator = np.random.default_rng(0)
    scrambled = [
        whole[:at] + generator.bytes(60) + whole[at + 60 :] for at in generator.integers(50, len(whole) - 200, 60)
    ]
    refused = 0
    for damaged in (b"", whole[: len(whole) // 2], *scrambled):
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(SfmPoses.load(scene).positions, poses)  # not every byte says something
        except MappingError:
            refused += 1
    assert refused > 55
    path.unlink()
    map_scene(scene, MapOptions())
    assert SfmPoses.load(Scene.open(scene.path)).positions.shape == poses.shape


def test_a_stage_takes_more_names_than_a_command_line_holds(tmp_path):
    names = {"walk": [f"walk/{i:06}.jpg" for i in range(20_000)]}
    arguments = {"images": str(tmp_path), "database": str(tmp_path / "f.db"), "cameras": {}, "names": names}
    arguments |= {"shared": [], "kind": "sift", "detail": "half"}
    with pytest.raises(MappingError, match="20000 frames could not be read"):
        run_stage(stages.features, arguments, tmp_path / "log", 60, 1)


def test_a_damaged_landmark_file_says_so(small_scene, tmp_path):
    path = tmp_path / "sfm" / "landmarks.npz"
    path.parent.mkdir()
    with pytest.raises(MappingError, match="campose map"):
        Landmarks.load(path)
    whole = (small_scene / "sfm" / "landmarks.npz").read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        b"PK" + os.urandom(1000),
        whole[:200] + bytes(99) + whole[299:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(MappingError, match="damaged"):
            Landmarks.load(path)


@pytest.mark.long
def test_the_desk_is_one_model(shared_data, tmp_path):
    """70 real frames of 1920x1080 without intrinsics."""
    scene = extract(Scene.open_or_create(tmp_path / "desk"), [shared_data / "desk"])
    scene = map_scene(scene, MapOptions())
    report = json.loads((scene.sfm_dir / "report.json").read_text())
    assert report["registered"] == report["keyframes"]
    assert report["posed"] == 70
    assert isinstance(next(iter(scene.cameras.values())), Camera)


@pytest.mark.long
def test_a_film_on_a_screen_bends_no_map(small_scene, small_world, tmp_path):
    """A sixth of the image is another one each time."""
    scene = copied(small_scene, tmp_path)
    for number, frame in enumerate(scene.frames):
        with Image.open(scene.frame_path(frame)) as file:
            picture = np.array(file.convert("RGB"))
        height, width = picture.shape[:2]
        film = np.random.default_rng(number).integers(0, 255, (15, 12, 3), dtype=np.uint8)
        shown = np.asarray(Image.fromarray(film).resize((width // 4, 2 * height // 3)))
        picture[height // 6 : height // 6 + shown.shape[0], width // 3 : width // 3 + shown.shape[1]] = shown
        Image.fromarray(picture).save(scene.frame_path(frame), quality=95)
    shutil.rmtree(scene.sfm_dir)
    scene = align_scene_to_reference(map_scene(scene, MapOptions()), small_world / "mapping.tum")
    truth = dict(read_tum(small_world / "mapping.tum"))
    errors = np.array([pose_error(frame.map_from_cam, truth[frame.stamp_ns])[0] for frame in scene.posed_frames()])
    assert len(errors) > 0.8 * len(scene.frames)
    assert np.median(errors) < 0.05
