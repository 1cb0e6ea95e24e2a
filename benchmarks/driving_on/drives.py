"""Drives through the rendered floor with stretches in which nothing is recognized, and wheels that drift and slip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.localization.disturbances import exposed
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.frame import Frame, Image
from campose_core.geometry import Pose
from campose_core.simulation.drive import BASE_FROM_CAM, drifting_odometry
from campose_core.simulation.textures import paint
from campose_core.trajectory import Trajectory, read_tum

START_NS, PERIOD_NS = 1_000_000_000, 100_000_000
LEARNING = 300  # images before the first stretch: what the odometry shows of its drift
SLIPS, SLIP_STEPS, SLIP_FACTORS = 0.01, (3, 7), (1.2, 1.6)  # of a step, how many in a row, turned against rolled

Hide = Callable[[Image, float, int], Image]  # image, share of the stretch that is over, number


class Shot(NamedTuple):
    """An image, where the base truly was, what the wheels say, and whether something hides what could be recognized."""

    frame: Frame
    map_from_base: Pose
    odom_from_base: Pose
    is_hidden: bool


@dataclass(frozen=True)
class Odometry:
    """drift: share by which distances and turns are wrong. slips: share of the images at which a slip begins."""

    name: str
    drift: float
    slips: float = 0.0

    def of(self, truth: Trajectory, seed: int) -> list[Pose]:
        """What wheels on this path count."""
        counted = [pose for _, pose in drifting_odometry(truth, self.drift, seed)]
        rng, poses, left, factor = np.random.default_rng([seed, 0x511B]), counted[:1], 0, 1.0
        for before, after in pairwise(counted):
            if left == 0 and rng.random() < self.slips:
                left, factor = int(rng.integers(*SLIP_STEPS)), float(rng.uniform(*SLIP_FACTORS))
            step = before.inverse() * after
            if left:
                left, step = left - 1, Pose(step.rotation, step.translation * factor)
            poses.append(poses[-1] * step)
        return poses


WHEELS = (Odometry("2 % drift", 0.02), Odometry("10 % drift and slip", 0.10, SLIPS))


class Place(NamedTuple):
    """The frames of a drive by number, their camera, and where the base was."""

    frames: list[Frame]
    camera: Camera
    map_from_base: list[Pose]

    @classmethod
    def open(cls, world: str) -> Place:
        recording, truth = open_recording(f"{world}/later.bag"), read_tum(f"{world}/later.tum")
        assert recording.camera is not None
        bases = [pose * BASE_FROM_CAM.inverse() for _, pose in truth]
        return cls(list(recording.frames()), recording.camera, bases)

    def small(self) -> Place:
        """The same with images of half the width, where nobody looks for landmarks in them."""
        frames = [frame._replace(image=frame.image[::2, ::2].copy(), jpeg=None) for frame in self.frames]
        return self._replace(frames=frames)

    def to_and_fro(self, turns: int) -> list[int]:
        """Numbers of the frames: forwards, then backwards, and so on."""
        there, back = list(range(len(self.frames))), list(range(len(self.frames)))[::-1]
        return [number for k in range(turns) for number in (there, back)[k % 2]]

    def shots(self, numbers: Sequence[int], wheels: Odometry, seed: int, hidden: dict[int, Image]) -> Iterator[Shot]:
        """Drive by these frames, 10 a second. hidden: images in place of those of the drive, by their place in it."""
        stamps = [START_NS + k * PERIOD_NS for k in range(len(numbers))]
        bases = [self.map_from_base[number] for number in numbers]
        odometry = wheels.of(Trajectory.from_poses(stamps, bases), seed)
        for k, (stamp_ns, number) in enumerate(zip(stamps, numbers, strict=True)):
            frame = self.frames[number]._replace(stamp_ns=stamp_ns, jpeg=None, name=f"{number}")
            if k in hidden:
                frame = frame._replace(image=hidden[k], name="hidden")
            yield Shot(frame, bases[k], odometry[k], k in hidden)


class Stretch(NamedTuple):
    """Images first..end of a drive that something hides."""

    first: int
    end: int
    what: str


def stretches(count: int, seed: int) -> list[Stretch]:
    """Of 1 to 10 s, after LEARNING, with 2 to 5 s between them; all that hides, in turns."""
    rng, names = np.random.default_rng([seed, 0x57E]), list(HIDES)
    found, first = [], LEARNING
    while True:
        end = first + int(rng.integers(10, 101))
        if end + 20 > count:
            return found
        found.append(Stretch(first, end, names[(len(found) + seed) % len(names)]))
        first = end + int(rng.integers(20, 51))


def hidden_images(place: Place, numbers: Sequence[int], some: Sequence[Stretch]) -> dict[int, Image]:
    """What the camera shows in the stretches, by place in the drive."""
    return {
        k: HIDES[s.what](place.frames[numbers[k]].image, (k - s.first) / (s.end - s.first), k)
        for s in some
        for k in range(s.first, s.end)
    }


@cache
def _painted(material: str, width_m: float, height_m: float) -> Image:
    return paint(material, width_m, height_m, 5)


def _bare_wall(image: Image, over: float, number: int) -> Image:
    """Plaster of one colour, brighter towards a lamp."""
    height, width = image.shape[:2]
    light = np.linspace(165.0, 190.0, width)[None, :, None] + np.linspace(10.0, -10.0, height)[:, None, None]
    return exposed(np.broadcast_to(light, image.shape), 1.0, number)


def _door(image: Image, over: float, number: int) -> Image:
    """A door right before the camera, which opens in the last tenth; its wood comes nearer meanwhile."""
    height, width = image.shape[:2]
    wood = _painted("wood", 1.6, 1.2)
    rows = np.linspace(0.15 * over, 1.0 - 0.15 * over, height) * (wood.shape[0] - 1)
    columns = np.linspace(0.15 * over, 1.0 - 0.15 * over, width) * (wood.shape[1] - 1)
    door = wood[rows.astype(int)[:, None], columns.astype(int)]
    open_share = max(0.0, (over - 0.9) / 0.1) * 0.3
    shown = door.copy()
    shown[:, : round(open_share * width)] = image[:, : round(open_share * width)]
    return exposed(shown, 1.0, number)


def _people(image: Image, over: float, number: int) -> Image:
    """Coats that fill the view but for a strip above, and sway."""
    height, width = image.shape[:2]
    coat = _painted("fabric", 4.0, 3.0)
    sway = int(40 * np.sin(number / 4.0)) + 60
    shown = image.copy()
    cut = height // 8
    shown[cut:] = coat[sway : sway + height - cut, sway : sway + width]
    return exposed(shown, 1.0, number)


def _lights_out(image: Image, over: float, number: int) -> Image:
    return exposed(image, 0.01, number)


HIDES: dict[str, Hide] = {"bare wall": _bare_wall, "door": _door, "people": _people, "lights out": _lights_out}
