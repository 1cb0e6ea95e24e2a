"""Robustness curves: recall against severity, a panel for each condition and a line for each estimator."""

from __future__ import annotations

import math
from collections.abc import Sequence

from campose_core.matrix.conditions.table import AS_RECORDED, CONDITIONS
from campose_core.matrix.rows import Summary
from campose_core.plotting.figure import WIDTH_INCHES, light_grid, new_figure, png_of
from campose_core.plotting.palette import MUTED, SERIES

SHOWN = "25cm/2deg"
MARKERS = "os^Dvx"
PANELS_A_ROW = 3


def robustness_curves(found: Sequence[Summary]) -> bytes | None:
    """Draw the share of frames within 25 cm and 2 degrees by severity; dashed, those that are wrong and sure.

    None where no run was under any condition. found: each curve begins with the runs as recorded.
    """
    conditions = [name for name in CONDITIONS if any(one.condition == name for one in found)]
    if not conditions:
        return None
    estimators = list(dict.fromkeys(one.estimator for one in found))
    rows, columns = math.ceil(len(conditions) / PANELS_A_ROW), min(PANELS_A_ROW, len(conditions))
    figure = new_figure(WIDTH_INCHES, 0.7 + 2.9 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, condition in zip(panels, conditions, strict=False):
        for number, estimator in enumerate(estimators):
            curve = curve_of(found, condition, estimator)
            colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
            severities = [one.severity for one in curve]
            recalls = [100 * one.recall[SHOWN] for one in curve]
            axes.plot(severities, recalls, marker=marker, markersize=5, color=colour, linewidth=2, label=estimator)
            axes.plot(severities, [100 * one.wrong_and_sure for one in curve], color=colour, linewidth=1, linestyle=":")
        axes.set(xlim=(-0.03, 1.03), ylim=(-3, 103))
        axes.set_title(condition, fontsize=11, loc="left", pad=18)
        axes.text(0, 1.03, f"1: {CONDITIONS[condition].words}", fontsize=8, color=MUTED, transform=axes.transAxes)
        light_grid(axes)
    for axes in panels[len(conditions) :]:
        axes.set_visible(False)
    figure.supxlabel("severity (0: as recorded)", fontsize=10)
    figure.supylabel(f"frames within {SHOWN} (%)\ndotted: wrong and sure", fontsize=10)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5, frameon=False)
    return png_of(figure)


def curve_of(found: Sequence[Summary], condition: str, estimator: str) -> list[Summary]:
    """Return the points of a curve by severity, the runs as recorded first."""
    points = [one for one in found if one.estimator == estimator and one.condition in (condition, AS_RECORDED)]
    return sorted(points, key=lambda one: one.severity)
