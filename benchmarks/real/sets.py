"""A set: a folder with recordings to map from and recordings to answer, and what is known of them.

    mapping*        to map from: folders of images, videos or bags, all of one place
    query*          to answer, one frame at a time
    query_wrong*    of somewhere else: there only LOST is right
    camera.json     a first guess of the camera, for all of them
    STEM.tum        map_from_cam of the recording STEM, metric: mapping.tum and query*.tum
    correspondences.csv     query_index, mapping_index: frames that show the same place, counted from 0

What else lies there is nobody's business. Several files of one stem are one recording in several forms: the folder of
images is taken before the video, and that before the bag. A TUM file belongs to the recording of exactly its stem,
and mapping.tum or query.tum to the only mapping or query recording where that has another name.

A frame is called `RECORDING/STAMP_NS` by everything here; the stamp of image i of a folder is i * 0.1 s,
whatever its name says.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from campose_core.bag.file import is_bag
from campose_core.camera import Camera
from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.folder_files import has_images
from campose_core.capture.sources.image_folder import ImageFolder, stamped_files
from campose_core.errors import CaptureError
from campose_core.frame import Recording

VIDEO_SUFFIXES = {".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".3gp"}
MAPPING_FPS = 10.0  # as `campose build` thins a video; queries are answered frame by frame


@dataclass(frozen=True)
class Recorded:
    """One recording of a set; `name` is its stem, `truth` its TUM file."""

    name: str
    path: Path
    truth: Path | None = None

    def open(self) -> Recording:
        return (
            ImageFolder(self.path, self.name, use_names=False)
            if self.is_folder
            else open_recording(self.path, name=self.name)
        )

    def numbered_stamps(self) -> dict[int, int]:
        """The stamps by which frames are called here, by those that campose gives them: of folders whose names are
        stamps these differ."""
        if not self.is_folder:
            return {}
        stamps = [[stamp_ns for stamp_ns, _ in stamped_files(self.path, use_names)] for use_names in (True, False)]
        return dict(zip(*stamps, strict=True))

    @property
    def is_folder(self) -> bool:
        """Whether its frames have no clock but their number."""
        return self.path.is_dir() and not is_bag(self.path)

    def files(self) -> list[Path]:
        """Everything that it consists of."""
        return sorted(file for file in self.path.rglob("*") if file.is_file()) if self.path.is_dir() else [self.path]


@dataclass(frozen=True)
class RealSet:
    """queries: where an answer may be right. wrong: where none is. camera_file: of all recordings."""

    name: str
    path: Path
    mapping: tuple[Recorded, ...]
    queries: tuple[Recorded, ...]
    wrong: tuple[Recorded, ...] = ()
    camera_file: Path | None = None
    correspondences: Path | None = None

    @property
    def recordings(self) -> tuple[Recorded, ...]:
        return (*self.mapping, *self.queries, *self.wrong)

    @property
    def reference(self) -> Recorded | None:
        """The mapping recording whose TUM file places the map."""
        return next((recording for recording in self.mapping if recording.truth), None)

    def camera(self) -> Camera | None:
        return read_camera_file(self.camera_file) if self.camera_file else None


def find_sets(paths: Iterable[Path]) -> list[RealSet]:
    """The sets at the paths, each a set or a folder that holds sets, in the order given and then by name.

    Raises:
        CaptureError: a path that is neither; two sets of one name.
    """
    found: list[RealSet] = []
    for path in paths:
        folders = [path] if _is_set(path) else sorted(child for child in path.glob("*") if _is_set(child))
        if not folders:
            raise CaptureError(f"{path}: no set, which has recordings mapping* and query*, and holds none")
        found += [open_set(folder) for folder in folders]
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaptureError(f"several sets are called {twice[0]}: rename one, results are kept by name")
    return found


def open_set(folder: Path) -> RealSet:
    """The set that a folder is."""
    mapping, queries = _recordings(folder, "mapping"), _recordings(folder, "query")
    camera, correspondences = folder / "camera.json", folder / "correspondences.csv"
    return RealSet(
        name=folder.resolve().name,
        path=folder,
        mapping=tuple(_with_truth(folder, "mapping", mapping)),
        queries=tuple(_with_truth(folder, "query", [one for one in queries if not _is_wrong(one)])),
        wrong=tuple(one for one in queries if _is_wrong(one)),
        camera_file=camera if camera.is_file() else None,
        correspondences=correspondences if correspondences.is_file() else None,
    )


def read_correspondences(path: Path) -> list[tuple[int, int]]:
    """(query index, mapping index), ordered by the first; further columns are ignored.

    Raises:
        CaptureError: a row without the two numbers.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return sorted((int(row["query_index"]), int(row["mapping_index"])) for row in rows)
    except (KeyError, TypeError, ValueError) as error:
        raise CaptureError(f"{path}: expected the columns query_index,mapping_index of whole numbers") from error


def _is_set(folder: Path) -> bool:
    return folder.is_dir() and bool(_recordings(folder, "mapping")) and bool(_recordings(folder, "query"))


def _is_wrong(recording: Recorded) -> bool:
    return recording.name.startswith("query_wrong")


def _recordings(folder: Path, prefix: str) -> list[Recorded]:
    """By name; of several forms of one stem the first of folder, video, bag."""
    forms: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder.glob(f"{prefix}*")):
        form = _form(path)
        if form is not None:
            stem = path.name if form == 0 else path.stem
            forms.setdefault(stem, []).append((form, path))
    return [Recorded(stem, min(paths)[1]) for stem, paths in sorted(forms.items())]


def _form(path: Path) -> int | None:
    """0 a folder of images, 1 a video, 2 a bag, None no recording."""
    if path.is_dir():
        return 2 if is_bag(path) else 0 if has_images(path) else None
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return 1
    return 2 if path.suffix.lower() in (".bag", ".mcap", ".db3") else None


def _with_truth(folder: Path, prefix: str, recordings: list[Recorded]) -> list[Recorded]:
    placed = []
    for recording in recordings:
        names = [recording.name, prefix] if len(recordings) == 1 else [recording.name]
        files = [folder / f"{name}.tum" for name in names]
        truth = next((file for file in files if file.is_file()), None)
        placed.append(Recorded(recording.name, recording.path, truth))
    return placed
