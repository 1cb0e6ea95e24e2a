"""What to record next: a short list, what matters most first.

Each entry weighs the share of the scene that is at stake: of the keyframes that hang on a weak link, of the frames that
found no place, of the views that would not be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from campose_core.doctor.coverage import AT_WALL, HEADINGS, Coverage
from campose_core.doctor.coverage_gaps import NOWHERE, Gap, OneSided
from campose_core.doctor.map_links import Seconds, Stretch, WeakLink
from campose_core.doctor.missing_frames import MissingStretch
from campose_core.geometry import Array
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.map_scale import MapScale

MAX_ENTRIES = 8  # entries
MIN_GAP_M2 = 0.5  # of floor, times directions over eight
MIN_MISSING_S = 0.5
WIND = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


@dataclass(frozen=True)
class Advice:
    """kind: `link`, `loop`, `missing`, `thin`, `passage`, `direction` or `area`. text: for people. place (x, y), metres
    in the map frame, None where the scene is not aligned. headings: radians, to drive or look in. weight: see above."""

    kind: str
    text: str
    place: tuple[float, float] | None
    headings: tuple[float, ...]
    weight: float


def wind(heading: float) -> str:
    """Name the point of the compass of a heading in radians: north is the map's y axis, east its x axis."""
    return WIND[round(heading / (np.pi / 4)) % 8]


def about_links(links: Sequence[WeakLink], landmarks: Landmarks, seconds: Seconds, aligned: bool) -> list[Advice]:
    """Advise, for each weak link, to record again where the smaller part of the map hangs on the rest."""
    found = []
    for link in links:
        rows = np.array(link.keyframes, dtype=int) if link.keyframes else link.border
        place = np.median(landmarks.frame_positions[rows], axis=0)
        row = rows[np.argmin(np.linalg.norm(landmarks.frame_positions[rows] - place, axis=1))]
        where = _where(place[:2], row, landmarks, seconds, aligned)
        share = len(link.part) / len(landmarks.frame_names)
        if link.keyframes:
            what = f"hangs on {len(link.keyframes)} keyframe{'s' * (len(link.keyframes) > 1)} {where}"
        elif link.landmarks:
            what = f"hangs on {link.landmarks} landmarks {where}"
        else:
            what = f"shares nothing with the rest ({where})"
        text = f"{share:.0%} of the map {what}: record it again there, slowly and both ways"
        found.append(Advice("link", text, _xy(place, aligned), (), share))
    return found


