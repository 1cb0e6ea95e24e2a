"""A map frame where nothing gives the scale: by how high a camera is carried, or in a unit of the map's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from campose_core.alignment.carried_height import carried_height
from campose_core.alignment.evidence import Level
from campose_core.alignment.solvers.level import level_rotation, standing_at_origin
from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose, Similarity, positions_of
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.map_scale import UNKNOWN, MapScale, ScaleBasis
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.scene import Scene

# A phone before the chest or the face of a walking person. Adults of 1.55 to 1.95 m hold it at 0.75 to 0.9 of their
# height, and lower while they look down on it.
CARRIED_M, CARRIED_SIGMA = 1.45, 0.15
# A height that somebody gives is that of a hand: good to 5 cm or so, as is the middle of a walk.
GIVEN_SIGMA = 0.05
# Of the median distance from keyframes to what they see, where the scale is unknown: as in rooms, so that thresholds in
# metres mean about what they do there.
DEPTH_UNITS = 3.0


def align_without_scale(
    scene: Scene, poses: dict[str, Pose], level: Level | None, camera_height_m: float | None
) -> Alignment:
    """Align with z up, x where the first camera looks, from where it stands; z = 0 on the floor, or at the cameras.

    poses: sfm_from_cam by frame. level: None where nothing tells which way is up: the axes are then those of the first
    camera. camera_height_m: above the floor, None for what is usual.

    Raises:
        AlignmentError: a height was given, and no floor was seen that the camera was carried over.
    """
    ordered = [poses[name] for name in sorted(poses)]
    landmarks = _landmarks(scene)
    anchor = ordered[0].translation if landmarks is None else landmarks.frame_positions[_first(landmarks)]
    by_level = "no level" if level is None else f"level by {level.method}"
    residual = Residual(tilt_deg=None if level is None else level.up_deg)
    above = None if level is None or landmarks is None else carried_height(landmarks, level.up)
    if level is None or above is None:
        if camera_height_m is not None:
            raise AlignmentError(
                f"--camera-height {camera_height_m:g}: no floor was seen, so that the height gives no scale: leave it "
                "out, and poses are in a unit of the map's own; or record again with the floor in view"
            )
        scale = 1.0 if landmarks is None else DEPTH_UNITS / landmarks.median_depth
        up = ordered[0].rotation.apply([0.0, -1.0, 0.0]) if level is None else level.up
        similarity = _standing(ordered if level is not None else ordered[:1], scale, up, 0.0)
        return Alignment(similarity, f"a unit of its own, {by_level}", residual, scale=UNKNOWN)
    how, height_m, sigma = "assumed", CARRIED_M, CARRIED_SIGMA
    if camera_height_m is not None:
        how, height_m, sigma = "given", camera_height_m, GIVEN_SIGMA
    similarity = _standing(ordered, height_m / above, level.up, height_m)
    x, y, z = similarity.transform(anchor).tolist()
    return Alignment(
        similarity,
        f"camera height {how}, {by_level}",
        replace(residual, height_m=height_m, scale_percent=100 * sigma),
        scale=MapScale(ScaleBasis.ASSUMED, sigma, (x, y, z)),
    )


def explained(scene: Scene, alignment: Alignment) -> str:
    """Say what is to be known of a scale that nothing measured, and the cure."""
    cure = (
        f"`campose align {scene.path} --reference REF.tum` (or --points, --markers, --distance) puts it right without "
        "mapping anew"
    )
    if not alignment.scale.is_known:
        return (
            "scale unknown: nothing gives it, and no floor was seen; poses are in a unit of the map's own, and nothing "
            f"is snapped; {cure}"
        )
    height = f"{alignment.residual.height_m:g} m above the floor ({100 * alignment.scale.relative_sigma:.0f} %)"
    given = alignment.scale.relative_sigma == GIVEN_SIGMA
    said = "by --camera-height, the camera was" if given else "the camera is taken to have been"
    return f"scale assumed: {said} carried {height}; {cure}"


def _standing(ordered: list[Pose], scale: float, up: Array, height_m: float) -> Similarity:
    try:
        return standing_at_origin(ordered, scale, up, height_m)
    except AlignmentError:  # all cameras look straight up or down: any x will do
        level = Similarity(scale, level_rotation(up), np.zeros(3))
        positions = level.transform(positions_of(ordered))
        x, y, z = *positions[0, :2], np.median(positions[:, 2]) - height_m
        return Similarity(scale, level.rotation, -np.array([x, y, z]))


def _landmarks(scene: Scene) -> Landmarks | None:
    path = scene.sfm_dir / "landmarks.npz"
    return Landmarks.load(path) if path.is_file() else None


def _first(landmarks: Landmarks) -> int:
    return int(np.argmin(landmarks.frame_names))
