"""Tracking against the plain way: the same drives in order, the prior made of the poses answered so far.

Besides the drives as they were recorded, their images with motion blur, with dark boxes of people's size over 40 % of
the image, and with exposure that jumps by 30 %. The recordings have ten images a second, in each of which landmarks
are searched by descriptors; part of the demo's drive is drawn again with thirty, to be followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.localization.disturbances import image_motion
from benchmarks.localization.material import Material, Place
from benchmarks.localization.node import fast_drive, on_cores
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.evaluation.run import frames_with_camera
from campose_core.features.base import ImageFeatures
from campose_core.features.sift import SiftExtractor
from campose_core.frame import Frame, Image
from campose_core.geometry import Array, Pose, pose_error
from campose_core.landmark_map.aligned import aligned_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose, LandmarkMatcher, solve_pnp
from campose_core.localization import klt, tracker
from campose_core.localization.estimators.base import PosePrior
from campose_core.localization.tracker import Tracker
from campose_core.matrix.conditions.light import motion_blurred
from campose_core.motion.model import MotionModel
from campose_core.trajectory import read_tum

BLUR_SHARE = 0.3  # of the time from image to image that the shutter is open
PERSON_WIDTH = 0.2  # of the image; two of them cover 40 % of it
EXPOSURES = (1.0, 0.7)  # in turn, ten images each
VARIANTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("as it is", {}),
    ("window 21", {"WINDOW": 21}),
    ("300 points", {"MAX_POINTS": 300}),
    ("anchors of 0.15 s", {"MAX_AGE_S": 0.15}),
    ("searched in each image", {"MAX_INTERVAL_S": 0.0}),
)
SLOW_VARIANTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("as it is", {}),
    ("searched in each image", {"MAX_INTERVAL_S": 0.0}),
    ("followed", {"MAX_INTERVAL_S": 1.0}),
)
HEADER = ("drive", "way", "answered", "lost", "median", "p95", "max", "rotation", "90 % of PnP", "followed")
TIMES = ("followed image", "anchor image", "between images", "all images")

Shot = tuple[Frame, Camera, Pose]
Change = Callable[[list[Shot]], list[Shot]]


class Run(NamedTuple):
    """errors (N, 2): metres and radians, inf without an answer; inside: whether the 90 % ellipsoid of an answer holds
    the true position, by what PnP alone knows, without what the map lends; lost: images that needed a relocalization;
    seconds by step."""

    errors: Array
    inside: Array
    lost: int
    seconds: dict[str, list[float]]


def table(material: Material) -> str:
    """Accuracy of the plain way and of the tracker, disturbed and not; times on one core and on two; the choices."""
    accuracy, times, choices = [HEADER], [("drive", "cores", *TIMES)], [HEADER]
    bag, _ = fast_drive(material.out / "node")
    fast = replace(material.demo, name="demo, 30 Hz", query=bag, truth=bag.with_suffix(".tum"))
    for place in (*material.places, fast):
        shots, landmarks = _shots(place), aligned_landmarks(place.scene)
        for what, change in DISTURBANCES.items():
            changed = change(shots)
            some = changed[:: 5 if place is fast else 1]
            accuracy.append((f"{place.name}{what}", "plain", *_cells(_plain(some, landmarks))))
            accuracy.append((f"{place.name}{what}", "tracker", *_cells(_tracked(changed, landmarks))))
        for cores in (1, 2):
            with on_cores(cores):
                seconds = _tracked(shots, landmarks).seconds
            times.append((place.name, str(cores), *(_milliseconds(seconds[name]) for name in TIMES)))
        for name, constants in VARIANTS if place is fast else SLOW_VARIANTS:
            with _with(constants):
                choices.append((place.name, name, *_cells(_tracked(shots, landmarks))))
    parts = ("", accuracy), ("milliseconds an image, median / 95th percentile", times), ("the choices made", choices)
    return "\n\n".join("\n".join(filter(None, (title, _aligned(rows)))) for title, rows in parts)


def _shots(place: Place) -> list[Shot]:
    refined, truth = RefinedCameras(place.scene), read_tum(place.truth)
    frames = list(frames_with_camera(place.scene, open_recording(place.query), None, f"read {place.name}"))
    known, poses = truth.interpolate([frame.stamp_ns for frame, _ in frames])
    covered = (pair for pair, inside in zip(frames, known, strict=True) if inside)
    return [(frame, refined(camera), pose) for (frame, camera), (_, pose) in zip(covered, poses, strict=True)]


def _plain(shots: Sequence[Shot], landmarks: Landmarks) -> Run:
    extract, match = SiftExtractor(), LandmarkMatcher(landmarks)
    answers = [_relocalized(extract(frame.image), camera, landmarks, match) for frame, camera, _ in shots]
    return _run(shots, answers, 0, {})


def _tracked(shots: Sequence[Shot], landmarks: Landmarks) -> Run:
    """The tracker; where it has no pose, and for the first image, the plain way then."""
    extract, motion, match = SiftExtractor(), MotionModel(), LandmarkMatcher(landmarks)
    tracking = Tracker(landmarks, Keyframes(landmarks))
    seconds: dict[str, list[float]] = {name: [] for name in TIMES}
    answers, lost = [], 0
    for frame, camera, _ in shots:
        expected, found = motion.predict(frame.stamp_ns), None
        if expected is not None:
            start = time.perf_counter()
            found = tracking.track(frame, camera, PosePrior(*expected))
            spent = time.perf_counter() - start
            seconds["all images"].append(spent)
            seconds["followed image" if tracking.followed else "anchor image"].append(spent)
            start = time.perf_counter()
            tracking.refresh()
            seconds["between images"].append(time.perf_counter() - start)
        if found is None:
            lost += expected is not None
            found = _relocalized(extract(frame.image), camera, landmarks, match)
            motion.reset()
        if found is not None:
            motion.believe(frame.stamp_ns, found.world_from_cam, found.covariance)
        answers.append(found)
    return _run(shots, answers, lost, seconds)


def _relocalized(
    features: ImageFeatures, camera: Camera, landmarks: Landmarks, match: LandmarkMatcher
) -> CameraPose | None:
    seen, shown = match(features)
    return solve_pnp(features.pixels[seen], landmarks.xyz[shown], camera)


def _run(shots: Sequence[Shot], answers: list[CameraPose | None], lost: int, seconds: dict[str, list[float]]) -> Run:
    errors, inside = np.full((len(shots), 2), np.inf), []
    for row, ((_, _, truth), found) in enumerate(zip(shots, answers, strict=True)):
        if found is not None:
            errors[row] = pose_error(found.world_from_cam, truth)
            off = found.world_from_cam.translation - truth.translation
            inside.append(off @ np.linalg.solve(found.covariance[:3, :3], off) < 6.251)  # chi square, 3 degrees
    return Run(errors, np.array(inside), lost, seconds)


def _blurred(shots: list[Shot]) -> list[Shot]:
    nexts = [*shots[1:], shots[-1]]
    out = []
    for (frame, camera, pose), (_, _, after) in zip(shots, nexts, strict=True):
        motion = BLUR_SHARE * image_motion(camera, pose, after)
        length = float(np.clip(np.linalg.norm(motion), 1.0, 40.0))
        out.append((frame._replace(image=motion_blurred(frame.image, length, motion)), camera, pose))
    return out


def _behind_people(shots: list[Shot]) -> list[Shot]:
    return [
        (frame._replace(image=_boxed(frame.image, i)), camera, pose) for i, (frame, camera, pose) in enumerate(shots)
    ]


def _boxed(image: Image, number: int) -> Image:
    """Two dark boxes that cross the image in opposite directions, one in 4 s and one in 6 s at 10 Hz."""
    boxed, width = image.copy(), image.shape[1]
    for share in (number / 40 % 1.0, 1.0 - number / 60 % 1.0):
        left = round(share * (1.0 - PERSON_WIDTH) * width)
        boxed[:, left : left + round(PERSON_WIDTH * width)] = 25
    return boxed


def _exposed(shots: list[Shot]) -> list[Shot]:
    out = []
    for i, (frame, camera, pose) in enumerate(shots):
        image = np.round(frame.image * EXPOSURES[i // 10 % len(EXPOSURES)]).astype(np.uint8)
        out.append((frame._replace(image=image), camera, pose))
    return out


DISTURBANCES: dict[str, Change] = {
    "": lambda shots: shots,
    ", blurred": _blurred,
    ", people": _behind_people,
    ", exposure jumps": _exposed,
}


@contextmanager
def _with(constants: dict[str, float]) -> Iterator[None]:
    """The tracker with other constants."""
    rooms = {name: klt if hasattr(klt, name) else tracker for name in constants}
    before = {name: getattr(room, name) for name, room in rooms.items()}
    for name, value in constants.items():
        setattr(rooms[name], name, value)
    yield
    for name, value in before.items():
        setattr(rooms[name], name, value)


def _cells(run: Run) -> tuple[str, ...]:
    position_cm, rotation_deg = 100.0 * run.errors[:, 0], np.degrees(run.errors[:, 1])
    ordered, answered = np.sort(position_cm), np.isfinite(position_cm)
    images = len(run.seconds.get("all images", []))
    return (
        f"{answered.mean():.1%}",
        str(run.lost),
        f"{np.median(position_cm):.2f} cm",
        f"{ordered[int(0.95 * (len(ordered) - 1))]:.2f} cm",
        f"{position_cm[answered].max(initial=0.0):.1f} cm",
        f"{np.median(rotation_deg):.3f} deg",
        f"{run.inside.mean():.0%}" if len(run.inside) else "",
        f"{len(run.seconds['followed image']) / images:.0%}" if images else "",
    )


def _milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * np.median(seconds):.1f} / {1e3 * np.percentile(seconds, 95):.1f}" if seconds else ""


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
