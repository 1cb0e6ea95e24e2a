"""The landmark maps of a scene, in the map frame."""

from campose_core.errors import LocalizationError
from campose_core.features.registry import XFEAT
from campose_core.landmark_map.landmarks import Landmarks, landmark_file
from campose_core.scene.scene import Scene

SECOND = landmark_file(XFEAT)


def aligned_landmarks(scene: Scene) -> Landmarks:
    """Read the landmarks and keyframes in metres, in the map frame.

    Raises:
        MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
    """
    return _aligned(scene, "landmarks.npz")


def second_landmarks(scene: Scene) -> Landmarks | None:
    """Read the landmarks of a second kind of features, in metres, in the map frame; None in a scene that has none.

    Raises:
        MappingError: the file is damaged. LocalizationError: the scene is not aligned.
    """
    return _aligned(scene, SECOND) if (scene.sfm_dir / SECOND).is_file() else None


def _aligned(scene: Scene, name: str) -> Landmarks:
    landmarks = Landmarks.load(scene.sfm_dir / name)
    if scene.alignment is None:
        raise LocalizationError(f"{scene.path} is mapped but not in a metric frame: run `campose align {scene.path}`")
    return landmarks.transformed(scene.alignment.map_from_sfm)
