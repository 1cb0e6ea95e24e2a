"""A drive with hidden stretches: how far off the pose was, and how far it said that it may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.driving_on.drives import PERIOD_NS
from benchmarks.driving_on.runs import Drive
from campose_core.files import write_bytes
from campose_core.plotting.figure import new_figure, png_of
from campose_core.plotting.palette import FAINT, STATES, VERMILION


def draw(drive: Drive, path: Path) -> None:
    """Write a PNG."""
    rows, stretches = drive
    seconds = np.arange(len(rows)) * PERIOD_NS * 1e-9
    figure = new_figure(11, 4)
    axis = figure.subplots()
    for stretch in stretches:
        axis.axvspan(seconds[stretch.first], seconds[stretch.end - 1], color=FAINT)
        axis.text(seconds[stretch.first], 0.62, stretch.what, fontsize=7, rotation=90, va="top")
    sigma = [row.sigma_m if row.error_m is not None else np.nan for row in rows]
    axis.plot(seconds, sigma, color=VERMILION, lw=1, label="standard deviation, worst direction")
    for name in ("TRACKING", "PREDICTED"):
        errors = [row.error_m if row.error_m is not None and row.status.value == name else np.nan for row in rows]
        axis.plot(seconds, errors, color=STATES[name], lw=1.5, label=f"error, {name}")
    axis.set(xlabel="seconds", ylabel="metres", ylim=(0, 0.65))
    axis.legend(loc="upper left", fontsize=8)
    write_bytes(path, png_of(figure))
