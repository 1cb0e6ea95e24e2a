"""How the cameras of a rig sit to each other in a reconstruction, and the scale that their known places give to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from campose_core.geometry import Pose, positions_of, rotation_angle, rotations_of
from campose_core.rig import Rig, moments
from campose_core.scene.scene import Scene
from campose_core.statistics import robust_sigma

MIN_BASELINE_M = 1e-3  # less is one place
MIN_MOMENTS = 3  # with a pose of both cameras, to compare them


@dataclass(frozen=True)
class RigScale:
    """How a reconstruction's cameras sit to each other, against where they are known to sit.

    scale: metres per unit of the reconstruction; None where the known places are one and the same, which tells none.
    relative_error: of the scale, one standard deviation, by the spread over the moments; zero where the rig was held
    fixed, which leaves no spread. off_m, off_deg: by camera, the known place less the median estimated one; of two
    cameras only the direction between them is compared, since their distance makes the scale.
    """

    moments: int
    scale: float | None
    relative_error: float
    off_m: dict[str, float]
    off_deg: dict[str, float]


def scale_from_rig(sfm_from_cams: Mapping[str, Pose], rig: Rig, joined: Iterable[Iterable[str]]) -> RigScale | None:
    """Find the scale that known distances between cameras give to a reconstruction, with or without rig constraints.

    sfm_from_cams: by image name, SOURCE/FILE; joined: image names moment by moment. The relative place of two cameras
    is the median over the moments; the scale is the least-squares one of all places.
    None where no place is known, or too few moments show two cameras.
    """
    places = _places_by_moment(sfm_from_cams, rig, joined)
    known = {c: rig.reference_from_cam(c) for c in places}
    pairs = {c: (pose, places[c]) for c, pose in sorted(known.items()) if pose is not None}
    if not pairs:
        return None
    truth = positions_of(pose for pose, _ in pairs.values())
    each = [positions_of(poses) for _, poses in pairs.values()]
    measured = np.array([_median_place(poses).translation for _, poses in pairs.values()])
    turns_only = np.linalg.norm(truth) < MIN_BASELINE_M
    fit = float(np.sum(truth * measured))
    if fit <= 0:  # the wrong way round: no scale mends it, and off_m shows it
        fit = float(np.linalg.norm(truth) * max(np.linalg.norm(measured), 1e-12))
    scale = 0.0 if turns_only else float(np.sum(truth * truth)) / fit
    along = [one @ t / (t @ t) for one, t in zip(each, truth, strict=True) if t @ t > 0]
    spread = [robust_sigma(a - np.median(a)) / max(np.median(a), 1e-12) / np.sqrt(len(a)) for a in along]
    off_m = np.linalg.norm(scale * measured - truth, axis=1)
    turns = {c: pose.rotation.inv() * _median_place(poses).rotation for c, (pose, poses) in pairs.items()}
    return RigScale(
        max(len(poses) for _, poses in pairs.values()),
        None if turns_only else scale,
        float(np.min(spread, initial=np.inf)) if not turns_only else 0.0,
        dict(zip(pairs, map(float, off_m), strict=True)),
        {c: float(np.degrees(rotation_angle(turn))) for c, turn in turns.items()},
    )


def poses_by_partners(sfm_from_cams: Mapping[str, Pose], scene: Scene) -> dict[str, Pose]:
    """Find sfm_from_cam of images that have none, from another camera's image of the same moment.

    How the cameras sit to each other in the sfm frame is taken from the moments that have a pose of both.
    """
    found = {}
    for rig in scene.rigs.values():
        joined = [moment.images for moment in moments(stamped_names(scene, rig), rig.tolerance_ns)]
        by_moment = _places_by_moment(sfm_from_cams, rig, [images.values() for images in joined])
        places = {rig.reference: Pose.identity(), **{c: _median_place(poses) for c, poses in by_moment.items()}}
        for images in joined:
            posed = [c for c, name in images.items() if name in sfm_from_cams and c in places]
            if posed:
                sfm_from_rig = sfm_from_cams[images[posed[0]]] * places[posed[0]].inverse()
                missing = [c for c, name in images.items() if name not in sfm_from_cams and c in places]
                found.update({images[c]: sfm_from_rig * places[c] for c in missing})
    return found


def _places_by_moment(
    sfm_from_cams: Mapping[str, Pose], rig: Rig, joined: Iterable[Iterable[str]]
) -> dict[str, list[Pose]]:
    """reference_from_cam of each other camera, moment by moment; of those that enough moments show."""
    places: dict[str, list[Pose]] = {}
    for names in joined:
        here = {name.split("/")[0]: sfm_from_cams[name] for name in names if name in sfm_from_cams}
        if rig.reference in here:
            cam_from_sfm = here[rig.reference].inverse()
            for camera in here.keys() & set(rig.cameras[1:]):
                places.setdefault(camera, []).append(cam_from_sfm * here[camera])
    return {camera: poses for camera, poses in places.items() if len(poses) >= MIN_MOMENTS}


def _median_place(poses: list[Pose]) -> Pose:
    """Return the median position, and the mean of the rotations near the one of least summed angle to the others."""
    rotations = rotations_of(poses)
    angles = np.array([rotation_angle(rotation.inv() * rotations) for rotation in rotations])
    nearest = np.argsort(angles[np.argmin(angles.sum(axis=1))])[: (len(poses) + 1) // 2]
    return Pose(rotations[nearest].mean(), np.median([pose.translation for pose in poses], axis=0))


def stamped_names(scene: Scene, rig: Rig) -> dict[str, list[tuple[int, str]]]:
    """Return (stamp_ns, frame name) by camera of a rig: what `moments` takes."""
    return {c: [(f.stamp_ns, f.name) for f in scene.frames if f.source == c] for c in rig.cameras}
