"""Exports as recordings: what extraction makes of their images, cameras and changes."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from written_exports import WRITERS, Shot

from campose_core.camera import Camera
from campose_core.capture.external_poses import read_outside_poses, read_reference
from campose_core.capture.extract import extract
from campose_core.capture.mapped_recordings import recorded_odometry
from campose_core.capture.recording import open_recording
from campose_core.errors import CaptureError, TrajectoryError
from campose_core.geometry import Pose, pose_error
from campose_core.scene.scene import Scene

CAMERA = Camera("PINHOLE", 32, 24, (30.0, 31.0, 16.0, 12.5))
START_NS = 1_700_000_000_000_000_000
SHOTS = [
    Shot(
        np.full((24, 32, 3), 20 * n, np.uint8),
        START_NS + 100_000_000 * n,
        Pose(Rotation.from_euler("zyx", [0.1 * n, 0.2, 0.3]), [n, 0.1 * n * n, 1.0]),
    )
    for n in range(8)
]


def test_the_images_of_an_export_become_frames_with_its_stamps_and_intrinsics(tmp_path):
    folder = WRITERS["TUM RGB-D"](tmp_path / "desk", SHOTS, CAMERA)
    scene = extract(Scene.open_or_create(tmp_path / "scene"), [folder], fps=5.0)
    assert [frame.stamp_ns for frame in scene.frames] == [shot.stamp_ns for shot in SHOTS[::2]]
    assert scene.sources["desk"]["kind"] == "export"
    assert scene.sources["desk"]["posed"] == "8"
    assert not scene.sources["desk"]["calibrated"]
    before = (scene.path / "scene.yaml").read_bytes()
    scene = extract(Scene.open(scene.path), [folder], fps=5.0)
    assert (scene.path / "scene.yaml").read_bytes() == before
    image = sorted((folder / "rgb").iterdir())[2]
    image.write_bytes(sorted((folder / "rgb").iterdir())[1].read_bytes())  # a file that is not in the folder itself
    scene = extract(Scene.open(scene.path), [folder], fps=5.0)
    assert (scene.path / "scene.yaml").read_bytes() != before


def test_two_lenses_are_two_sources(tmp_path):
    folder = WRITERS["Polycam"](tmp_path / "flat", SHOTS, CAMERA)
    for file in sorted((folder / "keyframes" / "cameras").iterdir())[5:]:
        fields = json.loads(file.read_text())
        file.write_text(json.dumps({**fields, "fx": 60.0, "fy": 60.0}))
    scene = extract(Scene.open_or_create(tmp_path / "scene"), [folder])
    assert {name: fields["frames"] for name, fields in scene.sources.items()} == {"flat": 5, "flat_camera2": 3}
    assert scene.cameras["flat"].focal == (30.0, 31.0)
    assert scene.cameras["flat_camera2"].focal == (60.0, 60.0)
    assert all(fields["calibrated"] for fields in scene.sources.values())
    names = {source: [f.name for f in scene.frames if f.source == source] for source in scene.sources}
    placed = recorded_odometry(scene, names)
    assert len(placed) == 8
    first, last = placed["flat/000000.jpg"], placed["flat_camera2/000007.jpg"]
    apart, truth = first.inverse() * last, SHOTS[0].map_from_cam.inverse() * SHOTS[7].map_from_cam
    assert max(pose_error(apart, truth)) < 1e-6


@pytest.mark.parametrize("name", ["EuRoC (ASL)", "Stray Scanner"])
def test_an_export_is_a_trajectory_too(tmp_path, name):
    shots = [Shot(shot.image, shot.stamp_ns, shot.map_from_cam) for shot in SHOTS]
    folder = WRITERS[name](tmp_path / "export", shots, CAMERA)
    for read in (read_outside_poses, read_reference):
        found = read(folder)
        assert list(found.stamps_ns) == [shot.stamp_ns for shot in SHOTS]
        for index, shot in enumerate(SHOTS):
            assert max(pose_error(found.pose(index), shot.map_from_cam)) < 1e-6


def test_poses_that_are_none_or_not_in_metres_are_no_reference(tmp_path, caplog):
    folder = WRITERS["TUM RGB-D"](tmp_path / "desk", SHOTS, CAMERA)
    (folder / "groundtruth.txt").unlink()
    with pytest.raises(TrajectoryError, match="this TUM RGB-D export has no poses: give poses in metres"):
        read_reference(folder)
    folder = WRITERS["nerfstudio transforms.json"](tmp_path / "ns", SHOTS, CAMERA)
    fields = json.loads((folder / "transforms.json").read_text())
    (folder / "transforms.json").write_text(json.dumps({**fields, "aabb_scale": 16}))
    with pytest.raises(TrajectoryError, match="has poses without a scale, as COLMAP makes them"):
        read_reference(folder)
    with caplog.at_level("INFO", logger="campose_core"):
        extract(Scene.open_or_create(tmp_path / "scene"), [folder])
    assert "its poses are in a unit of their own, as COLMAP's: they do not place the map" in caplog.text


@pytest.mark.parametrize(
    ("name", "part", "table"),
    [
        ("Stray Scanner", "rgb.mp4", "odometry.csv"),
        ("Record3D", "rgb", "metadata.json"),
        ("Polycam", "keyframes/images", "mesh_info.json"),
        ("TUM RGB-D", "rgb", "groundtruth.txt"),
    ],
)
def test_a_part_of_an_export_says_what_to_give_instead(tmp_path, caplog, name, part, table):
    folder = WRITERS[name](tmp_path / "inner" / "scan", SHOTS, CAMERA)
    with caplog.at_level("INFO", logger="campose_core"):
        assert len(list(open_recording(folder / part).frames())) == len(SHOTS)
    assert f"without the poses and intrinsics of the {name} export around it: give {folder}" in caplog.text
    with pytest.raises(CaptureError, match=rf"a file of the export in {folder}: give that folder"):
        open_recording(folder / table)
    with pytest.raises(CaptureError, match="its folder 'scan' is an export: give that"):
        open_recording(folder.parent)
    caplog.clear()
    open_recording(folder)
    assert "without the poses" not in caplog.text


def test_the_folder_around_a_colmap_model_or_a_set_of_blender_says_what_to_give(tmp_path):
    project, blender = tmp_path / "project", tmp_path / "lego"
    for name in ("sparse/0/cameras.txt", "sparse/0/images.txt", "images/1.png"):  # as COLMAP's automatic_reconstructor
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("")
    with pytest.raises(CaptureError, match=rf"--colmap {project}/sparse/0 --images {project}/images, or the images"):
        open_recording(project)
    (project / "images").rename(project / "photos")
    with pytest.raises(CaptureError, match=rf"--colmap {project}/sparse/0 --images DIR"):
        open_recording(project)
    (blender / "train").mkdir(parents=True)
    for split in ("train", "val"):  # bmild/nerf, load_blender.py: transforms_train.json beside train/
        (blender / f"transforms_{split}.json").write_text("{}")
    with pytest.raises(CaptureError, match=r"its file 'transforms_train.json' is an export: give that"):
        open_recording(blender)
