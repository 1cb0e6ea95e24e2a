"""Relocalization against the plain way, on a map and on copies of it put side by side: 4 and 16 floors.

A copy of a floor lies 100 m aside and shows other things: its SIFT descriptors are rearranged by one of 16 symmetries,
so that distances within a copy stay what they are, and two copies have no more in common than two floors. Four of them
are exactly what SIFT says of another image: its mirror image (grid rows reversed, orientations negated), its
negative (the grid turned by 180 degrees, as the dominant orientation turns with all others), and both. The other
twelve apply the remaining symmetries of the 4 x 4 grid: cell weights, the dominant orientation in bin 0, and the
norms are kept, correlations between the place and the direction of an edge are not. A query of a copy is a query image
with its descriptors rearranged alike.

Times are CPU time of the process, features included: what they take on one core.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.features.base import ImageFeatures
from campose_core.features.sift import SiftExtractor
from campose_core.features.vlad import Vlad
from campose_core.frame import Image
from campose_core.geometry import Pose, pose_error
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.intrinsics import RefinedCameras, scene_camera
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose, LandmarkMatcher, solve_pnp
from campose_core.localization.relocalizer import Relocalizer
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory

FLOORS = (1, 4, 16)
OFFSET_M = 100.0
IMAGES = 60
PLAIN_IMAGES = 6  # a second each, and gigabytes of memory, on the largest map
MEMORY_KEYFRAMES = 1000


class Query(NamedTuple):
    image: Image
    features: ImageFeatures
    map_from_cam: Pose


def table(scene: Scene, recording: Path, reference: Trajectory) -> str:
    """Lines of text: recall, accuracy and time of both ways on each size of the map, then the memory."""
    landmarks = aligned_landmarks(scene)
    queries, camera, extraction_ms = _queries(scene, recording, reference)
    lines = [
        f"{scene.path.name}: relocalization, no prior, {len(queries)} images (plain: {PLAIN_IMAGES} on larger maps), "
        f"features {extraction_ms:.0f} ms of each time"
    ]
    header = ("map", "landmarks", "keyframes", "way", "found", "wrong place", "twofold", "median", "CPU", "ratio")
    rows = [header]
    for floors in FLOORS:
        world = side_by_side(landmarks, floors) if floors > 1 else landmarks
        relocalizer = Relocalizer(world, Keyframes(world))
        ours = _run(relocalizer, queries, camera, floors, extraction_ms)
        plain = _run(
            _plain(world),
            queries if floors == 1 else queries[:: len(queries) // PLAIN_IMAGES],
            camera,
            floors,
            extraction_ms,
        )
        size = (f"{floors}x", str(len(world.xyz)), str(len(world.frame_names)))
        rows.append((*size, "plain", *plain.cells(), ""))
        rows.append((*size, "relocalizer", *ours.cells(), f"{plain.cpu_ms / ours.cpu_ms:.1f} x faster"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines += ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    held, peak, torch_loaded = memory(landmarks, queries[0].image, camera)
    lines.append(
        f"memory of a process that localizes in a map of {MEMORY_KEYFRAMES} keyframes: {held:.0f} MB, "
        f"{peak:.0f} MB at most; torch {'loaded' if torch_loaded else 'not loaded'}"
    )
    return "\n".join(lines)


def symmetries() -> list[NDArray[np.intp]]:
    """16 orders of the 128 values of a SIFT descriptor (4 rows x 4 columns x 8 orientations), the exact ones first."""
    cells = np.arange(16).reshape(4, 4)
    turned = np.rot90(cells)
    grids = [
        cells,
        cells[::-1],
        cells[::-1, ::-1],
        cells[:, ::-1],
        turned,
        turned[::-1],
        turned[::-1, ::-1],
        turned[:, ::-1],
    ]
    straight, mirrored = np.arange(8), -np.arange(8) % 8
    exact = [(grids[0], straight), (grids[1], mirrored), (grids[2], straight), (grids[3], mirrored)]
    others = [(grids[0], mirrored), (grids[1], straight), (grids[2], mirrored), (grids[3], straight)]
    others += [(grid, bins) for grid in grids[4:] for bins in (straight, mirrored)]
    return [(8 * grid.reshape(16, 1) + bins).reshape(128) for grid, bins in exact + others]


def side_by_side(landmarks: Landmarks, floors: int) -> Landmarks:
    """Copies of a floor along y, with a vocabulary and global descriptors of all of them.

    Those are made of the landmarks' descriptors: those of the mapping images are not in the file.
    """
    orders = symmetries()[:floors]
    n, f = len(landmarks.xyz), len(landmarks.frame_names)
    keyframes = Keyframes(landmarks)
    views = [landmarks.descriptors[keyframes.seen_by([k])] for k in range(f)]
    sample = np.random.default_rng(0).permutation(n)[: max(1, 20_000 // floors)]
    vlad = Vlad.fit([SiftExtractor.to_unit(landmarks.descriptors[sample][:, order]) for order in orders], seed=0)
    aside = np.repeat(np.arange(floors), n)[:, None] * [0.0, OFFSET_M, 0.0]
    frames_aside = np.repeat(np.arange(floors), f)[:, None] * [0.0, OFFSET_M, 0.0]
    return replace(
        landmarks,
        xyz=np.tile(landmarks.xyz, (floors, 1)) + aside,
        rgb=np.tile(landmarks.rgb, (floors, 1)),
        descriptors=np.concatenate([landmarks.descriptors[:, order] for order in orders]),
        frame_names=np.array([f"{floor}/{name}" for floor in range(floors) for name in landmarks.frame_names]),
        frame_positions=np.tile(landmarks.frame_positions, (floors, 1)) + frames_aside,
        frame_quats_xyzw=np.tile(landmarks.frame_quats_xyzw, (floors, 1)),
        frame_globals=np.array(
            [vlad.describe(SiftExtractor.to_unit(view[:, order])) for order in orders for view in views],
            dtype=np.float16,
        ),
        vlad_words=vlad.words,
        observed_by=np.concatenate([landmarks.observed_by + floor * f for floor in range(floors)]).astype(np.int32),
        observed=np.concatenate([landmarks.observed + floor * n for floor in range(floors)]).astype(np.int32),
    )


class _Outcome(NamedTuple):
    images: int
    found: int
    wrong: int
    twofold: int
    median_mm: float
    median_deg: float
    cpu_ms: float

    def cells(self) -> tuple[str, ...]:
        return (
            f"{100 * self.found / self.images:.1f} %",
            str(self.wrong),
            str(self.twofold),
            f"{self.median_mm:.2f} mm / {self.median_deg:.3f} deg",
            f"{self.cpu_ms:.0f} ms",
        )


def _run(
    way: Callable[[ImageFeatures, Camera], Sequence[CameraPose]],
    queries: Sequence[Query],
    camera: Camera,
    floors: int,
    extraction_ms: float,
) -> _Outcome:
    """Each query on one of the floors; found: within 25 cm of the truth."""
    orders = symmetries()
    chosen = np.random.default_rng(1).integers(0, floors, len(queries))
    errors, times, answered, twofold = [], [], 0, 0
    for query, floor in zip(queries, chosen, strict=True):
        features = ImageFeatures(query.features.pixels, query.features.descriptors[:, orders[floor]])
        start = time.process_time()
        poses = way(features, camera)
        times.append(time.process_time() - start)
        twofold += len(poses) > 1
        if poses:
            answered += 1
            truth = query.map_from_cam
            there = Pose(truth.rotation, truth.translation + np.array([0.0, OFFSET_M * floor, 0.0]))
            errors.append(pose_error(poses[0].world_from_cam, there))
    distances, angles = np.array(errors).reshape(-1, 2).T
    found = int(np.sum(distances < 0.25))
    medians = (
        (1e3 * float(np.median(distances)), float(np.degrees(np.median(angles)))) if answered else (np.nan, np.nan)
    )
    wrong = int(np.sum(distances > 1.0))
    return _Outcome(len(queries), found, wrong, twofold, *medians, extraction_ms + 1e3 * float(np.median(times)))


def _plain(landmarks: Landmarks) -> Callable[[ImageFeatures, Camera], Sequence[CameraPose]]:
    match = LandmarkMatcher(landmarks)

    def localize(features: ImageFeatures, camera: Camera) -> list[CameraPose]:
        seen, shown = match(features)
        pose = solve_pnp(features.pixels[seen], landmarks.xyz[shown], camera)
        return [] if pose is None else [pose]

    return localize


def _queries(scene: Scene, recording: Path, reference: Trajectory) -> tuple[list[Query], Camera, float]:
    """IMAGES images of the recording with features and true poses, their camera, and the CPU time of features in ms."""
    opened = open_recording(recording)
    frames = list(opened.frames())
    known, truths = reference.interpolate([frame.stamp_ns for frame in frames])
    frames = [frame for frame, is_known in zip(frames, known, strict=True) if is_known]
    extract = SiftExtractor()
    queries, times = [], []
    for i in np.unique(np.linspace(0, len(frames) - 1, IMAGES).astype(int)):
        start = time.process_time()
        features = extract(frames[i].image)
        times.append(time.process_time() - start)
        queries.append(Query(frames[i].image, features, truths.pose(int(i))))
    height, width = queries[0].image.shape[:2]
    camera = RefinedCameras(scene)(opened.camera) if opened.camera else scene_camera(scene, width, height)
    return queries, camera, 1e3 * float(np.median(times))


def memory(landmarks: Landmarks, image: Image, camera: Camera) -> tuple[float, float, bool]:
    """MB that a process of its own holds once it has localized `image` in a map of MEMORY_KEYFRAMES keyframes, MB that
    it held at most (loading included), and whether it has loaded torch."""
    floors = -(-MEMORY_KEYFRAMES // len(landmarks.frame_names))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "landmarks.npz"
        _first_keyframes(side_by_side(landmarks, floors), MEMORY_KEYFRAMES).save(path)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(_held_by_this_process, (path, image, camera))


def _first_keyframes(landmarks: Landmarks, count: int) -> Landmarks:
    """The first keyframes and the landmarks that they see."""
    kept = landmarks.observed_by < count
    seen, observed = np.unique(landmarks.observed[kept], return_inverse=True)
    return replace(
        landmarks,
        xyz=landmarks.xyz[seen],
        rgb=landmarks.rgb[seen],
        descriptors=landmarks.descriptors[seen],
        frame_names=landmarks.frame_names[:count],
        frame_positions=landmarks.frame_positions[:count],
        frame_quats_xyzw=landmarks.frame_quats_xyzw[:count],
        frame_globals=landmarks.frame_globals[:count],
        observed_by=landmarks.observed_by[kept],
        observed=observed.astype(np.int32),
    )


def _held_by_this_process(path: Path, image: Image, camera: Camera) -> tuple[float, float, bool]:
    import sys

    landmarks = Landmarks.load(path)
    relocalizer = Relocalizer(landmarks, Keyframes(landmarks))
    extract = SiftExtractor()
    if not relocalizer(extract(image), camera):
        raise RuntimeError("the image is not found in the map: its memory says nothing")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    held, peak = (int(status[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM"))
    return held, peak, "torch" in sys.modules
