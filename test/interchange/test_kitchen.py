"""A real kitchen, written as each export and data set, makes the map that its video makes; so does its COLMAP model.

`make long` runs it: a minute or two a form.
"""

from pathlib import Path

import numpy as np
import pytest
from written_exports import WRITERS, Shot

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.cli.main import main
from campose_core.evaluation.estimates import read_estimates
from campose_core.geometry import pose_error
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.scene.scene import Scene
from campose_core.trajectory import read_tum, seconds_text

pytestmark = pytest.mark.long
KINECT = Camera("OPENCV", 640, 480, (525.0, 525.0, 319.5, 239.5, -0.03, 0.0, 0.0, 0.0))
START_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def kitchen(shared_data) -> Path:
    return shared_data / "redkitchen"


@pytest.fixture(scope="module")
def by_video(kitchen, tmp_path_factory) -> Path:
    scene = tmp_path_factory.mktemp("kitchen") / "video"
    reference = str(kitchen / "mapping.tum")
    assert main(["build", str(kitchen / "mapping.mp4"), "--scene", str(scene), "--reference", reference]) == 0
    return scene


def median_cm(scene: Path, kitchen: Path) -> float:
    """Of the queries, against the truth; an image without an answer is infinitely wrong."""
    out = scene.parent / f"{scene.name}.tum"
    assert main(["localize", str(scene), str(kitchen / "query.mp4"), "--out", str(out)]) == 0
    found, truth = dict(read_estimates(out).trajectory), read_tum(kitchen / "query.tum")
    errors = [pose_error(found[s], pose)[0] if found.get(s) else np.inf for s, pose in truth]
    return 100 * float(np.median(errors))


@pytest.mark.parametrize("name", WRITERS)
def test_the_kitchen_as_an_export_makes_the_map_of_its_video(kitchen, by_video, tmp_path, name):
    truth = read_tum(kitchen / "mapping.tum")
    frames = list(open_recording(kitchen / "mapping.mp4").frames())
    shots = [Shot(frame.image, START_NS + frame.stamp_ns, truth.at(frame.stamp_ns)) for frame in frames]
    folder = WRITERS[name](tmp_path / "export", shots, KINECT)
    assert main(["build", str(folder), "--scene", str(tmp_path / "scene"), "--fps", "all"]) == 0
    scene, video = Scene.open(tmp_path / "scene"), Scene.open(by_video)
    ordered = sorted(scene.frames, key=lambda frame: frame.stamp_ns)
    pairs = [(a.map_from_cam, b.map_from_cam) for a, b in zip(ordered, video.frames, strict=True)
             if a.map_from_cam and b.map_from_cam]  # fmt: skip
    assert len(pairs) > 0.95 * len(shots)
    found = align_to_poses([a for a, _ in pairs], [b for _, b in pairs])
    assert found.map_from_sfm.scale == pytest.approx(1.0, abs=0.004)
    assert found.residual.max_m < 0.01


def test_drift_of_the_poses_is_said_and_stays_out_of_the_map(kitchen, by_video, tmp_path, capsys):
    drifting = read_tum(kitchen / "mapping_rgbd.tum")  # up to 10 cm off the pictures
    frames = list(open_recording(kitchen / "mapping.mp4").frames())
    shots = [Shot(frame.image, START_NS + frame.stamp_ns, drifting.at(frame.stamp_ns)) for frame in frames]
    folder = WRITERS["Polycam"](tmp_path / "export", shots, KINECT)
    assert main(["build", str(folder), "--scene", str(tmp_path / "scene")]) == 0
    assert "cm at most: the map follows the pictures" in capsys.readouterr().err
    scene, video = Scene.open(tmp_path / "scene"), Scene.open(by_video)
    ordered = sorted(scene.frames, key=lambda frame: frame.stamp_ns)
    pairs = [(a.map_from_cam, b.map_from_cam) for a, b in zip(ordered, video.frames, strict=True)]
    # But for the scale, which is the poses', it is the video's map.
    assert align_to_poses([a for a, _ in pairs], [b for _, b in pairs]).residual.max_m < 0.01


def test_the_kitchens_colmap_model_becomes_a_scene_that_localizes(kitchen, by_video, tmp_path):
    model, images = by_video / "sfm" / "model", by_video / "frames"
    options = ["--colmap", str(model), "--images", str(images), "--scene", str(tmp_path / "scene")]
    assert main(["build", *options]) == 0
    recording = open_recording(model, images=images)
    stamps = {frame.name: frame.stamp_ns for frame in Scene.open(by_video).frames}
    truth = read_tum(kitchen / "mapping.tum")
    names = [frame.image.relative_to(images).as_posix() for frame in recording.export.frames]
    lines = []
    for number, name in enumerate(names):
        pose = truth.at(stamps[name])
        row = [*pose.translation, *pose.quat_xyzw]
        lines.append(" ".join([seconds_text(number * 100_000_000), *(f"{v:.9f}" for v in row)]))
    (tmp_path / "reference.tum").write_text("\n".join(lines) + "\n")
    assert main(["align", str(tmp_path / "scene"), "--reference", str(tmp_path / "reference.tum")]) == 0
    assert median_cm(tmp_path / "scene", kitchen) < 0.6
