"""The drives through the localizer, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.driving_on.drives import HIDES, PERIOD_NS, Odometry, Place, Shot, Stretch, hidden_images, stretches
from campose_core.camera import Camera
from campose_core.frame import Frame, Image
from campose_core.geometry import Pose, interpolated
from campose_core.localization.estimators.base import PoseEstimate, PoseEstimator, PosePrior
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import Status

WRONG_M = 1.0
DRIVEN, STANDS = 40, 20  # images before and after a kidnapping
CARRIED_MPS = 2.0  # where no picture tells of it: briskly walked; nobody is two metres away from one image to the next
SHOW_NOTHING = ("bare wall", "lights out")
IN_90 = 6.251  # chi square, 3 degrees of freedom


class Row(NamedTuple):
    """What became of an image: error_m is None without a pose; inside: the 90 % ellipsoid of its position."""

    is_hidden: bool
    status: Status
    error_m: float | None = None
    inside: bool = False
    sigma_m: float = 0.0
    reason: str = ""


class Kept:
    """An estimator that remembers what another one said of each frame of a drive by its name, for many odometries."""

    name = "kept"

    def __init__(self, said: dict[str, list[PoseEstimate]]) -> None:
        self.said = said

    @classmethod
    def of(cls, estimator: PoseEstimator, place: Place) -> Kept:
        """Ask it of all frames, each by itself."""
        return cls({f"{i}": estimator.estimate(frame, place.camera) for i, frame in enumerate(place.frames)})

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Nothing of a hidden frame, whose name no frame has."""
        return [one._replace(stamp_ns=frame.stamp_ns) for one in self.said.get(frame.name, [])]

    def refresh(self) -> None:
        """Nothing waits."""


def driven(estimator: PoseEstimator, place: Place, shots: Iterable[Shot], is_cut: bool = False) -> list[Row]:
    """A fresh localizer over a drive. is_cut: hidden images do not come at all, the odometry does."""
    localizer, rows, way = Localizer(estimator, place.base_from_cam), list[Row](), list[tuple[int, Pose]]()
    for shot in shots:
        if is_cut and shot.is_hidden:
            way.append((shot.frame.stamp_ns, shot.odom_from_base))
            rows.append(Row(True, localizer.status))
            continue
        result = localizer.localize(shot.frame, place.camera, odom_from_base=shot.odom_from_base, way=way)
        localizer.refresh()
        way = []
        row = Row(shot.is_hidden, result.status, reason=result.reason)
        if result.map_from_base is not None and result.covariance is not None:
            off, spread = result.map_from_base.translation - shot.map_from_base.translation, result.covariance[:3, :3]
            row = row._replace(
                error_m=float(np.linalg.norm(off)),
                inside=bool(off @ np.linalg.solve(spread, off) < IN_90),
                sigma_m=float(np.sqrt(np.linalg.eigvalsh(spread)[-1])),
            )
        rows.append(row)
    return rows


class Drive(NamedTuple):
    """What became of its images, and the stretches in which they were hidden, or did not come."""

    rows: list[Row]
    stretches: list[Stretch]

    def hidden(self) -> list[Row]:
        """All of what was hidden."""
        return [row for row in self.rows if row.is_hidden]

    def first_after(self) -> list[Row]:
        """The first image after each stretch."""
        return [self.rows[stretch.end] for stretch in self.stretches]

    def returns_m(self) -> list[float]:
        """The smallest error among the three images after each stretch; inf where none of them has a pose."""
        after = [self.rows[stretch.end : stretch.end + 3] for stretch in self.stretches]
        return [min((row.error_m for row in rows if row.error_m is not None), default=np.inf) for rows in after]


class Plan(NamedTuple):
    """A drive to and fro: frames by number, the stretches of it, and what is seen there instead, by place in it."""

    place: Place
    numbers: list[int]
    stretches: list[Stretch]
    hidden: dict[int, Image]

    @classmethod
    def of(cls, place: Place, seed: int, turns: int) -> Plan:
        """Draw one; the same for any odometry."""
        numbers = place.to_and_fro(turns)
        some = stretches(len(numbers), seed)
        return cls(place, numbers, some, hidden_images(place, numbers, some))

    def driven(self, estimator: PoseEstimator, wheels: Odometry, seed: int, is_cut: bool = False) -> Drive:
        """Drive it with this odometry. is_cut: hidden images do not come at all."""
        shots = self.place.shots(self.numbers, wheels, seed, self.hidden)
        return Drive(driven(estimator, self.place, shots, is_cut), self.stretches)


class Kidnapping(NamedTuple):
    """seconds until LOST, or until the true place was found; None: neither within 2 s. wrong: poses given out more
    than WRONG_M off after it was taken away; worst_m: the one that was most. is_carried: not there at once."""

    seconds: float | None
    wrong: int
    worst_m: float
    is_carried: bool
    before: str
    after: str


def kidnapped(place: Place, estimator: Kept, seed: int) -> Kidnapping:
    """Drive 3 s, 1 s more with a hidden view; then the wheels stand and the robot is elsewhere, seen or hidden too.

    It is there with the next image, but where the pictures show nothing it is carried there.
    """
    rng, names = np.random.default_rng([seed, 0x1D]), list(HIDES)
    before, after = names[seed % 4], ("seen", *names)[seed // 4 % 5]
    first = int(rng.integers(0, len(place.frames) - DRIVEN))
    here = place.map_from_base[first + DRIVEN].translation
    away_m = [np.linalg.norm(base.translation - here) for base in place.map_from_base]
    there = int(rng.choice(np.flatnonzero(np.array(away_m) > 2 * WRONG_M)))
    numbers = [*range(first, first + DRIVEN), *[there] * STANDS]
    hiding = [Stretch(DRIVEN - 10, DRIVEN, before)]
    if after != "seen":
        hiding.append(Stretch(DRIVEN, DRIVEN + STANDS, after))
    hidden = hidden_images(place, numbers, hiding)
    shots = list(
        place.shots(numbers[:DRIVEN], Odometry("", 0.02), seed, {k: v for k, v in hidden.items() if k < DRIVEN})
    )
    last = shots[-1]
    elsewhere = place.map_from_base[there]
    is_carried = after in SHOW_NOTHING or (before in SHOW_NOTHING and after != "seen")
    for k in range(DRIVEN, DRIVEN + STANDS):
        frame = place.frames[there]
        frame = frame._replace(stamp_ns=last.frame.stamp_ns + (k + 1 - DRIVEN) * PERIOD_NS, jpeg=None)
        frame = frame._replace(image=hidden.get(k, frame.image), name="hidden" if k in hidden else f"{there}")
        way_m = CARRIED_MPS * (k + 1 - DRIVEN) * PERIOD_NS * 1e-9 if is_carried else away_m[there]
        truth = interpolated(last.map_from_base, elsewhere, min(1.0, way_m / away_m[there]))
        shots.append(Shot(frame, truth, last.odom_from_base, k in hidden))
    rows = driven(estimator, place, shots)[DRIVEN:]
    ended = [
        k for k, row in enumerate(rows) if row.status is Status.LOST or (row.error_m is not None and row.error_m < 0.1)
    ]
    errors_m = [row.error_m for row in rows if row.error_m is not None]
    wrong, worst_m = sum(error_m > WRONG_M for error_m in errors_m), max(errors_m, default=0.0)
    return Kidnapping((ended[0] + 1) * PERIOD_NS * 1e-9 if ended else None, wrong, worst_m, is_carried, before, after)
