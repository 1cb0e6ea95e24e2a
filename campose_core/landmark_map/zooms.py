"""Where somebody zooms while a recording goes on: its focal length changes over seconds, and no image shows a step.

One camera for all hides that: poses and landmarks bend until they fit (frames of a kitchen that was zoomed by 1.3
within four seconds came out 30 cm off, at 1.0 px; so does what single images say of their focal length, on landmarks
that bent with them). A camera for every few keyframes in one adjustment shows it. Focal lengths of ten keyframes each
differ by at most 0.8 % in two kitchens and an office, by 1.4 % on a campus, and by as much as their standard deviations
leave open where there are few images; in the zoomed kitchen by 25 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count, groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.landmark_map.colmap import adjust, drop_outliers, load_pycolmap, model_images
from campose_core.landmark_map.focal_certainty import MOST_IMAGES, camera_sigmas
from campose_core.landmark_map.intrinsics import lens_of

LEAST = 3  # keyframes of a stretch
# At most so many; by how much its focal length (the logarithm) must differ from that of those before it, and by how
# much it may differ however little is known of it; rounds of adjustment. Fine ones are for where coarse ones show a
# zoom, or images a switch.
COARSE, FINE = (10, (0.03, np.inf), 1), (LEAST, (0.015, 0.02), 2)
SIGMAS, OPEN = 4.0, 1.0  # that it must differ by as well; the standard deviation where nothing tells it
TELLS = 0.75  # of the most that it may differ by: with a larger standard deviation a stretch tells nothing
STEADY = 15  # keyframes in a row of one focal length are a lens; fewer may be a part of a zoom
LOOKED_AT = 4  # images of each stretch, for its standard deviation
ZOOM_CURE = "record again with a fixed zoom, and with the focus locked where the camera lets you"


class Steady(NamedTuple):
    """Keyframes of one recording, in time order, that have one focal length, in pixels; told: by how many."""

    names: tuple[str, ...]
    focal: float
    told: int


class Zoom(NamedTuple):
    """Frames of a source between two keyframes (their names; "" for its beginning and end) in which its focal length
    changes."""

    source: str
    before: str
    after: str

    def holds(self, frame: str) -> bool:
        """Tell whether a frame, by its name, is one of these."""
        in_source = frame.split("/")[0] == self.source
        return in_source and self.before < frame and (not self.after or frame < self.after)


def steady_lenses(
    model: Any, names: Mapping[str, Sequence[str]], switches: Sequence[str] = ()
) -> tuple[Any, dict[str, list[Steady]]]:
    """Return where each recording keeps its focal length, and a copy of the model with cameras for few keyframes each.

    model: a Reconstruction. names: registered keyframes by source, in time order. switches: first images by another
    lens, as far as they are known. Empty where no recording changes its focal length otherwise; one that changes it all
    the time has an empty list.
    """
    freed = model
    for most_keyframes, bounds, rounds in (FINE,) if switches else (COARSE, FINE):
        stretches = {
            source: _stretches(chosen, switches, min(most_keyframes, max(LEAST, len(chosen) // 4)))
            for source, chosen in names.items()
        }
        freed = _with_cameras_of_stretches(freed, stretches)
        for _ in range(rounds):
            adjust(freed)
            drop_outliers(freed)
        sigmas = camera_sigmas(freed, max(MOST_IMAGES, LOOKED_AT * freed.num_cameras()))
        ids, found = count(1), dict[str, list[Steady]]()
        for source, cut in stretches.items():
            own = [next(ids) for _ in cut]
            focals = [freed.camera(i).mean_focal_length() for i in own]
            found[source] = _joined(cut, focals, [sigmas.get(i, OPEN) for i in own], bounds)
        if all(len(runs) == 1 for runs in found.values()):
            return model, {}
    lenses = {
        source: [run for run in runs if run.told >= STEADY or _is_known(run, names[source], switches)]
        for source, runs in found.items()
    }
    return (freed, lenses) if zooms_between(lenses, names, switches) else (model, {})


def names_by_source(images: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of images by source, in time order."""
    return {source: list(names) for source, names in groupby(sorted(images), lambda image: image.split("/")[0])}


