"""How surely a reconstruction tells the focal length of a camera whose intrinsics nobody measured.

Poses, landmarks and lens are adjusted together, so what is left for the focal length is what they cannot take up: the
landmarks are eliminated first, then the poses (Triggs et al., "Bundle adjustment: a modern synthesis", 1999, chapter
6). A walk straight ahead without a turn, or past one wall, leaves next to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from campose_core.camera import Camera, pixels_from_colmap
from campose_core.capture.extract import is_assumed
from campose_core.geometry import Array
from campose_core.landmark_map.camera_estimate import MAX_SIGMA, agrees_with_guess
from campose_core.landmark_map.colmap import from_colmap_camera, from_colmap_pose, model_images
from campose_core.landmark_map.cropped_centres import MIN_ASIDE
from campose_core.landmark_map.focal_length import K1_SIGMA, PIXELS_ALONE, View, derivatives, residuals_of
from campose_core.landmark_map.intrinsics import lens_of, source_of_lens
from campose_core.statistics import evenly_spaced, robust_sigma

MOST_IMAGES, MOST_LANDMARKS = 60, 1500  # that are asked; more only make it surer
LENS = 2  # focal length and first radial term
# A lens of two terms, and landmarks that are not quite what they seem, are no noise of pixels: of ten stretches of a
# kitchen, 14 to 20 frames each, focal lengths were off by twice what that tells (root mean square), and of 14 frames of
# an office by three times.
MODEL = 2.0
MISFIT = 0.05  # of the logarithm of a focal length that was measured: an adjustment moves one by 0.02 at most
NO_INFORMATION = 1e-9  # relative to the largest: position, orientation and scale of the whole are free


def focal_sigmas(model: Any, switches: Sequence[str] = ()) -> dict[str, float]:
    """Return the standard deviation of the logarithm of the focal length of each camera in a Reconstruction, by
    `lens_of`; switches: first images by another lens."""
    sigmas = {camera_id: MODEL * sigma for camera_id, sigma in camera_sigmas(model).items()}
    return {lens_of(i.name, switches): sigmas[i.camera_id] for i in model_images(model) if i.camera_id in sigmas}


def camera_sigmas(model: Any, most_images: int = MOST_IMAGES) -> dict[int, float]:
    """Return what the pixels tell of the same by the id of the camera; of those whose images are among the most that
    are asked."""
    images = model_images(model)
    images = [images[row] for row in evenly_spaced(len(images), most_images)]
    seen = Counter(p.point3D_id for image in images for p in image.points2D if p.has_point3D())
    landmarks = {key: row for row, (key, count) in enumerate(seen.most_common(MOST_LANDMARKS)) if count > 1}
    cameras = {camera_id: row for row, camera_id in enumerate(sorted({image.camera_id for image in images}))}
    size = 6 * len(images) + LENS * len(cameras)
    by_camera, by_landmark, off, rows = [], [], [], 0
    for number, image in enumerate(images):
        points = [p for p in image.points2D if p.has_point3D() and p.point3D_id in landmarks]
        if not points:
            continue
        camera, cam_from_world = from_colmap_camera(image.camera), from_colmap_pose(image.cam_from_world())
        pixels = pixels_from_colmap(np.array([p.xy for p in points]))
        xyz = np.array([model.point3D(p.point3D_id).xyz for p in points])
        view = View(0, cam_from_world, pixels, xyz)
        by_pose, by_lens = derivatives(view, camera)
        at = np.arange(rows, rows + len(by_pose), dtype=np.intp)
        lens = 6 * len(images) + LENS * cameras[image.camera_id]
        by_camera += [(at, 6 * number + k, by_pose[:, k]) for k in range(6)]
        by_camera += [(at, lens + k, by_lens[:, k]) for k in range(LENS)]
        column = 3 * np.repeat([landmarks[p.point3D_id] for p in points], 2)
        by_xyz = by_pose[:, 3:] @ cam_from_world.rotation.as_matrix()
        by_landmark += [(at, column + k, by_xyz[:, k]) for k in range(3)]
        off.append(residuals_of(view, camera))
        rows += len(by_pose)
    if not rows:
        return {}
    sigma_px = max(robust_sigma(np.concatenate(off)), 1e-3)
    left = _without_landmarks(_sparse(by_camera, rows, size), _sparse(by_landmark, rows, 3 * len(landmarks)))
    left[np.diag_indices(size)] += np.r_[
        np.zeros(6 * len(images)), np.tile([0.0, (sigma_px / K1_SIGMA) ** 2], len(cameras))
    ]
    scale = np.sqrt(np.maximum(np.diagonal(left), 1e-30))
    values, vectors = np.linalg.eigh(left / np.outer(scale, scale))
    used = values > NO_INFORMATION * values[-1]
    variance = ((vectors[:, used] / scale[:, None]) ** 2 / values[used]).sum(axis=1)
    sigmas = PIXELS_ALONE * sigma_px * np.sqrt(variance[6 * len(images) :: LENS])
    return {camera_id: float(sigmas[row]) for camera_id, row in cameras.items()}


def focal_texts(
    given: Mapping[str, Camera], guessed: Collection[str], cameras: Mapping[str, Camera], sigmas: Mapping[str, float]
) -> list[str]:
    """Say for people what a map tells of focal lengths that nobody measured, or that were measured of something else.

    given: by source, as they were before, guessed some; cameras: as the map has them, and sigmas, see `focal_sigmas`,
    by `lens_of`.
    """
    texts = []
    for name, camera in sorted(cameras.items()):
        source, focal, sigma = source_of_lens(name), camera.focal[0], sigmas.get(name, np.inf)
        said = given[source].focal[0]
        if source not in guessed:
            if name == source and abs(np.log(focal / said)) > MISFIT:
                texts.append(
                    f"the intrinsics given for {source} say {said:.0f} pixels, the map {focal:.0f}: they are of "
                    "another camera, zoom or crop; give those of these images with --camera FILE, or none"
                )
        elif sigma > MAX_SIGMA:
            texts.append(
                f"the focal length of {name} stays open: it was guessed, and the walk tells it no better than to "
                f"{min(sigma, 1.0):.0%} ({focal:.0f} pixels); give the camera with --camera FILE, or record turns and "
                "things at several depths"
            )
        else:
            texts.append(f"the focal length of {name}, guessed before, is {focal:.1f} +- {focal * sigma:.1f} pixels")
            if not np.allclose(camera.centre, given[source].centre, atol=MIN_ASIDE * camera.width):
                texts.append(
                    f"the images of {name} were cropped to one side: the centre of their lens is at "
                    f"({camera.centre[0]:.0f}, {camera.centre[1]:.0f}) of {camera.width}x{camera.height} pixels"
                )
            fits = agrees_with_guess(said, replace(camera, focal_sigma=sigma))
            if name == source and not fits and not is_assumed(given[source]):
                texts.append(
                    f"the EXIF or camera_info of {source} says {said:.0f} pixels, which does not fit: cropped, or "
                    "taken with a digital zoom"
                )
    return texts


def _sparse(entries: list[tuple[NDArray[np.intp], Any, Array]], rows: int, columns: int) -> csr_matrix:
    row = np.concatenate([at for at, _, _ in entries])
    column = np.concatenate([np.broadcast_to(k, at.shape) for at, k, _ in entries])
    return coo_matrix((np.concatenate([values for *_, values in entries]), (row, column)), (rows, columns)).tocsr()


def _without_landmarks(by_camera: csr_matrix, by_landmark: csr_matrix) -> Array:
    """Return the information on cameras and poses that the landmarks (3 columns each) leave."""
    both = (by_camera.T @ by_landmark).tocsr()
    own = (by_landmark.T @ by_landmark).tocsr()
    count = own.shape[0] // 3
    blocks = np.zeros((count, 3, 3))
    for i in range(3):
        for j in range(3):
            blocks[:, i, j] = np.asarray(own[np.arange(count) * 3 + i, np.arange(count) * 3 + j]).ravel()
    blocks += 1e-9 * np.trace(blocks, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    inverse = np.linalg.pinv(blocks, hermitian=True)
    base = 3 * np.arange(count)[:, None, None]
    row = np.broadcast_to(base + np.arange(3)[:, None], inverse.shape).ravel()
    column = np.broadcast_to(base + np.arange(3), inverse.shape).ravel()
    middle = coo_matrix((inverse.ravel(), (row, column)), own.shape).tocsr()
    return np.asarray((by_camera.T @ by_camera - both @ middle @ both.T).todense())
