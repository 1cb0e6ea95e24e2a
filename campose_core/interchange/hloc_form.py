"""The hloc form: images, a reference model in the map frame, and the pairs that hloc matches.

https://github.com/cvg/Hierarchical-Localization: hloc.triangulation takes poses and intrinsics of `sfm/` and matches
features of its own along the pairs (`hloc/pairs_from_covisibility.py`: a line `name name`, the NUM_MATCHED images with
which each shares most landmarks); `hloc/utils/parsers.py` reads lists of images with intrinsics.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

from campose_core.files import write_text
from campose_core.interchange.colmap_form import map_model
from campose_core.interchange.images import copy_images
from campose_core.landmark_map.colmap import from_colmap_camera, model_images
from campose_core.scene.scene import Scene

NUM_MATCHED = 20


def write_hloc(scene: Scene, folder: Path) -> int:
    """Write images/, sfm/, pairs-covis20.txt and images_with_intrinsics.txt into `folder`; returns how many images.

    Raises:
        MappingError: no reconstruction, or a lens that COLMAP lacks.
    """
    model = map_model(scene)
    images = model_images(model)
    copy_images(scene, {str(image.name) for image in images}, folder / "images")
    (folder / "sfm").mkdir()
    model.write(folder / "sfm")
    lines = [f"{image.name} {_intrinsics(image.camera)}\n" for image in images]
    write_text(folder / "images_with_intrinsics.txt", "".join(lines))
    write_text(folder / f"pairs-covis{NUM_MATCHED}.txt", "".join(f"{a} {b}\n" for a, b in _pairs(model, images)))
    return len(images)


def _intrinsics(camera: Any) -> str:
    model, width, height, params = from_colmap_camera(camera).to_colmap()
    return " ".join([model, str(width), str(height), *(repr(float(value)) for value in params)])


def _pairs(model: Any, images: list[Any]) -> list[tuple[str, str]]:
    names = {image.image_id: str(image.name) for image in images}
    shared: dict[str, Counter[str]] = {name: Counter() for name in names.values()}
    for point in model.points3D.values():
        seen = sorted({names[element.image_id] for element in point.track.elements})
        for one, other in permutations(seen, 2):
            shared[one][other] += 1
    return [(one, other) for one, others in shared.items() for other, _ in others.most_common(NUM_MATCHED)]
