"""The drives through the localizer, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.driving_on.drives import HIDES, PERIOD_NS, Odometry, Place, Shot, Stretch, hidden_images, stretches
from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.localization.estimators.base import PoseEstimate, PoseEstimator, PosePrior
from campose_core.localization.localizer import Localizer
from campose_core.localization.result import Status
from campose_core.simulation.drive import BASE_FROM_CAM

WRONG_M = 1.0
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
        return [one._replace(stamp_ns=frame.stamp_ns) for one in self.said.get(frame.name, [])]

    def refresh(self) -> None:
        """Nothing waits."""


def driven(estimator: PoseEstimator, camera: Camera, shots: Iterable[Shot]) -> list[Row]:
    """A fresh localizer over a drive."""
    localizer, rows = Localizer(estimator, BASE_FROM_CAM), []
    for shot in shots:
        result = localizer.localize(shot.frame, camera, odom_from_base=shot.odom_from_base)
        localizer.refresh()
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


def with_stretches(
    place: Place, estimator: PoseEstimator, wheels: Odometry, seed: int, turns: int
) -> tuple[list[Row], list[Stretch]]:
    """Drive to and fro with stretches in which nothing is recognized."""
    numbers = place.to_and_fro(turns)
    some = stretches(len(numbers), seed)
    hidden = hidden_images(place, numbers, some)
    shots = place.shots(numbers, wheels, seed, hidden)
    if isinstance(estimator, Kept):
        shots = (s._replace(frame=s.frame._replace(name="hidden")) if s.is_hidden else s for s in shots)
    return driven(estimator, place.camera, shots), some


class Kidnapping(NamedTuple):
    """seconds until LOST, or until the true place was found; None: neither within 2 s. wrong: poses given out more
    than WRONG_M off after it was carried."""

    seconds: float | None
    wrong: int


def kidnapped(place: Place, estimator: PoseEstimator, seed: int) -> Kidnapping:
    """Drive 3 s, 1 s more with a hidden view; then the wheels stand and the robot is elsewhere, often hidden too."""
    rng = np.random.default_rng([seed, 0x1D])
    names = list(HIDES)
    first = int(rng.integers(0, len(place.frames) - 60))
    far = [
        i
        for i, base in enumerate(place.map_from_base)
        if np.linalg.norm(base.translation - place.map_from_base[first + 39].translation) > 2 * WRONG_M
    ]
    there = int(rng.choice(far))
    numbers = [*range(first, first + 40), *[there] * 20]
    before, after = names[seed % 4], ("seen", *names)[seed // 4 % 5]
    some = [Stretch(30, 40, before)]
    if after not in ("seen", before):
        some.append(Stretch(40, 60, after))
    hidden = hidden_images(place, numbers, some)
    wheels = Odometry("2 % drift", 0.02)
    shots = list(place.shots(numbers[:40], wheels, seed, hidden))
    last = shots[-1]
    stands = [
        Shot(
            place.frames[there]._replace(
                stamp_ns=last.frame.stamp_ns + (k - 39) * PERIOD_NS, name="", jpeg=None,
                image=hidden.get(k, place.frames[there].image),
            ),
            place.map_from_base[there], last.odom_from_base, True,
        )
        for k in range(40, 60)
    ]  # fmt: skip
    rows = driven(estimator, place.camera, [*shots, *stands])[40:]
    ended = [
        k for k, row in enumerate(rows) if row.status is Status.LOST or (row.error_m is not None and row.error_m < 0.1)
    ]
    wrong = sum(row.error_m is not None and row.error_m > WRONG_M for row in rows)
    return Kidnapping((ended[0] + 1) * PERIOD_NS * 1e-9 if ended else None, wrong)


def returns_m(rows: Sequence[Row], some: Sequence[Stretch]) -> list[float]:
    """The smallest error among the three images after each stretch; inf where none of them has a pose."""
    return [
        min((row.error_m for row in rows[s.end : s.end + 3] if row.error_m is not None), default=np.inf) for s in some
    ]


def base_of(pose: Pose) -> Pose:
    """map_from_base of a map_from_cam."""
    return pose * BASE_FROM_CAM.inverse()
