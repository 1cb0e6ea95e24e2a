"""frames.csv: the frames of a scene, a row each."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from campose_core.errors import CamposeError, SceneError
from campose_core.files import check_whole
from campose_core.geometry import Pose, lasting_quat
from campose_core.scene.names import check_key, check_name
from campose_core.text import quoted
from campose_core.trajectory import stamp_from_text

COLUMNS = ["name", "source", "stamp_ns", "camera", "split", "x", "y", "z", "qx", "qy", "qz", "qw"]
ROW = "a name, a source, a stamp in nanoseconds, a camera, a split, and the seven numbers of a pose or none"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SceneFrame:
    """One row of frames.csv. `name` is `SOURCE/FILE.jpg` below frames/; `split` is '' or one of SPLITS."""

    name: str
    source: str
    stamp_ns: int
    camera: str
    split: str = ""
    map_from_cam: Pose | None = None


def frames_text(frames: Iterable[SceneFrame]) -> str:
    """Write the table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame in frames:
        pose = frame.map_from_cam
        numbers = [""] * 7
        if pose is not None:
            numbers = [repr(float(v)) for v in (*pose.translation, *lasting_quat(pose.rotation))]
        writer.writerow([frame.name, frame.source, frame.stamp_ns, frame.camera, frame.split, *numbers])
    return text.getvalue()


def read_frames(
    path: Path, data: bytes, cameras: Collection[str], sources: Collection[str], unrecorded: bool
) -> Iterator[SceneFrame]:
    """Read the table out of `data`, which is what `path` holds.

    cameras, sources: those of scene.yaml. unrecorded: whether to leave out frames of sources that are not among them,
    which else are refused.

    Raises:
        SceneError: no such table (with the row); a frame of a camera that scene.yaml does not have; or an extraction
            was killed before it had recorded its source.
    """
    try:
        text = data.decode("utf-8")
        lines = list(csv.reader(io.StringIO(text)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise SceneError(f"{path} is damaged: it is no table of comma-separated text") from error
    if not lines or lines[0] != COLUMNS:
        raise SceneError(f"{path}: expected the columns {','.join(COLUMNS)}, got {quoted(lines[0] if lines else [])}")
    check_whole(path, text, SceneError)
    for number, fields in enumerate(lines[1:], start=2):
        try:
            frame = _frame(fields)
            if frame.camera not in cameras and frame.source not in sources:
                if unrecorded:
                    continue
                raise SceneError(
                    f"the extraction of {frame.source!r} was cut short: run `campose extract` with it again"
                )
            if frame.camera not in cameras:
                raise SceneError(f"unknown camera {frame.camera!r}; scene.yaml has {', '.join(cameras) or 'none'}")
            yield frame
        except CamposeError as error:
            raise SceneError(f"{path}:{number}: {error}") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise SceneError(f"{path}:{number}: expected {ROW}, got {quoted(fields)}") from error


def _frame(fields: Sequence[str]) -> SceneFrame:
    row = dict(zip(COLUMNS, fields, strict=True))
    if row["split"] not in ("", *SPLITS):
        raise SceneError(f"unknown split {row['split']!r}")
    numbers = [row[column] for column in COLUMNS[5:]]
    pose = None
    if any(numbers):
        values = [float(value) for value in numbers]
        pose = Pose.from_quat_xyzw(values[3:], values[:3])
    check_name(row["name"], "name")
    check_key(row["source"], "source")
    return SceneFrame(row["name"], row["source"], stamp_from_text(row["stamp_ns"]), row["camera"], row["split"], pose)
