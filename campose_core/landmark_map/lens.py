"""What mapping refines of a camera whose lens is known: one focal length, and what radial distortion is left.

COLMAP gets such a camera in undistorted coordinates, y scaled so that both focal lengths are one, and its lens back
afterwards. For what an adjustment of all parameters would leave undetermined goes astray: a level camera that only
turns about the vertical may stretch the scene's height with fy (a Kinect's went off by 9 %, at 0.15 px), and numerator
and denominator of the rational model undo each other (its k1 = 0.26, k4 = 0 went to 8.5 and 8.1). COLMAP has no thin
prism beside Brown's model either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares

from campose_core.camera import MODEL_PARAMS, Camera, pixels_to_colmap
from campose_core.geometry import Array
from campose_core.landmark_map.intrinsics import source_of_lens

UNDISTORTED = ("OPENCV", "FULL_OPENCV", "OPENCV_THIN_PRISM")
FIT_COLUMNS, FIT_ROWS = 24, 18
STAY_PX = 0.1  # what doubling a coefficient counts, beside the pixels of the whole grid


def without_lens(camera: Camera) -> Camera:
    """Return what is adjusted in place of `camera`: itself where its model is simple, or fisheye."""
    f, (cx, cy) = camera.focal[0], camera.centre
    if camera.model in UNDISTORTED:
        return Camera("RADIAL", camera.width, camera.height, (f, cx, cy, 0.0, 0.0))
    if camera.model == "PINHOLE":
        return Camera("SIMPLE_PINHOLE", camera.width, camera.height, (f, cx, cy))
    return camera


def pixels_without_lens(camera: Camera, pixels: Array) -> Array:
    """Return where `without_lens(camera)` sees what `camera` sees at pixels (N, 2), with COLMAP's origin.

    NaN where no ray of the lens ends.
    """
    if without_lens(camera) != camera:
        pixels = camera.rays(pixels) * camera.focal[0] + camera.centre
    return pixels_to_colmap(pixels)


def with_lens(adjusted: Camera, given: Camera) -> Camera:
    """Return `given` as it has to be, where `without_lens(given)` was adjusted to `adjusted`.

    A pixel p of the image shows the ray r of the given camera, so that COLMAP sees it at the pixel of r in an
    undistorted image, for which `adjusted` knows the true ray. Focal lengths and coefficients of the given model are
    fitted to these pairs of true rays and pixels, all over the image. Terms that the given lens leaves out stay out,
    but for those of OPENCV.
    """
    if without_lens(given) == given:
        return adjusted
    x, y = np.meshgrid(np.linspace(0, given.width - 1, FIT_COLUMNS), np.linspace(0, given.height - 1, FIT_ROWS))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    true_rays = adjusted.rays(given.rays(pixels) * given.focal[0] + given.centre)
    seen = np.isfinite(true_rays).all(axis=1)
    pixels, points = pixels[seen], np.column_stack([true_rays[seen], np.ones(seen.sum())])
    names = MODEL_PARAMS[given.model]
    free = [i for i, name in enumerate(names) if given.params[i] != 0.0 or name in MODEL_PARAMS["OPENCV"]]
    free = [i for i in free if names[i] not in ("cx", "cy")]
    scale = adjusted.focal[0] / given.focal[0]
    start = np.array([*(scale * np.array(given.focal)), *given.params[2:]])[free]

    def fitted(values: Array) -> Camera:
        params = np.array(given.params)
        params[free] = values
        return Camera(given.model, given.width, given.height, tuple(params))

    def residuals(values: Array) -> Array:
        off = np.nan_to_num(fitted(values).project(points) - pixels, nan=float(given.width))
        # Numerator and denominator of the rational model undo each other: of fits alike, the one near the given lens.
        return np.append(off.ravel(), STAY_PX * (values - start)[2:] / (1.0 + np.abs(start[2:])))

    return fitted(least_squares(residuals, start, x_scale="jac").x)


def refined_cameras(
    adjusted: Mapping[str, Camera], given: Mapping[str, Camera], shared: Sequence[Sequence[str]]
) -> dict[str, Camera]:
    """Return cameras by lens, as they have to be where reconstruction has adjusted them.

    given: by source. shared: sources that one camera took, so that it is also known where one has no place in the map.
    """
    refined = {lens: with_lens(camera, given[source_of_lens(lens)]) for lens, camera in adjusted.items()}
    for group in shared:
        known = [refined[source] for source in group if source in refined]
        refined |= {source: known[0] for source in group if known and source not in refined}
    return refined
