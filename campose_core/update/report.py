"""What an update has changed, in figures and as a picture from above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from campose_core.geometry import Array, Pose, pose_error
from campose_core.plotting.figure import WIDTH_INCHES, new_figure, png_of
from campose_core.plotting.floor_plan import show_from_above
from campose_core.plotting.palette import BLUE, GREEN, MUTED, POINTS, VERMILION
from campose_core.scene.scene import Scene
from campose_core.update.frame_localization import FoundFrame, NewFrame
from campose_core.update.map_state import GrowingMap

WRONG = (0.25, 2.0)  # metres, degrees: farther from the reference, a frame is not found but mistaken
MARGIN = 0.04  # of the longer side of the picture, free on each side
# (label, colour, size of a point)
LEGEND = (
    ("mapped landmarks", POINTS, 1.5), ("added", BLUE, 2.0), ("removed", VERMILION, 3.0),
    ("mapped cameras", MUTED, 2.5), ("the new recording", GREEN, 3.5),
)  # fmt: skip


@dataclass(frozen=True)
class HeldOutFigures:
    """Of frames that the map was not made from; `right`: found and not mistaken. Errors: None without a reference."""

    frames: int
    found: int
    right: int
    median_inliers: float
    median_m: float | None = None
    median_deg: float | None = None

    def text(self) -> str:
        """Say it in a line for people."""
        text = (
            f"{self.found} found ({self.found / max(1, self.frames):.0%}), median {self.median_inliers:.0f} landmarks"
        )
        if self.median_m is not None and self.median_deg is not None:
            text += f", {100 * self.median_m:.2g} cm / {self.median_deg:.2g} deg off"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON, with the share of the frames that was found."""
        return {**asdict(self), "found_share": self.found / max(1, self.frames)}


def held_out_figures(
    frames: Sequence[NewFrame], found: Mapping[str, FoundFrame], truth: Mapping[str, Pose], scene: Scene
) -> HeldOutFigures:
    """Count and measure these frames, some found (sfm_from_cam); `truth` is map_from_cam where it is known."""
    assert scene.alignment is not None
    map_from_sfm = scene.alignment.map_from_sfm
    places = {frame.name: found[frame.name] for frame in frames if frame.name in found}
    errors = {
        name: pose_error(map_from_sfm.transform_pose(place.world_from_cam), truth[name])
        for name, place in places.items()
        if name in truth
    }
    mistaken = sum(bool(m > WRONG[0] or np.degrees(angle) > WRONG[1]) for m, angle in errors.values())
    inliers = float(np.median([len(place.shown) for place in places.values()])) if places else 0.0
    if not errors:
        return HeldOutFigures(len(frames), len(places), len(places), inliers)
    metres, radians = np.median(list(errors.values()), axis=0)
    return HeldOutFigures(
        len(frames), len(places), len(places) - mistaken, inliers, float(metres), float(np.degrees(radians))
    )


def draw_update(scene: Scene, name: str, old: GrowingMap, new: GrowingMap, gone_xyz: Array) -> bytes:
    """Draw the place from above, as PNG: landmarks of before, added and removed ones, and the cameras of both.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    assert scene.alignment is not None
    transform = scene.alignment.map_from_sfm.transform
    kept = np.isin(new.ids, old.ids)
    paths = [[f for f in scene.posed_frames() if (f.source == name) == mine] for mine in (False, True)]
    walked = [np.array([f.map_from_cam.translation for f in path if f.map_from_cam]).reshape(-1, 3) for path in paths]
    clouds = [transform(xyz) for xyz in (new.landmarks.xyz[kept], new.landmarks.xyz[~kept], gone_xyz)]
    shown = np.concatenate([*clouds, *walked])[:, :2]
    low, high = np.percentile(shown, [1, 99], axis=0)  # a few landmarks lie far off
    low = np.min([low, *(path[:, :2].min(axis=0) for path in walked if len(path))], axis=0)
    high = np.max([high, *(path[:, :2].max(axis=0) for path in walked if len(path))], axis=0)
    margin, (width, height) = MARGIN * (high - low).max(), high - low
    figure = new_figure(WIDTH_INCHES, float(np.clip(WIDTH_INCHES * height / width, 3.0, 11.0)) + 0.9)
    axes = figure.add_subplot()
    for points, (label, colour, size) in zip([*clouds, *walked], LEGEND, strict=True):
        axes.plot(*points[:, :2].T, "o", color=colour, markersize=size, markeredgewidth=0, label=label)
    show_from_above(axes, low - margin, high + margin, scene.scale.unit)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False, markerscale=2.0)
    return png_of(figure)
