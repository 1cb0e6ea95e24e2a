"""A diagnosis for a terminal: one line for each thing looked at, and the list of what to record next."""

from __future__ import annotations

from textwrap import shorten

from campose_core.doctor.coverage import AT_WALL, DOUBTFUL, FOUND, LOST
from campose_core.doctor.diagnosis import Diagnosis
from campose_core.doctor.map_health import FloorShape, MapHealth
from campose_core.doctor.missing_frames import REASONS, MissingStretch
from campose_core.doctor.record_next import MIN_GAP_M2
from campose_core.map_scale import MapScale
from campose_core.text import one_line

MAX_LINES = 25
MAX_COMPLAINTS, MAX_MISSING = 4, 3
WIDTH = 14
NEXT_STEP = {
    "empty": "it holds no frames yet: run `campose extract SOURCE --scene {}`",
    "extracted": "it is not mapped: run `campose map {}`",
    "mapped": "it is not aligned, so that places have no coordinates: run `campose align {}`",
}

MEASURE = "measure it: `campose align {} --reference REF.tum` (--points, --markers, --distance), without mapping anew"


def text_of(diagnosis: Diagnosis) -> str:
    """Write it in at most MAX_LINES lines."""
    lines = [_headline(diagnosis)]
    for name, facts in (
        ("coverage", _coverage(diagnosis)),
        ("links", _links(diagnosis)),
        ("missing", _missing(diagnosis)),
        ("images", _images(diagnosis)),
        ("cameras", diagnosis.report.of_cameras or []),
        ("metric frame", _health(diagnosis)),
        ("again", [diagnosis.held_out] if diagnosis.held_out else []),
    ):
        for i, fact in enumerate(facts):
            lines.append(f"  {name if i == 0 else '':{WIDTH}}{fact}")
    next_step = NEXT_STEP.get(diagnosis.state)
    if diagnosis.state == "aligned" and diagnosis.scene.scale.caution():
        next_step = f"scale {diagnosis.scene.scale.basis.value}: {MEASURE}"
    if next_step is not None:
        lines.append(f"  {'next':{WIDTH}}{next_step.format(diagnosis.scene.path)}")
    if diagnosis.record_next:
        lines.append("record next:")
        lines += [f"  {i}. {entry.text}" for i, entry in enumerate(diagnosis.record_next, start=1)]
    elif diagnosis.state == "aligned":
        unit = diagnosis.scene.scale.square_unit
        lines.append(f"nothing more to record (gaps of less than {MIN_GAP_M2:g} {unit} are left out)")
    return "\n".join(map(one_line, lines[:MAX_LINES]))


def _headline(diagnosis: Diagnosis) -> str:
    scene = diagnosis.scene
    if diagnosis.landmarks is None:
        return f"{scene.name}: {len(scene.frames)} frames of {len(scene.sources)} recordings"
    left_out = diagnosis.report.keyframes_left_out or {}
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return (
        f"{scene.name}: {diagnosis.posed} of {len(scene.frames)} frames have a pose; "
        f"{len(diagnosis.landmarks.frame_names)} keyframes, {len(diagnosis.landmarks.xyz)} landmarks"
        + (f"; no keyframes: {reasons}" if reasons else "")
    )


def _coverage(diagnosis: Diagnosis) -> list[str]:
    coverage = diagnosis.coverage
    if coverage is None:
        return []
    if not len(coverage.places):
        return ["no place to stand was found"]
    area = len(coverage.places) * coverage.step_m**2
    views = int((coverage.level != AT_WALL).sum())
    what = "walkable floor" if diagnosis.walkable is not None else "floor beside the path"
    extent = f"{area:.0f} {diagnosis.scene.scale.square_unit} of {what}"
    return [
        f"{coverage.share(FOUND):.0%} of {views} views over {extent} would be found, "
        f"{coverage.share(DOUBTFUL):.0%} perhaps, {coverage.share(LOST):.0%} hardly"
    ]


