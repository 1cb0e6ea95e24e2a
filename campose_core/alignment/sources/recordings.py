"""What the sources in recordings share: which topics and frames there are, and the camera's pose in a frame of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from campose_core.alignment.evidence import Evidence, evidence_of_poses
from campose_core.alignment.sources.base import AlignmentSource
from campose_core.capture.mapped_recordings import MappedRecording
from campose_core.errors import AlignmentError
from campose_core.geometry import Pose, positions_of
from campose_core.joining.robust_similarity import align_to_poses
from campose_core.trajectory import Trajectory

Recordings = Sequence[MappedRecording]
Pairs = tuple[list[Pose], list[Pose]]  # the camera in sfm, and in another frame
MOUNTED_DEG = 0.5  # how well a mounting is known, and how level a base stands


class RecordedSource(AlignmentSource):
    """A source in the recordings of a scene, named by a topic or by a frame of TF that the camera moves in."""

    def has(self, name: str) -> bool:
        recordings = self.mapped.recordings
        return bool(having(recordings, name) or moving_in(recordings, name))


def bags(recordings: Recordings) -> list[MappedRecording]:
    """Keep the recordings that hold topics and TF."""
    return [recording for recording in recordings if recording.is_bag]


def topics(recordings: Recordings, msgtypes: Sequence[str]) -> list[str]:
    """List the names of the topics of these message types, sorted."""
    return sorted({t.name for recording in bags(recordings) for t in recording.topics if t.msgtype in msgtypes})


def having(recordings: Recordings, topic: str) -> list[MappedRecording]:
    """List the bags in which this topic was recorded."""
    return [recording for recording in bags(recordings) if topic in {t.name for t in recording.topics}]


def moving_in(recordings: Recordings, frame: str) -> list[MappedRecording]:
    """List those whose camera moves in a frame of TF above it."""

    def moves(recording: MappedRecording) -> bool:
        frames = recording.tf.chain(recording.camera_frame)
        below = frames[: frames.index(frame)] if frame in frames else []
        return not all(recording.tf.is_static(child) for child in below)

    return [recording for recording in bags(recordings) if moves(recording)]


def evidence_of_pairs(name: str, frame: str, pairs: Sequence[Pairs], notes: Sequence[str] = ()) -> Evidence:
    """Judge the camera's poses in sfm and in `frame`, of each recording."""
    sfm = list(chain.from_iterable(one for one, _ in pairs))
    alignment = align_to_poses(sfm, list(chain.from_iterable(other for _, other in pairs)))
    evidence = evidence_of_poses(name, alignment, positions_of(sfm), frame)
    return replace(evidence, notes=tuple(notes))


def tf_pairs(recording: MappedRecording, root: str, notes: list[str]) -> Pairs:
    """Return the camera's poses in sfm and in the frame `root` of TF; a gap is noted.

    Raises:
        AlignmentError: TF does not lead there while frames were taken.
    """
    answered, root_from_cam = recording.tf.between(root, recording.camera_frame, recording.walked.stamps_ns)
    missing = int((~answered).sum())
    if missing == len(answered):
        raise AlignmentError(
            f"{recording.path}: /tf has no {root} -> {recording.camera_frame} while frames were taken "
            f"({recording.walked.interval_text()}): are they stamped by the same clock?"
        )
    if missing:
        notes.append(f"tf {root}: {missing} of {len(answered)} frames lie in a gap of /tf and have no reference")
    walked = recording.walked.select(answered)
    return [walked.pose(i) for i in range(len(walked))], [root_from_cam.pose(i) for i in range(len(walked))]


def of_camera(recording: MappedRecording, frame_from_body: Trajectory, topic: str, named: bool = False) -> Trajectory:
    """Return frame_from_cam.

    Only odometry names its body (`named`); other poses are of what carries the camera in TF, or its own.
    """
    body = frame_from_body.child_frame_id.lstrip("/") if named else recording.tf.carrier(recording.camera_frame)
    return frame_from_body.moved_by(mounting(recording, body, recording.camera_frame, topic), recording.camera_frame)


def mounting(recording: MappedRecording, frame: str, other: str, topic: str) -> Pose:
    """Return frame_from_other, by the static transforms of a bag.

    Raises:
        AlignmentError: none leads there.
    """
    found = recording.tf.mounting(frame, other)
    if found is None:
        raise AlignmentError(
            f"{recording.path}: no static transform leads from {frame} ({topic}) to {other}: record /tf_static"
        )
    return found
