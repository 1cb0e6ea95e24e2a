"""Millimetres, or centimetres, that were given for metres: by the scale of before, the floor, and the walk's speed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.map_scale import MEASURED
from campose_core.scene.scene import Scene

WRONG = {1000.0: "millimetres", 100.0: "centimetres"}
SAME = 0.2  # of such a factor
HIGHEST_M = 130.0  # drones may fly 120 m high; a hand's 1.4 m are 140 m in centimetres, a robot's 0.2 m 200 m in mm
FASTEST_M_S = 100.0  # in the middle of a recording
RECORDED = ("bag", "video")  # with stamps of their own; images in a folder may be numbered


def refuse_wrong_unit(scene: Scene, poses: Mapping[str, Pose], name: str, scale: float) -> None:
    """Refuse a scale that only another unit than metres explains.

    poses: sfm_from_cam of the registered frames. name: what gives the scale. scale: metres per unit of sfm.

    Raises:
        AlignmentError: it is so.
    """
    if scene.alignment is not None and scene.scale == MEASURED and scene.is_current("align"):
        ratio = scale / scene.alignment.map_from_sfm.scale
        for factor, unit in WRONG.items():
            if abs(max(ratio, 1 / ratio) / factor - 1) < SAME:
                which = name if ratio > 1 else scene.alignment.method
                raise AlignmentError(
                    f"{name} makes the map {ratio:.4g} times as large as it is by {scene.alignment.method}: is {which} "
                    f"in {unit}? Lengths are metres. Where that of before was wrong, take it back first: `campose "
                    f"align {scene.path} --camera-height METRES`"
                )
        return
    height, speed = scale * _height(scene), scale * _speed(scene, poses)
    if height > HIGHEST_M or speed > FASTEST_M_S:
        said = f"{height:.0f} m above the floor" if height > HIGHEST_M else f"{speed:.0f} m/s fast"
        raise AlignmentError(
            f"by {name} the camera would be {said}: is it in millimetres or centimetres? Lengths are metres"
        )


def _height(scene: Scene) -> float:
    """Return the median height of the cameras above the floor that was seen, in sfm; zero where none was."""
    path = scene.sfm_dir / "landmarks.npz"
    if not path.is_file():
        return 0.0
    landmarks = Landmarks.load(path)
    try:
        seen = level(landmarks)
    except AlignmentError:
        return 0.0
    return 0.0 if seen.floor is None else float(np.median(landmarks.frame_positions @ seen.up)) - seen.floor


def _speed(scene: Scene, poses: Mapping[str, Pose]) -> float:
    """Return the largest of the recordings' median speeds, in units of sfm per second."""
    fastest = 0.0
    for source, description in scene.sources.items():
        frames = sorted((f.stamp_ns, f.name) for f in scene.frames if f.source == source and f.name in poses)
        if description.get("kind") in RECORDED and len(frames) > 1:
            seconds = np.diff([stamp for stamp, _ in frames]) / 1e9
            positions: Array = np.array([poses[name].translation for _, name in frames])
            steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)[seconds > 0]
            fastest = max(fastest, float(np.median(steps / seconds[seconds > 0])) if len(steps) else 0.0)
    return fastest
