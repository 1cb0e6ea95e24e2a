"""What mapping says of itself: sfm/report.json, and the part of it that each stage gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from campose_core.camera import Camera
from campose_core.errors import CamposeError, MappingError, in_words
from campose_core.files import read_json, write_text
from campose_core.joining.loop_drift import LoopDrift
from campose_core.landmark_map.held_out import HeldOutReport
from campose_core.landmark_map.zooms import Zoom
from campose_core.scene.scene import Scene
from campose_core.sfm.rig_calibration import RigScale

FILE = "report.json"  # below sfm/
T = TypeVar("T")


@dataclass(frozen=True)
class RigReport:
    """How the cameras of a rig came out. fit: against their known places, where these were held; else None."""

    cameras: list[str]
    fit: RigScale | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"cameras": self.cameras, "held": self.fit is not None, **(asdict(self.fit) if self.fit else {})}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> RigReport:
        """Make it from what `to_dict` wrote."""
        return cls([str(camera) for camera in saved["cameras"]], _of(RigScale, saved) if saved["held"] else None)


@dataclass(frozen=True)
class GivenPosesReport:
    """What became of poses from outside.

    given_px, adjusted_px: median reprojection error as given, and adjusted. median_m, max_m, median_deg: how far the
    keyframes are from them in the map that was kept.
    """

    adjusted: bool
    given_px: float
    adjusted_px: float
    median_m: float
    max_m: float
    median_deg: float

    def text(self) -> str:
        """Say it in one line, for people."""
        if not self.adjusted:
            would = f"an adjustment would leave {self.adjusted_px:.2f} px"
            return f"given poses kept: residual {self.given_px:.2f} px, {would}"
        moved = f"by {100 * self.median_m:.2g} cm / {self.median_deg:.2g} deg in the median"
        return f"given poses adjusted {moved}: residual {self.given_px:.2f} px before, {self.adjusted_px:.2f} px after"


@dataclass(frozen=True, kw_only=True)
class MapReport:
    """Of a whole map, or what one stage knows of it; None is what is not known.

    frames: of the scene; while stages run, keyframes. median_features: of a keyframe. pairs, verified: that were
    compared, and that match; loops, verified_loops: those of them that are no neighbours in time; loops_refused:
    which of these were not believed, and why, a line each. registered: keyframes in the map. reprojection_px: mean
    error. other_models: keyframes in each piece that was left out. tried: keyframes that each way of mapping held
    together. joined_by: how each further piece came in; joins_refused: which pieces were left out although images or
    odometry could have placed them, and why, a line each. comes_back: whether the walk may have been at one
    place twice. cameras: refined, by `lens_of`. lens_switches: the first frame by each further lens of its source.
    zooms: where its focal length changes, which frames were left out. focal_sigmas: of the logarithms, where the focal
    length was guessed. of_cameras: what is to be said of these, a line each. detail: of the features.
    matching: what it took. removable: of the keyframes that were to be left out, the share without which the rest
    still hung together. held_by_second: keyframes with too few landmarks of the main kind to be placed by.
    keyframes_left_out: how many frames are none, by reason. posed: frames with a pose; without_pose: names of the
    others.
    """

    frames: int | None = None
    median_features: float | None = None
    pairs: int | None = None
    verified: int | None = None
    loops: int | None = None
    verified_loops: int | None = None
    loops_refused: list[str] | None = None
    registered: int | None = None
    landmarks: int | None = None
    reprojection_px: float | None = None
    other_models: list[int] | None = None
    tried: dict[str, int] | None = None
    joined_by: list[str] | None = None
    joins_refused: list[str] | None = None
    loop_drift: LoopDrift | None = None
    comes_back: bool | None = None
    rigs: list[RigReport] | None = None
    cameras: dict[str, Camera] | None = None
    lens_switches: list[str] | None = None
    zooms: list[Zoom] | None = None
    focal_sigmas: dict[str, float] | None = None
    of_cameras: list[str] | None = None
    given_poses: GivenPosesReport | None = None
    held_out: HeldOutReport | None = None
    detail: str | None = None
    matching: str | None = None
    removable: float | None = None
    held_by_second: list[str] | None = None
    keyframes: int | None = None
    keyframes_left_out: dict[str, int] | None = None
    posed: int | None = None
    without_pose: list[str] | None = None

    @property
    def model_sizes(self) -> list[int]:
        """Return how many keyframes each piece of the reconstruction has, the largest first; only that one was kept."""
        return sorted((size for size in (self.registered, *(self.other_models or [])) if size), reverse=True)

    @property
    def found_again(self) -> float:
        """Return the share of the keyframes that were to be left out which could be, and were found again then."""
        tested = self.held_out
        if tested is None or tested.found is None or tested.keyframes is None or self.removable is None:
            return 0.0
        return self.removable * (tested.found / tested.keyframes if tested.keyframes else 1.0)

    def with_stage(self, stage: MapReport) -> MapReport:
        """Return this report, with what a later stage knows in place of what was known before."""
        return replace(self, **_known(vars(stage)))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; what is not known is absent."""
        return {name: _as_json(value) for name, value in _known(vars(self)).items()}

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> MapReport:
        """Make the report from what `to_dict` wrote, in this version or an earlier one.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, CamposeError: a value is none of its kind.
        """
        return cls(**{name: read(saved[name]) for name, read in _READERS.items() if saved.get(name) is not None})

    def save(self, sfm_dir: Path) -> None:
        """Write report.json into the folder of a reconstruction."""
        write_text(sfm_dir / FILE, json.dumps(self.to_dict(), indent=1))

    @classmethod
    def load(cls, scene: Scene) -> MapReport:
        """Read that of a scene; nothing is known where an older version left no report.

        Raises:
            MappingError: damaged.
        """
        path = scene.sfm_dir / FILE
        return cls.read(path, f"run `campose map {scene.path}` again") if path.is_file() else cls()

    @classmethod
    def read(cls, path: Path, remedy: str) -> MapReport:
        """Read a report; remedy: what helps where it is damaged.

        Raises:
            MappingError: damaged.
        """
        try:
            return cls.from_dict(read_json(path, MappingError))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, CamposeError) as error:
            raise MappingError(f"{path} is damaged ({in_words(error)}): {remedy}") from error


