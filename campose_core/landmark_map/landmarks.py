"""The landmark map: what localization needs of a reconstruction, in one file, without COLMAP.

SCENE/sfm/landmarks.npz holds the points in the sfm frame with one descriptor each, and for every keyframe its pose, its
global descriptor and the landmarks it sees. A map that took the strong matching has landmarks_xfeat.npz beside it: the
same keyframes, and landmarks of the second kind of features.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from campose_core.errors import MappingError
from campose_core.features.base import Detail, FeatureKind
from campose_core.features.matching import Float32
from campose_core.features.registry import FEATURES, SIFT
from campose_core.features.vlad import Vlad
from campose_core.geometry import Array, Pose, Similarity, is_place, is_unit, positions_of
from campose_core.landmark_map.array_forms import Form, check_rows, checked
from campose_core.landmark_map.arrays import damaged, read_arrays, write_arrays

ALL = slice(None)
# Of the file. Keyframes K, landmarks N, observations S, words W of size D.
FORMS = {
    "xyz": Form("f", ("N", 3)),
    "rgb": Form("B", ("N", 3)),
    "descriptors": Form("B", ("N", "D")),
    "frame_names": Form("U", ("K",)),
    "frame_positions": Form("f", ("K", 3)),
    "frame_quats_xyzw": Form("f", ("K", 4)),
    "frame_globals": Form("f", ("K", "W * D")),
    "vlad_words": Form("f", ("W", "D")),
    "observed_by": Form("iu", ("S",)),
    "observed": Form("iu", ("S",)),
}
SHOWN = ("xyz", "rgb", "frame_names", "observed_by", "observed")


def landmark_file(kind: str) -> str:
    """Return the name, below sfm/, of the landmarks that a map has of a second kind of features."""
    return f"landmarks_{kind}.npz"


@dataclass(frozen=True, eq=False)
class Landmarks:
    """N landmarks and F keyframes in one frame, `world`: sfm as they come from the file, map once `transformed`.

    xyz (N, 3); rgb (N, 3); descriptors (N, D), stored: the mean of each landmark's observations.
    frame_names (F,) as in frames.csv; frame_positions (F, 3) and frame_quats_xyzw (F, 4) = world_from_cam;
    frame_globals (F, W * D) VLAD descriptors over vlad_words. Keyframe observed_by[k] sees landmark observed[k].
    features, detail: the kind of features that they were made from, by name, and that an image is looked at for.
    """

    xyz: Array
    rgb: NDArray[np.uint8]
    descriptors: NDArray[np.uint8]
    frame_names: NDArray[np.str_]
    frame_positions: Array
    frame_quats_xyzw: Array
    frame_globals: NDArray[np.float16]
    vlad_words: NDArray[np.float32]
    observed_by: NDArray[np.int32]
    observed: NDArray[np.int32]
    detail: Detail = Detail.HALF
    features: str = SIFT

    def __post_init__(self) -> None:
        n, f = len(self.xyz), len(self.frame_names)
        consistent = (
            self.xyz.shape == (n, 3)
            and self.rgb.shape == (n, 3)
            and self.descriptors.shape == (n, self.vlad_words.shape[-1])
            and self.frame_positions.shape == (f, 3)
            and self.frame_quats_xyzw.shape == (f, 4)
            and self.frame_globals.shape == (f, self.vlad_words.size)
            and self.observed.shape == self.observed_by.shape
            and bool(np.isfinite(self.xyz).all())
        )
        if n == 0 or f == 0 or not consistent:
            raise MappingError("a landmark map needs landmarks and keyframes of matching array sizes")

    @property
    def kind(self) -> type[FeatureKind]:
        """Return the features' kind.

        Raises:
            MappingError: it is not installed here.
        """
        return FEATURES.load(self.features)

    def extractor(self, max_features: int | None = None) -> FeatureKind:
        """Make what extracts the features of images that these landmarks are matched with."""
        return self.kind(self.detail, max_features)

    def unit_descriptors(self, rows: NDArray[np.intp] | slice = ALL) -> Float32:
        """Return descriptors (M, D) of unit length of some landmarks, or of all."""
        return self.kind.to_unit(self.descriptors[rows])

    def world_from_cam(self, index: int) -> Pose:
        """Return the pose of keyframe `index`."""
        return Pose.from_quat_xyzw(self.frame_quats_xyzw[index], self.frame_positions[index])

    @property
    def sights(self) -> Array:
        """Return (K, 3), of each observation: from the keyframe to the landmark, in the axes of the frame."""
        return np.asarray(self.xyz[self.observed] - self.frame_positions[self.observed_by])

    @property
    def median_depth(self) -> float:
        """Return how far away is what keyframes see, in units of the frame: the median over all; 1 without any."""
        return float(np.median(np.linalg.norm(self.sights, axis=1))) if len(self.observed) else 1.0

    def transformed(self, map_from_sfm: Similarity) -> Landmarks:
        """Return the same landmarks and keyframes in another frame."""
        rotations = map_from_sfm.rotation * Rotation.from_quat(self.frame_quats_xyzw)
        return replace(
            self,
            xyz=map_from_sfm.transform(self.xyz),
            frame_positions=map_from_sfm.transform(self.frame_positions),
            frame_quats_xyzw=rotations.as_quat(),
        )

    def without(self, removed: NDArray[np.bool_]) -> Landmarks:
        """Return the map without the landmarks that the mask (N,) names; the keyframes all stay."""
        row_of = np.cumsum(~removed) - 1
        stay = ~removed[self.observed]
        return replace(
            self,
            xyz=self.xyz[~removed],
            rgb=self.rgb[~removed],
            descriptors=self.descriptors[~removed],
            observed_by=self.observed_by[stay],
            observed=row_of[self.observed[stay]].astype(np.int32),
        )

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        write_arrays(path, arrays | {"detail": np.array(self.detail.value), "features": np.array(self.features)})

    @classmethod
    def load(cls, path: Path) -> Landmarks:
        """Read the file.

        Raises:
            MappingError: missing or damaged.
        """
        if not path.is_file():
            raise MappingError(
                f"{path} is missing: the scene has no landmarks yet, run `campose map {path.parents[1]}`"
            )
        arrays = read_arrays(path)
        try:
            found = _checked(arrays)
            detail = Detail(str(arrays.get("detail", Detail.HALF.value)))  # absent from maps made before
            return cls(**found, detail=detail, features=str(arrays.get("features", SIFT)))
        except (ValueError, MappingError) as error:
            raise damaged(path, str(error)) from error


def read_shown(path: Path) -> dict[str, NDArray[Any]]:
    """Read what people are shown of the file: the arrays of SHOWN, without the descriptors, which are most of it.

    Raises:
        MappingError: damaged.
    """
    try:
        return _checked(read_arrays(path, SHOWN), SHOWN)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def _checked(arrays: Mapping[str, NDArray[Any]], names: Collection[str] = tuple(FORMS)) -> dict[str, NDArray[Any]]:
    found = checked(arrays, {name: FORMS[name] for name in names})
    check_rows("observed", found["observed"], len(found["xyz"]))
    check_rows("observed_by", found["observed_by"], len(found["frame_names"]))
    if not is_place(found["xyz"]) or not is_place(found.get("frame_positions", 0.0)):
        raise ValueError("landmarks or keyframes are farther away than anything")
    if "frame_quats_xyzw" in found and not is_unit(found["frame_quats_xyzw"]):
        raise ValueError("frame_quats_xyzw holds quaternions that are not of length 1")
    return found


def landmarks_from_model(
    model: Any, database: Any, vlad: Vlad | None = None, detail: Detail = Detail.HALF, features: str = SIFT
) -> Landmarks:
    """Collect landmarks out of a pycolmap Reconstruction and the Database it was made from, by ascending point id.

    vlad: the vocabulary of the global descriptors; None makes one of these images. features, detail: of the
    database.
    """
    kind = FEATURES.load(features)
    point_ids = sorted(model.points3D)
    row_of = {point_id: row for row, point_id in enumerate(point_ids)}
    images = sorted((model.image(i) for i in model.reg_image_ids()), key=lambda image: image.name)
    sums = np.zeros((len(point_ids), kind.size), dtype=np.float32)
    observed, observed_by, local = [], [], []
    for index, image in enumerate(images):
        local.append(database.read_descriptors(image.image_id).data)
        unit = kind.to_unit(local[-1])
        seen = [(j, row_of[p.point3D_id]) for j, p in enumerate(image.points2D) if p.has_point3D()]
        feature_rows, landmark_rows = np.array(seen, dtype=np.int32).reshape(-1, 2).T
        np.add.at(sums, landmark_rows, unit[feature_rows])
        observed.append(landmark_rows)
        observed_by.append(np.full(len(landmark_rows), index, dtype=np.int32))
    vlad = vlad or Vlad.of_images(local, seed=0, to_unit=kind.to_unit)
    mean = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    sfm_from_cams = [image.cam_from_world().inverse() for image in images]
    return Landmarks(
        xyz=np.array([model.points3D[i].xyz for i in point_ids]).reshape(-1, 3),
        rgb=np.array([model.points3D[i].color for i in point_ids], dtype=np.uint8).reshape(-1, 3),
        descriptors=kind.to_bytes(mean),
        frame_names=np.array([image.name for image in images]),
        frame_positions=positions_of(sfm_from_cams),
        frame_quats_xyzw=np.array([pose.rotation.quat for pose in sfm_from_cams]),
        frame_globals=np.stack([vlad.describe(kind.to_unit(rows)) for rows in local]).astype(np.float16),
        vlad_words=vlad.words,
        observed_by=np.concatenate(observed_by),
        observed=np.concatenate(observed),
        detail=detail,
        features=features,
    )
