"""Where the camera was, as the bag of its images knows it: by /tf above odometry's frame, or by a topic of poses."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from campose_core.bag.file import open_bag
from campose_core.bag.odometry import ODOMETRY
from campose_core.bag.poses import TRANSFORM, absolute_pose_topics, frames_above_odometry, read_poses
from campose_core.bag.tf import read_tf
from campose_core.bag.transforms import TransformTree
from campose_core.capture.sources.bag import BagRecording
from campose_core.errors import TrajectoryError
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

WITH_COVARIANCE = "geometry_msgs/msg/PoseWithCovarianceStamped"
OWN = "/pose_raw"  # what campose publishes beside its other answers


def recorded_truth(path: Path, chosen: str = "", image_topic: str | None = None) -> Trajectory:
    """Read map_from_cam of a bag: at the stamps of its images by TF, at those of the messages by a topic.

    chosen: a pose topic, or a frame of TF above the camera; empty where there is only one: TF is left aside where
    campose itself ran, and what AMCL publishes beside TF counts as TF. A topic's poses are of the child that odometry
    names, else of the body that carries the camera in TF. image_topic: whose camera; None takes the only one.

    Raises:
        CaptureError: not a readable bag, no images, or several image topics.
        TrajectoryError: it does not know where its camera was, knows it in several ways (they are listed), or not
            where the camera sits on the body.
    """
    recording = BagRecording(path, image_topic)
    camera, clock = recording.first_camera_frame().lstrip("/"), recording.clock
    tree = read_tf(path, clock)
    if tree.frames() and camera not in tree.frames():
        known = ", ".join(sorted(tree.frames()))
        raise TrajectoryError(f"{path}: its images are of the frame {camera!r}, and /tf has {known}")
    ways = _ways(path, tree, camera)
    names = list(ways) if chosen else _trusted(path, ways)
    if chosen not in ways and (chosen or len(names) != 1):
        raise TrajectoryError(_choice(path, chosen, names, list(ways)))
    way = chosen or names[0]
    if way in tree.frames():
        _, truth = tree.between(way, camera, np.unique(recording.stamps.stamps_ns))
        if not len(truth):
            raise TrajectoryError(f"{path}: /tf has no {way} -> {camera} while images were taken")
        log.info(f"{path}: reference: {way} -> {camera} of /tf, {len(truth)} poses")
        return truth
    poses = read_poses(path, way, clock)
    body = poses.child_frame_id.lstrip("/") if ways[way][0] == ODOMETRY else tree.carrier(camera)
    body_from_cam = tree.mounting(body, camera)
    if body_from_cam is None:
        raise TrajectoryError(
            f"{path}: no static transform leads from {body} ({way}) to the camera's frame {camera}: record /tf_static"
        )
    of = f"{body}, moved to {camera}" if body != camera else "the camera, as it seems: /tf has no body that carries it"
    log.info(f"{path}: reference: {way} in {poses.frame_id or 'a frame without a name'}, {len(poses)} poses of {of}")
    return poses.moved_by(body_from_cam, camera)


def _ways(path: Path, tree: TransformTree, camera: str) -> dict[str, tuple[str, str]]:
    """Return the type (empty: TF) and the frame of what says where the camera was in a map, by its name."""
    topics = {
        name: (msgtype, frame)
        for name, (msgtype, frame) in absolute_pose_topics(path).items()
        if msgtype != TRANSFORM and not _is_mounted(tree, camera, frame)  # of a marker that was seen, of an arm
    }
    return {**{frame: ("", frame) for frame in frames_above_odometry(tree, camera)}, **topics}


def _is_mounted(tree: TransformTree, camera: str, frame: str) -> bool:
    return frame in tree.chain(camera) and tree.mounting(frame, camera) is not None


def _trusted(path: Path, ways: dict[str, tuple[str, str]]) -> list[str]:
    """List those that may be taken unasked: not what campose itself answered, nor what AMCL says in TF more often, and
    of the frames of TF the root alone."""
    with open_bag(path) as bag:
        topics = {topic.name for topic in bag.topics}
    own = [node for name in topics if (node := name.removesuffix(OWN)) != name and f"{node}/pose" in topics]
    frames = [] if own else [name for name, (msgtype, _) in ways.items() if not msgtype]
    named = [
        name
        for name, (msgtype, frame) in ways.items()
        if msgtype
        and not any(name.startswith(f"{node}/") for node in own)
        and not (msgtype == WITH_COVARIANCE and frame in frames)
    ]
    return [*frames[:1], *named]


def _choice(path: Path, chosen: str, names: list[str], ways: list[str]) -> str:
    if not ways:
        return (
            f"{path}: does not say where its camera was in a map: /tf leads to no frame above odometry's, and no topic "
            f"has poses. Poses of a body: align with --tracker {path}; those of the camera: give a file"
        )
    if chosen:
        return f"{path}: {chosen!r} does not say where its camera was; these do: {', '.join(ways)}"
    if not names:
        return (
            f"{path}: campose itself answered while it was recorded; if {', '.join(ways)} is of something else, "
            f"choose it, as in {path}:{ways[0]}"
        )
    return f"{path}: {', '.join(names)} say where its camera was: choose one, as in {path}:{names[0]}"
