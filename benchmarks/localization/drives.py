"""The runs of the stress benchmark: pieces of the demo world's later drive, with something happening to the camera.

Every run gets new stamps, at the drive's rate, so that what the localizer sees of a jump is the image alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.localization import disturbances as disturb
from benchmarks.localization.scoring import Event
from benchmarks.localization.worlds import bare, drawn
from campose_core.camera import Camera
from campose_core.capture.recording import open_recording
from campose_core.frame import Frame, Image
from campose_core.geometry import Pose
from campose_core.matrix.conditions.light import motion_blurred
from campose_core.simulation.building import build_world
from campose_core.trajectory import read_tum

START_NS = 1_000_000_000
PERIOD_NS = 100_000_000  # of the later drive
# Where the later drive is, by number of its frames.
NORTH, CORRIDOR, WEST, EAST = 0, 210, 100, 150
WEST_MIDDLE_DOOR, LONG_CORRIDOR = 144, (204, 278)

Change = Callable[["Shot", float], "Shot"]


class Shot(NamedTuple):
    """An image, its intrinsics and the truth."""

    frame: Frame
    camera: Camera
    map_from_cam: Pose

    def with_image(self, image: Image, camera: Camera | None = None) -> Shot:
        return self._replace(frame=self.frame._replace(image=image, jpeg=None), camera=camera or self.camera)


@dataclass(frozen=True)
class StressRun:
    """shots: made anew on each call. twin_kept: None for the scene as it is, else that in which the west room exists
    twice and keeps this share of its own landmarks."""

    name: str
    shots: Callable[[], Iterator[Shot]]
    events: tuple[Event, ...] = ()
    twin_kept: float | None = None


class Happening(NamedTuple):
    """An event by its seconds since the start of a run."""

    what: str
    start_s: float
    end_s: float
    carried: bool = False
    blind: bool = False


class Drive(NamedTuple):
    """All shots of the later drive."""

    shots: list[Shot]

    @classmethod
    def open(cls, world: Path) -> Drive:
        recording, truth = open_recording(world / "later.bag"), read_tum(world / "later.tum")
        frames = list(recording.frames())
        assert recording.camera is not None
        assert [frame.stamp_ns for frame in frames] == truth.stamps_ns.tolist()
        return cls([Shot(f, recording.camera, pose) for f, (_, pose) in zip(frames, truth, strict=True)])

    def run(
        self,
        name: str,
        pieces: Sequence[tuple[int, int]],
        change: Change | None = None,
        events: Sequence[Happening] = (),
        gaps_s: Sequence[float] = (),
        twin_kept: float | None = None,
    ) -> StressRun:
        """The frames from..until of each piece one after the other; `gaps_s` of silence between pieces.

        change: what happens to a shot at a time (s) since the start. Each start of a piece after the first is a
        kidnapping, unless one of the `events` covers it.
        """
        numbers, stamps, jumps, now = [], [], [], START_NS
        for k, (first, end) in enumerate(pieces):
            if k > 0:
                now += round(gaps_s[k - 1] * 1e9) if gaps_s else 0
                jumps.append(now)
            numbers += range(first, end)
            stamps += [now + i * PERIOD_NS for i in range(end - first)]
            now = stamps[-1] + PERIOD_NS

        def shots() -> Iterator[Shot]:
            for i, stamp_ns in zip(numbers, stamps, strict=True):
                shot = self.shots[i]
                shot = shot._replace(frame=shot.frame._replace(stamp_ns=stamp_ns, name=f"{name}/later {i}"))
                yield shot if change is None else change(shot, (stamp_ns - START_NS) * 1e-9)

        told = [
            Event(h.what, START_NS + round(h.start_s * 1e9), START_NS + round(h.end_s * 1e9), h.carried, h.blind)
            for h in events
        ]
        kidnapped = [
            Event("kidnapped", at, at, carried=True)
            for at in jumps
            if not any(event.start_ns <= at <= event.end_ns for event in told)
        ]
        return StressRun(name, shots, tuple(sorted([*kidnapped, *told], key=lambda event: event.start_ns)), twin_kept)

    def number(self, shot: Shot) -> int:
        return int(shot.frame.name.split()[-1])


def during(intervals: Sequence[tuple[float, float]], change: Change) -> Change:
    """`change` inside of the intervals (s), nothing outside."""

    def changed(shot: Shot, at_s: float) -> Shot:
        inside = any(start - 1e-6 <= at_s < end - 1e-6 for start, end in intervals)
        return change(shot, at_s) if inside else shot

    return changed


def with_gain(gain: float) -> Change:
    return lambda shot, at_s: shot.with_image(disturb.exposed(shot.frame.image, gain, round(at_s * 1000)))


def wandering_exposure(shot: Shot, at_s: float) -> Shot:
    """From an eighth to three times the mapped exposure within four seconds, and back: saturation included."""
    gain = float(np.exp(np.log(3 * 8) / 2 * np.sin(2 * np.pi * at_s / 8) + np.log(3 / 8) / 2))
    return shot.with_image(disturb.exposed(shot.frame.image, gain, round(at_s * 1000)))


PEOPLE = (
    disturb.Person(1, (1.2, 1.6), (1.2, -1.6), 1.5, 4.0),  # across
    disturb.Person(2, (0.8, -1.0), (2.6, 1.8), 4.5, 7.5),  # a group, this way and that
    disturb.Person(3, (2.0, 2.0), (1.0, -1.2), 4.8, 7.5),
    disturb.Person(4, (3.0, -1.0), (0.8, 0.7), 5.0, 7.5),
    disturb.Person(5, (1.1, 0.3), (1.15, 0.35), 8.5, 12.0),  # two who walk ahead of the robot, side by side
    disturb.Person(6, (1.1, -0.3), (1.0, -0.25), 8.5, 12.0),
)

PASSING = [Happening("people", 1.5, 7.5), Happening("people", 8.5, 12.0)]

NARROW = Camera("OPENCV", 560, 420, (470.0, 472.0, 281.0, 208.0, 0.12, -0.05, 0.0008, -0.0006))
WIDE = Camera("RADIAL", 800, 600, (420.0, 401.3, 297.2, -0.22, 0.04))
WIDE_DRAWN = Camera("PINHOLE", 1280, 960, (420.0, 420.0, 639.5, 479.5))


def stress_runs(drive: Drive, out: Path) -> list[StressRun]:
    """All runs; what has to be drawn for them is kept in `out`."""
    camera = drive.shots[0].camera

    def blurred(length_px: float) -> Change:
        def change(shot: Shot, at_s: float) -> Shot:
            following = drive.shots[min(drive.number(shot) + 1, len(drive.shots) - 1)].map_from_cam
            direction = disturb.image_motion(camera, shot.map_from_cam, following)
            return shot.with_image(motion_blurred(shot.frame.image, length_px, direction))

        return change

    def three_blurs(shot: Shot, at_s: float) -> Shot:
        for interval, length_px in (((2, 4), 15), ((6, 8), 25), ((10, 12), 40)):
            shot = during([interval], blurred(length_px))(shot, at_s)
        return shot

    def people(shot: Shot, at_s: float) -> Shot:
        return shot.with_image(disturb.with_people(shot.frame.image, camera, shot.map_from_cam, PEOPLE, at_s))

    def narrow(shot: Shot, at_s: float) -> Shot:
        return shot.with_image(disturb.through_lens(shot.frame.image, camera, NARROW), NARROW)

    covered = [(2.0, 5.0), (8.0, 8.4), (10.0, 13.0)]
    blind = [Happening("covered", *interval, blind=True) for interval in covered]
    dark = [(2.0, 5.0)]
    blurs = [Happening("blur", start, start + 2.0) for start in (2.0, 6.0, 10.0)]
    return [
        drive.run("undisturbed", [(40, 140)]),
        drive.run(
            "kidnapped", [(NORTH, 60), (CORRIDOR, 270), (WEST, 143), (300, len(drive.shots)), (EAST, 199), (215, 260)]
        ),
        drive.run("kidnapped, in a gap", [(WEST, 140), (CORRIDOR, 260), (20, 70)], gaps_s=[3.0, 0.5]),
        drive.run("covered lens", [(20, 199)], during(covered, with_gain(0.0)), blind),
        # From the north room to the east one while the lens is covered.
        drive.run(
            "covered and carried", [(20, 100), (EAST, 195)], during([(5.0, 8.0)], with_gain(0.0)),
            [Happening("covered", 5.0, 8.0, carried=True, blind=True)],
        ),
        drive.run("dark: gain 0.03", [(30, 130)], during(dark, with_gain(0.03)), [Happening("dark", *d) for d in dark]),
        drive.run("motion blur 15, 25, 40 px", [(60, 199)], three_blurs, blurs),
        drive.run("people", [(WEST, 229)], people, PASSING),
        drive.run("exposure", [(0, 140)], wandering_exposure),
        _bare_corridor(drive, out),
        drive.run("alike: wakes up in one", [(WEST, 175)], twin_kept=1.0, events=[_until_out(0.0)]),
        drive.run(
            "alike: carried into one", [(EAST, 190), (WEST, 175)], twin_kept=1.0, events=[_until_out(4.0, carried=True)]
        ),
        drive.run("alike: drives into one", [(60, 170)], twin_kept=1.0),
        drive.run(
            "alike: the other mapped better", [(EAST, 190), (WEST, 175)], twin_kept=0.5,
            events=[_until_out(4.0, carried=True)],
        ),
        drive.run("another camera, narrow", [(60, 199)], narrow),
        _wide(drive, out),
    ]  # fmt: skip


def _until_out(start_s: float, carried: bool = False) -> Happening:
    """In the room that exists twice, from its frame WEST on until the door."""
    return Happening("alike", start_s, start_s + (WEST_MIDDLE_DOOR - WEST) * PERIOD_NS * 1e-9, carried)


def _bare_corridor(drive: Drive, out: Path) -> StressRun:
    """The corridor has been painted since it was mapped; through its doors the rooms can be seen as they were."""
    first, last = LONG_CORRIDOR[0] - 25, LONG_CORRIDOR[1] + 25
    poses = [drive.shots[i].map_from_cam for i in range(first, last)]

    def images() -> list[Image]:
        return drawn(out / "bare_corridor.npy", bare(build_world("demo", 0), "corridor"), drive.shots[0].camera, poses)

    return _redrawn(drive, "bare corridor", first, last, images, [Happening("bare", 2.5, 10.0)])


def _wide(drive: Drive, out: Path) -> StressRun:
    first, last = 60, 130
    poses = [drive.shots[i].map_from_cam for i in range(first, last)]

    def images() -> list[Image]:
        return drawn(out / "wide.npy", build_world("demo", 0), WIDE_DRAWN, poses)

    def seen(shot: Shot, at_s: float) -> Shot:
        return shot.with_image(disturb.through_lens(shot.frame.image, WIDE_DRAWN, WIDE), WIDE)

    return _redrawn(drive, "another camera, wide", first, last, images, [], seen)


def _redrawn(
    drive: Drive, name: str, first: int, last: int, images: Callable[[], list[Image]],
    events: Sequence[Happening], change: Change | None = None,
) -> StressRun:  # fmt: skip
    plain = drive.run(name, [(first, last)], events=events)

    def shots() -> Iterator[Shot]:
        for shot, image in zip(plain.shots(), images(), strict=True):
            drawn_shot = shot.with_image(image)
            at_s = (shot.frame.stamp_ns - START_NS) * 1e-9
            yield drawn_shot if change is None else change(drawn_shot, at_s)

    return StressRun(name, shots, plain.events)
