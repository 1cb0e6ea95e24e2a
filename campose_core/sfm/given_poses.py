"""`campose map --poses`: which frames have a pose from outside, in the map frame, before anything is reconstructed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.file import is_bag
from campose_core.bag.tf import read_tf
from campose_core.capture.external_poses import read_outside_poses
from campose_core.capture.file_stamps import at_own_stamps, own_stamps
from campose_core.capture.mapped_recordings import clock_in
from campose_core.capture.recording import open_recording
from campose_core.capture.sources.export import colmap_recording
from campose_core.errors import MappingError, UsageError
from campose_core.geometry import Pose, Similarity
from campose_core.residual import Residual
from campose_core.scene.alignment import Alignment
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.report import MapReport
from campose_core.trajectory import Stamps, Trajectory

log = logging.getLogger(__name__)

MIN_POSED = 3
METHOD = "given poses"


@dataclass(frozen=True, kw_only=True)
class GivenPoses:
    """Where poses come from, and of what.

    path: a TUM file, a CSV table, a bag, an export or a COLMAP model. Of a bag either `topic`, a pose topic (None: the
    only one), or `frame`, from which TF leads to the camera. source: the recording that the poses are of, where the
    stamps of several fit. mounting: x, y, z, qx, qy, qz, qw of body_from_camera; None where the poses are the camera's,
    or where the bag says it (odometry names its body, and TF leads from there to the camera). images: the folder of the
    images of a COLMAP model; its frame has neither metres nor up, so that the map has yet to be aligned.
    """

    path: str
    topic: str | None = None
    frame: str | None = None
    source: str | None = None
    mounting: tuple[float, ...] | None = None
    images: str | None = None

    def read(self, scene: Scene) -> dict[str, Pose]:
        """Read map_from_cam by frame name, of the frames whose stamps the trajectory covers.

        Raises:
            TrajectoryError, CaptureError: the poses cannot be read. GeometryError: the mounting is not a pose.
            UsageError: a frame for what is no bag, or with a topic or a mounting.
            MappingError: they cover fewer than three frames (both intervals are named), frames of several sources at
                the same time, or TF does not lead to the camera.
        """
        known = sorted({frame.source for frame in scene.frames})
        if self.source not in (None, *known):
            raise MappingError(
                f"no frame comes from the source {self.source!r}; there are {', '.join(known) or 'none'}"
            )
        frames = sorted((f for f in scene.frames if self.source in (None, f.source)), key=lambda f: f.stamp_ns)
        found = self._by_tf(scene, frames) if self.frame is not None else self._by_trajectory(scene, frames)
        turns = [name for name, _ in groupby(frame.source for frame in frames if frame.name in found)]
        if len(turns) > len(set(turns)) and self.images is None:
            raise MappingError(
                f"{self.path}: it covers frames of {' and '.join(sorted(set(turns)))} at the same time: name the "
                "recording that it is of with --poses-source"
            )
        log.info(f"map: {len(found)} of {len(scene.frames)} frames have a given pose")
        return found

    def inputs(self) -> dict[str, Any]:
        """Return what the poses are made of, for telling whether they changed since."""
        path = Path(self.path).resolve()
        modified = max((p.stat().st_mtime_ns for p in (path, *path.glob("*")) if p.exists()), default=0)
        mounting = None if self.mounting is None else list(self.mounting)
        named = {"path": str(path), "topic": self.topic, "frame": self.frame, "source": self.source}
        of_model = {} if self.images is None else {"images": str(Path(self.images).resolve())}
        return {**named, "mounting": mounting, "modified_ns": modified, **of_model}

    def _by_trajectory(self, scene: Scene, frames: Sequence[SceneFrame]) -> dict[str, Pose]:
        if self.images is None:
            map_from_body = read_outside_poses(self.path, self.topic, clock_in(scene, self.path))
        else:
            map_from_body = colmap_recording(Path(self.path), Path(self.images)).trajectory()
        map_from_body = at_own_stamps(map_from_body, own_stamps(frames), self.path)
        stamps = np.unique(np.array([frame.stamp_ns for frame in frames], dtype=np.int64))
        _, answered = map_from_body.interpolate(stamps)
        at = dict(answered)
        posed = [frame for frame in frames if frame.stamp_ns in at]
        self._check_covered(len(posed), stamps, map_from_body.interval_text())
        mountings = {name: self._body_from_cam(scene, name, map_from_body) for name in {f.source for f in posed}}
        return {frame.name: at[frame.stamp_ns] * mountings[frame.source] for frame in posed}

    def _body_from_cam(self, scene: Scene, source: str, map_from_body: Trajectory) -> Pose:
        if self.mounting is not None:
            return Pose.from_quat_xyzw(self.mounting[3:], self.mounting[:3])
        body = map_from_body.child_frame_id
        camera = _camera_frame(scene, source) if body else body
        if camera == body:
            return Pose.identity()
        body_from_cam = read_tf(self.path).mounting(body, camera)
        if body_from_cam is None:
            raise MappingError(
                f"{self.path}: these are poses of {body}, and TF does not fix {camera} to it: give the place of the "
                "camera on it with --mounting X Y Z QX QY QZ QW"
            )
        return body_from_cam

    def _by_tf(self, scene: Scene, frames: Sequence[SceneFrame]) -> dict[str, Pose]:
        if not is_bag(Path(self.path)) or self.topic is not None or self.mounting is not None:
            raise UsageError(
                f"the frame {self.frame!r} is one of the TF of a bag: give no topic and no mounting with it"
            )
        tree, frame_id = read_tf(self.path, clock_in(scene, self.path)), str(self.frame)
        found: dict[str, Pose] = {}
        for source in sorted({frame.source for frame in frames}):
            camera = _camera_frame(scene, source)
            chain = tree.chain(camera)
            if frame_id not in chain:
                raise MappingError(
                    f"{self.path}: TF leads from {camera} to {' to '.join(chain[1:]) or 'nowhere'}, not to {frame_id}"
                )
            stamps = np.unique(np.array([f.stamp_ns for f in frames if f.source == source], dtype=np.int64))
            at = dict(tree.between(frame_id, camera, stamps)[1])
            found |= {f.name: at[f.stamp_ns] for f in frames if f.source == source and f.stamp_ns in at}
        everything = np.array([frame.stamp_ns for frame in frames], dtype=np.int64)
        self._check_covered(len(found), everything, "TF, which has gaps or another time,")
        return found

    def _check_covered(self, posed: int, stamps: Stamps, covered: str) -> None:
        if posed >= MIN_POSED:
            return
        span = f"{stamps[0] / 1e9:.3f} .. {stamps[-1] / 1e9:.3f} s" if len(stamps) else "no time at all"
        raise MappingError(
            f"{self.path}: {posed} frames have a pose in it. The frames cover {span}, the poses {covered}: both must "
            "use the same clock. If not, map without --poses, then `campose align SCENE --tracker`, which finds the "
            "difference"
        )


def keyframe_poses(posed: dict[str, Pose], names: dict[str, list[str]]) -> dict[str, list[float]]:
    """Return x, y, z, qx, qy, qz, qw of the keyframes (by source) that have a pose, for the stage `triangulation`."""
    chosen = {name for source in names.values() for name in source}
    return {
        name: [*map(float, pose.translation), *map(float, pose.quat_xyzw)]
        for name, pose in sorted(posed.items())
        if name in chosen
    }


def in_map_frame(scene: Scene, poses: SfmPoses, report: MapReport) -> Scene:
    """Return the mapped scene, whose reconstruction lies in the frame of the given poses from the start."""
    found = poses.poses()
    alignment = alignment_of_given(report)
    frames = tuple(replace(frame, map_from_cam=found.get(frame.name)) for frame in scene.frames)
    return scene.with_step("align", {"method": METHOD}, alignment=alignment, frames=frames)


def alignment_of_given(report: MapReport) -> Alignment:
    """Make the alignment of a map from given poses, in the map frame already; residual: how far they were adjusted.

    Raises:
        MappingError: the report tells of no given poses.
    """
    moved = report.given_poses
    if moved is None or report.registered is None:
        raise MappingError("sfm/report.json says nothing of the given poses: run `campose map --poses` again")
    frames = float(report.registered)
    residual = Residual(frames=frames, median_m=moved.median_m, max_m=moved.max_m, median_deg=moved.median_deg)
    return Alignment(Similarity.identity(), METHOD, residual)


def _camera_frame(scene: Scene, source: str) -> str:
    fields = scene.sources[source]
    return next(open_recording(fields["path"], fields.get("topic")).frames()).camera_frame
