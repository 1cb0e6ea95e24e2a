"""What the recordings of a scene themselves say about the metric frame: two functions for each kind of source.

One lists what there is to believe (topics, frames of TF), the other says what one of them gives, and raises an
AlignmentError or CaptureError where it cannot be used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from campose_core.alignment.evidence import Evidence, evidence_of_poses, up_of, width
from campose_core.alignment.solvers.gps import align_to_gps
from campose_core.alignment.solvers.gravity import up_by_gravity
from campose_core.alignment.solvers.odometry import MovedCamera, align_to_odometry
from campose_core.capture.bag.file import open_bag
from campose_core.capture.bag.gps import NAV_SAT_FIX, read_gps
from campose_core.capture.bag.imu import IMU, read_imu
from campose_core.capture.bag.odometry import ODOMETRY
from campose_core.capture.bag.poses import POSE_FIELDS, read_poses
from campose_core.capture.exif_gps import read_exif_gps
from campose_core.capture.gps import GpsFixes, enu
from campose_core.capture.mapped_recordings import MAX_GAP_NS, MappedRecording
from campose_core.errors import AlignmentError, CaptureError
from campose_core.geometry import Array, Pose
from campose_core.robust_similarity import align_to_poses
from campose_core.trajectory import Trajectory

Recordings = Sequence[MappedRecording]
Pairs = tuple[list[Pose], list[Pose]]  # the camera in sfm, and in another frame
# Poses that someone wished for, not where anything was.
WISHES = ("goal", "initialpose", "waypoint")
WHEEL_SIZE = 0.02  # relative error of odometry's scale that no stretch shows: worn, soft or wrongly measured wheels
MOUNTED_DEG = 0.5  # how well a mounting is known, and how level a base stands


def holds(recordings: Recordings, name: str) -> bool:
    """Whether a topic, or a frame of TF that the camera moves in, is in some recording (`exif`: in photos)."""
    return bool(_having(recordings, name) or _moving_in(recordings, name) or (name == "exif" and _photos(recordings)))


def pose_topics(recordings: Recordings) -> list[str]:
    """Topics of another localizer's absolute poses: PoseStamped, PoseWithCovarianceStamped (/amcl_pose)."""
    names = _topics(recordings, [msgtype for msgtype in POSE_FIELDS if msgtype != ODOMETRY])
    return [n for n in names if not any(wish in n for wish in WISHES) and not _is_odom(_frame_of(recordings, n))]


def by_poses(recordings: Recordings, topic: str) -> Evidence:
    """The camera's pose in the frame of the messages on a pose topic."""
    pairs, frame = [], ""
    for recording in _having(recordings, topic):
        map_from_body = read_poses(recording.path, topic)
        frame = map_from_body.frame_id.lstrip("/")
        pairs.append(recording.pairs(_of_camera(recording, map_from_body, topic), topic))
    return _of_pairs(f"poses {topic}", frame, pairs)


def tf_roots(recordings: Recordings) -> list[str]:
    """Roots of the TF trees in which the camera moves, other than odometry's frame."""
    roots = {recording.tf.chain(recording.camera_frame)[-1] for recording in _bags(recordings)}
    return sorted(root for root in roots if not _is_odom(root) and _moving_in(recordings, root))


def by_tf(recordings: Recordings, root: str) -> Evidence:
    """The camera's pose in a frame of TF."""
    notes: list[str] = []
    pairs = [_tf_pairs(recording, root, notes) for recording in _moving_in(recordings, root)]
    return _of_pairs(f"tf {root}", root, pairs, notes)


def odometries(recordings: Recordings) -> list[str]:
    """Topics of nav_msgs/Odometry; where there are none, odometry's frame in TF."""
    topics = _topics(recordings, [ODOMETRY])
    if topics:
        return topics
    frames = {frame for recording in _bags(recordings) for frame in recording.tf.chain(recording.camera_frame)[1:]}
    return sorted(frame for frame in frames if _is_odom(frame) and _moving_in(recordings, frame))


