"""Estimates held against a reference, with all that stands beside them: the floor, the map's frames, the images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.evaluation.estimates import Estimates
from campose_core.evaluation.frame_errors import FrameErrors
from campose_core.evaluation.leak import Leak, Training, find_leak
from campose_core.evaluation.measures import RECALL_THRESHOLDS, Threshold
from campose_core.evaluation.metrics import Metrics, at_frames, scored, summarise
from campose_core.evaluation.snap_effect import snap_effect
from campose_core.evaluation.views import Views, scene_views, small_copy
from campose_core.floorplan.scene_floor import walkable_of
from campose_core.frame import Image, Recording
from campose_core.pixels.scene_images import read_image
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory
from campose_core.walkable import WalkableMap

Images = Callable[[], Iterator[tuple[int, Image]]]


@dataclass(frozen=True)
class Beside:
    """What estimates are judged beside, each None where it is not known.

    training: the scene's frames that the estimators were made of. own: the query frames by their stamps, where they are
    the scene's own. images: the query's images with their stamps, from the start each time.
    """

    scene: Scene | None = None
    training: tuple[SceneFrame, ...] = ()
    own: Mapping[int, SceneFrame] | None = None
    images: Images | None = None
    walkable: WalkableMap | None = None

    @classmethod
    def of_query(cls, scene: Scene | None, recording: Recording | None) -> Beside:
        """Take a recording that the scene was not built from: all frames of the map are training frames.

        Raises:
            FloorError: the scene's floor map is damaged.
        """

        def images() -> Iterator[tuple[int, Image]]:
            assert recording is not None
            return ((frame.stamp_ns, frame.image) for frame in recording.frames(None))

        return cls(
            scene,
            () if scene is None else tuple(scene.posed_frames()),
            None,
            None if recording is None else images,
            None if scene is None else walkable_of(scene),
        )

    @classmethod
    def of_own_frames(cls, scene: Scene, own: Mapping[int, SceneFrame], split: str) -> Beside:
        """Take frames of the scene itself, of which those of a split were trained on.

        Raises:
            FloorError: the scene's floor map is damaged.
        """

        def images() -> Iterator[tuple[int, Image]]:
            for stamp_ns, frame in own.items():
                yield stamp_ns, read_image(scene, frame)

        return cls(scene, tuple(scene.posed_frames(split)), own, images, walkable_of(scene))

    def images_at(self, stamps_ns: Collection[int]) -> dict[int, Image]:
        """Return the query's images of these stamps, as far as they are there."""
        found: dict[int, Image] = {}
        missing = set(stamps_ns)
        for stamp_ns, image in self.images() if self.images and missing else ():
            if stamp_ns in missing:
                found[stamp_ns] = image
                missing.discard(stamp_ns)
                if not missing:
                    break
        return found


class Judgement(NamedTuple):
    """The rows of estimators, and what they were made of: the estimates and the errors of their frames, in order.

    truth: the reference, at the stamps of the images where it counted them.
    """

    rows: list[Metrics]
    estimates: list[Estimates]
    errors: list[FrameErrors]
    training: Training | None = None
    leak: Leak | None = None
    truth: Trajectory | None = None


def judged(
    estimates: Sequence[Estimates],
    reference: Trajectory,
    beside: Beside,
    thresholds: Sequence[Threshold] = RECALL_THRESHOLDS,
) -> Judgement:
    """Score estimates of one recording, and see whether its frames are in what the estimators were made of.

    An image of the recording that an estimator does not list is one without an answer. thresholds: of the recalls,
    metres and degrees.

    Raises:
        TrajectoryError: no frame of one of them has a reference, both intervals are named; or no image of the query is
            one of its frames.
        SceneError: an image of the scene is missing or damaged.
    """
    copies = {stamp_ns: small_copy(image) for stamp_ns, image in beside.images()} if beside.images else {}
    if copies:
        estimates = [one.over(copies) for one in estimates]
    truth = at_frames(estimates[0], reference)
    errors = [scored(one, truth) for one in estimates]
    rows = [summarise(one, of, thresholds) for one, of in zip(errors, estimates, strict=True)]
    training = Training.of(beside.training) if beside.training else None
    leak = None if training is None else _leak(errors[0].reference, training, beside, copies)
    snaps = [None if beside.walkable is None else snap_effect(one, beside.walkable) for one in errors]
    rows = [replace(row, leak=leak, snap=snap) for row, snap in zip(rows, snaps, strict=True)]
    return Judgement(rows, list(estimates), errors, training, leak, truth)


def _leak(truth: Trajectory, training: Training, beside: Beside, copies: Mapping[int, NDArray[np.float32]]) -> Leak:
    own = None if beside.own is None else [beside.own[stamp_ns] for stamp_ns in truth.stamps_ns.tolist()]
    if not copies or beside.scene is None:
        return find_leak(truth, training, own)
    row_of = {stamp_ns: row for row, stamp_ns in enumerate(truth.stamps_ns.tolist())}
    views = Views.of((row_of[stamp_ns], copy) for stamp_ns, copy in copies.items() if stamp_ns in row_of)
    return find_leak(truth, training, own, views, scene_views(beside.scene, enumerate(training.frames)))
