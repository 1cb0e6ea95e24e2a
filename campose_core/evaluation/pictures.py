"""The pictures of a report, as PNG bytes: narrow, so that their words can be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammainc

from campose_core.evaluation.frame_errors import WRONG_M, FrameErrors
from campose_core.evaluation.intervals import gaps
from campose_core.evaluation.measures import RECALL_THRESHOLDS
from campose_core.evaluation.reliability import PARTS
from campose_core.evaluation.rooms import Rooms
from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.plotting.figure import degrees_on_axis, light_grid, log_ticks, metres_on_axis, new_figure, png_of
from campose_core.plotting.floor_plan import corners_around, draw_floor, show_from_above
from campose_core.plotting.palette import BLACK, BLUE, GREEN, INK, ORANGE, SERIES, STATES, VERMILION
from campose_core.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_INCHES, PICTURE_DPI = 5.0, 180
MIN_M, MIN_DEG = 1e-3, 1e-2  # the left ends of the logarithmic axes
# Of errors, each up to its bound: colour and size of its mark, so that what matters differs in shape too.
CLASSES = ((0.05, GREEN, 2.0), (0.25, BLUE, 2.6), (WRONG_M, ORANGE, 3.6), (np.inf, VERMILION, 5.0))


def floor_plan(
    floor: FloorMap | None,
    errors: FrameErrors,
    raw: Trajectory,
    snapped: Trajectory | None = None,
    rooms: Rooms | None = None,
) -> bytes:
    """Draw the floor from above: the true path, the estimates coloured by their error, and these moved to walkable
    floor."""
    true_xy = errors.reference.positions[:, :2]
    (left, bottom), (right, top) = corners_around(true_xy)
    figure = new_figure(PICTURE_INCHES, PICTURE_INCHES)
    axes = figure.add_subplot()
    if floor is not None:
        draw_floor(axes, floor)
    axes.plot(
        *line_from_above(errors.reference).T,
        color=BLACK,
        linewidth=4.0,
        alpha=0.25,
        solid_capstyle="round",
        label="true path",
    )
    xy, off = errors.estimated_xyz[:, :2], errors.position_m
    least = 0.0
    for most, colour, size in CLASSES:
        inside = (off > least) & (off <= most) & np.isfinite(off) if least else off <= most
        label = f"off by up to {metres_on_axis(most)}" if np.isfinite(most) else f"farther ({inside.sum()} frames)"
        if inside.any():
            axes.plot(*xy[inside].T, "o", color=colour, markersize=size, markeredgewidth=0, label=label, zorder=3)
        least = most
    if snapped is not None:
        axes.plot(
            *line_from_above(snapped).T, color=SERIES[3], linewidth=1.1, label="snapped to walkable floor", zorder=4
        )
    silent = ~errors.answered
    if silent.any():
        axes.plot(
            *true_xy[silent].T, "x", color=INK, markersize=5, label=f"no answer here ({silent.sum()} frames)", zorder=5
        )
    outside = ((raw.positions[:, :2] < (left, bottom)) | (raw.positions[:, :2] > (right, top))).any(axis=1)
    if outside.any():
        axes.plot([], [], " ", label=f"{outside.sum()} estimates lie outside of this view")
    if rooms is not None:
        for number, (x, y) in enumerate(rooms.centres.tolist(), start=1):
            axes.text(x, y, str(number), fontsize=13, color=INK, alpha=0.55, ha="center", va="center", clip_on=True)
    show_from_above(axes, (left, bottom), (right, top))
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=8.5)
    lines = -(-len(axes.get_legend_handles_labels()[0]) // 2)
    figure.set_figheight(PICTURE_INCHES * (top - bottom) / (right - left) + 0.6 + 0.2 * lines)
    return _png(figure)


def error_over_time(errors: Mapping[str, FrameErrors]) -> bytes:
    """Draw position and rotation error of each frame, and below them the state each estimator said it was in."""
    figure = new_figure(PICTURE_INCHES, 5.0 + 0.3 * len(errors))
    grid = figure.add_gridspec(3, 1, height_ratios=[2.1, 2.1, 0.3 * len(errors) + 0.1])
    position, rotation, states = (figure.add_subplot(grid[row]) for row in range(3))
    start = min(int(e.stamps_ns[0]) for e in errors.values())
    for level, ((name, one), colour) in enumerate(zip(errors.items(), _colours(len(errors)), strict=True)):
        seconds = (one.stamps_ns - start) / 1e9
        zorder = 3 - level / len(errors)  # the first estimator lies over the others
        for axes, values, least in ((position, one.position_m, MIN_M), (rotation, one.rotation_deg, MIN_DEG)):
            axes.plot(seconds, np.maximum(values, least), ".", color=colour, markersize=3, label=name, zorder=zorder)
            silent = ~one.answered
            # Unanswered frames hang from the upper edge: their error is infinite.
            axes.plot(seconds[silent], np.ones(silent.sum()), "|", color=colour, markersize=12, transform=_x_data(axes))
    for axes, label in ((position, "position error"), (rotation, "rotation error")):
        axes.set(yscale="log", ylabel=label)
        axes.tick_params(labelbottom=False)
        light_grid(axes)
    position.axhline(WRONG_M, color=VERMILION, linewidth=0.8, linestyle="--")
    log_ticks(position.yaxis, metres_on_axis)
    log_ticks(rotation.yaxis, degrees_on_axis)
    _draw_states(figure, states, errors, start)
    for axes in (position, rotation):
        axes.set_xlim(states.get_xlim())
    _legend(figure, position, markerscale=2.5)
    return _png(figure)


def error_distribution(errors: Mapping[str, FrameErrors]) -> bytes:
    """Draw which share of all frames has an error below x; a curve ends at the share of answered frames."""
    figure = new_figure(PICTURE_INCHES, 5.6)
    position, rotation = figure.subplots(2, 1, sharey=True)
    for level, ((name, one), colour) in enumerate(zip(errors.items(), _colours(len(errors)), strict=True)):
        zorder = 3 - level / len(errors)
        for axes, values, least in ((position, one.position_m, MIN_M), (rotation, one.rotation_deg, MIN_DEG)):
            answered = np.sort(values[np.isfinite(values)])
            share = 100 * np.arange(1, len(answered) + 1) / len(values)
            axes.step(
                np.maximum(answered, least), share, where="post", color=colour, linewidth=2, label=name, zorder=zorder
            )
    for thresholds, axes, label, text_of in (
        (sorted({m for m, _ in RECALL_THRESHOLDS}), position, "position error", metres_on_axis),
        (sorted({d for _, d in RECALL_THRESHOLDS}), rotation, "rotation error", degrees_on_axis),
    ):
        for threshold in thresholds:
            axes.axvline(threshold, color=INK, linewidth=0.7, linestyle=":")
            label_text = text_of(threshold).replace(" ", "")
            axes.text(threshold, 101, label_text, ha="center", va="bottom", fontsize=7, color=INK)
        axes.set(xscale="log", xlabel=label, ylim=(0, 100), ylabel="frames (%)")
        light_grid(axes)
    position.xaxis.set_major_formatter(metres_on_axis)
    rotation.xaxis.set_major_formatter(degrees_on_axis)
    _legend(figure, position)
    return _png(figure)


def reliability_curves(errors: Mapping[str, FrameErrors]) -> bytes | None:
    """Draw which share of frames has its truth in the ellipsoid of each probability; None without covariances."""
    rows = {name: np.isfinite(one.squared_mahalanobis).all(axis=1) for name, one in errors.items()}
    known = {name: errors[name].squared_mahalanobis[row] for name, row in rows.items() if row.any()}
    if not known:
        return None
    colours = dict(zip(errors, _colours(len(errors)), strict=True))
    figure = new_figure(PICTURE_INCHES, 2.7)
    for column, (axes, (part, components)) in enumerate(
        zip(figure.subplots(1, 3, sharey=True), PARTS.items(), strict=True)
    ):
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle="--")
        for name, squared in known.items():
            # The distribution function of chi-squared.
            needed = 100 * np.sort(gammainc((components.stop - components.start) / 2, squared[:, column] / 2))
            share = 100 * np.r_[np.arange(len(needed) + 1), len(needed)] / len(needed)
            axes.step(np.r_[0, needed, 100], share, where="post", color=colours[name], linewidth=2, label=name)
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal", xlabel="ellipsoid (%)", title=part)
        light_grid(axes)
        if column == 0:
            axes.set_ylabel("truth inside (%)")
            _legend(figure, axes)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    return png_of(figure, PICTURE_DPI)


def _legend(figure: Figure, axes: Axes, markerscale: float = 1.0) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=8.5, markerscale=markerscale
    )


def _colours(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def line_from_above(trajectory: Trajectory) -> Array:
    """Return positions (M, 2) to draw as a line, which breaks (NaN) where the recording has a gap."""
    return np.insert(trajectory.positions[:, :2], gaps(trajectory.stamps_ns), np.nan, axis=0)


def _x_data(axes: Axes) -> Any:
    """x in seconds, y from 0 at the lower to 1 at the upper edge."""
    return axes.get_xaxis_transform()


def _draw_states(figure: Figure, axes: Axes, errors: Mapping[str, FrameErrors], start: int) -> None:
    from matplotlib.patches import Patch

    seen: set[str] = set()
    for level, one in enumerate(errors.values()):
        seconds = (one.stamps_ns - start) / 1e9
        step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.1
        states = np.array(one.statuses)
        changes = np.unique(np.r_[0, np.flatnonzero(states[1:] != states[:-1]) + 1, gaps(one.stamps_ns), len(states)])
        bars: dict[str, list[tuple[float, float]]] = {}
        for first, end in pairwise(changes):
            bars.setdefault(str(states[first]), []).append((seconds[first], seconds[end - 1] - seconds[first] + step))
        for state, spans in bars.items():  # one collection a state: a run of ten thousand changes is drawn at once
            axes.broken_barh(spans, (level - 0.4, 0.8), facecolors=STATES.get(state, STATES[""]))
        seen |= bars.keys()
    axes.set_yticks(range(len(errors)), ["" for _ in errors] if len(errors) == 1 else list(errors), fontsize=7.5)
    axes.set(xlabel="time (s)", ylim=(len(errors) - 0.4, -0.6))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(
        handles=[Patch(color=STATES.get(name, STATES[""]), label=name or "state unknown") for name in sorted(seen)],
        loc="outside lower left", ncols=3, frameon=False, fontsize=8.5,
    )  # fmt: skip
