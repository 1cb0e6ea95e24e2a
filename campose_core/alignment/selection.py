"""All that a scene holds about its metric frame without a person's help, in the order in which it is trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campose_core.alignment.evidence import Evidence, angle_deg, evidence_of_poses
from campose_core.alignment.floor_matching.refine import align_to_floor
from campose_core.alignment.sources.recorded import (
    Recordings,
    by_gps,
    by_gravity,
    by_odometry,
    by_poses,
    by_tf,
    gps_topics,
    holds,
    imu_topics,
    odometries,
    pose_topics,
    tf_roots,
)
from campose_core.capture.mapped_recordings import mapped_recordings
from campose_core.errors import AlignmentError, CamposeError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.levelling import level
from campose_core.scene import Alignment, Scene
from campose_core.scene_floor import has_floor_plan

KINDS = {
    "poses": "PoseStamped or PoseWithCovarianceStamped, such as /amcl_pose",
    "tf": "/tf with a frame above odometry's, such as map",
    "floor": "the floor map of the scene, unless it was made from the recording",
    "gps": "NavSatFix, or EXIF of photos",
    "odometry": "nav_msgs/Odometry, or odom -> base of /tf",
    "gravity": "up alone, by sensor_msgs/Imu",
}
WALLS = "walls and floors"
LEAST_PLANES = 2
PLANES_DEG, POSTURE_DEG = 1.0, 2.0  # how well walls and floors, and the posture of cameras, tell up
SAME_DEG = 5.0  # two ups that differ by less see the same floor


@dataclass(frozen=True, eq=False)
class Level:
    """The best known up (3,), unit, in sfm. floor: its height along up in sfm, None where it was not seen."""

    method: str
    up: Array
    up_deg: float
    floor: float | None = None


@dataclass(frozen=True, eq=False)
class Gathered:
    """evidence: in the order of trust. level: None where nothing tells which way is up.

    refusals: one line for each source that is there and cannot be used.
    """

    evidence: list[Evidence]
    level: Level | None
    refusals: list[str]


def gather(
    scene: Scene, poses: dict[str, Pose], asked: Sequence[str], camera_height_m: float | None = None
) -> Gathered:
    """Ask every source of the scene; `asked` are kinds, or KIND:TOPIC, that must answer.

    camera_height_m: above the floor, for an alignment to a floor plan.

    Raises:
        AlignmentError: one of `asked` is not there or cannot be used.
    """
    recordings = mapped_recordings(scene, poses)
    refusals = [
        f"{source['path']} of {name} is not there any more"
        for name, source in scene.sources.items()
        if source.get("path") and not Path(source["path"]).exists()
    ]
    found: dict[str, list[Evidence]] = {}

    def ask(kind: str, names: Callable[[Recordings], list[str]], method: Callable[[str], Evidence]) -> None:
        wanted = [topic for asked_kind, topic in map(named, asked) if asked_kind == kind]
        given = [topic for topic in wanted if topic is not None]
        absent = [topic for topic in given if not holds(recordings, topic)]
        try:
            there = names(recordings)
        except CamposeError as error:
            refusals.append(f"{kind}: {error}")
            there = []
        if absent or (wanted and not given and not there):
            what = " ".join([kind, *absent[:1]])
            raise AlignmentError(f"the recordings of {scene.path} hold no {what} ({KINDS[kind]})")
        for name in dict.fromkeys([*given, *there]):
            try:
                found.setdefault(kind, []).append(method(name))
            except CamposeError as error:
                if name in given or (wanted and not given):
                    raise AlignmentError(f"{kind}: {error}") from error
                refusals.append(f"{kind}: {error}")

    ask("gravity", imu_topics, lambda topic: by_gravity(recordings, topic))
    ask("odometry", odometries, lambda name: by_odometry(recordings, name))
    ask("poses", pose_topics, lambda topic: by_poses(recordings, topic))
    ask("tf", tf_roots, lambda root: by_tf(recordings, root))
    seen = _level_seen(scene, refusals)
    best_level = _best_level([*found.get("gravity", []), *found.get("odometry", [])], seen)
    ask("gps", gps_topics, lambda topic: by_gps(recordings, topic, best_level.up if best_level else None))
    scale = next((e.scale for kind in ("odometry", "gps") for e in found.get(kind, [])), None)
    ask("floor", lambda _: _floor_plans(scene), lambda _: _by_floor(scene, scale, camera_height_m))
    evidence = [one for kind in KINDS for one in found.get(kind, [])]
    if seen is not None and seen.method == WALLS:
        evidence.append(Evidence(WALLS, up=seen.up, up_deg=seen.up_deg))
    return Gathered(evidence, best_level, refusals)


def named(name: str) -> tuple[str, str | None]:
    """Kind and topic of `KIND` or `KIND:TOPIC`."""
    kind, _, topic = name.partition(":")
    return kind, topic or None


def names_of(evidence: Sequence[Evidence], asked: Sequence[str]) -> set[str]:
    """Which of the evidence is of the kinds, or the topics, asked for."""

    def is_asked(name: str) -> bool:
        return any(name.split()[0] == kind and topic in (None, name.split()[-1]) for kind, topic in map(named, asked))

    return {one.name for one in evidence if is_asked(one.name)}


def _level_seen(scene: Scene, refusals: list[str]) -> Level | None:
    """By walls and floors; else by how the cameras were held; None where neither tells."""
    landmarks_file = scene.sfm_dir / "landmarks.npz"
    if not landmarks_file.is_file():
        return None
    try:
        seen = level(Landmarks.load(landmarks_file))
    except AlignmentError as error:
        refusals.append(f"level: {error}")
        return None
    if seen.residual["level_planes"] + seen.residual["upright_planes"] < LEAST_PLANES:
        return Level("the cameras' posture", seen.up, POSTURE_DEG, seen.floor)
    return Level(WALLS, seen.up, max(PLANES_DEG, seen.residual["level_deg"]), seen.floor)


def _best_level(sensed: Sequence[Evidence], seen: Level | None) -> Level | None:
    """A sensor's, with the floor that was seen; else what was seen."""
    for one in sensed:
        if one.up is not None:
            same = seen is not None and angle_deg(one.up, seen.up) < SAME_DEG
            return Level(one.name, one.up, one.up_deg, seen.floor if seen and same else None)
    return seen


def floor_plan_options(scene: Scene) -> dict[str, Any]:
    """What an alignment by the scene's floor map depends on, for the record of the step."""
    return {"floor": scene.steps.get("floor", {}).get("options", {}).get("content")} if has_floor_plan(scene) else {}


def _floor_plans(scene: Scene) -> list[str]:
    return ["plan"] if has_floor_plan(scene) and (scene.sfm_dir / "landmarks.npz").is_file() else []


def _by_floor(scene: Scene, scale: float | None, camera_height_m: float | None) -> Evidence:
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    similarity, residual = align_to_floor(landmarks, FloorMap.load(scene.floor_yaml), scale, camera_height_m)
    alignment = Alignment(similarity, "floor plan", residual)
    return evidence_of_poses("floor plan", alignment, landmarks.frame_positions)
