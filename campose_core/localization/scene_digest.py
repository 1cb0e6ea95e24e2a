"""A short name for what a robot localizes in: two robots with the same digest give poses in the same map."""

from __future__ import annotations

import hashlib

from campose_core.landmark_map.aligned import SECOND
from campose_core.landmark_map.arrays import checksums
from campose_core.scene.scene import Scene


def scene_digest(scene: Scene) -> str:
    """Return eight hexadecimal digits of the landmarks and the alignment of a scene.

    The landmarks count by the checksums that their file holds of its arrays, so that it is not read. A scene without
    landmarks counts by its alignment alone.

    Raises:
        MappingError: the landmark file is damaged.
    """
    digest = hashlib.sha256()
    for path in (scene.sfm_dir / "landmarks.npz", scene.sfm_dir / SECOND):
        if path.is_file():
            digest.update(repr(checksums(path)).encode())
    if scene.alignment is not None:
        similarity = scene.alignment.map_from_sfm
        numbers = [similarity.scale, *similarity.translation, *similarity.rotation.as_quat(canonical=True)]
        digest.update(repr([float(number) for number in numbers]).encode())
    return digest.hexdigest()[:8]
