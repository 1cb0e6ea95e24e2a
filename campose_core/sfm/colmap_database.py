"""Images, their features and their matches, into COLMAP's database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.features.base import FeatureKind
from campose_core.features.matching import match_nearest
from campose_core.features.registry import FEATURES
from campose_core.geometry import Array
from campose_core.landmark_map.colmap import load_pycolmap

SEED = 0


def import_images(
    database: str, images: str, names: Sequence[str], camera: Camera, existing_camera_id: int | None = None
) -> None:
    """Add the images `names` below the folder `images`, taken with one camera: a new one, unless it is there already.

    camera: without a lens that COLMAP lacks.
    """
    pycolmap = load_pycolmap()
    reader = pycolmap.ImageReaderOptions()
    model, _, _, params = camera.to_colmap()
    reader.camera_model = model
    reader.camera_params = ",".join(map(repr, params))
    if existing_camera_id is not None:
        reader.existing_camera_id = existing_camera_id
    mode = pycolmap.CameraMode.SINGLE
    pycolmap.import_images(database, images, mode, image_names=list(names), options=reader)


def write_features(
    db: Any, image_id: int, pixels: Array, descriptors: NDArray[np.uint8], kind: type[FeatureKind]
) -> None:
    """Add the features of an image: pixels (N, 2) as COLMAP counts them, descriptors (N, D) as the kind stores them."""
    pycolmap = load_pycolmap()
    types = pycolmap.FeatureExtractorType
    of_colmap = types.SIFT if kind.colmap_matches else types.UNDEFINED
    db.write_keypoints(image_id, pixels.astype(np.float32))
    db.write_descriptors(image_id, pycolmap.FeatureDescriptors(type=of_colmap, data=descriptors))


def match_pairs(
    database: str, pair_file: Path, pairs: Sequence[tuple[str, str]], kind: str, guided: bool = False
) -> None:
    """Match pairs of images that are not matched yet, and verify them as two views; the file lists them for COLMAP.

    kind: of the database's features. guided: a second time along the epipolar line of the first, where COLMAP matches.
    """
    pycolmap, features = load_pycolmap(), FEATURES.load(kind)
    pair_file.write_text("".join(f"{a} {b}\n" for a, b in pairs), encoding="utf-8")
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    if not features.colmap_matches:
        _write_matches(database, pairs, features)
        pycolmap.verify_matches(database, pair_file, verification)
        return
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(pair_file)
    matching = pycolmap.FeatureMatchingOptions()
    matching.guided_matching = guided
    pycolmap.match_image_pairs(
        database, matching_options=matching, pairing_options=pairing, verification_options=verification
    )


def _write_matches(database: str, pairs: Sequence[tuple[str, str]], features: type[FeatureKind]) -> None:
    with load_pycolmap().Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        stored = {name: db.read_descriptors(ids[name]).data for name in {name for pair in pairs for name in pair}}
        for first, second in pairs:
            if not db.exists_matches(ids[first], ids[second]):
                descriptors, others = features.to_unit(stored[first]), features.to_unit(stored[second])
                rows = np.column_stack(match_nearest(descriptors, others, features.likeness))
                db.write_matches(ids[first], ids[second], rows.astype(np.uint32))
