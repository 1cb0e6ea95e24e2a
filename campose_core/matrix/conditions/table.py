"""All conditions by name, and how one is put on the images of a recording."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import UsageError
from campose_core.frame import Image
from campose_core.matrix.conditions import in_front, light, world
from campose_core.matrix.conditions.world import RenderedPlace, Shot
from campose_core.trajectory import Trajectory

MOST_DROPPED = 0.95  # of the images
LAMP_TURN = 0.02  # radians that a lamp moves in view from image to image
LAMP_ANGLES = (0.4, 0.3)  # radians, to the side and up or down, within which lamps are

Stream = Callable[[Iterable[Shot], float, int, RenderedPlace | None], Iterator[Shot]]


class Effect(NamedTuple):
    """What a condition does. words: what its severity 1 is. by_chance: whether seeds differ.

    in_world: whether it needs the rendered world. moves: whether the camera's true path is another one.
    """

    words: str
    stream: Stream
    by_chance: bool = True
    in_world: bool = False
    moves: bool = False


def _rng(name: str, seed: int, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), seed, number])


def _each(change: Callable[[Image, Camera, float, np.random.Generator], Image]) -> Stream:
    """Make what changes image by image, each by a chance of its own."""

    def stream(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
        for number, (frame, camera) in enumerate(shots):
            image = change(frame.image, camera, severity, _rng(change.__name__, seed, number))
            yield frame._replace(image=image, jpeg=None), camera

    return stream


def _glare(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    rng = _rng("glare", seed)
    start, course = rng.uniform(0, 2 * math.pi), rng.choice([-1, 1])
    for number, (frame, camera) in enumerate(shots):
        phase = start + course * number * LAMP_TURN / LAMP_ANGLES[0]
        lamp = np.tan([LAMP_ANGLES[0] * math.sin(phase), LAMP_ANGLES[1] * math.sin(0.7 * phase)])
        yield frame._replace(image=light.glare(frame.image, camera, severity, lamp), jpeg=None), camera


def _rain(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    for frame, camera in shots:
        yield frame._replace(image=in_front.rain(frame.image, camera, severity, seed), jpeg=None), camera


def _people(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    for frame, camera in shots:
        yield frame._replace(image=in_front.people(frame, severity, seed), jpeg=None), camera


def _zoomed(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    return (in_front.zoomed(frame, camera, severity) for frame, camera in shots)


def _dropped(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    rng = _rng("dropped", seed)
    return (shot for shot in shots if rng.random() >= MOST_DROPPED * severity)


def _fog(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    assert place is not None, "checked with the plan"
    return world.in_fog(shots, severity, place)


def _looking_back(shots: Iterable[Shot], severity: float, seed: int, place: RenderedPlace | None) -> Iterator[Shot]:
    assert place is not None, "checked with the plan"
    return world.looking_back(shots, severity, place)


AS_RECORDED = "as recorded"
CONDITIONS: dict[str, Effect] = {
    "night": Effect("a thousandth of the light, 5 stops of gain", _each(light.night)),
    "glare": Effect("a lamp in view, eight times as bright as white", _glare),
    "rain": Effect("200 drops on the lens", _rain),
    "motion-blur": Effect("smeared over 8 % of the width", _each(light.motion_blur)),
    "jpeg": Effect("JPEG quality 2", _each(light.jpeg), by_chance=False),
    "dropped": Effect("95 % of the images do not arrive", _dropped),
    "people": Effect("85 % of the image behind people who walk by", _people),
    "zoom": Effect("twice the focal length, and known", _zoomed, by_chance=False),
    "fog": Effect("contrast 5 % at 2.5 m", _fog, by_chance=False, in_world=True),
    "looking-back": Effect("the other way, same walk", _looking_back, by_chance=False, in_world=True, moves=True),
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A row of CONDITIONS and how bad it is, from 0 to 1; severity 0 is the recording as it is.

    Raises:
        UsageError: no such condition, or a severity beyond 0 and 1.
    """

    name: str = AS_RECORDED
    severity: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in (*CONDITIONS, AS_RECORDED):
            raise UsageError(f"no condition {self.name!r}: there are {', '.join(CONDITIONS)}")
        if not 0 <= self.severity <= 1:
            raise UsageError(f"{self.name}: the severity {self.severity} is not between 0 and 1")

    @property
    def by_chance(self) -> bool:
        """Tell whether it differs from seed to seed."""
        return self.severity > 0 and CONDITIONS[self.name].by_chance

    @property
    def in_world(self) -> bool:
        """Tell whether it needs the world that the recording was rendered in."""
        return self.severity > 0 and CONDITIONS[self.name].in_world

    def of(self, shots: Iterable[Shot], seed: int, place: RenderedPlace | None = None) -> Iterable[Shot]:
        """Return frames with their cameras under this condition; the same seed gives the same."""
        return CONDITIONS[self.name].stream(shots, self.severity, seed, place) if self.severity else shots

    def truth(self, truth: Trajectory) -> Trajectory:
        """Return where the camera was under this condition."""
        moves = self.severity > 0 and CONDITIONS[self.name].moves
        return world.turned_truth(truth, self.severity) if moves else truth
