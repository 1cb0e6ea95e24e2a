"""`campose align`: find map_from_sfm, and give every registered frame its pose in the map frame."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose
from campose_core.mapping.alignment import align_by_distance, align_to_points, align_to_poses
from campose_core.mapping.held_out import HeldOut
from campose_core.mapping.register import SfmPoses
from campose_core.progress import say
from campose_core.scene import Alignment, Scene, SceneFrame
from campose_core.trajectory import read_tum

PAIR_COLUMNS = {
    ("name", "x", "y", "z"): "the camera of frame NAME stood at x, y, z in the map",
    ("sfm_x", "sfm_y", "sfm_z", "x", "y", "z"): "the point of the reconstruction lies at x, y, z in the map",
}


def align_scene_to_reference(scene: Scene, reference: Path, source: str | None = None) -> Scene:
    """With a TUM file of map_from_cam at (some of) the frames' stamps; frames between two poses are interpolated.

    source: the recording that the reference is of, where the stamps do not tell (every video begins at zero).

    Raises:
        AlignmentError: the stamps do not overlap (both intervals are named), or fit several recordings, or the poses
            do not determine a map frame.
    """
    options: dict[str, Any] = {"reference": str(reference.resolve()), "modified_ns": _modified_ns(reference)}
    options |= {} if source is None else {"source": source}
    if _already(scene, options):
        return scene
    poses = SfmPoses.load(scene).poses()
    known = frames_with_reference([f for f in scene.frames if f.name in poses], reference, source)
    found = align_to_poses([poses[frame.name] for frame, _ in known], [map_from_cam for _, map_from_cam in known])
    return _apply(scene, poses, found, options)


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


def align_scene_to_points(scene: Scene, pairs: Path) -> Scene:
    """With a CSV of three or more point pairs; see PAIR_COLUMNS for the two kinds of header.

    Raises:
        AlignmentError: the file is not such a table (the line is named), or its points lie on one line.
    """
    options = {"points": str(pairs.resolve()), "modified_ns": _modified_ns(pairs)}
    if _already(scene, options):
        return scene
    poses = SfmPoses.load(scene).poses()
    source, target = read_pairs(pairs, poses)
    try:
        found = align_to_points(source, target)
    except AlignmentError as error:
        raise AlignmentError(f"{pairs}: {error}") from error
    return _apply(scene, poses, found, options)


def align_scene_by_distance(scene: Scene, first: str, second: str, distance_m: float, height_m: float) -> Scene:
    """With the distance between the cameras of two frames, and the cameras' height above the floor.

    Raises:
        AlignmentError: a frame is unknown or not registered, or up is not determined.
    """
    options = {"distance": [first, second, distance_m], "height_m": height_m}
    if _already(scene, options):
        return scene
    poses = SfmPoses.load(scene).poses()
    names = sorted(poses)
    for name in (first, second):
        if name not in poses:
            raise AlignmentError(f"frame {name!r} is not in the reconstruction; frames are named like {names[0]!r}")
    ordered = [poses[name] for name in names]
    found = align_by_distance(ordered, names.index(first), names.index(second), distance_m, height_m)
    return _apply(scene, poses, found, options)


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


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise AlignmentError(f"{path}: cannot be read: {error}") from error


def _already(scene: Scene, options: dict[str, Any]) -> bool:
    done = scene.alignment is not None and scene.is_done("align", options)
    if done:
        say("align: done already")
    return done


def _apply(scene: Scene, poses: dict[str, Pose], found: Alignment, options: dict[str, Any]) -> Scene:
    map_from_sfm = found.map_from_sfm

    def pose(name: str) -> Pose | None:
        return map_from_sfm.transform_pose(poses[name]) if name in poses else None

    frames = tuple(replace(frame, map_from_cam=pose(frame.name)) for frame in scene.frames)
    aligned = scene.with_step("align", options, alignment=found, frames=frames)
    aligned.save()
    say(f"align: by {found.method}; " + ", ".join(f"{name} {value:.4g}" for name, value in found.residual.items()))
    held_out = scene.sfm_dir / "held_out.npz"
    if held_out.is_file():
        say(f"align: {HeldOut.load(held_out).transformed(map_from_sfm).summary()}")
    return aligned
