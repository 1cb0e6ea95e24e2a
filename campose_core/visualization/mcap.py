"""MCAP files that Foxglove and Lichtblick open: a scene, or what an estimator answered beside the truth."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from campose_core.camera import Camera
from campose_core.capture.frame import Frame, Image
from campose_core.errors import CamposeError, TrajectoryError
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.floor import FloorMap
from campose_core.geometry import Pose, pose_error
from campose_core.trajectory import Trajectory
from campose_core.visualization.cdr_channels import CdrChannels
from campose_core.visualization.channels import Channels, Landmarks, Moment, Still
from campose_core.visualization.topics import Source

JPEG_QUALITY = 85
# A failed write shows when the file is flushed: often enough to stop early, seldom enough to compress well.
MOMENTS_PER_FLUSH = 100
MESSAGES_PER_FLUSH = 500


def write_mcap(
    path: Path | str,
    *,
    floor: FloorMap | None,
    landmarks_xyz_rgb: Landmarks | None,
    camera: Camera,
    frames: Iterable[Frame],
    reference: Trajectory | None,
    estimates: Mapping[str, Trajectory],
    base_from_cam: Pose | None = None,
    walkable: NDArray[np.bool_] | None = None,
    statuses: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Write what was estimated on a recording, whole or not at all.

    Args:
        path: the file, replaced when it exists.
        floor: the floor map.
        landmarks_xyz_rgb: points in the map frame.
        camera: intrinsics of `frames`.
        frames: pictures in time order; read once, one at a time.
        reference: the true path; errors are against it, interpolated.
        estimates: path by name; `raw` and `snapped` come on the topics the layout shows, NAME on /pose/NAME.
        base_from_cam: where the camera sits on the body that the trajectories are of; None: they are of the camera.
        walkable: (rows, cols) bool, the cells of `floor` that a robot may stand on.
        statuses: by image stamp, any of state, inliers, latency_ms (the fields of topic /status).

    Raises:
        TrajectoryError: the trajectories are not all in the frame `map`, or not all of one body.
        CamposeError: the file cannot be written.
        MissingDependency: foxglove-sdk is not installed.
    """
    named = dict(estimates) if reference is None else {"reference": reference, **estimates}
    _require_one_body(named)
    notes = [f"{name}: {len(trajectory)} poses" for name, trajectory in named.items()]
    still = Still(
        floor=floor,
        walkable=walkable,
        landmarks=landmarks_xyz_rgb,
        paths={name: [trajectory] for name, trajectory in named.items()},
        notes=notes,
    )
    moments = _moments(camera, frames, reference, estimates, base_from_cam or Pose.identity(), statuses or {})
    _write(Path(path), still, moments)


def write_source(path: Path | str, source: Source) -> None:
    """Write a source from its beginning to its end as a file of rosbag2's profile, whole or not at all.

    Raises:
        SceneError: a picture of the scene is missing.
        CamposeError: the file cannot be written.
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove, path = load_extra("foxglove", "view"), Path(path)
    from foxglove.mcap import MCAPWriteOptions

    context = foxglove.Context()
    channels = CdrChannels(context, source.topics)
    options = MCAPWriteOptions(profile="ros2")
    begin_ns, _ = source.span_ns
    try:
        with replacing(path) as beside, foxglove.open_mcap(beside, context=context, writer_options=options) as writer:
            channels.log(source.latched(begin_ns))
            for count, message in enumerate(source.messages(begin_ns, channels.wanted), start=1):
                channels.log([message])
                if count % MESSAGES_PER_FLUSH == 0:
                    writer.flush()
    except (OSError, RuntimeError) as error:  # foxglove reports every I/O fault as RuntimeError
        raise CamposeError(f"{path} cannot be written: {error}") from error


def _write(path: Path, still: Still, moments: Iterator[Moment]) -> None:
    foxglove = load_extra("foxglove", "view")
    context = foxglove.Context()
    channels = Channels(context)
    try:
        with replacing(path) as beside, foxglove.open_mcap(beside, context=context) as writer:
            count = 0
            for count, moment in enumerate(moments, start=1):
                if count == 1:
                    channels.log_still(still, moment.stamp_ns)
                channels.log_moment(moment)
                if count % MOMENTS_PER_FLUSH == 0:
                    writer.flush()
            if count == 0:
                channels.log_still(still, 0)
    except (OSError, RuntimeError) as error:  # foxglove reports every I/O fault as RuntimeError
        raise CamposeError(f"{path} cannot be written: {error}") from error


def _require_one_body(named: Mapping[str, Trajectory]) -> None:
    for name, trajectory in named.items():
        if trajectory.frame_id != "map":
            raise TrajectoryError(f"trajectory {name!r} is in the frame {trajectory.frame_id!r}, a viewer needs 'map'")
    bodies = {trajectory.child_frame_id for trajectory in named.values()}
    if len(bodies) > 1:
        raise TrajectoryError(f"the trajectories are of different bodies ({', '.join(sorted(bodies))}): choose one")


def _moments(
    camera: Camera,
    frames: Iterable[Frame],
    reference: Trajectory | None,
    estimates: Mapping[str, Trajectory],
    base_from_cam: Pose,
    statuses: Mapping[int, Mapping[str, Any]],
) -> Iterator[Moment]:
    """One moment for each frame and for each answered stamp, also where no picture is at hand."""
    by_stamp = {name: dict(trajectory) for name, trajectory in estimates.items()}
    answered = sorted({stamp_ns for poses in by_stamp.values() for stamp_ns in poses} | set(statuses))

    def moment(stamp_ns: int, frame: Frame | None) -> Moment:
        poses = {name: known[stamp_ns] for name, known in by_stamp.items() if stamp_ns in known}
        true_pose = _at(reference, stamp_ns)
        # The pictured place of the camera is where it was believed to be; the truth serves where nothing was asked.
        body = poses.get("raw") or next(iter(poses.values()), None) or (None if estimates else true_pose)
        status = dict(statuses.get(stamp_ns, {}))
        if frame is not None:
            status = {"image": frame.name, "state": "ANSWERED" if poses else "NO POSE", **status}
        return Moment(
            stamp_ns=stamp_ns,
            camera_frame=camera_frame if frame is None else frame.camera_frame,
            jpeg=None if frame is None else encode_jpeg(frame.image),
            camera=None if frame is None else camera,
            map_from_cam=None if body is None else body * base_from_cam,
            poses=poses,
            errors={} if true_pose is None else {name: pose_error(pose, true_pose) for name, pose in poses.items()},
            status=status,
        )

    camera_frame = Moment(0).camera_frame
    waiting = 0
    for frame in frames:
        camera_frame = frame.camera_frame
        while waiting < len(answered) and answered[waiting] < frame.stamp_ns:
            yield moment(answered[waiting], None)
            waiting += 1
        if waiting < len(answered) and answered[waiting] == frame.stamp_ns:
            waiting += 1
        yield moment(frame.stamp_ns, frame)
    for stamp_ns in answered[waiting:]:
        yield moment(stamp_ns, None)


def _at(reference: Trajectory | None, stamp_ns: int) -> Pose | None:
    if reference is None:
        return None
    _, found = reference.interpolate([stamp_ns])
    return found.pose(0) if len(found) else None


def encode_jpeg(image: Image) -> bytes:
    """JPEG of an RGB picture (H, W, 3)."""
    data = io.BytesIO()
    PillowImage.fromarray(image).save(data, format="JPEG", quality=JPEG_QUALITY)
    return data.getvalue()
