"""Images, their features and their matches, into COLMAP's database."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera, pixels_from_colmap
from campose_core.features.base import FeatureKind, SizedFeatures
from campose_core.features.pair_matching import matcher_of
from campose_core.features.registry import FEATURES
from campose_core.geometry import Array
from campose_core.landmark_map.colmap import load_pycolmap

SEED = 0
log = logging.getLogger(__name__)


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
    write_pairs(pair_file, pairs)
    two_views = verification(features.min_inliers)
    if guided and features.colmap_matches:
        # One thread: of several, one loses most matches of a pair now and then (see `matcher_of`).
        options = pycolmap.FeatureMatchingOptions(guided_matching=True, num_threads=1)
        listed = pycolmap.ImportedPairingOptions(match_list_path=str(pair_file))
        pycolmap.match_image_pairs(
            database, matching_options=options, pairing_options=listed, verification_options=two_views
        )
    else:
        _write_matches(database, pairs, features)
        pycolmap.verify_matches(database, pair_file, two_views)


def write_pairs(pair_file: Path, pairs: Sequence[tuple[str, str]]) -> None:
    """List pairs of images for COLMAP."""
    pair_file.write_text("".join(f"{a} {b}\n" for a, b in pairs), encoding="utf-8")


def verification(min_inliers: int) -> Any:
    """Make COLMAP's options for verifying matches of two views, of which so many must agree."""
    options = load_pycolmap().TwoViewGeometryOptions()
    options.ransac.random_seed = SEED
    options.min_num_inliers = min_inliers
    return options


def _write_matches(database: str, pairs: Sequence[tuple[str, str]], kind: type[FeatureKind]) -> None:
    matcher = matcher_of(kind)
    with load_pycolmap().Database.open(database) as db:
        images = {image.name: image for image in db.read_all_images()}
        ids = {name: image.image_id for name, image in images.items()}
        stored = {name: _Stored.read(db, images[name]) for name in {name for pair in pairs for name in pair}}
        missing = [pair for pair in pairs if not db.exists_matches(ids[pair[0]], ids[pair[1]])]
        # Threads: products of descriptors and the networks of a matcher run without Python's lock, each on one core.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            matched = pool.map(lambda pair: matcher(*(stored[name].features(kind) for name in pair)), missing)
            for number, ((first, second), rows) in enumerate(zip(missing, matched, strict=True), start=1):
                db.write_matches(ids[first], ids[second], rows.astype(np.uint32))
                log.info(f"Matched [{number * len(images) // len(missing)}/")  # in images, which the parent counts


class _Stored(NamedTuple):
    """What the database has of an image: pixels are of the camera without its lens, descriptors in bytes."""

    pixels: Array
    descriptors: NDArray[np.uint8]
    size: tuple[int, int]

    @classmethod
    def read(cls, db: Any, image: Any) -> _Stored:
        camera = db.read_camera(image.camera_id)
        pixels = pixels_from_colmap(db.read_keypoints(image.image_id)[:, :2].astype(np.float64))
        return cls(pixels, db.read_descriptors(image.image_id).data, (camera.width, camera.height))

    def features(self, kind: type[FeatureKind]) -> SizedFeatures:
        return SizedFeatures(self.pixels, kind.to_unit(self.descriptors), self.size)
