"""Where the lens or zoom of one recording switches: from one image to the next all that both show is larger or smaller.

A reconstruction with one camera hides it: the map bends until its landmarks fit (a kitchen, zoomed by 1.3 half way,
came out with a focal length of 872 pixels where 526 and 683 are right, at a reprojection error of 1.0 px). A camera
that walks ahead makes things larger too, but a little with each image. So steps that differ from those around them are
only possible switches. Small ones are refuted by a map with one camera whose stretches agree on its focal length
(`campose_core.landmark_map.zooms`); the others a reconstruction with a camera for each stretch confirms or refutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import match_nearest
from campose_core.features.registry import FEATURES, SIFT
from campose_core.geometry import Array
from campose_core.image_files import opened
from campose_core.landmark_map.colmap import load_pycolmap, model_cameras, model_images
from campose_core.landmark_map.intrinsics import lens_of
from campose_core.landmark_map.zooms import Zoom
from campose_core.statistics import robust_sigma

MIN_MATCHES, PAIRS, MIN_APART = 20, 400, 0.1  # MIN_APART: of the image width
AROUND = 3  # steps on either side, that a step is compared with
# The least change of the logarithm, also in deviations of all steps, and how many are looked at. At 30 images a second
# a walk changes it by 0.02; keyframes of a hallway differ by 0.18 from their neighbours.
MIN_ZOOM, MIN_SIGMAS, MOST = 0.05, 3.0, 6
AT_ONCE = 0.6  # of the change between two keyframes happens from one image to the next
MIN_IMAGES = 3  # of a stretch
AGREE, AGREE_SHARE = 0.03, 0.25  # of the change in the images, that the focal lengths' may differ by


class LensSwitch(NamedTuple):
    """first: the name of the first image by the other lens; log_zoom: of the factor by which things become larger."""

    first: str
    log_zoom: float


def log_scale(before: Array, after: Array, width: int) -> float | None:
    """Return the logarithm of how much larger an image shows the same as the one before: pixels (N, 2) that belong
    together. None where these are too few, or in one spot.

    By distances between them, so that a turn or shift of the camera does not count.
    """
    if len(before) < MIN_MATCHES:
        return None
    generator = np.random.default_rng(0)
    i, j = generator.integers(len(before), size=(2, PAIRS))
    distances = np.linalg.norm(before[i] - before[j], axis=1), np.linalg.norm(after[i] - after[j], axis=1)
    apart = (distances[0] > MIN_APART * width) & (distances[1] > 0.3 * MIN_APART * width)
    if apart.sum() < MIN_MATCHES:
        return None
    return float(np.median(np.log(distances[1][apart] / distances[0][apart])))


def possible_switches(database: Path, images: Path, names: Mapping[str, Sequence[str]]) -> list[LensSwitch]:
    """Return where recordings may switch their lens, by the matches of keyframes, and then by all images between two.

    images: folder of all frames. names: keyframes by source, in time order.
    """
    found = []
    with load_pycolmap().Database.open(database) as db:
        for sequence in names.values():
            for row, excess in _odd_steps(_keyframe_steps(db, sequence)):
                if MIN_IMAGES <= row + 1 <= len(sequence) - MIN_IMAGES:
                    found.append((sequence[row], sequence[row + 1], excess))
    strongest = sorted(found, key=lambda one: -abs(one[2]))[:MOST]
    located = [_located(images, *one) for one in sorted(strongest)]
    return [switch for switch in located if switch is not None]


def confirmed(model: Any, switches: Sequence[LensSwitch]) -> list[LensSwitch]:
    """Return those whose change of the image is also the change of the focal lengths in a model, made with a camera for
    each stretch."""
    firsts, agreeing = [switch.first for switch in switches], []
    lenses = Counter(lens_of(image.name, firsts) for image in model_images(model))
    cameras = model_cameras(model, firsts)
    for switch in switches:
        after = lens_of(switch.first, firsts)
        before = lens_of(switch.first, [first for first in firsts if first < switch.first])
        if min(lenses[before], lenses[after]) < MIN_IMAGES:
            continue
        change = float(np.log(cameras[after].focal[0] / cameras[before].focal[0]))
        if abs(change - switch.log_zoom) < max(AGREE, AGREE_SHARE * abs(switch.log_zoom)):
            agreeing.append(switch)
    return agreeing


def switch_texts(
    switches: Sequence[str], zooms: Sequence[Zoom], cameras: Mapping[str, Camera], stamps_ns: Mapping[str, int]
) -> list[str]:
    """Say for people where lenses switch, and where somebody zooms. switches: first images by another lens; cameras: by
    `lens_of`; stamps_ns: by image."""
    texts = []
    for first in sorted({*switches} - {zoom.after for zoom in zooms}):
        source, (before, after) = first.split("/")[0], _focal_around(first, switches, cameras)
        texts.append(
            f"the focal length of {source} changes at {stamps_ns.get(first, 0) * 1e-9:.2f} s, from {before} to "
            f"{after} pixels: a lens or zoom switches there, and from there on {lens_of(first, switches)} is its camera"
        )
    for zoom in zooms:
        left_out = sorted(filter(zoom.holds, stamps_ns), key=stamps_ns.__getitem__)
        ends = [stamps_ns.get(name, 0) * 1e-9 for name in (zoom.before or left_out[0], zoom.after or left_out[-1])]
        text = (
            f"somebody zooms in {zoom.source} from {ends[0]:.2f} to {ends[1]:.2f} s: its {len(left_out)} frames of "
            "that time are left out of the map"
        )
        if zoom.after in switches:
            before, after = _focal_around(zoom.after, switches, cameras)
            text += (
                f"; from {before} to {after} pixels, and from there on {lens_of(zoom.after, switches)} is its camera"
            )
        texts.append(text)
    return texts


def _focal_around(first: str, switches: Sequence[str], cameras: Mapping[str, Camera]) -> list[str]:
    """Return the focal lengths before and after a switch, as text."""
    lenses = lens_of(first, [other for other in switches if other < first]), lens_of(first, switches)
    return [f"{cameras[name].focal[0]:.0f}" if name in cameras else "unknown" for name in lenses]


def _keyframe_steps(db: Any, sequence: Sequence[str]) -> Array:
    """`log_scale` from each keyframe to the next; NaN where they do not match."""
    ids = {image.name: image for image in db.read_all_images()}
    steps = np.full(max(0, len(sequence) - 1), np.nan)
    for row in range(len(steps)):
        first, second = ids.get(sequence[row]), ids.get(sequence[row + 1])
        if first is None or second is None or not db.exists_two_view_geometry(first.image_id, second.image_id):
            continue
        rows = np.asarray(db.read_two_view_geometry(first.image_id, second.image_id).inlier_matches).reshape(-1, 2)
        before, after = (
            db.read_keypoints(image.image_id)[rows[:, side], :2].astype(np.float64)
            for side, image in enumerate((first, second))
        )
        scale = log_scale(before, after, db.read_camera(first.camera_id).width)
        steps[row] = np.nan if scale is None else scale
    return steps


def _odd_steps(steps: Array) -> list[tuple[int, float]]:
    """Rows of the steps that differ from those around them, and by how much."""
    if np.isfinite(steps).sum() < 2 * MIN_IMAGES:
        return []
    excess = np.full(len(steps), np.nan)
    for row in np.flatnonzero(np.isfinite(steps)):
        around = np.r_[steps[max(0, row - AROUND) : row], steps[row + 1 : row + 1 + AROUND]]
        excess[row] = steps[row] - np.median(around[np.isfinite(around)]) if np.isfinite(around).any() else np.nan
    noise = robust_sigma(excess[np.isfinite(excess)])
    rows = np.flatnonzero(np.abs(np.nan_to_num(excess)) > max(MIN_ZOOM, MIN_SIGMAS * noise))
    return [(int(row), float(excess[row])) for row in rows]


def _located(images: Path, before: str, after: str, excess: float) -> LensSwitch | None:
    """Return the switch between two keyframes, if one image differs from the next by most of what these do."""
    folder = (images / before).parent
    between = [
        f"{folder.name}/{p.name}" for p in sorted(folder.iterdir()) if before <= f"{folder.name}/{p.name}" <= after
    ]
    if len(between) < 3:
        return LensSwitch(after, excess)
    extract = FEATURES.load(SIFT)()
    seen = []
    for name in between:
        try:
            with opened(images / name, MappingError) as file:
                seen.append((extract(np.asarray(file.convert("RGB"))), file.width))
        except MappingError:
            return None
    steps = np.array([_step(one, two, width) for (one, width), (two, _) in pairwise(seen)])
    if not np.isfinite(steps).any():
        return None
    row = int(np.nanargmax(np.abs(steps)))
    others = np.delete(steps, row)
    at_once = float(steps[row] - (np.median(others[np.isfinite(others)]) if np.isfinite(others).any() else 0.0))
    if abs(at_once) < max(MIN_ZOOM, AT_ONCE * abs(excess)):
        return None
    return LensSwitch(between[row + 1], at_once)


def _step(first: ImageFeatures, second: ImageFeatures, width: int) -> float:
    rows, columns = match_nearest(first.descriptors, second.descriptors)
    scale = log_scale(first.pixels[rows], second.pixels[columns], width)
    return np.nan if scale is None else scale
