"""How a camera moved, by the scene's MeNet: relative poses of its images, composed on SE(3)."""

from __future__ import annotations

import numpy as np

from campose_core.camera import Camera
from campose_core.errors import LearningError
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.learning.checkpoint import TrainedModel, load
from campose_core.learning.networks import MENET
from campose_core.learning.same_map import require_same_map
from campose_core.scene.scene import Scene

JITTER = 1.25  # stamps of a camera waver by less
REACH = 2.0  # times the longest interval of training; over longer ones a network guesses


class VisualOdometry:
    """Of one camera: `moved` for each of its images, in time order.

    MeNet has learned from pairs that are `apart_s` apart, or some multiple of it up to `most_apart_s`. Images that
    come faster are all compared with the same earlier one, until that is `apart_s` back: errors then grow with the way,
    and not with the number of images.
    """

    def __init__(self, model: TrainedModel, apart_s: float, most_apart_s: float) -> None:
        self._model = model
        self.apart_s, self.reach_s = apart_s, REACH * most_apart_s
        self.reset()

    @classmethod
    def load(cls, scene: Scene) -> VisualOdometry:
        """Make it of the scene's model `menet`, and the intervals between the frames that it was trained on.

        Raises:
            LearningError: the scene has no such model, or it is of another kind. CheckpointError: it is damaged, or
                of before the map was moved.
        """
        if not (scene.models_dir / MENET).is_dir():
            raise LearningError(
                f"no odometry, and no model {MENET} in {scene.path}: record the odometry (nav_msgs/Odometry and "
                f"/tf_static), or run `campose train {scene.path} --model {MENET}`"
            )
        model = load(scene.models_dir / MENET)
        require_same_map(scene, MENET)
        if model.network.architecture.kind != MENET:
            raise LearningError(f"the model {MENET} of {scene.path} is a {model.network.architecture.kind}, no MeNet")
        apart_s = _interval_s(scene)
        return cls(model, apart_s, apart_s * int(model.options["tuple_skip"]))

    def reset(self) -> None:
        """Forget the images before."""
        self._key: tuple[int, Image] | None = None
        self._before: tuple[int, Pose] | None = None  # key_from_before

    def moved(self, stamp_ns: int, image: Image, camera: Camera) -> tuple[Pose, Array] | None:
        """Tell before_from_now since the image before, and its covariance (6, 6) about the axes of the camera before.

        None for the first image, for one that is not later than the one before or too much later for MeNet, and where
        the network gives no finite number: what comes next is measured from this image.

        Raises:
            LearningError: the image does not have the camera's size, or shows too little of the trained view.
        """
        prepared = self._model.network_input.prepare(image, camera)
        key, before = self._key, self._before
        self._key, self._before = (stamp_ns, prepared), (stamp_ns, Pose.identity())
        if key is None or before is None or not 0 < (stamp_ns - before[0]) * 1e-9 <= self.reach_s:
            return None
        found = self._model.relative(key[1], prepared)
        if found is None:
            return None
        key_from_now, covariance = found
        if (stamp_ns - key[0]) * 1e-9 * JITTER < self.apart_s:
            self._key, self._before = key, (stamp_ns, key_from_now)
        # The steps from one key image to the next share the error of the whole.
        share = min(1.0, (stamp_ns - before[0]) / max(stamp_ns - key[0], self.apart_s * 1e9))
        turn = np.kron(np.eye(2), before[1].rotation.as_matrix().T)
        return before[1].inverse() * key_from_now, share * (turn @ covariance @ turn.T)


def _interval_s(scene: Scene) -> float:
    """Between neighbouring training frames, the median.

    Raises:
        LearningError: no two of them follow each other.
    """
    stamps: dict[str, list[int]] = {}
    for frame in scene.posed_frames("train"):
        stamps.setdefault(frame.source, []).append(frame.stamp_ns)
    steps = [step for of_source in stamps.values() for step in np.diff(np.sort(of_source))]
    if not steps:
        raise LearningError(f"{scene.path} has no training frames that follow each other")
    return float(np.median(steps)) * 1e-9
