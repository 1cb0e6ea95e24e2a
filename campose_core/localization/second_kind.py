"""The second kind of landmarks of a scene that has one (XFeat's): asked where SIFT's find nothing, or too little."""

from __future__ import annotations

from collections.abc import Sequence

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.frame import Image
from campose_core.geometry import Pose
from campose_core.landmark_map.aligned import SECOND, second_landmarks
from campose_core.landmark_map.covisibility import Keyframes
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.landmark_map.pnp import CameraPose
from campose_core.localization.pair_relocalizer import PairRelocalizer
from campose_core.localization.relocalizer import best_supported
from campose_core.localization.tracker import Tracker
from campose_core.scene.scene import Scene


class SecondKind:
    """XFeat landmarks in metres; cameras: of each keyframe."""

    def __init__(self, landmarks: Landmarks, cameras: Sequence[Camera]) -> None:
        self._landmarks, self._keyframes = landmarks, Keyframes(landmarks)
        self._extract = landmarks.extractor()
        self._relocalize = PairRelocalizer(landmarks, self._keyframes, cameras)

    @classmethod
    def load(cls, scene: Scene) -> SecondKind | None:
        """Load it; None for a scene that has none.

        Raises:
            MappingError: the file is damaged, or of another mapping. LocalizationError: the scene is not aligned.
            MissingDependency: ONNX Runtime is not installed.
        """
        landmarks = second_landmarks(scene)
        if landmarks is None:
            return None
        cameras = {frame.name: scene.cameras[frame.camera] for frame in scene.frames}
        unknown = [name for name in landmarks.frame_names if name not in cameras]
        if unknown:
            raise MappingError(
                f"{scene.sfm_dir / SECOND} has keyframes that the scene has not ({unknown[0]}): run `campose map` again"
            )
        return cls(landmarks, [cameras[name] for name in landmarks.frame_names])

    def find(self, image: Image, camera: Camera, hints: Sequence[Pose] = ()) -> list[CameraPose]:
        """List map_from_cam of an image, the best supported first; [] where no place is sure."""
        return self._relocalize(self._extract(image), camera, hints)

    def confirmed(self, image: Image, camera: Camera, found: Sequence[CameraPose]) -> list[CameraPose]:
        """List those poses of an image that these landmarks speak for as well, refined by them, the best first."""
        features = self._extract(image)
        confirmed = [self._relocalize.confirmed(features, camera, pose) for pose in found]
        return best_supported([pose for pose in confirmed if pose])

    def tracker(self) -> Tracker:
        """Make what follows a camera by these landmarks."""
        return Tracker(self._landmarks, self._keyframes)
