"""A pose network with its neighbours in time: MapNet+PGO.

The absolute poses of the latest images and the motions between them are optimised together (Brahmbhatt et al., CVPR
2018, section 3.4), in the pose graph that the localizer has as well. Motions come from the odometry of the recording,
or from the scene's MeNet. The authors optimise a window around each image; here it ends at the image, as a robot needs.
"""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np

from campose_core.bag.odometry import camera_odometry
from campose_core.camera import Camera
from campose_core.capture.mapped_recordings import clock_of
from campose_core.errors import CaptureError, LocalizationError
from campose_core.frame import Frame, Recording
from campose_core.geometry import Pose
from campose_core.landmark_map.intrinsics import RefinedCameras
from campose_core.learning.networks import MENET
from campose_core.localization.estimators.base import (
    SCENE_ALONE,
    EstimatorRequest,
    Kind,
    PoseEstimate,
    PoseEstimator,
    PosePrior,
)
from campose_core.localization.estimators.learned import LearnedEstimator, has_menet, model_names
from campose_core.localization.fusion import CORRELATED_OVER_M
from campose_core.motion.model import MotionOptions, UncertainPose, odometry_motion
from campose_core.motion.pose_graph import PoseGraph
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory

log = logging.getLogger(__name__)

PGO = "+pgo"
LONGEST_GAP_S = 2.0


class Motions(Protocol):
    """How the camera moved, image after image."""

    def since_before(self, frame: Frame, camera: Camera) -> UncertainPose | None:
        """Return `before_from_now` since the frame of the last call; None where that is not known, as for the first."""
        ...


class WindowEstimator:
    """The poses of `absolute`, a network, held together by motions. Called NAME+pgo.

    Other than the protocol has it, images before the frame do play a part here, prior or not: frames must come in time
    order. Stamps that do not increase, a gap of more than two seconds, and a motion that is not known begin anew, with
    the pose of the network as it is.
    """

    of_train_split = True

    def __init__(self, absolute: PoseEstimator, motions: Motions) -> None:
        self.name = absolute.name + PGO
        self._absolute, self._motions = absolute, motions
        self._graph = PoseGraph()
        self._newest_ns: int | None = None

    @classmethod
    def load(cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE) -> WindowEstimator:
        """Join a model with the odometry of the recording, or where that has none with the scene's MeNet.

        Raises:
            LocalizationError: the scene has no such model, or there is nothing that tells how the camera moves.
            CheckpointError: a model is damaged.
        """
        absolute = LearnedEstimator.load(scene, request)
        if request.odometry:
            return cls(absolute, OdometryMotions(request.odometry))
        if not has_menet(scene):
            raise LocalizationError(
                f"{absolute.name}{PGO} needs to know how the camera moves: localize a bag with odometry "
                f"(nav_msgs/Odometry and /tf_static), or run `campose train {scene.path} --model {MENET}`"
            )
        return cls(absolute, MeNetMotions(scene))

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        known = request.odometry or has_menet(scene)
        return [model + PGO for model in model_names(scene)] if known else []

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """Return the pose that explains best what network and motions said of the latest images.

        Its covariance is the marginal one. Where the network says nothing, the pose before is moved on.

        Raises:
            LearningError: the camera sees too little of the view a network was trained with, or the image does not
                have the camera's size.
        """
        moved = self._motions.since_before(frame, camera)
        before_ns, self._newest_ns = self._newest_ns, frame.stamp_ns
        if before_ns is None or not 0 < frame.stamp_ns - before_ns <= LONGEST_GAP_S * 1e9:
            moved = None
        seen = [UncertainPose(one.map_from_cam, one.covariance) for one in self._absolute.estimate(frame, camera)]
        fused = self._graph.add(frame.stamp_ns, seen[0] if len(seen) == 1 else None, moved, CORRELATED_OVER_M)
        return [] if fused is None else [PoseEstimate(frame.stamp_ns, *fused, 1, Kind.LEARNED)]

    def refresh(self) -> None:
        self._absolute.refresh()


class OdometryMotions:
    """By odom_from_camera of the recording; not known before it begins, after it ends, and where it jumps."""

    def __init__(self, odom_from_camera: Trajectory) -> None:
        self._odometry, self._options = odom_from_camera, MotionOptions()
        self._before: tuple[int, Pose] | None = None

    def since_before(self, frame: Frame, camera: Camera) -> UncertainPose | None:
        before, now = self._before, self._odometry.at(frame.stamp_ns)
        self._before = None if now is None else (frame.stamp_ns, now)
        if before is None or now is None:
            return None
        return odometry_motion((frame.stamp_ns - before[0]) * 1e-9, before[1], now, self._options)


class MeNetMotions:
    """By the scene's MeNet. No step is more exact than one of wheels that stand still: a robot that keeps its height
    teaches MeNet that it never errs there."""

    def __init__(self, scene: Scene) -> None:
        from campose_core.learning.visual_odometry import VisualOdometry

        self._odometry, self._refined = VisualOdometry.load(scene), RefinedCameras(scene)
        options = MotionOptions()
        self._least = np.diag([options.odometry_floor_m**2] * 3 + [options.odometry_floor_rad**2] * 3)

    def since_before(self, frame: Frame, camera: Camera) -> UncertainPose | None:
        moved = self._odometry.moved(frame.stamp_ns, frame.image, self._refined(camera))
        return None if moved is None else UncertainPose(moved[0], moved[1] + self._least)


def recorded_odometry(recording: Recording) -> Trajectory | None:
    """Read odom_from_camera of a bag; None of anything else, and of a bag without.

    A line on stderr where it has odometry that cannot be used.
    """
    source = recording.describe()
    first = next(recording.frames(), None) if source["kind"] == "bag" else None
    if first is None:
        return None
    try:
        return camera_odometry(source["path"], first.camera_frame, clock_of(recording.describe()))
    except CaptureError as error:
        log.info(f"without odometry: {error}")
        return None
