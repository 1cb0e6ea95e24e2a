"""Drives through the rendered floor and the kitchen with stretches in which nothing is recognized, or no image comes,
and odometry that drifts and slips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.localization.disturbances import exposed
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.frame import Frame, Image
from campose_core.geometry import Pose
from campose_core.simulation.drive import BASE_FROM_CAM
from campose_core.simulation.textures import paint
from campose_core.trajectory import read_tum

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
    """drift: share by which distances and turns are wrong, all of a drive alike, and each by a random part of that size
    more. slips: share of the images at which a slip begins."""

    name: str
    drift: float
    slips: float = 0.0

    def of(self, truth: Sequence[Pose], seed: int) -> list[Pose]:
        """Return odom_from_base as it is counted on this path, from the identity on; in a hand it turns all ways."""
        rng = np.random.default_rng([seed, 0x511B])
        biases = 1.0 + self.drift * rng.choice([-1.0, 1.0], 2)
        poses, left, factor = [Pose.identity()], 0, 1.0
        for before, after in pairwise(truth):
            if left == 0 and rng.random() < self.slips:
                left, factor = int(rng.integers(*SLIP_STEPS)), float(rng.uniform(*SLIP_FACTORS))
            step = before.inverse() * after
            moved, turned = biases + self.drift * rng.standard_normal(2)
            if left:
                left, moved = left - 1, moved * factor
            rotation = Rotation.from_rotvec(turned * step.rotation.as_rotvec())
            poses.append(poses[-1] * Pose(rotation, moved * step.translation))
        return poses


WHEELS = (Odometry("2 % drift", 0.02), Odometry("10 % drift and slip", 0.10, SLIPS))


class Place(NamedTuple):
    """The frames of a drive by number, their camera, where that sits, and where the base was."""

    frames: list[Frame]
    camera: Camera
    base_from_cam: Pose
    map_from_base: list[Pose]

    @classmethod
    def floor(cls, world: Path) -> Place:
        """The rendered floor, later: on another path than it was mapped."""
        return cls._open([world / "later"], BASE_FROM_CAM)

    @classmethod
    def kitchen(cls, data: Path, camera: Camera) -> Place:
        """Both bags, which share a clock, in order: a handheld camera, which is its own base. Of ten images three are
        not of the mapping. camera: calibrated; the one in the bags makes poses 1.4 cm wrong along the view."""
        return cls._open([data / "mapping", data / "query"], Pose.identity())._replace(camera=camera)

    @classmethod
    def _open(cls, recorded: Sequence[Path], base_from_cam: Pose) -> Place:
        """From bags NAME.bag with the true path of the camera in NAME.tum, a pose for each image."""
        shots, camera = [], None
        for name in recorded:
            recording = open_recording(name.with_suffix(".bag"))
            camera = recording.camera
            truth = [pose * base_from_cam.inverse() for _, pose in read_tum(name.with_suffix(".tum"))]
            shots += list(zip(recording.frames(), truth, strict=True))
        assert camera is not None
        shots.sort(key=lambda shot: shot[0].stamp_ns)
        return cls([frame for frame, _ in shots], camera, base_from_cam, [base for _, base in shots])

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
        odometry = wheels.of(bases, seed)
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
