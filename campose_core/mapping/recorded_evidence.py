"""What the recordings of a scene themselves say about the metric frame: one function for each kind of source.

Each takes all recordings of the scene, and the topic to believe (None: all of its kind), and returns the evidence it
found, one for each topic; an empty list where the recordings hold nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from campose_core.capture.bag_gps import NAV_SAT_FIX, read_gps
from campose_core.capture.bag_imu import IMU, read_imu
from campose_core.capture.bag_odometry import ODOMETRY
from campose_core.capture.bag_poses import POSE_FIELDS, read_poses
from campose_core.capture.exif_gps import read_exif_gps
from campose_core.capture.gps import GpsFixes, enu
from campose_core.errors import AlignmentError
from campose_core.geometry import Array, Pose
from campose_core.mapping.alignment.evidence import Evidence, evidence_of_poses, up_of, width
from campose_core.mapping.alignment.gps import align_to_gps
from campose_core.mapping.alignment.gravity import up_by_gravity
from campose_core.mapping.alignment.odometry import MovedCamera, align_to_odometry
from campose_core.mapping.alignment.poses import align_to_poses
from campose_core.mapping.recordings import MAX_GAP_NS, MappedRecording
from campose_core.trajectory import Trajectory

Recordings = Sequence[MappedRecording]
Pairs = tuple[list[Pose], list[Pose]]  # the camera in sfm, and in another frame
# Poses that someone wished for, not where anything was.
WISHES = ("goal", "initialpose", "waypoint")
WHEEL_SIZE = 0.02  # relative error of odometry's scale that no stretch shows: worn, soft or wrongly measured wheels
MOUNTED_DEG = 0.5  # how well a mounting is known, and how level a base stands


def by_pose_topics(recordings: Recordings, topic: str | None = None) -> list[Evidence]:
    """Absolute poses of another localizer: PoseStamped, PoseWithCovarianceStamped (/amcl_pose)."""
    found = []
    for name in _topics(recordings, topic, [t for t in POSE_FIELDS if t != ODOMETRY]):
        if topic is None and any(wish in name for wish in WISHES):
            continue
        pairs: list[Pairs] = []
        frame = ""
        for recording in _having(recordings, name):
            map_from_body = read_poses(recording.path, name)
            if topic is None and (_is_odom(map_from_body.frame_id) or len(map_from_body) < 3):
                continue
            frame = map_from_body.frame_id.lstrip("/")
            pairs.append(recording.pairs(_of_camera(recording, map_from_body, name), name))
        if pairs:
            found.append(_of_pairs(f"poses {name}", frame, pairs))
    return found


def by_tf(recordings: Recordings, topic: str | None = None) -> list[Evidence]:
    """The camera's pose in the root of the TF tree, where that is not odometry's frame (`topic`: the root to take)."""
    pairs: dict[str, list[Pairs]] = {}
    notes: list[str] = []
    for recording in _bags(recordings):
        frames = recording.tf.chain(recording.camera_frame)
        root = frames[-1] if topic is None else topic
        moved = root in frames and not all(recording.tf.is_static(f) for f in frames[: frames.index(root)])
        if not moved or (topic is None and _is_odom(root)):
            continue
        pairs.setdefault(root, []).append(_tf_pairs(recording, root, notes))
    return [_of_pairs(f"tf {root}", root, listed, notes) for root, listed in pairs.items()]


def by_odometry(recordings: Recordings, topic: str | None = None) -> list[Evidence]:
    """nav_msgs/Odometry; where a scene has none, the link odom -> base of TF."""
    moved: dict[str, list[tuple[str, MovedCamera]]] = {}
    notes: list[str] = []
    for name in _topics(recordings, topic, [ODOMETRY]):
        for recording in _having(recordings, name):
            odometry = read_poses(recording.path, name)
            camera = _of_camera(recording, odometry, name, named=True)
            notes += _gaps(odometry, name)
            moved.setdefault(name, []).append((recording.source, MovedCamera(*recording.pairs(camera, name))))
    if not moved:
        for recording in _bags(recordings):
            root = next((f for f in recording.tf.chain(recording.camera_frame)[1:] if _is_odom(f)), None)
            if root is not None and topic in (None, root) and not recording.tf.is_static(_child_of(recording, root)):
                pairs = _tf_pairs(recording, root, notes)
                moved.setdefault(f"tf {root}", []).append((recording.source, MovedCamera(*pairs)))
    found = []
    for name, listed in moved.items():
        alignment = align_to_odometry([camera for _, camera in listed])
        residual = alignment.residual
        of_this = [note for note in notes if name in note]
        if residual["slipped"]:
            of_this.append(
                f"odometry {name}: {residual['slipped']:.0f} of {residual['segments']:.0f} stretches disagree with the "
                "pictures (slip?) and do not count"
            )
        found.append(
            Evidence(
                f"odometry {name}",
                alignment,
                f"odometry {name} of {listed[0][0]}",
                alignment.map_from_sfm.scale,
                float(np.hypot(WHEEL_SIZE, residual["scale_percent"] / 100)),
                up_of(alignment.map_from_sfm),
                float(np.hypot(MOUNTED_DEG, residual["tilt_deg"])),
                notes=tuple(of_this),
            )
        )
    return sorted(found, key=lambda evidence: evidence.scale_sigma)


def by_gravity(recordings: Recordings, topic: str | None = None) -> list[Evidence]:
    """Up alone, by the accelerometer of an IMU."""
    found = []
    for name in _topics(recordings, topic, [IMU]):
        ups, off_deg, sigma = [], [], []
        for recording in _having(recordings, name):
            imu = read_imu(recording.path, name)
            camera_from_imu = _mounting(recording, recording.camera_frame, imu.frame_id.lstrip("/"), name)
            answered, walked = recording.walked.interpolate(imu.stamps_ns, MAX_GAP_NS)
            if not answered.any():
                raise AlignmentError(
                    f"{recording.path}: {name} has no time in common with the frames, "
                    f"{recording.walked.interval_text()}"
                )
            gravity = up_by_gravity(
                walked.stamps_ns, walked.rotations * camera_from_imu.rotation, imu.accel_m_s2[answered]
            )
            ups.append(gravity.up * gravity.windows)
            off_deg.append(gravity.median_deg)
            sigma.append(float(np.hypot(MOUNTED_DEG, gravity.median_deg / np.sqrt(gravity.windows))))
        if ups:
            up = np.sum(ups, axis=0)
            note = f"gravity {name}: a second's acceleration differs from up by {max(off_deg):.2g} deg (median)"
            found.append(Evidence(f"gravity {name}", up=up / np.linalg.norm(up), up_deg=max(sigma), notes=(note,)))
    return found


def by_gps(recordings: Recordings, up: Array | None, topic: str | None = None) -> list[Evidence]:
    """NavSatFix topics, and the EXIF of photos; `up` (3,), unit, in sfm, is the level that GPS cannot give.

    Raises:
        AlignmentError: up is not known, too few fixes, or a path too short for their noise.
    """
    fixes: dict[str, list[tuple[MappedRecording, GpsFixes]]] = {}
    for name in _topics(recordings, topic, [NAV_SAT_FIX]):
        for recording in _having(recordings, name):
            fixes.setdefault(name, []).append((recording, read_gps(recording.path, name)))
    for recording in recordings:
        if topic in (None, "exif") and recording.path.is_dir() and not recording.is_bag:
            exif = read_exif_gps(recording.path)
            if len(exif):
                fixes.setdefault("exif", []).append((recording, exif))
    if fixes and up is None:
        raise AlignmentError("there are GPS fixes, and nothing tells which way is up: turn while recording")
    return [] if up is None else [_of_fixes(f"gps {name}", listed, up) for name, listed in fixes.items()]


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
    return replace(evidence, notes=tuple(note for note in notes if name in note))


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


def _gaps(odometry: Trajectory, name: str) -> list[str]:
    """A line for each gap in which frames have no odometry."""
    seconds = (odometry.stamps_ns - odometry.stamps_ns[0]) / 1e9
    wide = np.flatnonzero(np.diff(odometry.stamps_ns) > MAX_GAP_NS)
    return [
        f"odometry {name}: a gap of {seconds[i + 1] - seconds[i]:.1f} s, {seconds[i]:.1f} s after its beginning"
        for i in wide
    ]


def _bags(recordings: Recordings) -> list[MappedRecording]:
    return [recording for recording in recordings if recording.is_bag]


def _topics(recordings: Recordings, wanted: str | None, msgtypes: Sequence[str]) -> list[str]:
    names = {t.name for recording in _bags(recordings) for t in recording.topics if t.msgtype in msgtypes}
    return sorted(names if wanted is None else names & {wanted})


def _having(recordings: Recordings, topic: str) -> list[MappedRecording]:
    return [recording for recording in _bags(recordings) if topic in {t.name for t in recording.topics}]


def _is_odom(frame: str) -> bool:
    return "odom" in frame


def _child_of(recording: MappedRecording, frame: str) -> str:
    names = recording.tf.chain(recording.camera_frame)
    return names[names.index(frame) - 1]
