"""A room as a phone's export, mapped by nothing else; written for other programs, and mapped again from that."""

import json
import shutil

import numpy as np
import pycolmap
import pytest
from lens_room import picture, walk
from written_exports import WRITERS, Shot

from campose_core.camera import Camera
from campose_core.cli.main import main
from campose_core.exports.colmap_model import read_colmap_model
from campose_core.exports.table import read_export
from campose_core.geometry import pose_error
from campose_core.map_scale import MEASURED
from campose_core.scene.scene import Scene

pytestmark = pytest.mark.slow
CAMERA = Camera("PINHOLE", 400, 300, (310.0, 304.0, 202.5, 146.5))
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """The scene that `campose build` makes of the export, and the truth."""
    folder = tmp_path_factory.mktemp("room")
    walked = walk(18)
    shots = [
        Shot(picture(CAMERA, pose), START_NS + int(stamp), pose)
        for stamp, pose in zip(walked.stamps_ns, map(walked.pose, range(len(walked))), strict=True)
    ]
    export = WRITERS["EuRoC (ASL)"](folder / "recorded", shots, CAMERA)
    assert main(["build", str(export), "--scene", str(folder / "scene")]) == 0
    return folder / "scene", shots


def errors(scene: Scene, shots: list[Shot]) -> np.ndarray:
    """(N, 2): metres and degrees of every frame."""
    found = {frame.stamp_ns: frame.map_from_cam for frame in scene.frames}
    pairs = [pose_error(found[shot.stamp_ns], shot.map_from_cam) for shot in shots]
    return np.array(pairs) * [1.0, 180 / np.pi]


def test_the_poses_of_an_export_place_its_map_in_metres_without_any_other_reference(room):
    scene, shots = Scene.open(room[0]), room[1]
    assert scene.alignment.method == "EuRoC (ASL)'s poses"
    assert scene.scale.is_known
    metres, degrees = errors(scene, shots).max(axis=0)
    assert metres < 0.01
    assert degrees < 0.2
    assert scene.sources["recorded"]["program"] == "EuRoC (ASL)"
    before = (room[0] / "scene.yaml").read_bytes()
    assert main(["build", scene.sources["recorded"]["path"], "--scene", str(room[0])]) == 0
    assert (room[0] / "scene.yaml").read_bytes() == before


@pytest.fixture(scope="module")
def for_colmap(room):
    out = room[0].parent / "for_colmap"
    assert main(["export", str(room[0]), "--to", "colmap", "--out", str(out)]) == 0
    return out


def test_colmap_gets_a_model_whose_landmarks_are_where_the_images_show_them(room, for_colmap):
    model = pycolmap.Reconstruction(for_colmap / "sparse" / "0")
    scene = Scene.open(room[0])
    frames = {frame.name: frame for frame in scene.frames}
    off = []
    for image_id in model.reg_image_ids():
        image = model.image(image_id)
        camera = scene.cameras[frames[image.name].camera]
        seen = [point for point in image.points2D if point.has_point3D()]
        world = np.array([model.points3D[point.point3D_id].xyz for point in seen])
        shown = camera.project(frames[image.name].map_from_cam.inverse().transform(world))
        off.append(np.linalg.norm(shown + 0.5 - np.array([point.xy for point in seen]), axis=1))
        assert (for_colmap / "images" / image.name).is_file()
    assert np.median(np.concatenate(off)) < 0.5
    assert model.compute_mean_reprojection_error() < 1.0
    with pycolmap.Database.open(for_colmap / "database.db") as db:
        image = db.read_image_with_name(image.name)
        assert np.allclose(
            db.read_keypoints(image.image_id)[:, :2], [p.xy for p in model.image(image.image_id).points2D]
        )