def by_odometry(recordings: Recordings, name: str) -> Evidence:
    """By a topic of nav_msgs/Odometry, or by a frame of TF."""
    notes: list[str] = []
    moved: dict[str, MovedCamera] = {}
    for recording in _having(recordings, name):
        odometry = read_poses(recording.path, name)
        notes += [f"odometry {name}: {gap}" for gap in _gaps(odometry)]
        camera = _of_camera(recording, odometry, name, named=True)
        moved[recording.source] = MovedCamera(*recording.pairs(camera, name))
    if not moved:
        for recording in _moving_in(recordings, name):
            moved[recording.source] = MovedCamera(*_tf_pairs(recording, name, notes))
        name = f"tf {name}"
    alignment = align_to_odometry(list(moved.values()))
    residual = alignment.residual
    if residual["slipped"]:
        notes.append(
            f"odometry {name}: {residual['slipped']:.0f} of {residual['segments']:.0f} stretches disagree with the "
            "pictures (slip?) and do not count"
        )
    return Evidence(
        f"odometry {name}",
        alignment,
        f"odometry {name} of {next(iter(moved))}",
        alignment.map_from_sfm.scale,
        float(np.hypot(WHEEL_SIZE, residual["scale_percent"] / 100)),
        up_of(alignment.map_from_sfm),
        float(np.hypot(MOUNTED_DEG, residual["tilt_deg"])),
        notes=tuple(notes),
    )


def imu_topics(recordings: Recordings) -> list[str]:
    """Topics of sensor_msgs/Imu."""
    return _topics(recordings, [IMU])


def by_gravity(recordings: Recordings, topic: str) -> Evidence:
    """Up alone, by the accelerometer of an IMU; of several recordings, each by its duration."""
    up, off_deg, sigma = np.zeros(3), 0.0, 0.0
    for recording in _having(recordings, topic):
        imu = read_imu(recording.path, topic)
        camera_from_imu = _mounting(recording, recording.camera_frame, imu.frame_id.lstrip("/"), topic)
        answered, walked = recording.walked.interpolate(imu.stamps_ns, MAX_GAP_NS)
        if not answered.any():
            raise AlignmentError(
                f"{recording.path}: {topic} has no time in common with the frames, {recording.walked.interval_text()}"
            )
        sfm_from_imu = walked.rotations * camera_from_imu.rotation
        gravity = up_by_gravity(walked.stamps_ns, sfm_from_imu, imu.accel_m_s2[answered])
        up = up + gravity.windows * gravity.up
        off_deg = max(off_deg, gravity.median_deg)
        sigma = max(sigma, float(np.hypot(MOUNTED_DEG, gravity.median_deg / np.sqrt(gravity.windows))))
    note = f"gravity {topic}: a second's acceleration differs from up by {off_deg:.2g} deg (median)"
    return Evidence(f"gravity {topic}", up=up / np.linalg.norm(up), up_deg=sigma, notes=(note,))


def gps_topics(recordings: Recordings) -> list[str]:
    """Topics of NavSatFix, and `exif` where photos know where they were taken."""
    photos = any(len(read_exif_gps(recording.path)) for recording in _photos(recordings))
    return _topics(recordings, [NAV_SAT_FIX]) + ["exif"] * photos


def by_gps(recordings: Recordings, topic: str, up: Array | None) -> Evidence:
    """By the fixes on a topic, or of EXIF; `up` (3,), unit, in sfm, is the level that GPS cannot give.

    Raises:
        AlignmentError: up is not known, too few fixes, or a path too short for their noise.
    """
    if up is None:
        raise AlignmentError(f"{topic} has fixes, and nothing tells which way is up: turn while recording")
    if topic == "exif":
        listed = [(recording, read_exif_gps(recording.path)) for recording in _photos(recordings)]
    else:
        listed = [(recording, read_gps(recording.path, topic)) for recording in _having(recordings, topic)]
    return _of_fixes(f"gps {topic}", [(recording, fixes) for recording, fixes in listed if len(fixes)], up)


