"""The landmark map of a scene, in the map frame."""

from campose_core.errors import LocalizationError
from campose_core.landmark_map.landmarks import Landmarks
from campose_core.scene import Scene


def aligned_landmarks(scene: Scene) -> Landmarks:
    """Read the landmarks and keyframes in metres, in the map frame.

    Raises:
        MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
    """
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    if scene.alignment is None:
        raise LocalizationError(f"{scene.path} is mapped but not in a metric frame: run `campose align {scene.path}`")
    return landmarks.transformed(scene.alignment.map_from_sfm)
