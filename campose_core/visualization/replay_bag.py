"""What a replay writes for people to look at: the recording, and beside it what the node would have published.

The copy is a ROS 2 bag: Foxglove opens its .mcap file, `ros2 bag play` plays the folder. What the recording holds is
copied byte for byte. What the replay adds carries the stamp of its image, and is logged at the image's time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from campose_core.bag.bag import Bag, SerializedMessage
from campose_core.bag.cdr import Cdr
from campose_core.bag.decoding import decoded
from campose_core.bag.writer import BagOutput, new_bag, write_frame
from campose_core.errors import CaptureError
from campose_core.geometry import Pose, pose_error
from campose_core.replay.bag_session import MAP_FRAME, TfRoot
from campose_core.replay.recording import Step, true_base
from campose_core.scene.scene import Scene
from campose_core.session.session import Answer
from campose_core.trajectory import Trajectory
from campose_core.visualization import topics
from campose_core.visualization.localization_status import localization_diagnosis, localization_status
from campose_core.visualization.matches import draw_result, encode_drawing
from campose_core.visualization.scene_landmarks import read_landmarks
from campose_core.visualization.trail import Trail
from campose_core.visualization.walked_path import WalkedPath
from campose_core.walkable import WalkableMap

log = logging.getLogger(__name__)

NAME = "localizer"
# A recording of the node, or an earlier copy, has these too: one replay, one set of answers.
WRITTEN = {
    topics.MAP, topics.WALKABLE, topics.LANDMARKS, topics.POSE, topics.POSE_RAW, topics.COVARIANCE, topics.PATH,
    topics.TRAIL, topics.MATCHES, topics.STATUS, topics.REFERENCE_POSE, topics.REFERENCE_PATH, topics.ERROR,
}  # fmt: skip
PATH_LENGTH, PATH_SPACING_M = 2000, 0.05
DIAGNOSIS_PERIOD_NS = 1_000_000_000
PATH_PERIOD_NS = 1_000_000_000  # each message holds the whole path


class ReplayBag:
    """A copy that is being written; see `new_replay_bag`. bag: what is replayed, None where it is no bag."""

    def __init__(
        self, output: BagOutput, cdr: Cdr, scene: Scene, walkable: WalkableMap | None, bag: Bag | None,
        reference: Trajectory | None,
    ) -> None:  # fmt: skip
        self._output, self._messages, self._reference = output, cdr.messages, reference
        self._scene, self._walkable, self._bag = scene, walkable, bag
        self._definitions = {} if bag is None else {topic.name: bag.definition(topic.name) for topic in bag.topics}
        self._path = WalkedPath(cdr.messages, MAP_FRAME)
        self._trail = Trail(cdr.messages, MAP_FRAME)
        self._path_due_ns: int | None = None
        self._newest_ns = self._diagnosis_due_ns = 0
        self._begun = self._drawn = self._path_grew = self._reference_drawn = False

    def write(self, step: Step) -> None:
        """Write one step of the replay."""
        if not self._begun:
            self._begun = True
            self._write_still(step.log_ns)
        if step.message is not None and step.message.topic not in WRITTEN and not _is_own_diagnosis(step.message):
            self._output.copy(step.message, self._definitions[step.message.topic])
        if step.answer is not None:
            if step.message is None:
                frame, camera = step.answer.frame, step.answer.camera
                write_frame(self._output, self._messages, frame, camera, frame.camera_frame)
            self._write_answer(step.log_ns, step.answer, step.root)

    def _write_still(self, log_ns: int) -> None:
        ros = self._messages
        if self._walkable is not None:
            floor, walkable = self._walkable.floor, self._walkable.walkable
            self._output.write(topics.MAP, log_ns, ros.occupancy_grid(MAP_FRAME, log_ns, floor))
            self._output.write(topics.WALKABLE, log_ns, ros.walkable_grid(MAP_FRAME, log_ns, floor, walkable))
        landmarks = read_landmarks(self._scene)
        if landmarks is not None:
            self._output.write(topics.LANDMARKS, log_ns, landmarks.cloud(ros, MAP_FRAME, log_ns))

    def _write_answer(self, log_ns: int, answer: Answer, root: TfRoot | None) -> None:
        ros, result, stamp_ns = self._messages, answer.result, answer.result.stamp_ns

        def write(topic: str, message: Any) -> None:
            self._output.write(topic, log_ns, message)

        if result.map_from_base is not None and result.covariance is not None:
            covariance = ros.pose_with_covariance(MAP_FRAME, stamp_ns, result.map_from_base, result.covariance)
            write(topics.POSE_RAW, ros.pose_stamped(MAP_FRAME, stamp_ns, result.map_from_base))
            write(topics.COVARIANCE, covariance)
        if result.on_floor is not None:
            write(topics.POSE, ros.pose_stamped(MAP_FRAME, stamp_ns, result.on_floor))
            if root is not None and root.frame != MAP_FRAME and root.root_from_cam is not None:
                map_from_root = result.on_floor * answer.base_from_cam * root.root_from_cam.inverse()
                write(topics.TF, ros.tf(ros.transform_stamped(MAP_FRAME, root.frame, stamp_ns, map_from_root)))
        write(topics.STATUS, localization_status(ros, NAME, result, answer.latency_s))
        if log_ns >= self._diagnosis_due_ns:
            self._diagnosis_due_ns = log_ns + DIAGNOSIS_PERIOD_NS
            write(topics.DIAGNOSTICS, localization_diagnosis(ros, NAME, result, answer.latency_s))
        self._drawn = self._drawn or result.matches is not None
        if self._drawn:
            jpeg = encode_drawing(draw_result(answer.frame.image, result))
            write(topics.MATCHES, ros.compressed_image(answer.frame.camera_frame, stamp_ns, jpeg))
        self._write_path(log_ns, answer)
        truth = true_base(self._reference, answer)
        if truth is not None:
            self._write_truth(log_ns, answer, truth)

    def _write_path(self, log_ns: int, answer: Answer) -> None:
        self._trail.add(answer.result, PATH_LENGTH, PATH_SPACING_M)
        self._path_grew = self._path.add(answer.result, PATH_LENGTH, PATH_SPACING_M) or self._path_grew
        self._newest_ns = log_ns
        if self._path_due_ns is None or log_ns >= self._path_due_ns:
            self.write_path()

    def write_path(self) -> None:
        """Write the path up to here, if it grew."""
        if self._path_grew:
            self._path_grew, self._path_due_ns = False, self._newest_ns + PATH_PERIOD_NS
            self._output.write(topics.PATH, self._newest_ns, self._path.message())
            self._output.write(topics.TRAIL, self._newest_ns, self._trail.message())

    def _write_truth(self, log_ns: int, answer: Answer, truth: Pose) -> None:
        ros, result, stamp_ns = self._messages, answer.result, answer.result.stamp_ns
        if self._reference is not None and not self._reference_drawn:
            of_base = self._reference.moved_by(answer.base_from_cam.inverse())
            poses = [ros.pose_stamped(MAP_FRAME, stamp, pose) for stamp, pose in of_base]
            self._output.write(topics.REFERENCE_PATH, log_ns, ros.path(MAP_FRAME, stamp_ns, poses))
            self._reference_drawn = True
        self._output.write(topics.REFERENCE_POSE, log_ns, ros.pose_stamped(MAP_FRAME, stamp_ns, truth))
        for name, pose in (("raw", result.map_from_base), ("snapped", result.on_floor)):
            if pose is not None:
                self._output.write(topics.ERROR, log_ns, ros.error(stamp_ns, name, *pose_error(pose, truth)))


def _is_own_diagnosis(message: SerializedMessage) -> bool:
    """Tell whether it is a line of a node like this one: on /diagnostics others speak as well."""
    if message.topic != topics.DIAGNOSTICS:
        return False
    content = decoded(message.data, message.msgtype)
    statuses = [] if isinstance(content, CaptureError) else getattr(content, "status", [])
    return bool(statuses) and all(status.name.startswith(f"{NAME}: ") for status in statuses)


@contextmanager
def new_replay_bag(
    path: Path, scene: Scene, walkable: WalkableMap | None, bag: Bag | None, reference: Trajectory | None
) -> Iterator[ReplayBag]:
    """Begin the bag folder `path`, which comes to be whole or not at all.

    reference: the true path, map_from_cam.

    Raises:
        MissingDependency: rosbags is not installed.
    """
    cdr = Cdr()
    replaced = sorted(WRITTEN & {topic.name for topic in bag.topics if topic.messages}) if bag else []
    if replaced:
        log.info(f"{path}: those of the replay take the place of the recorded {', '.join(replaced)}")
    with new_bag(path, cdr, topics.LATCHED) as output:
        copy = ReplayBag(output, cdr, scene, walkable, bag, reference)
        yield copy
        copy.write_path()
