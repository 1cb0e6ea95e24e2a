"""A diagnosis as a picture over the floor plan: which way a camera would find itself where, and what to record next."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from campose_core.doctor.coverage import DOUBTFUL, FOUND, HEADINGS, LOST, Coverage
from campose_core.doctor.diagnosis import Diagnosis
from campose_core.doctor.map_links import WeakLink
from campose_core.doctor.record_next import Advice
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.plotting.figure import WIDTH_INCHES, new_figure, png_of
from campose_core.plotting.floor_plan import draw_floor, show_from_above
from campose_core.plotting.palette import BLACK, BLUE, INK, MUTED, ORANGE, PURPLE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's green, orange and vermilion; the good one is pale, so that the eye falls on the others.
COLOURS = {FOUND: "#9AD3BE", DOUBTFUL: ORANGE, LOST: VERMILION}
LABELS = {FOUND: "would be found", DOUBTFUL: "perhaps", LOST: "hardly"}
LINK, MISSING, PATH = PURPLE, BLACK, MUTED
MARGIN_M = 0.6
LINE_INCHES = 0.24
ARROW_INCHES, NUMBER_INCHES = 0.9, 0.36
TEXT_WIDTH = 118  # letters in a line of the list


def picture_of(diagnosis: Diagnosis) -> bytes | None:
    """Draw it as PNG; None where the scene has no coordinates to draw at.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    coverage, landmarks = diagnosis.coverage, diagnosis.landmarks
    if coverage is None or landmarks is None:
        return None
    low, high = _corners(coverage, landmarks)
    lines = _list_lines(diagnosis.record_next)
    plan_inches = float(np.clip(WIDTH_INCHES * (high[1] - low[1]) / (high[0] - low[0]), 3.0, 11.0))
    list_inches = LINE_INCHES * (len(lines) + 1)
    figure = new_figure(WIDTH_INCHES, plan_inches + list_inches + 1.2)
    plan, below = figure.subplots(2, 1, height_ratios=[plan_inches + 1.0, list_inches])
    if diagnosis.walkable is not None:
        draw_floor(plan, diagnosis.walkable.floor)
    _draw_coverage(plan, coverage)
    plan.plot(*_path(diagnosis, landmarks).T, color=PATH, linewidth=1.0, label="walked path", zorder=3)
    _draw_missing(plan, diagnosis)
    _draw_links(plan, diagnosis.links, landmarks)
    _draw_advice(plan, diagnosis, (high[0] - low[0]) / WIDTH_INCHES)
    unit = diagnosis.scene.scale.unit
    show_from_above(plan, low, high)
    plan.set(xlabel=f"x ({unit}), east", ylabel=f"y ({unit}), north")
    plan.legend(handles=_legend(plan), loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, fontsize=9)
    figure.suptitle(_title(diagnosis), x=0.01, ha="left", fontsize=12, color=INK)
    below.axis("off")
    below.text(0, 1, "\n".join(lines), va="top", ha="left", fontsize=10, color=INK, linespacing=1.35)
    return png_of(figure)


def _title(diagnosis: Diagnosis) -> str:
    coverage = diagnosis.coverage
    assert coverage is not None
    found = f"{coverage.share(FOUND):.0%} of the views would be found" if len(coverage.places) else "no place to stand"
    caution = diagnosis.scene.scale.caution()
    return f"{diagnosis.scene.name}: {found}" + (f"; {caution}" if caution else "")


def _corners(coverage: Coverage, landmarks: Landmarks) -> tuple[Array, Array]:
    points = np.concatenate([coverage.places, landmarks.frame_positions[:, :2]])
    low, high = points.min(axis=0) - MARGIN_M, points.max(axis=0) + MARGIN_M
    size = high - low
    grow = (np.maximum(size, (size[1] * 0.9, size[0] * 0.25)) - size) / 2
    return low - grow, high + grow


