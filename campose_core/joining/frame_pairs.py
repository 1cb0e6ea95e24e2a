"""Point pairs between a reconstruction and the map, out of a table that a person wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, is_place
from campose_core.joining.pair_table import read_pair_table
from campose_core.text import quoted

PAIR_COLUMNS = {
    ("name", "x", "y", "z"): "the camera of frame NAME stood at x, y, z in the map",
    ("sfm_x", "sfm_y", "sfm_z", "x", "y", "z"): "the point of the reconstruction lies at x, y, z in the map",
}


def read_pairs(path: Path, poses: dict[str, Pose]) -> tuple[Array, Array, list[str]]:
    """Read points (N, 3) in the sfm frame and in the map frame, metres, out of a CSV of point pairs.

    The names of their rows, for people, come with them.

    Raises:
        AlignmentError: unknown columns, a number that is none, or a frame that is not registered.
    """
    known = "; or ".join(f"`{','.join(names)}` ({meaning})" for names, meaning in PAIR_COLUMNS.items())
    columns, rows = read_pair_table(path, AlignmentError, tuple(PAIR_COLUMNS), known)
    source, target, names = [], [], []
    for line, row in rows:
        named = f"row {line} ({row['name']})" if columns[0] == "name" else f"row {line}"
        if columns[0] == "name" and row["name"] not in poses:
            raise AlignmentError(
                f"{path}:{line}: frame {row['name']!r} is not in the reconstruction, whose frames are named such as "
                f"{min(poses)!r} (frames.csv)"
            )
        try:
            place = [float(row[c]) for c in ("x", "y", "z")]
            at = poses[row["name"]].translation if columns[0] == "name" else [float(row[c]) for c in columns[:3]]
        except ValueError:
            place, at = [np.nan], []
        if not is_place([*at, *place]):
            raise AlignmentError(f"{path}:{line}: not a row of finite numbers: {quoted(row.values())}")
        source.append(np.asarray(at))
        target.append(place)
        names.append(named)
    if len(source) < 3:
        raise AlignmentError(f"{path}: holds {len(source)} point pairs, three or more are needed")
    return np.array(source), np.array(target), names