def test_a_colmap_model_becomes_the_same_map(room, for_colmap, tmp_path, capsys):
    again = tmp_path / "again"
    model, images = for_colmap / "sparse" / "0", for_colmap / "images"
    exported = read_colmap_model(model, images)
    frames = {frame.name: frame for frame in Scene.open(room[0]).frames}
    for frame in exported.frames:
        truth = frames[frame.image.relative_to(images).as_posix()].map_from_cam
        assert max(pose_error(frame.world_from_cam, truth)) < 1e-6
    options = ["--colmap", str(model), "--images", str(images), "--scene", str(again)]
    assert main(["build", *options]) == 0
    assert "given poses kept" in capsys.readouterr().err
    scene = Scene.open(again)
    assert scene.scale != MEASURED
    truth = {number: frame.world_from_cam for number, frame in enumerate(exported.frames)}
    reference = tmp_path / "places.csv"
    rows = [f"0/{n:06d}.jpg,{','.join(map(str, pose.translation))}\n" for n, pose in truth.items()]
    reference.write_text("name,x,y,z\n" + "".join(rows))
    assert main(["align", str(again), "--points", str(reference)]) == 0
    for frame in Scene.open(again).frames:
        metres, radians = pose_error(frame.map_from_cam, truth[int(frame.name[2:8])])
        assert metres < 0.01
        assert np.degrees(radians) < 0.2
    assert main(["align", str(again), "--from", "exported"]) == 1
    assert "hold no exported" in capsys.readouterr().err


def test_nerfstudio_reads_the_poses_and_intrinsics(room, tmp_path):
    out = tmp_path / "ns"
    assert main(["export", str(room[0]), "--to", "nerfstudio", "--out", str(out)]) == 0
    export, scene = read_export(out), Scene.open(room[0])
    posed = scene.posed_frames()
    assert export.metric
    assert export.level
    assert len(export.frames) == len(posed)
    for found, frame in zip(export.frames, posed, strict=True):
        assert found.image.read_bytes() == scene.frame_path(frame).read_bytes()
        assert max(pose_error(found.world_from_cam, frame.map_from_cam)) < 1e-6
        pixels = np.array([[10.0, 20.0], [350.0, 260.0]])
        assert found.camera.rays(pixels) == pytest.approx(scene.cameras[frame.camera].rays(pixels), abs=1e-6)


def test_hloc_gets_a_model_images_and_the_pairs_that_see_the_same(room, tmp_path, capsys):
    out = tmp_path / "hloc"
    assert main(["export", str(room[0]), "--to", "hloc", "--out", str(out), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    names = {line.split()[0] for line in (out / "images_with_intrinsics.txt").read_text().splitlines()}
    assert len(names) == written["images"] == pycolmap.Reconstruction(out / "sfm").num_reg_images()
    assert all((out / "images" / name).is_file() for name in names)
    pairs = [tuple(line.split()) for line in (out / "pairs-covis20.txt").read_text().splitlines()]
    assert len(pairs) == len(set(pairs)) > len(names)
    assert all(a in names and b in names and a != b for a, b in pairs)
    kept = sorted(path.name for path in out.iterdir())
    assert main(["export", str(room[0]), "--to", "hloc", "--out", str(out)]) == 1
    assert f"{out} exists already: name a new folder" in capsys.readouterr().err
    assert sorted(path.name for path in out.iterdir()) == kept


def test_what_cannot_be_exported_leaves_nothing(room, tmp_path, capsys):
    bare = tmp_path / "bare"
    shutil.copytree(room[0], bare)
    shutil.rmtree(bare / "sfm" / "model")
    assert main(["export", str(bare), "--to", "colmap", "--out", str(tmp_path / "out")]) == 1
    assert "has no reconstruction yet: run `campose map" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["build", "--scene", str(tmp_path / "s")]) == 2
    assert main(["build", "--colmap", "x", "--scene", str(tmp_path / "s")]) == 2
    assert main(["build", "x.mp4", "--colmap", "x", "--images", "y", "--scene", str(tmp_path / "s")]) == 2
    said = capsys.readouterr().err
    assert said.count("one of the two") == 2
    assert "belong together" in said
    assert not (tmp_path / "s").exists()
