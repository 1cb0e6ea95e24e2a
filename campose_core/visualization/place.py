"""Where a picture was taken: the picture with its landmarks, beside the floor plan with the place and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from campose_core.camera import Camera
from campose_core.floor import FloorMap
from campose_core.frame import Frame
from campose_core.geometry import Array, Pose
from campose_core.localization.result import LocalizationResult
from campose_core.plotting.figure import new_figure, png_of
from campose_core.plotting.floor_plan import draw_floor, show_from_above
from campose_core.plotting.palette import BLUE, GREEN, POINTS, VERMILION
from campose_core.visualization.matches import draw_result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VIEW, SNAPPED, MATCHED = BLUE, VERMILION, GREEN
AROUND_M, EDGE_M = 5.0, 0.3
CONE_M = 2.0  # how far the view is drawn where no landmark says how far it reaches


def heading_of(map_from_cam: Pose) -> float:
    """Return where the camera looks on the floor: radians from the map's x axis, counterclockwise."""
    x, y, _ = map_from_cam.rotation.apply([0.0, 0.0, 1.0])
    return float(np.arctan2(y, x))


def place_picture(
    frame: Frame, camera: Camera, result: LocalizationResult, floor: FloorMap | None, landmarks_xyz: Array | None
) -> bytes:
    """Draw it as PNG.

    landmarks_xyz (N, 3), metres in the map frame, are drawn from above; they stand for walls where there is no floor.

    Raises:
        MissingDependency: matplotlib or OpenCV is not installed.
    """
    figure = new_figure(14.0, 6.0)
    image_axes, plan_axes = figure.subplots(1, 2, width_ratios=[1.1, 1.0])
    image_axes.imshow(draw_result(frame.image, result))
    image_axes.set_axis_off()
    title = "landmarks seen (dots), and where the pose puts them (rings)"
    if result.map_from_cam is None:
        title = f"not found: {result.reason}"
    caution = f"\n{result.scale.caution()}" if result.scale.caution() else ""
    figure.suptitle(f"{frame.name}: {title}{caution}", fontsize=10)
    if floor is not None:
        draw_floor(plan_axes, floor)
    if landmarks_xyz is not None:
        plan_axes.plot(*landmarks_xyz[:, :2].T, ".", color=POINTS, markersize=1, zorder=1)
    shown = _draw_place(plan_axes, camera, result)
    (left, bottom), (right, top) = _corners(shown, _extent(floor, landmarks_xyz))
    show_from_above(plan_axes, (left, bottom), (right, top), result.scale.unit)
    if len(shown):
        plan_axes.legend(loc="best", fontsize=9)
    return png_of(figure)


def _draw_place(axes: Axes, camera: Camera, result: LocalizationResult) -> Array:
    """Draw it; returns what must be in the picture: points (N, 2), none without a pose."""
    pose = result.map_from_cam
    if pose is None:
        return np.zeros((0, 2))
    here, heading = pose.translation[:2], heading_of(pose)
    seen = np.zeros((0, 2)) if result.matches is None else result.matches.xyz[:, :2]
    reach_m = CONE_M if len(seen) == 0 else float(np.percentile(np.linalg.norm(seen - here, axis=1), 90))
    half = np.arctan2(camera.width / 2, camera.focal[0])
    edges = [here + reach_m * np.array([np.cos(a), np.sin(a)]) for a in np.linspace(heading - half, heading + half, 25)]
    cone = np.array([here, *edges, here])
    axes.fill(*cone.T, color=VIEW, alpha=0.18, zorder=3)
    axes.plot(*seen.T, ".", color=MATCHED, markersize=4, zorder=4, label=f"{len(seen)} landmarks found in the picture")
    tip = here + 0.5 * np.array([np.cos(heading), np.sin(heading)])
    arrow = {"arrowstyle": "-|>", "color": VIEW, "linewidth": 2}
    axes.annotate("", (tip[0], tip[1]), (here[0], here[1]), arrowprops=arrow, zorder=6)
    axes.plot(*here, "o", color=VIEW, markersize=9, zorder=6, label=f"camera at x {here[0]:.2f}, y {here[1]:.2f}")
    if result.snapped_map_from_base is not None:
        x, y, _ = result.snapped_map_from_base.translation
        axes.plot(x, y, "x", color=SNAPPED, markersize=9, markeredgewidth=2.5, zorder=7, label="on walkable floor")
    return np.vstack([cone, seen])


def _extent(floor: FloorMap | None, landmarks_xyz: Array | None) -> Array:
    """Points (N, 2) at the borders of what is known of the place."""
    if floor is not None:
        rows, columns = floor.shape
        return np.array([floor.centre_of([row, column]) for row in (0, rows - 1) for column in (0, columns - 1)])
    return np.zeros((0, 2)) if landmarks_xyz is None else landmarks_xyz[:, :2]


def _corners(shown: Array, extent: Array) -> tuple[Array, Array]:
    """Of the rectangle to draw: `shown` and AROUND_M of the place around it, or all of the place."""
    if len(shown) == 0:
        shown = extent if len(extent) else np.zeros((1, 2))
    low, high = shown.min(axis=0) - AROUND_M, shown.max(axis=0) + AROUND_M
    if len(extent):
        low, high = np.maximum(low, extent.min(axis=0) - EDGE_M), np.minimum(high, extent.max(axis=0) + EDGE_M)
    return np.minimum(low, shown.min(axis=0) - EDGE_M), np.maximum(high, shown.max(axis=0) + EDGE_M)
