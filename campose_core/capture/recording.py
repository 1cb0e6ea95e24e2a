"""From a path to the recording it holds."""

from pathlib import Path

from campose_core.capture.bag.file import is_bag
from campose_core.capture.bag.images import BagRecording
from campose_core.capture.frame import Recording
from campose_core.capture.images import SUFFIXES as IMAGE_SUFFIXES
from campose_core.capture.images import ImageFolder, image_files
from campose_core.capture.video import VideoRecording
from campose_core.errors import CaptureError, UsageError

UNDERSTOOD = (
    "a video file, a folder of pictures, a ROS 1 .bag file, a ROS 2 bag folder, or a bare .mcap or .db3 file of one"
)


def open_recording(path: Path | str, topic: str | None = None, name: str | None = None) -> Recording:
    """The recording at `path`: a video, a folder of pictures, or the image topic `topic` of a bag.

    name: what the source is called in a scene; the file's name without its ending when None.

    Raises:
        CaptureError: nothing there, or nothing that is understood, or damaged beyond use.
        UsageError: a topic for what has no topics.
    """
    path = Path(path)
    if not path.exists():
        raise CaptureError(f"{path}: no such file or folder; a recording is {UNDERSTOOD}")
    if is_bag(path):
        return BagRecording(path, topic, name)
    if topic is not None:
        raise UsageError(f"{path} is not a bag: leave out --topic {topic}")
    if path.is_dir():
        if not image_files(path):
            raise CaptureError(f"{path}: holds neither pictures nor a bag; a recording is {UNDERSTOOD}")
        return ImageFolder(path, name)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise CaptureError(f"{path}: a single picture; give the folder that holds it")
    return VideoRecording(path, name)