def _of_fixes(name: str, listed: list[tuple[MappedRecording, GpsFixes]], up: Array) -> Evidence:
    origin = listed[0][1].middle()
    camera, lever, target, sigma = [], [], [], []
    for recording, fixes in listed:
        answered, walked = recording.walked.interpolate(fixes.stamps_ns, MAX_GAP_NS)
        # Without a mounting the antenna is taken to be at the camera: GPS errs by more than robots are long.
        known = recording.tf.mounting(recording.camera_frame, fixes.frame_id) if recording.is_bag else None
        camera.append(walked.positions)
        arm = np.array(known.translation) if known else np.zeros(3)
        lever.append(walked.rotations.apply(arm) if len(walked) else np.zeros((0, 3)))
        target.append(enu(fixes, origin)[answered])
        sigma.append(fixes.sigma_m[answered])
    positions, arms, enu_m, sigma_m = (np.concatenate(part) for part in (camera, lever, target, sigma))
    alignment = align_to_gps(positions, enu_m, sigma_m, up)
    for _ in range(3):  # the lever arm is metric: in sfm it has a length once there is a scale
        alignment = align_to_gps(positions + arms / alignment.map_from_sfm.scale, enu_m, sigma_m, up)
    geographic = dict(zip(("latitude_deg", "longitude_deg", "altitude_m"), origin, strict=True))
    alignment = replace(alignment, origin=geographic)
    scale, off_m = alignment.map_from_sfm.scale, alignment.residual["sigma_m"]
    across = width(scale * positions)
    return Evidence(name, alignment, "east, north, up", scale, off_m / across)


def _of_pairs(name: str, frame: str, pairs: list[Pairs], notes: Sequence[str] = ()) -> Evidence:
    sfm = list(chain.from_iterable(one for one, _ in pairs))
    alignment = align_to_poses(sfm, list(chain.from_iterable(other for _, other in pairs)))
    evidence = evidence_of_poses(name, alignment, np.array([pose.translation for pose in sfm]), frame)
    return replace(evidence, notes=tuple(notes))


def _tf_pairs(recording: MappedRecording, root: str, notes: list[str]) -> Pairs:
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


def _of_camera(recording: MappedRecording, frame_from_body: Trajectory, topic: str, named: bool = False) -> Trajectory:
    """frame_from_cam. Only odometry names its body; other poses are of what carries the camera in TF, or its own."""
    body = frame_from_body.child_frame_id.lstrip("/") if named else recording.tf.carrier(recording.camera_frame)
    return frame_from_body.moved_by(_mounting(recording, body, recording.camera_frame, topic), recording.camera_frame)


def _mounting(recording: MappedRecording, frame: str, other: str, topic: str) -> Pose:
    found = recording.tf.mounting(frame, other)
    if found is None:
        raise AlignmentError(
            f"{recording.path}: no static transform leads from {frame} ({topic}) to {other}: record /tf_static"
        )
    return found


def _gaps(odometry: Trajectory) -> list[str]:
    """In words, each gap in which frames have no odometry."""
    seconds = (odometry.stamps_ns - odometry.stamps_ns[0]) / 1e9
    wide = np.flatnonzero(np.diff(odometry.stamps_ns) > MAX_GAP_NS)
    return [f"a gap of {seconds[i + 1] - seconds[i]:.1f} s, {seconds[i]:.1f} s after its beginning" for i in wide]


def _bags(recordings: Recordings) -> list[MappedRecording]:
    return [recording for recording in recordings if recording.is_bag]


def _photos(recordings: Recordings) -> list[MappedRecording]:
    return [recording for recording in recordings if recording.path.is_dir() and not recording.is_bag]


def _topics(recordings: Recordings, msgtypes: Sequence[str]) -> list[str]:
    return sorted({t.name for recording in _bags(recordings) for t in recording.topics if t.msgtype in msgtypes})


def _having(recordings: Recordings, topic: str) -> list[MappedRecording]:
    return [recording for recording in _bags(recordings) if topic in {t.name for t in recording.topics}]


def _moving_in(recordings: Recordings, frame: str) -> list[MappedRecording]:
    """Those whose camera moves in a frame of TF above it."""

    def moves(recording: MappedRecording) -> bool:
        frames = recording.tf.chain(recording.camera_frame)
        below = frames[: frames.index(frame)] if frame in frames else []
        return not all(recording.tf.is_static(child) for child in below)

    return [recording for recording in _bags(recordings) if moves(recording)]


def _frame_of(recordings: Recordings, topic: str) -> str:
    """The frame of the first message that can be read."""
    with open_bag(_having(recordings, topic)[0].path) as bag:
        first = next((message for _, message in bag.messages(topic) if not isinstance(message, CaptureError)), None)
    return "" if first is None else str(first.header.frame_id)


def _is_odom(frame: str) -> bool:
    return "odom" in frame
