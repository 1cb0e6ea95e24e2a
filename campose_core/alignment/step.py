"""`campose align`: find map_from_sfm, and give every registered frame its pose in the map frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.alignment.assumed_scale import align_without_scale, explained
from campose_core.alignment.evidence import Evidence, compare, evidence_of_poses, table
from campose_core.alignment.inertial_labels import label_by_imu
from campose_core.alignment.selection import Level, floor_plan_options, gather, names_of
from campose_core.alignment.solvers.distance import scale_of_distance
from campose_core.alignment.solvers.level import standing_at_origin
from campose_core.alignment.sources.files import frames_with_reference, read_pairs
from campose_core.alignment.sources.given_poses import given_evidence
from campose_core.alignment.sources.markers import marker_evidence, read_markers
from campose_core.alignment.sources.tracker import TrackerSource, tracker_evidence
from campose_core.errors import AlignmentError
from campose_core.floorplan.attach import save_aligned
from campose_core.geometry import Pose
from campose_core.landmark_map.held_out import HeldOut
from campose_core.map_scale import MEASURED
from campose_core.progress import say
from campose_core.robust_similarity import align_to_points, align_to_poses
from campose_core.scene import Alignment, Scene
from campose_core.scene_floor import why_not_snapped
from campose_core.sfm.registration import SfmPoses

TAPE_SIGMA = 0.01  # relative error of a distance between two cameras that was measured with a tape


@dataclass(frozen=True, kw_only=True)
class AlignRequest:
    """What to align by; nothing given means by what the recordings hold.

    reference: TUM file of map_from_cam, of the recording `source` where the stamps do not tell. tracker: of a body that
    the camera of `source` sits on. points: CSV of point pairs. distance: two frames and the metres between their
    cameras. camera_height_m: above the floor, None for that of the floor that was seen. markers: markers.yaml.
    recorded: kinds out of the recordings (`gathered.KINDS`), each with `:TOPIC` behind it where only one is meant. imu:
    topic of an IMU that tells where frames between others were taken, "" for the only one of each bag.
    """

    reference: Path | None = None
    source: str | None = None
    tracker: TrackerSource | None = None
    points: Path | None = None
    distance: tuple[str, str, float] | None = None
    camera_height_m: float | None = None
    markers: Path | None = None
    recorded: tuple[str, ...] = ()
    imu: str | None = None

    def options(self) -> dict[str, Any]:
        """For `scene.yaml`: changes with the files and with what was asked.

        Raises:
            AlignmentError: a file cannot be read.
        """
        options: dict[str, Any] = {}
        for name, path in (("reference", self.reference), ("points", self.points), ("markers", self.markers)):
            if path is not None:
                modified = "modified_ns" if not options else f"{name}_modified_ns"
                options |= {name: str(path.resolve()), modified: _modified_ns(path)}
        if self.tracker is not None:
            options |= {**self.tracker.options(), "tracker_modified_ns": _modified_ns(self.tracker.path)}
        options |= {} if self.source is None else {"source": self.source}
        if self.distance is not None:
            options |= {"distance": list(self.distance), "height_m": self.camera_height_m}
        options |= {} if options and not self.recorded else {"from": list(self.recorded)}
        if self.distance is None and self.camera_height_m is not None:
            options |= {"camera_height_m": self.camera_height_m}
        return options | ({} if self.imu is None else {"imu": self.imu})


def align_scene_to_reference(scene: Scene, reference: Path, source: str | None = None) -> Scene:
    """With a TUM file of map_from_cam at (some of) the frames' stamps; see `align_scene`."""
    return align_scene(scene, AlignRequest(reference=reference, source=source))


def align_scene_to_points(scene: Scene, pairs: Path) -> Scene:
    """With a CSV of three or more point pairs; see `align_scene`."""
    return align_scene(scene, AlignRequest(points=pairs))


def align_scene_by_distance(scene: Scene, first: str, second: str, distance_m: float, height_m: float | None) -> Scene:
    """With the distance between the cameras of two frames, and the cameras' height above the floor."""
    return align_scene(scene, AlignRequest(distance=(first, second, distance_m), camera_height_m=height_m))


def align_scene(scene: Scene, request: AlignRequest) -> Scene:
    """Find map_from_sfm by what was asked for, or by what the recordings hold; returns the scene as saved.

    What comes first in the order of trust is applied: reference, tracker, points, poses that the map was made from,
    then those of `gathered.KINDS`, markers among them, then a scale alone (a distance, the size of markers) with the
    level that is known best. The others are compared with it; the differences are printed and stored with the
    alignment. Where nothing gives the scale, see `align_without_scale`; that never takes the place of a measured one
    unless it is asked for.

    Raises:
        AlignmentError: a file or a source that was asked for cannot be used; or two that were asked for contradict
            each other.
    """
    options = request.options()
    if "from" in options:  # another floor map may tell another place
        options |= floor_plan_options(scene)
    if scene.alignment is not None and scene.is_done("align", options):
        say("align: done already")
        return scene
    poses = SfmPoses.load(scene).poses()
    path_sfm = np.array([pose.translation for pose in poses.values()])
    asked = _by_hand(scene, poses, request)
    found = gather(scene, poses, request.recorded, request.camera_height_m)
    asked_names = {evidence.name for evidence in asked} | names_of(found.evidence, request.recorded)
    everything = [*asked, *given_evidence(scene, path_sfm), *found.evidence]
    trusted = [evidence for evidence in everything if evidence.name in asked_names and evidence.scale] or everything
    applied = _first_whole(trusted, found.level, poses, request.camera_height_m)
    if applied is None and request == AlignRequest() and scene.scale == MEASURED and scene.is_current("align"):
        assert scene.alignment is not None
        say(f"align: stays by {scene.alignment.method}: the recordings hold nothing else that gives the scale")
        return scene
    if applied is None:
        applied = _without_scale(scene, poses, found.level, request.camera_height_m)
    for refusal in found.refusals if not asked else ():
        say(f"align: not used: {refusal}")
    for note in (note for evidence in (*everything, applied) for note in evidence.notes):
        say(f"align: {note}")
    # What gave the level agrees with it.
    others = [one for one in everything if one.name != applied.name and (one.up is None or one.up is not applied.up)]
    checks = [compare(applied, other, path_sfm) for other in others]
    for check in checks:
        if not check.agree and check.method in asked_names and applied.name in asked_names:
            raise AlignmentError(
                f"{applied.name} and {check.method} were both asked for, and contradict each other: "
                f"{check.difference()}. Leave out the one that is wrong"
            )
    if checks:
        say(table(applied, checks))
    for check in checks:
        if not check.agree:
            say(f"align: WARNING: {applied.name} and {check.method} disagree: {check.difference()}")
    assert applied.alignment is not None
    aligned = _applied(scene, poses, replace(applied.alignment, checks=[check.to_dict() for check in checks]), options)
    if request.imu is not None:
        aligned = label_by_imu(aligned, request.imu or None)
    if why_not_snapped(aligned):
        say(f"align: WARNING: {why_not_snapped(aligned)}")
    return save_aligned(aligned)


