"""The landmark map of a scene, with its place in the map frame."""

from campose_core.errors import LocalizationError
from campose_core.geometry import Similarity
from campose_core.mapping.landmarks import Landmarks
from campose_core.scene import Scene


def aligned_landmarks(scene: Scene) -> tuple[Landmarks, Similarity]:
    """The landmarks, in the sfm frame, and map_from_sfm.

    Raises:
        MappingError: the scene has no landmarks. LocalizationError: it is not aligned.
    """
    landmarks = Landmarks.load(scene.sfm_dir / "landmarks.npz")
    if scene.alignment is None:
        raise LocalizationError(f"{scene.path} is mapped but not in a metric frame: run `campose align {scene.path}`")
    return landmarks, scene.alignment.map_from_sfm
