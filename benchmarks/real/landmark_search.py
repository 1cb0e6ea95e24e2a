"""The plain way to answer an image: all of its features against all landmarks, then PnP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real.answers import Poses
from benchmarks.real.picture_features import PictureFeatures
from campose_core.camera import Camera, pixels_to_colmap
from campose_core.features.matching import Float32, nearest_in
from campose_core.geometry import Array
from campose_core.landmark_map.colmap import (
    from_colmap_camera,
    from_colmap_pose,
    load_pycolmap,
    model_poses,
    to_colmap_camera,
)

RATIO = 0.8  # Lowe's, and COLMAP's default
MIN_INLIERS = 20
Row = list[float] | None  # model_from_cam as x, y, z, qx, qy, qz, qw; None is LOST
AT_ONCE = 50_000_000  # similarities of features and landmarks that are in memory


@dataclass(frozen=True)
class LandmarkTable:
    """xyz (N, 3) in the model's frame; descriptors (N, D) of unit length, the mean of those each was seen with."""

    xyz: Array
    descriptors: Float32

    @classmethod
    def of_model(cls, model: Path, features: dict[str, PictureFeatures]) -> LandmarkTable:
        """From COLMAP's model and the features of its images by name."""
        points = load_pycolmap().Reconstruction(model)
        row_of = {point_id: row for row, point_id in enumerate(points.points3D)}
        width = next(iter(features.values())).stored.shape[1]
        sums = np.zeros((len(row_of), width), dtype=np.float32)
        for image_id in points.reg_image_ids():
            image = points.image(image_id)
            seen = [(index, row_of[p.point3D_id]) for index, p in enumerate(image.points2D) if p.has_point3D()]
            if seen:
                index, row = np.array(seen).T
                np.add.at(sums, row, features[image.name].descriptors[index])
        xyz = np.array([point.xyz for point in points.points3D.values()]).reshape(-1, 3)
        return cls(xyz, sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6))

    def answer(self, features: PictureFeatures, camera: Camera) -> Row:
        """Where the image was taken."""
        seen, shown = self._matches(features.descriptors)
        return pnp(features.pixels[seen], self.xyz[shown], camera)

    def _matches(self, descriptors: Float32) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        seen, shown = [], []
        if len(self.xyz) >= 2:
            step = max(1, AT_ONCE // len(self.xyz))
            for start in range(0, len(descriptors), step):
                block = descriptors[start : start + step]
                rows, columns = nearest_in(block @ self.descriptors.T, RATIO)
                seen.append(rows + start)
                shown.append(columns)
        return (np.concatenate(seen), np.concatenate(shown)) if seen else (np.zeros(0, int), np.zeros(0, int))


def pnp(pixels: Array, xyz: Array, camera: Camera) -> Row:
    """From matches of pixels (N, 2) and landmarks (N, 3), by COLMAP's defaults; None below MIN_INLIERS."""
    if len(pixels) < MIN_INLIERS:
        return None
    pycolmap = load_pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.random_seed = 0
    refinement, colmap_camera = pycolmap.AbsolutePoseRefinementOptions(), to_colmap_camera(camera)
    found = pycolmap.estimate_and_refine_absolute_pose(
        pixels_to_colmap(pixels), xyz, colmap_camera, options, refinement
    )
    if found is None or found["num_inliers"] < MIN_INLIERS:
        return None
    pose = from_colmap_pose(found["cam_from_world"].inverse())
    return [float(value) for value in (*pose.translation, *pose.quat_xyzw)]


def model_cameras(model: Path) -> dict[tuple[int, int], Camera]:
    """The refined cameras of a model by image size."""
    cameras = load_pycolmap().Reconstruction(model).cameras.values()
    return {(camera.width, camera.height): from_colmap_camera(camera) for camera in cameras}


def model_poses_by_frame(model: Path) -> Poses:
    """model_from_cam."""
    poses = model_poses(load_pycolmap().Reconstruction(model))
    return {name.removesuffix(".jpg"): pose for name, pose in poses.items()}