def _by_hand(scene: Scene, poses: dict[str, Pose], request: AlignRequest) -> list[Evidence]:
    """The evidence of files and numbers that a person gave, in the order of trust."""
    evidence = []
    if request.reference is not None:
        frames = [frame for frame in scene.frames if frame.name in poses]
        known = frames_with_reference(frames, request.reference, request.source)
        path_sfm = np.array([poses[frame.name].translation for frame, _ in known])
        alignment = align_to_poses([poses[frame.name] for frame, _ in known], [pose for _, pose in known])
        evidence.append(evidence_of_poses(f"reference {request.reference.name}", alignment, path_sfm))
    if request.tracker is not None:
        evidence.append(tracker_evidence(scene, poses, request.tracker, request.source))
    if request.points is not None:
        source, target = read_pairs(request.points, poses)
        try:
            alignment = align_to_points(source, target)
        except AlignmentError as error:
            raise AlignmentError(f"{request.points}: {error}") from error
        evidence.append(evidence_of_poses(f"points {request.points.name}", alignment, source))
    if request.markers is not None:
        evidence.append(marker_evidence(scene, poses, read_markers(request.markers)))
    if request.distance is not None:
        first, second, metres = request.distance
        for name in (first, second):
            if name not in poses:
                raise AlignmentError(
                    f"frame {name!r} is not in the reconstruction; frames are named like {min(poses)!r}"
                )
        path = np.array([pose.translation for pose in poses.values()])
        scale = scale_of_distance(poses[first].translation, poses[second].translation, path, metres)
        evidence.append(Evidence("known distance", scale=scale, scale_sigma=TAPE_SIGMA))
    return evidence


def _first_whole(
    trusted: Sequence[Evidence], level: Level | None, poses: dict[str, Pose], camera_height_m: float | None
) -> Evidence | None:
    """The first that gives a map frame; else the first that gives a scale, standing at its first camera."""
    whole = next((evidence for evidence in trusted if evidence.alignment is not None), None)
    metric = next((evidence for evidence in trusted if evidence.scale is not None), None)
    if whole is not None or metric is None or metric.scale is None:
        return whole
    if level is None:
        raise AlignmentError(f"{metric.name} gives the scale, and nothing tells which way is up: turn while recording")
    ordered = [poses[name] for name in sorted(poses)]
    height_m = camera_height_m
    if height_m is None:
        heights = np.array([pose.translation for pose in ordered]) @ level.up
        height_m = 0.0 if level.floor is None else metric.scale * (float(np.median(heights)) - level.floor)
    similarity = standing_at_origin(ordered, metric.scale, level.up, height_m)
    residual = {"scale_percent": 100 * metric.scale_sigma, "tilt_deg": level.up_deg}
    alignment = Alignment(similarity, f"{metric.name}, level by {level.method}", residual)
    return replace(metric, alignment=alignment, frame="the first camera", up=level.up, up_deg=level.up_deg)


def _without_scale(
    scene: Scene, poses: dict[str, Pose], level: Level | None, camera_height_m: float | None
) -> Evidence:
    alignment = align_without_scale(scene, poses, level, camera_height_m)
    evidence = Evidence(alignment.method, alignment, "the first camera", notes=(explained(scene, alignment),))
    if alignment.scale.is_known:
        evidence = replace(evidence, scale=alignment.map_from_sfm.scale, scale_sigma=alignment.scale.relative_sigma)
    return evidence if level is None else replace(evidence, up=level.up, up_deg=level.up_deg)


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise AlignmentError(f"{path}: cannot be read: {error}") from error


def _applied(scene: Scene, poses: dict[str, Pose], found: Alignment, options: dict[str, Any]) -> Scene:
    map_from_sfm = found.map_from_sfm

    def pose(name: str) -> Pose | None:
        return map_from_sfm.transform_pose(poses[name]) if name in poses else None

    frames = tuple(replace(frame, map_from_cam=pose(frame.name)) for frame in scene.frames)
    aligned = scene.with_step("align", options, alignment=found, frames=frames)
    say(f"align: by {found.method}; " + ", ".join(f"{name} {value:.4g}" for name, value in found.residual.items()))
    held_out = scene.sfm_dir / "held_out.npz"
    if held_out.is_file():
        say(f"align: {HeldOut.load(held_out).transformed(map_from_sfm).summary(found.scale)}")
    return aligned
