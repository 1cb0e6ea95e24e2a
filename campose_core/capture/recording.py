"""From a path to the recording it holds; docs/extend/recording_source.md adds a kind."""

import logging
from pathlib import Path
from typing import ClassVar, Protocol

from campose_core.capture.sources.export import colmap_recording
from campose_core.capture.sources.folder_files import SUFFIXES as IMAGE_SUFFIXES
from campose_core.capture.sources.folder_files import has_images, unread_files
from campose_core.errors import CaptureError, UsageError
from campose_core.exports.colmap_model import is_colmap_model, models_below
from campose_core.exports.table import is_export, kind_of_export, read_export
from campose_core.frame import Recording
from campose_core.seams.seam import Seam

log = logging.getLogger(__name__)


class RecordingSource(Recording, Protocol):
    """A kind of recording that can be opened by its path.

    form: what it is on disk, for messages. has_topics: whether it is made with a `topic` where one is asked for.
    """

    form: ClassVar[str]
    has_topics: ClassVar[bool]

    def __init__(self, path: Path, *, name: str | None = None) -> None: ...

    @staticmethod
    def recognizes(path: Path) -> bool:
        """Tell whether what lies at this path is of this kind, without reading it through."""
        ...


HERE = "campose_core.capture.sources"
TABLE_SUFFIXES = {".csv", ".json", ".nvm", ".txt", ".yaml", ".yml"}
# Asked from the last to the first, plug-ins before all of these: a video is any file that nothing else recognizes.
RECORDING_SOURCES: Seam[type[RecordingSource]] = Seam(
    "recording_sources",
    {
        "video": f"{HERE}.video:VideoRecording",
        "images": f"{HERE}.image_folder:ImageFolder",
        "bag": f"{HERE}.bag:BagRecording",
        "export": f"{HERE}.export:ExportedRecording",
    },
    CaptureError,
    members=("form", "has_topics", "recognizes", "describe", "frames"),
)


def open_recording(
    path: Path | str, topic: str | None = None, name: str | None = None, images: Path | None = None
) -> Recording:
    """Open the recording at `path`: a video, a folder of images, an export, or the image topic `topic` of a bag.

    name: what the source is called in a scene; the file's name without its ending when None. images: of the COLMAP
    model that `path` is then, the folder that the names in it start from.

    Raises:
        CaptureError: nothing there, or nothing that is understood, or damaged beyond use.
        UsageError: a topic for what has no topics.
        PluginError: an installed package that brings a kind of recording is broken.
    """
    path = Path(path)
    if images is not None:
        return colmap_recording(path, images, name)
    kinds = [RECORDING_SOURCES.load(kind) for kind in RECORDING_SOURCES.names()]
    understood = ", ".join(kind.form for kind in kinds)
    if not path.exists():
        raise CaptureError(f"{path}: no such file or folder; a recording is {understood}")
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        raise CaptureError(f"{path}: a single image; give the folder that holds it")
    if is_colmap_model(path):
        raise CaptureError(f"{path}: a COLMAP model; its images are needed too: --colmap {path} --images DIR")
    kind = next((kind for kind in reversed(kinds) if kind.recognizes(path)), None)
    _look_around(path)
    if topic is not None and not (kind and kind.has_topics):
        raise UsageError(f"{path} is not a bag: leave out --topic {topic}")
    if kind is None:
        unread, why = unread_files(path) if path.is_dir() else (0, "")
        reason = f": {unread} {why}" if unread else f"; a recording is {understood}"
        raise CaptureError(f"{path}: holds neither images nor a bag{reason}{_inside(path)}")
    return kind(path, name=name) if topic is None else kind(path, name=name, topic=topic)  # type: ignore[call-arg]


def _look_around(path: Path) -> None:
    """Say what is left out where a path is a part of an export.

    Raises:
        CaptureError: it is one of its tables.
    """
    if is_export(path):
        return
    for folder in path.resolve().parents[:2]:
        if kind_of_export(folder) is None:
            continue
        if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
            raise CaptureError(f"{path}: a file of the export in {folder}: give that folder")
        try:
            export = read_export(folder)
        except CaptureError:
            continue  # of no use, then
        images = {frame.image.parent.resolve() for frame in export.frames if isinstance(frame.image, Path)}
        if path.resolve() in {export.video, *images}:
            log.info(
                f"{path}: without the poses and intrinsics of the {export.program} export around it: give {folder}"
            )
            return


def _inside(path: Path) -> str:
    """Return what to give instead of a folder, as a message ends; empty where nothing of it is understood."""
    folders = _folders(path)
    found = next((folder for folder in folders if kind_of_export(folder)), None)
    if found is not None:
        return f"; its folder {found.name!r} is an export: give that"
    if model := next(iter(models_below(path)), None):
        images = path / "images" if (path / "images").is_dir() else "DIR"
        return f"; it holds a COLMAP model: --colmap {model} --images {images}, or the images alone"
    file = next((file for file in sorted(path.glob("*.json")) if kind_of_export(file)), None)
    if file is not None:
        return f"; its file {file.name!r} is an export: give that"
    holding = [folder for folder in folders if has_images(folder)]
    colour = [repr(folder.name) for folder in holding if "depth" not in folder.name.lower()]
    if len(colour) > 1:  # DCIM of a phone or a camera: 100APPLE, 101APPLE
        more = f" and {len(colour) - 4} more" if len(colour) > 4 else ""
        return f"; its folders {', '.join(colour[:4])}{more} hold images: give one, or several"
    return f"; its folder {holding[0].name!r} holds images: give that" if holding else ""


def _folders(path: Path) -> list[Path]:
    """Those in a folder, colour before depth and the like."""
    folders = sorted(file for file in path.iterdir() if file.is_dir()) if path.is_dir() else []
    return sorted(folders, key=lambda folder: "depth" in folder.name.lower())
