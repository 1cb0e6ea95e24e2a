"""`campose align --points`: places of the reconstruction that somebody knows in the map."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource, Borrowed
from campose_core.errors import AlignmentError
from campose_core.files import read_text
from campose_core.geometry import Array, Pose, is_place
from campose_core.joining.contradicting_pairs import contradiction
from campose_core.joining.robust_similarity import align_to_points
from campose_core.text import quoted

PAIR_COLUMNS = {
    ("name", "x", "y", "z"): "the camera of frame NAME stood at x, y, z in the map",
    ("sfm_x", "sfm_y", "sfm_z", "x", "y", "z"): "the point of the reconstruction lies at x, y, z in the map",
}


class Points(AlignmentSource):
    """A CSV of three or more point pairs."""

    by_hand = True

    def names(self) -> list[str]:
        path = self.mapped.request.points
        return [] if path is None else [str(path)]

    def evidence(self, name: str, borrowed: Borrowed) -> Evidence:
        path = Path(name)
        points_sfm, points_map, lines = read_pairs(path, self.mapped.poses)
        try:
            alignment = align_to_points(points_sfm, points_map)
        except AlignmentError as error:
            raise AlignmentError(f"{path}: {error}") from error
        if wrong := contradiction(points_sfm, points_map, lines):
            raise AlignmentError(f"{path}: {wrong}")
        return evidence_of_poses(f"points {path.name}", alignment, points_sfm)


def read_pairs(path: Path, poses: dict[str, Pose]) -> tuple[Array, Array, list[str]]:
    """Read points (N, 3) in the sfm frame and in the map frame, metres, out of a CSV of point pairs.

    The names of their rows, for people, come with them.

    Raises:
        AlignmentError: unknown columns, a number that is none, or a frame that is not registered.
    """
    rows = csv.DictReader(io.StringIO(read_text(path, AlignmentError)))
    try:
        columns = tuple(rows.fieldnames or ())
        if columns not in PAIR_COLUMNS:
            known = "; or ".join(f"`{','.join(names)}` ({meaning})" for names, meaning in PAIR_COLUMNS.items())
            raise AlignmentError(f"{path}: the columns must be {known}; got `{quoted(columns)}`")
        source, target, names = [], [], []
        for number, row in ((rows.line_num, row) for row in rows):
            try:
                if columns[0] == "name":
                    source.append(poses[row["name"]].translation)
                else:
                    source.append(np.array([float(row[c]) for c in columns[:3]]))
                target.append([float(row[c]) for c in ("x", "y", "z")])
                names.append(f"row {number} ({row['name']})" if columns[0] == "name" else f"row {number}")
                if not is_place([*source[-1], *target[-1]]):
                    raise ValueError
            except KeyError:
                raise AlignmentError(f"{path}:{number}: frame {row['name']!r} is not in the reconstruction") from None
            except (TypeError, ValueError):
                raise AlignmentError(f"{path}:{number}: not a row of finite numbers: {list(row.values())}") from None
    except csv.Error as error:
        raise AlignmentError(f"{path}: cannot be read: {error}") from error
    if len(source) < 3:
        raise AlignmentError(f"{path}: holds {len(source)} point pairs, three or more are needed")
    return np.array(source), np.array(target), names