def placed_names(model: Any, names: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return those of the keyframes, by source, that a Reconstruction has registered."""
    registered = {image.name for image in model_images(model)}
    placed = {source: [name for name in chosen if name in registered] for source, chosen in names.items()}
    return {source: chosen for source, chosen in placed.items() if chosen}


def zooms_of(model: Any, names: Mapping[str, Sequence[str]]) -> list[Zoom]:
    """Return where recordings change their focal length in a Reconstruction, at once or over seconds. names: keyframes
    by source, in time order."""
    placed = placed_names(model, names)
    return zooms_between(steady_lenses(model, placed)[1], placed)


def zooms_between(
    lenses: Mapping[str, Sequence[Steady]], names: Mapping[str, Sequence[str]], switches: Sequence[str] = ()
) -> list[Zoom]:
    """Return the zooms between what `steady_lenses` has found: where keyframes are in none of these, or where nobody
    knows at which image one ends. names: registered keyframes by source; switches: first images by another lens."""
    found = []
    for source, runs in lenses.items():
        ends = [("", ""), *((run.names[0], run.names[-1]) for run in runs), ("", "")]
        for (_, before), (after, _) in pairwise(ends):
            zoom = Zoom(source, before, after)
            is_switch = any(before < first <= after for first in switches if first.split("/")[0] == source)
            if any(map(zoom.holds, names[source])) or (before and after and not is_switch):
                found.append(zoom)
    return found


def change_text(zoom: Zoom, stamps_ns: Mapping[str, int]) -> str:
    """Say for people from when on the focal length is another one. stamps_ns: of all frames, by name."""
    first = min(stamp for name, stamp in stamps_ns.items() if name.split("/")[0] == zoom.source)
    start = stamps_ns.get(zoom.before, first) * 1e-9
    return f"the focal length of {zoom.source} changes from {start:.2f} s on: a lens switches there, or somebody zooms"


def first_of_lenses(
    lenses: Mapping[str, Sequence[Steady]], zooms: Sequence[Zoom], switches: Sequence[str]
) -> list[str]:
    """Return the first image by each further lens of a source: where images show a switch that one, else a keyframe."""
    firsts = [first for first in switches if first.split("/")[0] not in lenses]
    for source, runs in lenses.items():
        for before, after in pairwise(runs):
            zoomed = Zoom(source, before.names[-1], after.names[0]) in zooms
            at_once = [first for first in switches if before.names[-1] < first <= after.names[0]]
            firsts.append(after.names[0] if zoomed else at_once[0])
    return sorted(firsts)


def camera_of(model: Any, steady: Steady) -> Any:
    """Return a copy of the pycolmap camera of a model that took these keyframes, with their focal length."""
    names = set(steady.names)
    camera = next(image.camera for image in model_images(model) if image.name in names)
    params = np.array(camera.params)
    params[camera.focal_length_idxs()] *= steady.focal / camera.mean_focal_length()
    return load_pycolmap().Camera(model=camera.model, width=camera.width, height=camera.height, params=params)


def _with_cameras_of_stretches(model: Any, stretches: Mapping[str, Sequence[Sequence[str]]]) -> Any:
    """Return a copy of the model in which each stretch of keyframes has a camera of its own: 1, 2, 3 ..."""
    pycolmap = load_pycolmap()
    images = {image.name: image for image in model_images(model)}
    freed = pycolmap.Reconstruction()
    for camera_id, chosen in enumerate((one for those in stretches.values() for one in those), start=1):
        camera = images[chosen[0]].camera
        freed.add_camera_with_trivial_rig(
            pycolmap.Camera(
                model=camera.model, width=camera.width, height=camera.height, params=camera.params, camera_id=camera_id
            )
        )
        for image in map(images.__getitem__, chosen):
            pixels = np.array([point.xy for point in image.points2D]).reshape(-1, 2)
            copied = pycolmap.Image(name=image.name, keypoints=pixels, camera_id=camera_id, image_id=image.image_id)
            freed.add_image_with_trivial_frame(copied, image.cam_from_world())
    for landmark_id in sorted(model.point3D_ids()):
        landmark = model.point3D(landmark_id)
        freed.add_point3D(landmark.xyz, landmark.track, landmark.color)
    return freed


def _stretches(names: Sequence[str], switches: Sequence[str], length: int) -> list[list[str]]:
    """Cut the keyframes of a source every so many, and where its lens is known to switch; the last may be longer."""
    cut = []
    for _, group in groupby(names, lambda name: lens_of(name, switches)):
        of_lens = list(group)
        starts = range(0, max(1, len(of_lens) - length + 1), length)
        cut += [of_lens[at : at + length if at != starts[-1] else None] for at in starts]
    return cut


def _is_known(run: Steady, names: Sequence[str], switches: Sequence[str]) -> bool:
    """Tell whether it is all that was taken between two switches that are known, or without any."""
    lenses = {lens_of(name, switches) for name in run.names}
    return len(run.names) == sum(lens_of(name, switches) in lenses for name in names)


def _joined(
    stretches: Sequence[Sequence[str]], focals: Sequence[float], sigmas: Sequence[float], bounds: tuple[float, float]
) -> list[Steady]:
    """Put neighbouring stretches together that have one focal length (pixels), as far as their standard deviations (of
    the logarithm) tell. Those that tell too little go with what is around them, if that is one."""
    logs, known = np.log(focals), np.maximum(sigmas, 1e-6) ** -2.0
    least, most = bounds
    told = np.flatnonzero(np.asarray(sigmas) < TELLS * most)

    def agrees(row: int, run: NDArray[np.intp]) -> bool:
        mean = np.average(logs[run], weights=known[run])
        sigma = np.sqrt(1.0 / known[row] + 1.0 / known[run].sum())
        return bool(abs(logs[row] - mean) < np.clip(SIGMAS * sigma, least, most))

    if not len(told):
        told = np.arange(len(logs))[:1]
    runs: list[list[int]] = []
    for row in map(int, told):
        if runs and agrees(row, np.array(runs[-1])):
            runs[-1].append(row)
        else:
            runs.append([row])
    # A run that began in a zoom has moved on to what came after it.
    inside = [[row for row in run if agrees(row, np.array(run))] for run in runs]
    ends = [(rows[0], rows[-1] + 1) for rows in inside if rows]
    found = []
    for number, (start, end) in enumerate(ends):
        run = slice(0 if number == 0 and start == told[0] else start, len(logs) if end == told[-1] + 1 else end)
        chosen = tuple(name for stretch in stretches[run] for name in stretch)
        focal = float(np.exp(np.average(logs[run], weights=known[run])))
        found.append(Steady(chosen, focal, sum(len(stretches[int(row)]) for row in told if start <= row < end)))
    return found
