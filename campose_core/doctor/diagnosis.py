"""`campose doctor`: what is good and bad about a scene as it stands, and what to record next. Changes nothing."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from campose_core.camera import Camera
from campose_core.doctor.coverage import AT_WALL, DOUBTFUL, FOUND, LOST, Coverage, Forecast, cover
from campose_core.doctor.coverage_gaps import gaps, one_sided
from campose_core.doctor.lines_of_sight import LinesOfSight
from campose_core.doctor.map_health import MapHealth, health_of
from campose_core.doctor.map_links import (
    Seconds,
    Stretch,
    WeakLink,
    open_loops,
    thin_stretches,
    weak_links,
)
from campose_core.doctor.missing_frames import MissingStretch, missing_stretches, poor_pictures
from campose_core.doctor.passages import passages_of, rooms_of
from campose_core.doctor.record_next import (
    Advice,
    about_gaps,
    about_links,
    about_missing,
    about_passages,
    about_stretches,
    ranked,
)
from campose_core.errors import MappingError, SceneError
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.landmark_map.held_out import HeldOut
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene.scene import Scene
from campose_core.sfm.registration import SfmPoses
from campose_core.sfm.report import MapReport
from campose_core.walkable import WalkableMap

FORMAT = 1
STATES = ("empty", "extracted", "mapped", "aligned")


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was found; what a scene of this state cannot tell is None or empty.

    landmarks: in the map frame of an aligned scene, else in the sfm frame. report: sfm/report.json. images: of a
    scene that is not mapped, see `poor_pictures`.
    """

    scene: Scene
    state: str
    walkable: WalkableMap | None = None
    landmarks: Landmarks | None = None
    report: MapReport = field(default_factory=MapReport)
    images: dict[str, dict[str, int]] = field(default_factory=dict)
    posed: int = 0
    missing: tuple[MissingStretch, ...] = ()
    links: tuple[WeakLink, ...] = ()
    loops: tuple[Stretch, ...] = ()
    thin: tuple[Stretch, ...] = ()
    coverage: Coverage | None = None
    health: MapHealth | None = None
    held_out: str = ""
    record_next: tuple[Advice, ...] = ()

    @property
    def healthy(self) -> bool:
        """Tell whether there is nothing to record, nothing to complain of."""
        return self.state == "aligned" and not self.record_next and not (self.health and self.health.complaints)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; numbers that are not known are null."""
        names = [] if self.landmarks is None else [str(name) for name in self.landmarks.frame_names]
        return _finite(
            {
                "format": FORMAT,
                "scene": str(self.scene.path),
                "state": self.state,
                "healthy": self.healthy,
                "scale": self.scene.scale.basis.value if self.state == "aligned" else None,
                "unit": self.scene.scale.unit if self.state == "aligned" else None,
                "frames": {
                    "extracted": len(self.scene.frames),
                    "posed": self.posed,
                    "keyframes": len(names),
                    "keyframes_left_out": dict(self.report.keyframes_left_out or {}),
                    "models": self.report.model_sizes,
                    "joins_refused": list(self.report.joins_refused or []),
                    "held_by_second": list(self.report.held_by_second or []),
                    "poor_pictures": self.images,
                },
                "coverage": None if self.coverage is None else _coverage_dict(self.coverage),
                "weak_links": [_link_dict(link, names) for link in self.links],
                "open_loops": [_stretch_dict(stretch, names) for stretch in self.loops],
                "thin_stretches": [_stretch_dict(stretch, names) for stretch in self.thin],
                "cameras": list(self.report.of_cameras or []),
                "missing": [_missing_dict(stretch) for stretch in self.missing],
                "health": None if self.health is None else self.health.to_dict(),
                "held_out": None if self.report.held_out is None else asdict(self.report.held_out),
                "record_next": [asdict(entry) for entry in self.record_next],
            }
        )


def diagnose(scene: Scene) -> Diagnosis:
    """Look at a scene in whatever state it is.

    Raises:
        MappingError: its files of mapping are damaged. FloorError: its floor map is.
        MissingDependency: OpenCV is not installed, and there are images to judge.
    """
    walkable = walkable_of(scene)
    if not scene.frames:
        return Diagnosis(scene, "empty", walkable)
    if not (scene.sfm_dir / "landmarks.npz").is_file() or not scene.is_current("map"):
        return Diagnosis(scene, "extracted", walkable, images=poor_pictures(scene))
    aligned = scene.alignment is not None
    landmarks, poses = Landmarks.load(scene.sfm_dir / "landmarks.npz"), SfmPoses.load(scene).poses()
    if scene.alignment is not None:
        landmarks = landmarks.transformed(scene.alignment.map_from_sfm)
        poses = {name: scene.alignment.map_from_sfm.transform_pose(pose) for name, pose in poses.items()}
    seconds = seconds_of(scene, landmarks)
    sight = LinesOfSight(walkable.floor, landmarks) if aligned and walkable is not None else None
    missing = missing_stretches(scene, poses, landmarks.median_depth)
    links = weak_links(landmarks)
    loops = open_loops(landmarks, seconds, lambda a, b: sight is not None and sight.between(a, b))
    thin = thin_stretches(landmarks, seconds)
    advice = [
        *about_links(links, landmarks, seconds, aligned),
        *about_stretches("loop", loops, landmarks, seconds, aligned),
        *about_stretches("thin", thin, landmarks, seconds, aligned),
        *about_missing(missing, len(scene.frames), aligned),
    ]
    coverage = health = None
    if scene.alignment is not None:
        forecast = Forecast(landmarks, usual_camera(scene, landmarks), sight)
        coverage = cover(forecast, landmarks, walkable)
        rooms = None if walkable is None else rooms_of(walkable)
        floor = None if walkable is None else walkable.floor
        if walkable is not None and rooms is not None:
            one_way = one_sided(passages_of(walkable, rooms), forecast, landmarks)
            advice += about_passages(one_way, coverage)
        advice += about_gaps(gaps(coverage, landmarks, floor, rooms), coverage, scene.scale)
        health = health_of(landmarks, scene.alignment, floor)
    return Diagnosis(
        scene, "aligned" if aligned else "mapped", walkable, landmarks, MapReport.load(scene), {}, len(poses),
        tuple(missing), tuple(links), tuple(loops), tuple(thin), coverage, health, _held_out_text(scene),
        tuple(ranked(advice)),
    )  # fmt: skip


def usual_camera(scene: Scene, landmarks: Landmarks) -> Camera:
    """Return the camera of most keyframes.

    Raises:
        SceneError: the scene does not know it.
    """
    camera_of = {frame.name: frame.camera for frame in scene.frames}
    used = [camera_of[str(name)] for name in landmarks.frame_names if str(name) in camera_of]
    names, counts = np.unique(used, return_counts=True)
    name = str(names[np.argmax(counts)]) if len(names) else ""
    if name not in scene.cameras:
        raise SceneError(f"{scene.path / 'scene.yaml'}: the camera {name!r} of its keyframes is missing")
    return scene.cameras[name]


def seconds_of(scene: Scene, landmarks: Landmarks) -> Seconds:
    """Return when each frame was taken, after the first of its source.

    Raises:
        MappingError: a keyframe is not a frame of the scene.
    """
    start: dict[str, int] = {}
    for frame in scene.frames:
        start[frame.source] = min(frame.stamp_ns, start.get(frame.source, frame.stamp_ns))
    seconds = {frame.name: (frame.source, (frame.stamp_ns - start[frame.source]) / 1e9) for frame in scene.frames}
    strangers = [str(name) for name in landmarks.frame_names if str(name) not in seconds]
    if strangers:
        raise MappingError(
            f"{scene.path}: the keyframe {strangers[0]} is not in frames.csv: run `campose map {scene.path}` again"
        )
    return seconds


def _held_out_text(scene: Scene) -> str:
    path = scene.sfm_dir / "held_out.npz"
    if scene.alignment is None or not path.is_file():
        return ""
    return HeldOut.load(path).transformed(scene.alignment.map_from_sfm).summary(scene.scale)


def _coverage_dict(coverage: Coverage) -> dict[str, Any]:
    words = {LOST: "lost", DOUBTFUL: "doubtful", FOUND: "found", AT_WALL: "at wall"}
    return {
        "step_m": coverage.step_m,
        "area_m2": len(coverage.places) * coverage.step_m**2,
        "views": int((coverage.level != AT_WALL).sum()),
        **{words[level]: coverage.share(level) for level in (FOUND, DOUBTFUL, LOST)},
        "places": [
            {
                "place": [round(float(v), 3) for v in place],
                "expected": [round(float(v), 1) for v in expected],
                "level": [words[int(level)] for level in levels],
            }
            for place, expected, levels in zip(coverage.places, coverage.expected, coverage.level, strict=True)
        ],
    }


def _link_dict(link: WeakLink, names: list[str]) -> dict[str, Any]:
    return {
        "landmarks": link.landmarks,
        "hangs_on": [names[row] for row in link.keyframes],
        "border": [names[row] for row in link.border],
        "keyframes_beyond": len(link.part),
    }


def _stretch_dict(stretch: Stretch, names: list[str]) -> dict[str, Any]:
    return {"keyframes": [names[r] for r in stretch.rows], "same_place": [names[r] for r in stretch.others]}


def _missing_dict(stretch: MissingStretch) -> dict[str, Any]:
    fields = dict(stretch.__dict__)
    for name in ("facts", "usual"):
        fields[name] = None if fields[name] is None else fields[name]._asdict()
    return fields


def _finite(value: Any) -> Any:
    """Return the same with null for numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
