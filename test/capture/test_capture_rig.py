"""Several image topics of one bag: sources, moments, the cameras' places, and what is refused."""

import numpy as np
import pytest
from recordings import START_NS, picture
from rig_recordings import LATE_NS, MOUNTINGS, TOPICS, rig_bag

from campose_core.camera import Camera
from campose_core.capture.extract import extract
from campose_core.capture.synchronized_cameras import camera_names
from campose_core.cli.main import main
from campose_core.errors import CaptureError, UsageError
from campose_core.geometry import pose_error
from campose_core.scene.scene import Scene

SMALL = Camera("PINHOLE", 64, 48, (50.0, 50.0, 31.5, 23.5))
BOTH = list(TOPICS.values())


def robot(tmp_path, count=6, period_ns=100_000_000, mountings=MOUNTINGS, name="walk", **changes):
    stamps = START_NS + period_ns * np.arange(count)
    pictures = {camera: [picture(i) for i in range(count)] for camera in MOUNTINGS}
    return rig_bag(tmp_path / name, stamps, pictures, mountings, SMALL, **changes)


def extracted(tmp_path, bag, **options):
    return extract(Scene.open_or_create(tmp_path / "scene"), [bag], topic=BOTH, **options)


@pytest.mark.parametrize(
    ("topics", "names"),
    [
        (["/front/image_raw", "/left/image_raw"], ["front", "left"]),
        (["/robot/cam0/image_raw/compressed", "/robot/cam1/image_raw"], ["cam0", "cam1"]),
        (["/a/left", "/b/right"], ["a_left", "b_right"]),
        (["/image", "/image/compressed"], ["image", "image_compressed"]),
    ],
)
def test_cameras_are_named_by_what_tells_their_topics_apart(topics, names):
    assert camera_names(topics) == names


def test_each_topic_is_a_source_and_tf_tells_where_the_cameras_sit(tmp_path, capsys):
    scene = extracted(tmp_path, robot(tmp_path))
    assert list(scene.sources) == ["walk_front", "walk_left"]
    assert [f.stamp_ns - START_NS for f in scene.frames if f.source == "walk_left"][:2] == [LATE_NS, 10**8 + LATE_NS]
    rig = Scene.open(scene.path).rigs["walk_front"]
    assert rig.frame == "base_link"
    for camera, mounting in MOUNTINGS.items():
        assert max(pose_error(rig.rig_from_cam[f"walk_{camera}"], mounting)) < 1e-7
    assert "walk_left: 6 of 6 images have a partner within 20 ms" in capsys.readouterr().err


def test_a_second_run_does_nothing_and_one_topic_alone_is_no_rig_any_more(tmp_path, capsys):
    bag = robot(tmp_path)
    scene = extracted(tmp_path, bag)
    mark = scene.frame_path(scene.frames[0])
    mark.write_bytes(b"mark")
    again = extracted(tmp_path, bag)
    assert mark.read_bytes() == b"mark"
    assert again.steps == scene.steps
    alone = extract(again, [bag], topic=TOPICS["left"])
    assert list(alone.sources) == ["walk_front", "walk_left"]
    assert alone.rigs == {}


def test_thinning_keeps_the_pictures_of_a_moment_together(tmp_path):
    """15 Hz thinned to 10: halfway between two points of the grid the cameras must not choose differently."""
    bag = robot(tmp_path, count=16, period_ns=66_666_667, dropped=(("left", 0), ("front", 7)))
    scene = extracted(tmp_path, bag, fps=10.0)
    moment = {}
    for frame in scene.frames:
        late = LATE_NS if frame.source == "walk_left" else 0
        moment.setdefault((frame.stamp_ns - late - START_NS) // 66_666_667, set()).add(frame.source)
    assert len(moment) < 12
    both = [sources for i, sources in moment.items() if i not in (0, 7)]
    assert both
    assert all(len(sources) == 2 for sources in both)


def test_without_tf_the_places_are_unknown_and_said_so(tmp_path, capsys):
    rig = extracted(tmp_path, robot(tmp_path, mountings=None)).rigs["walk_front"]
    assert rig.frame == "front_optical"
    assert rig.reference_from_cam("walk_left") is None
    assert "no static transform connects walk_left (left_optical)" in capsys.readouterr().err


def test_cameras_that_fire_at_other_moments_are_sources_without_a_rig(tmp_path, capsys):
    scene = extracted(tmp_path, robot(tmp_path, late_ns=50_000_000))
    assert len(scene.sources) == 2
    assert scene.rigs == {}
    assert "no two images are within 20 ms" in capsys.readouterr().err


def test_bad_rigs_are_refused_and_leave_no_scene(tmp_path):
    bag = robot(tmp_path)
    new = Scene.open_or_create(tmp_path / "scene")
    with pytest.raises(CaptureError, match=r"no image topic '/rear'; it has: /front/image_raw/compressed \(6 .*/left"):
        extract(new, [bag], topic=[*BOTH, "/rear"])
    with pytest.raises(UsageError, match="names /front/image_raw/compressed twice"):
        extract(new, [bag], topic=[BOTH[0], BOTH[0]])
    with pytest.raises(CaptureError, match=r"/left/image_raw/compressed has no camera_info .*--camera FILE"):
        extract(new, [robot(tmp_path, name="bare", without_info=("left",))], topic=BOTH)
    with pytest.raises(CaptureError, match=r"never at the same time, so they are no rig"):
        extract(new, [robot(tmp_path, name="apart", late_ns=10**10)], topic=BOTH)
    assert not (tmp_path / "scene").exists()


def test_the_command_takes_a_topic_for_each_camera(tmp_path, capsys):
    topics = [word for topic in BOTH for word in ("--topic", topic)]
    assert main(["extract", str(robot(tmp_path)), *topics, "--scene", str(tmp_path / "scene")]) == 0
    assert "walk_left" in capsys.readouterr().out
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    assert main(["extract", str(pictures), *topics, "--scene", str(tmp_path / "other")]) == 2
    assert "is not a bag" in capsys.readouterr().err
