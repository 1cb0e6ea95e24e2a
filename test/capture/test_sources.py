"""What every recording source of the table promises: docs/extend/recording_source.md."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written_exports import Shot, stray_scanner

from campose_core.bag.writer import CAMERA_FRAME, write_bag
from campose_core.camera import Camera
from campose_core.capture.recording import RECORDING_SOURCES, open_recording
from campose_core.capture.video_writer import write_video
from campose_core.errors import CaptureError, UsageError
from campose_core.frame import Frame
from campose_core.geometry import Pose

CAMERA = Camera("PINHOLE", 96, 64, (80.0, 80.0, 47.5, 31.5))
COLOURS = np.array([[200, 30, 30], [30, 200, 30], [30, 30, 200], [220, 220, 40], [0, 0, 0], [120, 60, 180]], np.uint8)
FRAMES = [
    Frame(1_000_000_000 + 100_000_000 * i, np.broadcast_to(colour, (64, 96, 3)).copy(), CAMERA_FRAME, f"{i:06d}")
    for i, colour in enumerate(COLOURS)
]
every_source = pytest.mark.parametrize("name", list(RECORDING_SOURCES.table))


def written(name: str, folder: Path) -> Path:
    """The same frames on disk, as a source of that name holds them."""
    folder.mkdir()
    if name == "video":
        write_video(folder / "walk.mp4", FRAMES)
        return folder / "walk.mp4"
    if name == "bag":
        write_bag(folder / "walk.bag", FRAMES, CAMERA)
        return folder / "walk.bag"
    if name == "export":
        return stray_scanner(folder / "walk", [Shot(f.image, f.stamp_ns, Pose.identity()) for f in FRAMES], CAMERA)
    assert name == "images", f"how is a recording of the source {name} written? Say it here"
    for frame in FRAMES:
        Image.fromarray(frame.image).save(folder / f"{frame.name}.png")
    return folder


@every_source
def test_a_path_is_opened_by_its_own_source(name, tmp_path):
    path = written(name, tmp_path / "walk")
    recording = open_recording(path, name="kitchen")
    assert type(recording) is RECORDING_SOURCES.load(name)
    assert recording.name == "kitchen"
    assert open_recording(path).name == "walk"
    described = recording.describe()
    assert (described["kind"], described["path"]) == (name, str(path))
    assert all(isinstance(value, str) for value in described.values())
    assert recording.camera is None or recording.calibrated
    assert not RECORDING_SOURCES.load(name).recognizes(tmp_path)  # a folder of nothing known


@every_source
def test_frames_are_the_ones_recorded_in_time_order_and_again(name, tmp_path):
    recording = open_recording(written(name, tmp_path / "walk"))
    frames, again = list(recording.frames()), list(recording.frames())
    assert len(frames) == len(FRAMES)
    steps = np.diff([frame.stamp_ns for frame in frames])
    np.testing.assert_allclose(steps, 100_000_000, atol=20_000)  # a video's clock has ticks of 11 microseconds
    assert len({frame.name for frame in frames}) == len(frames)
    assert len({frame.camera_frame for frame in frames}) == 1
    for frame, true, second in zip(frames, FRAMES, again, strict=True):
        assert isinstance(frame.stamp_ns, int)
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (64, 96, 3)
        assert np.abs(frame.image.astype(int) - true.image).mean() < 6  # RGB: red is not blue
        assert (second.stamp_ns, second.name) == (frame.stamp_ns, frame.name)
        np.testing.assert_array_equal(second.image, frame.image)
    assert not any(recording.dropped.values())


@every_source
def test_frames_are_thinned(name, tmp_path):
    recording = open_recording(written(name, tmp_path / "walk"))
    every = {frame.name for frame in recording.frames()}
    some = list(recording.frames(fps=5.0))
    assert len(some) == 3
    assert {frame.name for frame in some} < every


@every_source
def test_a_topic_is_for_what_has_topics(name, tmp_path):
    path = written(name, tmp_path / "walk")
    if RECORDING_SOURCES.load(name).has_topics:
        topic = open_recording(path).describe()["topic"]
        assert open_recording(path, topic).describe()["topic"] == topic
    else:
        with pytest.raises(UsageError, match="leave out --topic /camera"):
            open_recording(path, "/camera")


@every_source
def test_what_cannot_be_read_is_refused_by_name(name, tmp_path):
    path = written(name, tmp_path / "walk")
    for file in [path] if path.is_file() else [file for file in path.iterdir() if file.is_file()]:
        file.write_bytes(b"")
    with pytest.raises(CaptureError, match="walk"):
        list(open_recording(path).frames())


def test_the_message_lists_what_a_recording_is():
    with pytest.raises(CaptureError, match=r"a video file, a folder of images, a ROS 1 \.bag file"):
        open_recording("nothing/here")