def _draw_coverage(plan: Axes, coverage: Coverage) -> None:
    """Draw a disc of eight wedges at each place, each where that camera looks; none where it would look at a wall."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Wedge

    half = 180 / len(HEADINGS)
    for level, colour in COLOURS.items():
        wedges = [
            Wedge(
                tuple(coverage.places[place]), 0.44 * coverage.step_m,
                np.degrees(HEADINGS[heading]) - half, np.degrees(HEADINGS[heading]) + half,
            )
            for place, heading in np.argwhere(coverage.level == level)
        ]  # fmt: skip
        plan.add_collection(PatchCollection(wedges, facecolor=colour, edgecolor="white", linewidth=0.4, zorder=2))


def _path(diagnosis: Diagnosis, landmarks: Landmarks) -> Array:
    """Positions (N, 2) of the keyframes in time order, broken (NaN) between recordings and at pauses of 2 s."""
    frames = {frame.name: frame for frame in diagnosis.scene.frames}
    rows = sorted(
        (frames[str(name)].source, frames[str(name)].stamp_ns, i) for i, name in enumerate(landmarks.frame_names)
    )
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(rows)) if a[0] != b[0] or b[1] - a[1] > 2 * 10**9]
    return np.insert(landmarks.frame_positions[[row for *_, row in rows], :2], breaks, np.nan, axis=0)


def _draw_missing(plan: Axes, diagnosis: Diagnosis) -> None:
    """Draw a dashed line between the neighbours of each stretch of frames without a pose."""
    pose_of = {f.name: f.map_from_cam for f in diagnosis.scene.posed_frames()}
    for stretch in diagnosis.missing:
        ends = [pose_of.get(name) if name else None for name in (stretch.before, stretch.after)]
        xy = np.array([pose.translation[:2] for pose in ends if pose is not None])
        if len(xy):
            plan.plot(*xy.T, "--s", color=MISSING, linewidth=2.2, markersize=5, markerfacecolor="white", zorder=5)


def _draw_links(plan: Axes, links: tuple[WeakLink, ...], landmarks: Landmarks) -> None:
    for link in links:
        rows = np.array(link.keyframes, dtype=int) if link.keyframes else link.border
        plan.plot(*np.median(landmarks.frame_positions[rows, :2], axis=0), "D", color=LINK, markersize=11, zorder=6)


def _draw_advice(plan: Axes, diagnosis: Diagnosis, metres_per_inch: float) -> None:
    """Numbers, each beside its place where another thing is drawn there; an arrow where there is a way to look."""
    taken = [np.array(entry.place) for entry in diagnosis.record_next if entry.kind in ("link", "loop")]
    for number, entry in enumerate(diagnosis.record_next, start=1):
        if entry.place is None:
            continue
        place = np.array(entry.place)
        at = _free_spot(place, taken, NUMBER_INCHES * metres_per_inch)
        taken.append(at)
        plan.plot(*np.array([place, at]).T, color=BLUE, linewidth=1.2, zorder=7)
        if entry.kind in ("passage", "direction"):
            heading = np.angle(np.exp(1j * np.array(entry.headings)).sum())
            tip = place + ARROW_INCHES * metres_per_inch * np.array([np.cos(heading), np.sin(heading)])
            arrow = {"arrowstyle": "-|>", "color": BLUE, "linewidth": 2.2, "mutation_scale": 16}
            plan.annotate("", xy=tuple(tip), xytext=tuple(place), arrowprops=arrow, zorder=7)
        circle = {"boxstyle": "circle,pad=0.25", "facecolor": BLUE, "edgecolor": "white", "linewidth": 1.2}
        text: dict[str, Any] = {"color": "white", "fontsize": 10, "fontweight": "bold", "ha": "center", "va": "center"}
        plan.text(at[0], at[1], str(number), bbox=circle, zorder=8, **text)


def _free_spot(place: Array, taken: list[Array], apart: float) -> Array:
    """Return the place itself, or a spot around it, `apart` from all that are taken."""
    angles = np.pi * (0.5 + np.arange(8) / 4)
    around = [place + r * apart * np.array([np.cos(a), np.sin(a)]) for r in (1.0, 2.0, 3.0) for a in angles]
    for spot in (place, *around):
        if all(np.linalg.norm(spot - other) > 0.95 * apart for other in taken):
            return spot
    return place


def _legend(plan: Axes) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=COLOURS[level], label=f"looking that way: {LABELS[level]}") for level in COLOURS]
    handles.append(Patch(facecolor="white", edgecolor=INK, linewidth=0.6, label="no wedge: a wall right ahead"))
    handles += [line for line in plan.get_lines() if line.get_label() == "walked path"]
    drawn = {(line.get_marker(), line.get_color()) for line in plan.get_lines()}
    if ("D", LINK) in drawn:
        handles.append(Line2D([], [], marker="D", color=LINK, linestyle="", markersize=9, label="weak link"))
    if ("s", MISSING) in drawn:
        handles.append(
            Line2D(
                [],
                [],
                marker="s",
                color=MISSING,
                linestyle="--",
                markerfacecolor="white",
                label="frames without a pose",
            )
        )
    return handles


def _list_lines(advice: tuple[Advice, ...]) -> list[str]:
    if not advice:
        return ["Nothing more to record."]
    lines = ["Record next:"]
    for number, entry in enumerate(advice, start=1):
        first, *rest = textwrap.wrap(entry.text, TEXT_WIDTH)
        lines += [f"{number}.  {first}", *(f"     {line}" for line in rest)]
    return lines