def _links(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.landmarks is None:
        return []
    other = diagnosis.report.model_sizes[1:]
    left_out = f"of {', '.join(map(str, other[:5]))} keyframes left out"
    apart = [f"{len(other)} other model{'s' * (len(other) > 1)} {left_out}"] if other else []
    apart += [f"not joined: {why}" for why in diagnosis.report.joins_refused or []]
    if thin := diagnosis.report.held_by_second:
        apart.append(f"{len(thin)} keyframe{'s' * (len(thin) > 1)} held by XFeat alone, from {thin[0]} on")
    found = [
        (len(diagnosis.links), "weak link{}"),
        (len(diagnosis.loops), "open loop{}"),
        (len(diagnosis.thin), "stretch{} with few landmarks"),
    ]
    counts = [f"{n} {text.format('' if n == 1 else 'es' if 'stretch' in text else 's')}" for n, text in found if n]
    return [", ".join(counts) or "no weak link, no open loop, no stretch with few landmarks", *apart]


def _missing(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.landmarks is None:
        return []
    if not diagnosis.missing:
        return ["no frame"]
    lines = [
        f"{one.frames} frame{'s' * (one.frames > 1)} at {_times(one)} of {one.source}: {REASONS[one.reason]}"
        for one in diagnosis.missing[:MAX_MISSING]
    ]
    rest = diagnosis.missing[MAX_MISSING:]
    return [*lines, f"and {sum(one.frames for one in rest)} frames in {len(rest)} stretches"] if rest else lines


def _times(stretch: MissingStretch) -> str:
    if stretch.frames == 1:
        return f"{stretch.start_s:.1f} s"
    return f"{stretch.start_s:.1f} .. {stretch.end_s:.1f} s"


def _images(diagnosis: Diagnosis) -> list[str]:
    lines = []
    for source, counts in diagnosis.images.items():
        poor = [f"{count} {reason}" for reason, count in counts.items() if reason != "looked at"]
        lines.append(f"{source}: of {counts['looked at']} looked at, {', '.join(poor) or 'all are usable'}")
    return lines[:MAX_MISSING]


def _health(diagnosis: Diagnosis) -> list[str]:
    health = diagnosis.health
    if health is None:
        return []
    scale = diagnosis.scene.scale
    parts = [f"by {health.method}"]
    if scale.caution():
        parts[0] += f"; {scale.caution()}"
    if health.residual.median_m is not None and scale.is_known:
        parts[0] += f" to {100 * health.residual.median_m:.2g} cm"
    agreeing = [check for check in health.checks if check.agree]
    if agreeing:
        parts.append(f"{len(agreeing)} other source{'s agree' if len(agreeing) > 1 else ' agrees'}")
    if health.landmarks_on_walls is not None:
        parts.append(f"{health.landmarks_on_walls:.0%} of the landmarks lie on the floor map's walls")
    shape = [_camera_height(health, scale)]
    if health.tilt_by_planes_deg is not None:
        shape.append(f"level to {health.tilt_by_planes_deg:.2g} deg")
    if health.floor is not None:
        shape.append(_floor(health.floor))
    complaints = [shorten(text, 110, placeholder=" ...") for text in health.complaints[:MAX_COMPLAINTS]]
    return ["; ".join(parts), "; ".join(shape), *(f"! {text}" for text in complaints)]


def _camera_height(health: MapHealth, scale: MapScale) -> str:
    if not scale.is_known:
        return f"heights of the camera within {health.camera_height_spread_m:.2f} {scale.unit}"
    return f"camera {health.camera_height_m:.2f} m high, within {100 * health.camera_height_spread_m:.1f} cm"


def _floor(floor: FloorShape) -> str:
    return f"floor at {100 * floor.height_m:+.1f} cm, bent by {100 * floor.bend_m:.1f} cm"
