"""What was published in the stress runs: errors over time, over the state that the localizer said it was in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from campose_core.files import replacing

RUNS = ("kidnapped", "covered and carried", "motion blur 15, 25, 40 px", "alike: carried into one")
COLOURS = {"INITIALIZING": "#f2e3b3", "TRACKING": "#dcefdc", "LOST": "#f3c9c4"}


def draw(report: Path, out: Path) -> None:
    """A picture of RUNS out of stress.json."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    runs = json.loads(report.read_text())["structure"]
    figure, rows = pyplot.subplots(len(RUNS), 1, figsize=(9, 1.7 * len(RUNS)), sharex=False, layout="constrained")
    for axes, name in zip(rows, RUNS, strict=True):
        stamps_ns, states, errors_m = zip(*(frame[:3] for frame in runs[name]["all_frames"]), strict=True)
        seconds = (np.array(stamps_ns) - stamps_ns[0]) * 1e-9
        edges = np.append(seconds, 2 * seconds[-1] - seconds[-2])
        for start, end, state in zip(edges[:-1], edges[1:], states, strict=True):
            axes.axvspan(start, end, color=COLOURS[state], linewidth=0)
        errors_cm = [np.nan if error is None else 100 * error for error in errors_m]
        axes.plot(seconds, errors_cm, ".", color="#1f3b57", markersize=3)
        axes.set(yscale="log", ylim=(0.02, 300), xlim=(0, edges[-1]), ylabel="error [cm]", title=name)
        axes.axhline(100, color="#b03a2e", linewidth=1, linestyle="--")
    rows[-1].set_xlabel("time [s]; dots: published poses; dashed: one metre")
    patches = [Patch(color=colour, label=state) for state, colour in COLOURS.items()]
    figure.legend(handles=patches, ncols=3, loc="outside upper right", frameon=False)
    with replacing(out) as beside:
        figure.savefig(beside, dpi=110, format="png")
    pyplot.close(figure)
