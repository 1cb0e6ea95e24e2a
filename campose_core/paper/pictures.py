"""The pictures beside the paper's tables: validation error per epoch, and paths over the floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from campose_core.evaluation.metrics import FrameErrors
from campose_core.evaluation.table import degrees_text, metres_text
from campose_core.floor import FloorMap
from campose_core.geometry import Array
from campose_core.plotting.figure import (
    WIDTH_INCHES,
    degrees_on_axis,
    light_grid,
    log_ticks,
    metres_on_axis,
    new_figure,
    png_of,
)
from campose_core.plotting.floor_plan import corners_around, draw_floor
from campose_core.plotting.palette import BLACK, BLUE, FAINT, INK, SERIES
from campose_core.trajectory import Trajectory

STYLES = ("-", "--", ":")  # with the colours: eighteen lines that can be told apart

# Of a model: epochs, validation medians in metres and in degrees, (E,) each.
History = tuple[Array, Array, Array]


def validation_curves(groups: Mapping[str, Mapping[str, History]]) -> bytes:
    """Draw, as PNG, a row of pictures for each group of models: the medians after each epoch, the best epoch marked."""
    figure = new_figure(WIDTH_INCHES, 3.4 * len(groups))
    rows = np.atleast_2d(np.array(figure.subplots(len(groups), 3, width_ratios=(1, 1, 0.42))))
    for (group, models), (position, rotation, legend) in zip(groups.items(), rows, strict=True):
        for number, (name, (epochs, metres, degrees)) in enumerate(models.items()):
            best = int(np.argmin(metres + np.radians(degrees)))  # as training chooses
            look = {"color": SERIES[number % len(SERIES)], "linestyle": STYLES[number // len(SERIES) % len(STYLES)]}
            for axes, values in ((position, metres), (rotation, degrees)):
                [line] = axes.plot(epochs, values, linewidth=1.2, label=name, **look)
                axes.plot(epochs[best], values[best], "o", color=line.get_color(), markersize=5)
        for axes, what, text_of in ((position, "position", metres_on_axis), (rotation, "rotation", degrees_on_axis)):
            axes.set(yscale="log", xlabel="epoch", title=f"{group}: {what}")
            log_ticks(axes.yaxis, text_of)
            axes.xaxis.get_major_locator().set_params(integer=True)
            light_grid(axes)
        legend.axis("off")
        legend.legend(*position.get_legend_handles_labels(), loc="center left", frameon=False, fontsize=8.5)
    return png_of(figure)


def paths(floor: FloorMap | None, runs: Sequence[tuple[str, FrameErrors, Trajectory]]) -> bytes:
    """Draw, as PNG, each estimator from above: the true path, the estimates, and a line from each to its truth."""
    every = np.vstack([errors.reference.positions[:, :2] for _, errors, _ in runs])
    (left, bottom), (right, top) = corners_around(every, 1.5 if floor is not None else 0.4)
    columns = min(3, len(runs)) if len(runs) != 4 else 2
    rows = math.ceil(len(runs) / columns)
    width = WIDTH_INCHES / columns
    figure = new_figure(WIDTH_INCHES, rows * (width * (top - bottom) / (right - left) + 0.6))
    pictures = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for axes, (name, errors, estimated) in zip(pictures, runs, strict=False):
        if floor is not None:
            draw_floor(axes, floor)
        true_xy, xy = errors.reference.positions[:, :2], estimated.positions[:, :2]
        row_of = {stamp_ns: row for row, stamp_ns in enumerate(errors.stamps_ns.tolist())}
        pairs = [(i, row_of[s]) for i, s in enumerate(estimated.stamps_ns.tolist()) if s in row_of]
        for i, row in pairs:
            axes.plot(*np.stack([true_xy[row], xy[i]]).T, color=BLUE, linewidth=0.5, alpha=0.4)
        axes.plot(*true_xy.T, ".", color=BLACK, markersize=4, alpha=0.5, label="truth")
        axes.plot(*xy.T, "o", color=BLUE, markersize=3.5, markeredgewidth=0, label="estimated", zorder=3)
        found = np.median(errors.position_m), np.median(errors.rotation_deg)
        axes.set_title(f"{name}: {metres_text(found[0])}, {degrees_text(found[1])}", fontsize=10, loc="left")
        axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        if floor is None:
            axes.grid(color=FAINT, linewidth=0.7)
        axes.tick_params(labelsize=8)
    for axes in pictures[len(runs) :]:
        axes.axis("off")
    figure.legend(*pictures[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    figure.supxlabel("x (m)", fontsize=9, color=INK)
    figure.supylabel("y (m)", fontsize=9, color=INK)
    return png_of(figure)
