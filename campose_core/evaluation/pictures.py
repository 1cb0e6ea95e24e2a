"""The pictures of a report, as PNG bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2

from campose_core.evaluation.metrics import RECALL_THRESHOLDS, FrameErrors
from campose_core.evaluation.reliability import PARTS
from campose_core.evaluation.table import degrees_text, metres_text
from campose_core.floor import FloorMap
from campose_core.frame import Image
from campose_core.geometry import Array
from campose_core.plotting.figure import WIDTH_INCHES, degrees_on_axis, light_grid, metres_on_axis, new_figure, png_of
from campose_core.plotting.floor_plan import corners_around, draw_floor, show_from_above
from campose_core.plotting.palette import BLACK, BLUE, INK, SERIES, STATES, VERMILION
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIN_M, MIN_DEG = 1e-3, 1e-2  # the left ends of the logarithmic axes

ImageOf = Callable[[int], Image | None]


def floor_plan(
    floor: FloorMap | None, errors: FrameErrors, raw: Trajectory, snapped: Trajectory | None = None
) -> bytes:
    """Draw the floor from above with the true path, the estimated positions, and these moved to walkable floor."""
    true_xy = errors.reference.positions[:, :2]
    (left, bottom), (right, top) = corners_around(true_xy)
    figure = new_figure(WIDTH_INCHES, WIDTH_INCHES * (top - bottom) / (right - left) + 0.9)
    axes = figure.add_subplot()
    if floor is not None:
        draw_floor(axes, floor)
    axes.plot(*true_xy.T, color=BLACK, linewidth=4.5, alpha=0.25, solid_capstyle="round", label="true path")
    axes.plot(*raw.positions[:, :2].T, "o", color=BLUE, markersize=3.5, markeredgewidth=0, label="estimated", zorder=3)
    if snapped is not None:
        axes.plot(*_path(snapped).T, color=VERMILION, linewidth=1.3, label="snapped to the walkable floor", zorder=4)
    silent = ~errors.answered
    if silent.any():
        axes.plot(
            *true_xy[silent].T, "x", color=INK, markersize=6, label=f"no answer here ({silent.sum()} frames)", zorder=5
        )
    outside = ((raw.positions[:, :2] < (left, bottom)) | (raw.positions[:, :2] > (right, top))).any(axis=1)
    if outside.any():
        axes.plot([], [], " ", label=f"{outside.sum()} estimates lie outside of this view")
    show_from_above(axes, (left, bottom), (right, top))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, frameon=False)
    return png_of(figure)


def error_over_time(errors: Mapping[str, FrameErrors]) -> bytes:
    """Draw position and rotation error of each frame, and below them the state each estimator said it was in."""
    figure = new_figure(WIDTH_INCHES, 5.2 + 0.3 * len(errors))
    grid = figure.add_gridspec(3, 1, height_ratios=[2.4, 2.4, 0.3 * len(errors) + 0.1], hspace=0.12)
    position, rotation, states = (figure.add_subplot(grid[row]) for row in range(3))
    start = min(int(e.stamps_ns[0]) for e in errors.values())
    for (name, one), colour in zip(errors.items(), _colours(len(errors)), strict=True):
        seconds = (one.stamps_ns - start) / 1e9
        for axes, values, least in ((position, one.position_m, MIN_M), (rotation, one.rotation_deg, MIN_DEG)):
            axes.plot(seconds, np.maximum(values, least), ".", color=colour, markersize=4, label=name)
            silent = ~one.answered
            # Unanswered frames hang from the upper edge: their error is infinite.
            axes.plot(seconds[silent], np.ones(silent.sum()), "|", color=colour, markersize=14, transform=_x_data(axes))
    for axes, label in ((position, "position error"), (rotation, "rotation error")):
        axes.set(yscale="log", ylabel=label)
        axes.tick_params(labelbottom=False)
        light_grid(axes)
    position.axhline(1.0, color=VERMILION, linewidth=0.8, linestyle="--")
    position.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, markerscale=2.5)
    position.set_title("ticks at the upper edge: no answer", loc="right", fontsize=9, color=INK)
    position.yaxis.set_major_formatter(metres_on_axis)
    rotation.yaxis.set_major_formatter(degrees_on_axis)
    _draw_states(states, errors, start)
    for axes in (position, rotation):
        axes.set_xlim(states.get_xlim())
    return png_of(figure)


def error_distribution(errors: Mapping[str, FrameErrors]) -> bytes:
    """Draw which share of all frames has an error below x; a curve ends at the share of answered frames."""
    figure = new_figure(WIDTH_INCHES, 4.2)
    position, rotation = figure.subplots(1, 2, sharey=True)
    for (name, one), colour in zip(errors.items(), _colours(len(errors)), strict=True):
        for axes, values, least in ((position, one.position_m, MIN_M), (rotation, one.rotation_deg, MIN_DEG)):
            answered = np.sort(values[np.isfinite(values)])
            share = 100 * np.arange(1, len(answered) + 1) / len(values)
            axes.step(np.maximum(answered, least), share, where="post", color=colour, linewidth=2, label=name)
    for thresholds, axes, label, text_of in (
        ([m for m, _ in RECALL_THRESHOLDS], position, "position error", metres_on_axis),
        (sorted({d for _, d in RECALL_THRESHOLDS}), rotation, "rotation error", degrees_on_axis),
    ):
        for threshold in thresholds:
            axes.axvline(threshold, color=INK, linewidth=0.7, linestyle=":")
            label_text = text_of(threshold).replace(" ", "")
            axes.text(threshold, 101, label_text, ha="center", va="bottom", fontsize=7.5, color=INK)
        axes.set(xscale="log", xlabel=label, ylim=(0, 100))
        light_grid(axes)
    position.set_ylabel("share of all frames (%)")
    position.xaxis.set_major_formatter(metres_on_axis)
    rotation.xaxis.set_major_formatter(degrees_on_axis)
    figure.legend(*position.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return png_of(figure)


def reliability_curves(errors: Mapping[str, FrameErrors]) -> bytes | None:
    """Draw which share of frames has its truth in the ellipsoid of each probability; None without covariances."""
    rows = {name: np.isfinite(one.squared_mahalanobis).all(axis=1) for name, one in errors.items()}
    known = {name: errors[name].squared_mahalanobis[row] for name, row in rows.items() if row.any()}
    if not known:
        return None
    colours = dict(zip(errors, _colours(len(errors)), strict=True))
    figure = new_figure(WIDTH_INCHES, 4.2)
    for column, (axes, (part, components)) in enumerate(
        zip(figure.subplots(1, 3, sharey=True), PARTS.items(), strict=True)
    ):
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle="--")
        for name, squared in known.items():
            needed = 100 * np.sort(chi2.cdf(squared[:, column], components.stop - components.start))
            share = 100 * np.r_[np.arange(len(needed) + 1), len(needed)] / len(needed)
            axes.step(np.r_[0, needed, 100], share, where="post", color=colours[name], linewidth=2, label=name)
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal", xlabel="ellipsoid (%)", title=part)
        light_grid(axes)
        if column == 0:
            axes.set_ylabel("truth inside (% of frames)")
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return png_of(figure)


def example_frames(errors: FrameErrors, image_of: ImageOf) -> bytes | None:
    """Draw the best, the median, the worst answered frame, and one without an answer; None when no image is there."""
    answered = np.flatnonzero(errors.answered)
    ranked = answered[np.argsort(errors.position_m[answered], kind="stable")]
    chosen = [("best", ranked[0]), ("median", ranked[len(ranked) // 2]), ("worst", ranked[-1])] if len(ranked) else []
    silent = np.flatnonzero(~errors.answered)
    if len(silent):
        chosen.append(("no answer", silent[len(silent) // 2]))
    examples = [(what, row, image_of(int(errors.stamps_ns[row]))) for what, row in chosen]
    shown = [(what, row, image) for what, row, image in examples if image is not None]
    if not shown:
        return None
    height, width = shown[0][2].shape[:2]
    each = WIDTH_INCHES / len(shown)
    figure = new_figure(WIDTH_INCHES, each * height / width + 0.6)
    for axes, (what, row, image) in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        axes.imshow(image)
        axes.set(xticks=[], yticks=[])
        seconds = (errors.stamps_ns[row] - errors.stamps_ns[0]) / 1e9
        said = "" if what == "no answer" else (
            f"\n{metres_text(errors.position_m[row])}, {degrees_text(errors.rotation_deg[row])}"
        )  # fmt: skip
        axes.set_title(f"{what}, at {seconds:.1f} s{said}", fontsize=10, loc="left")
    return png_of(figure)


def _colours(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def _path(trajectory: Trajectory) -> Array:
    """Positions (N, 2) to draw as a line, which breaks (NaN) where nothing was known for a second."""
    gaps = np.flatnonzero(np.diff(trajectory.stamps_ns) > 10**9) + 1
    return np.insert(trajectory.positions[:, :2], gaps, np.nan, axis=0)


def _x_data(axes: Axes) -> Any:
    """x in seconds, y from 0 at the lower to 1 at the upper edge."""
    return axes.get_xaxis_transform()


def _draw_states(axes: Axes, errors: Mapping[str, FrameErrors], start: int) -> None:
    from matplotlib.patches import Patch

    seen = set()
    for level, one in enumerate(errors.values()):
        seconds = (one.stamps_ns - start) / 1e9
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.1
        states = np.array(one.statuses)
        changes = np.r_[0, np.flatnonzero(states[1:] != states[:-1]) + 1, len(states)]
        for first, end in pairwise(changes):
            width = seconds[end - 1] - seconds[first] + step
            axes.barh(
                level,
                width,
                left=seconds[first],
                height=0.8,
                color=STATES.get(states[first], STATES[""]),
                align="center",
            )
            seen.add(str(states[first]))
    axes.set_yticks(range(len(errors)), list(errors))
    axes.set(xlabel="time (s)", ylim=(len(errors) - 0.4, -0.6))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(
        handles=[Patch(color=STATES.get(name, STATES[""]), label=name or "unknown") for name in sorted(seen)],
        loc="upper right", bbox_to_anchor=(1, -0.6 / (0.3 * len(errors) + 0.1)), ncols=4, frameon=False,
    )  # fmt: skip
