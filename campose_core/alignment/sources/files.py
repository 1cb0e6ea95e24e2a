"""The files that a person aligns by: a reference trajectory, and point pairs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose
from campose_core.scene import SceneFrame
from campose_core.trajectory import read_tum

PAIR_COLUMNS = {
    ("name", "x", "y", "z"): "the camera of frame NAME stood at x, y, z in the map",
    ("sfm_x", "sfm_y", "sfm_z", "x", "y", "z"): "the point of the reconstruction lies at x, y, z in the map",
}


def frames_with_reference(
    frames: Sequence[SceneFrame], reference: Path, source: str | None = None
) -> list[tuple[SceneFrame, Pose]]:
    """The frames (of one source, or of all) whose stamp the TUM file covers, with the map_from_cam that it gives them.

    Raises:
        AlignmentError: fewer than three (both intervals are named), no such source, or frames of several sources at the
            same time, so that the stamps do not tell whose poses these are.
    """
    trajectory = read_tum(reference)
    sources = sorted({frame.source for frame in frames})
    if source not in (None, *sources):
        raise AlignmentError(f"no frame comes from the source {source!r}; there are {', '.join(sources) or 'none'}")
    asked = sorted((f for f in frames if source in (None, f.source)), key=lambda f: f.stamp_ns)
    stamps = np.unique(np.array([f.stamp_ns for f in asked], dtype=np.int64))
    _, at_stamps = trajectory.interpolate(stamps)
    map_from_cam = dict(at_stamps)
    known = [(f, map_from_cam[f.stamp_ns]) for f in asked if f.stamp_ns in map_from_cam]
    if len(known) < 3:
        span = f"{stamps[0] / 1e9:.3f} .. {stamps[-1] / 1e9:.3f} s" if len(stamps) else "no time at all"
        raise AlignmentError(
            f"{reference}: {len(known)} of {len(asked)} frames have a pose in it. The frames cover "
            f"{span}, the reference {trajectory.interval_text()}: both must use the same clock"
        )
    taking_turns = [name for name, _ in groupby(frame.source for frame, _ in known)]
    if len(taking_turns) > len(set(taking_turns)):
        raise AlignmentError(
            f"{reference}: it covers frames of {' and '.join(sorted(set(taking_turns)))} at the same time: name the "
            "recording that it is of with --source"
        )
    return known


def read_pairs(path: Path, poses: dict[str, Pose]) -> tuple[Array, Array]:
    """Points (N, 3) in the sfm frame and in the map frame out of a CSV of point pairs.

    Raises:
        AlignmentError: unknown columns, a number that is none, or a frame that is not registered.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = tuple(reader.fieldnames or ())
            if columns not in PAIR_COLUMNS:
                known = "; or ".join(f"`{','.join(names)}` ({meaning})" for names, meaning in PAIR_COLUMNS.items())
                raise AlignmentError(f"{path}: the columns must be {known}; got `{','.join(columns)}`")
            source, target = [], []
            for number, row in enumerate(reader, start=2):
                try:
                    if columns[0] == "name":
                        source.append(poses[row["name"]].translation)
                    else:
                        source.append(np.array([float(row[c]) for c in columns[:3]]))
                    target.append([float(row[c]) for c in ("x", "y", "z")])
                    if not np.isfinite([*source[-1], *target[-1]]).all():
                        raise ValueError
                except KeyError:
                    raise AlignmentError(
                        f"{path}:{number}: frame {row['name']!r} is not in the reconstruction"
                    ) from None
                except (TypeError, ValueError):
                    raise AlignmentError(
                        f"{path}:{number}: not a row of finite numbers: {list(row.values())}"
                    ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AlignmentError(f"{path}: cannot be read: {error}") from error
    if len(source) < 3:
        raise AlignmentError(f"{path}: holds {len(source)} point pairs, three or more are needed")
    return np.array(source), np.array(target)