def _of(kind: type[T], saved: Mapping[str, Any]) -> T:
    """Make a dataclass out of those of its fields that were saved."""
    return kind(**{field.name: saved[field.name] for field in fields(kind) if field.name in saved})  # type: ignore[arg-type]


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    if isinstance(value, GivenPosesReport | HeldOutReport):
        return asdict(value)
    if isinstance(value, LoopDrift):
        return _known(vars(value))
    return value.to_dict() if isinstance(value, RigReport | Camera) else value


def _counts(saved: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in saved.items()}


_READERS: dict[str, Callable[[Any], Any]] = {
    "frames": int, "median_features": float, "pairs": int, "verified": int, "loops": int, "verified_loops": int,
    "loops_refused": lambda saved: [str(text) for text in saved],
    "registered": int, "landmarks": int, "reprojection_px": float,
    "other_models": lambda saved: [int(size) for size in saved],
    "tried": _counts,
    "joined_by": lambda saved: [str(how) for how in saved],
    "joins_refused": lambda saved: [str(why) for why in saved],
    "loop_drift": lambda saved: _of(LoopDrift, saved), "comes_back": bool,
    "rigs": lambda saved: [RigReport.from_dict(rig) for rig in saved],
    "cameras": lambda saved: {str(source): Camera.from_dict(camera) for source, camera in saved.items()},
    "given_poses": lambda saved: _of(GivenPosesReport, saved),
    "held_out": lambda saved: _of(HeldOutReport, saved),
    "lens_switches": lambda saved: [str(name) for name in saved],
    "zooms": lambda saved: [Zoom(*map(str, zoom)) for zoom in saved],
    "focal_sigmas": lambda saved: {str(name): float(sigma) for name, sigma in saved.items()},
    "of_cameras": lambda saved: [str(text) for text in saved],
    "detail": str, "matching": str, "removable": float,
    "held_by_second": lambda saved: [str(name) for name in saved], "keyframes": int,
    "keyframes_left_out": _counts, "posed": int, "without_pose": lambda saved: [str(name) for name in saved],
}  # fmt: skip
