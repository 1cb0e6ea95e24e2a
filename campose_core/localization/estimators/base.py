"""What every localizer answers with, whatever it is built on."""

from enum import Enum
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from campose_core.camera import Camera
from campose_core.frame import Frame
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.focal_length import WideMatches
from campose_core.map_scale import MapScale, ScaleBasis
from campose_core.scene.scene import Scene
from campose_core.trajectory import Trajectory


class Kind(str, Enum):
    """How an answer was found. TRACKED: landmarks where a prior expects them. RELOCALIZED: landmarks, from the image
    alone. LEARNED: a pose network. RETRIEVED: the pose of a similar mapped image. PREDICTED: not in this image; carried
    on from where one before it showed the body (a localizer's answer, no estimator's)."""

    TRACKED = "tracked"
    RELOCALIZED = "relocalized"
    LEARNED = "learned"
    RETRIEVED = "retrieved"
    PREDICTED = "predicted"


class PosePrior(NamedTuple):
    """Where the camera should be, before its image is looked at.

    covariance: (6, 6) over (x, y, z, rx, ry, rz), fixed map axes, metres and radians.
    """

    map_from_cam: Pose
    covariance: Array


class Matches(NamedTuple):
    """Landmarks xyz (N, 3) in the map frame, and where in an image `camera` saw them: pixels (N, 2).

    wide: of this image, or of one lately, where the focal length of the camera is not sure.
    """

    camera: Camera
    pixels: Array
    xyz: Array
    wide: WideMatches | None = None


class PoseEstimate(NamedTuple):
    """Where the camera was when the frame was taken.

    covariance: (6, 6) over (x, y, z, rx, ry, rz), fixed map axes, metres and radians.
    support: how many observations agree with the pose (PnP inliers; 1 for a network or a retrieved image).
    matches: these observations, where they are landmarks; for people to look at.
    """

    stamp_ns: int
    map_from_cam: Pose
    covariance: Array
    support: int
    kind: Kind
    matches: Matches | None = None


# Of a position that is 1 m off in one of a hundred cases: 1 m / sqrt(chi2.ppf(0.99, 3)).
MAX_SIGMA_M = 0.3
# Where nothing has measured the metres of a map (an assumed height is right to 15 %), a metre says little: a share of
# the median distance of its landmarks is borne too. Along a campus (27 m) poses are off by 0.7 % of it, and more.
MAX_SHARE = 0.03


def most_sigma(scale: MapScale, median_depth: float) -> float:
    """Return the largest standard deviation of a position, in units of the map, that a pose is given out with."""
    if scale.basis is ScaleBasis.MEASURED:
        return MAX_SIGMA_M
    share = MAX_SHARE * median_depth
    return max(MAX_SIGMA_M, share) if scale.is_known else share


def is_sure(covariance: Array, most: float = MAX_SIGMA_M) -> bool:
    """Tell whether the position is known well enough to drive by: its standard deviation in the worst direction."""
    return bool(np.linalg.eigvalsh(covariance[:3, :3])[-1] <= most**2)


class PoseEstimator(Protocol):
    """One way of turning an image into a pose."""

    name: str

    def estimate(self, frame: Frame, camera: Camera, prior: PosePrior | None = None) -> list[PoseEstimate]:
        """List where the camera with intrinsics `camera` may have been: no pose is an answer, a guess is not.

        Nowhere known, at one place, or at one of several that look alike, the best supported first.

        prior: where it should be. An estimator may use it to find the same more quickly, and then answers with one
        pose; without one, images before this one play no part.
        """
        ...

    def refresh(self) -> None:
        """Do work that the next image will need, in the time between two images; it is done then in any case."""
        ...


class EstimatorRequest(NamedTuple):
    """What an estimator is made with, beside the scene.

    model: what stands for MODEL in the name that was asked for; empty where that has none.
    odometry: odom_from_camera of what is to be localized, where that is known.
    """

    model: str = ""
    odometry: Trajectory | None = None


SCENE_ALONE = EstimatorRequest()


class NamedEstimator(PoseEstimator, Protocol):
    """An estimator that stands in the table of `estimators.registry`, under the name by which people ask for it.

    of_train_split: it was made of the frames of the train split alone, so that the other frames of the scene judge it.
    """

    of_train_split: ClassVar[bool]

    @classmethod
    def load(cls, scene: Scene, request: EstimatorRequest = SCENE_ALONE) -> PoseEstimator:
        """Make it for a scene.

        Raises:
            LocalizationError: the scene has not what it needs; the message says which verb makes it.
        """
        ...

    @classmethod
    def offered(cls, scene: Scene, request: EstimatorRequest) -> list[str]:
        """List the names by which this scene has it, for `campose benchmark` and for messages; [] where it cannot."""
        ...