def about_stretches(
    kind: str, stretches: Sequence[Stretch], landmarks: Landmarks, seconds: Seconds, aligned: bool
) -> list[Advice]:
    """Advise on open loops (`loop`) and on keyframes with few landmarks (`thin`)."""
    found = []
    for stretch in stretches:
        middle = int(stretch.rows[len(stretch.rows) // 2])
        where = _where(landmarks.frame_positions[middle, :2], middle, landmarks, seconds, aligned)
        if kind == "loop":
            other = str(landmarks.frame_names[stretch.others[len(stretch.others) // 2]])
            source, at_s = seconds[other]
            text = f"the loop {where} is open, nothing ties it to {at_s:.1f} s of {source}: walk there again, slowly"
        else:
            text = f"few landmarks hold the frames {where}: record there again, closer to things and slowly"
        share = len(stretch.rows) / len(landmarks.frame_names)
        found.append(Advice(kind, text, _xy(landmarks.frame_positions[middle], aligned), (), share))
    return found


CURES = {
    "unreadable": "extract the recording again",
    "dark": "switch on more light and record there again",
    "blurred": "record there again, more slowly",
    "blank": "record there again with something else in view than a bare surface",
    "few features": "record there again, with more things in view",
    "fast": "record there again, turning slowly",
    "gap": "record there again, the camera without a pause",
    "not connected": "record there again, beginning and ending where the map is good",
}
CAUSES = {
    "unreadable": "images cannot be read", "dark": "light was too dark", "blurred": "images are blurred",
    "blank": "the camera looked at something blank", "few features": "images show few features",
    "fast": "the camera turned or moved too fast", "gap": "the recording has a gap",
    "not connected": "images match nothing in the map",
}  # fmt: skip


def about_missing(stretches: Sequence[MissingStretch], frames: int, aligned: bool) -> list[Advice]:
    """Advise on stretches without a pose that are not too short to matter. frames: of the scene, the weight's unit."""
    found = []
    for stretch in stretches:
        if stretch.end_s - stretch.start_s < MIN_MISSING_S and stretch.frames < 3:
            continue
        where = f" near ({stretch.place[0]:.1f}, {stretch.place[1]:.1f})" if aligned and stretch.place else ""
        times = f"from {stretch.start_s:.1f} s to {stretch.end_s:.1f} s of {stretch.source}"
        text = f"{CAUSES[stretch.reason]} {times}{where}: {CURES[stretch.reason]}"
        place = None if stretch.place is None else _xy(np.array(stretch.place), aligned)
        found.append(Advice("missing", text, place, (), stretch.frames / frames))
    return found


def about_passages(found: Sequence[OneSided], coverage: Coverage) -> list[Advice]:
    """Advise on passages, each worth the floor of a room of 2 m2, all directions."""
    weight = min(1.0, 2.0 / max(_covered_m2(coverage), 1e-9))
    return [
        Advice(
            "passage",
            f"the door at ({x:.1f}, {y:.1f}) was seen from one side only: drive through it {wind(heading)}wards",
            (float(x), float(y)),
            (heading,),
            weight,
        )
        for (x, y), heading in ((one.passage.place, one.heading) for one in found)
    ]


def about_gaps(found: Sequence[Gap], coverage: Coverage, scale: MapScale) -> list[Advice]:
    """Advise on gaps from MIN_GAP_M2 on: floor that nobody walked, or directions that show too little."""
    advice = []
    views = max(int((coverage.level != AT_WALL).sum()), 1)
    for gap in found:
        (x, y), area = gap.middle, f"{len(gap.places) * coverage.step_m**2:.1f} {scale.square_unit}"
        if gap.views / len(HEADINGS) * coverage.step_m**2 < MIN_GAP_M2:
            continue
        headings = tuple(float(HEADINGS[i]) for i in gap.headings)
        if len(headings) >= NOWHERE:
            kind = "area"
            text = f"{area} of floor around ({x:.1f}, {y:.1f}) were not recorded: walk through them, both ways"
        elif gap.looked:
            kind = "direction"
            text = (
                f"few landmarks in view to the {_winds(gap.headings)} around ({x:.1f}, {y:.1f}), over {area}: "
                "record that side from closer, or give it something to look at"
            )
        else:
            kind = "direction"
            text = (
                f"no keyframe looks {_winds(gap.headings)} around ({x:.1f}, {y:.1f}), over {area}: "
                "walk there looking that way"
            )
        advice.append(Advice(kind, text, (float(x), float(y)), headings, gap.views / views))
    return advice


def ranked(advice: Sequence[Advice]) -> list[Advice]:
    """Return the MAX_ENTRIES most weighty entries, the weightiest first."""
    return sorted(advice, key=lambda entry: -entry.weight)[:MAX_ENTRIES]


def _winds(headings: Sequence[int]) -> str:
    """Neighbouring points of the compass: `north or north-east`, `north (from west to north-east)`."""
    # The range begins behind the widest opening of the circle.
    openings = [(headings[(i + 1) % len(headings)] - heading) % 8 for i, heading in enumerate(headings)]
    last = int(np.argmax(openings))
    first = (last + 1) % len(headings)
    ordered = [WIND[heading] for heading in (*headings[first:], *headings[:first])]
    if len(ordered) <= 2:
        return " or ".join(ordered)
    return f"{ordered[len(ordered) // 2]} (from {ordered[0]} to {ordered[-1]})"


def _covered_m2(coverage: Coverage) -> float:
    return len(coverage.places) * coverage.step_m**2


def _xy(position: Array, aligned: bool) -> tuple[float, float] | None:
    return (float(position[0]), float(position[1])) if aligned else None


def _where(xy: Array, row: int, landmarks: Landmarks, seconds: Seconds, aligned: bool) -> str:
    if aligned:
        return f"at ({xy[0]:.1f}, {xy[1]:.1f})"
    source, at_s = seconds[str(landmarks.frame_names[row])]
    return f"at {at_s:.1f} s of {source}"
