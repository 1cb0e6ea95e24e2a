"""Landmarks followed from image to image by their looks (Kanade, Lucas and Tomasi; Bouguet's pyramids in OpenCV)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera
from campose_core.extras import load_extra
from campose_core.frame import Image
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.pnp import CameraPose, refine_pnp

MAX_SIDE = 640  # pixels of the image that is searched
MAX_POINTS = 600
WINDOW, LEVELS = 13, 4  # pixels; halvings
MAX_STEPS, MIN_STEP = 20, 0.02  # on each level; pixels
MIN_TEXTURE = 3e-3  # smaller eigenvalue of the window's structure tensor, as OpenCV normalises it
MAX_DIFFERENCE = 25.0  # mean grey levels between a window and where it was found


class Tracks(NamedTuple):
    """Landmarks in the image last seen.

    image: grey, at most MAX_SIDE wide. landmarks (N,): rows in the map. pixels (N, 2), anchor_pixels (N, 2): their
    places here, and in the anchor, the image in which descriptors told them. offsets (N, 2): from there to where the
    anchor's pose puts them. anchor_covariance: of that pose. at_anchor: how many there were.
    """

    image: Image
    camera: Camera
    map_from_cam: Pose
    landmarks: NDArray[np.intp]
    pixels: Array
    anchor_pixels: Array
    offsets: Array
    anchor_covariance: Array
    at_anchor: int

    def only(self, rows: NDArray[np.intp]) -> Tracks:
        """Keep the tracks of these rows."""
        names = ("landmarks", "pixels", "anchor_pixels", "offsets")
        return self._replace(**{name: getattr(self, name)[rows] for name in names})


def start(
    image: Image, camera: Camera, anchor: CameraPose, pixels: Array, landmarks: NDArray[np.intp], map_xyz: Array
) -> Tracks:
    """Begin tracks of the landmarks (N,) seen at pixels (N, 2), without those whose window the image's border cuts.

    map_xyz: all landmarks of the map.
    """
    offsets = camera.project(anchor.world_from_cam.inverse().transform(map_xyz[landmarks])) - pixels
    pose, covariance = anchor.world_from_cam, anchor.covariance
    tracks = Tracks(image, camera, pose, landmarks, pixels, pixels, offsets, covariance, len(landmarks))
    chosen = np.flatnonzero(_inside(pixels, image, camera))
    chosen = chosen[:: 1 + len(chosen) // MAX_POINTS]
    return tracks.only(chosen)._replace(at_anchor=len(chosen))


def follow(tracks: Tracks, image: Image, predicted: Pose, map_xyz: Array) -> tuple[CameraPose, Tracks] | None:
    """Find the pose in the camera's next image, and the tracks that agree with it; None where too few do.

    predicted: map_from_cam, which says how far each landmark moves from its last pixel. The pose is the anchor's moved
    on by what moved in the image: a landmark counts as seen where the anchor's pose puts it, so that errors of single
    features do not turn the pose when others get out of sight. Hence the covariances of both add up.
    """
    camera, xyz = tracks.camera, map_xyz[tracks.landmarks]
    before, after = (camera.project(pose.inverse().transform(xyz)) for pose in (tracks.map_from_cam, predicted))
    rows = np.flatnonzero(np.isfinite(after - before).all(axis=1))
    if len(rows) == 0:
        return None
    pixels, good = _flow(tracks, image, tracks.pixels[rows], (tracks.pixels + after - before)[rows])
    rows, pixels = rows[good], pixels[good]
    pose = refine_pnp(pixels + tracks.offsets[rows], xyz[rows], camera, predicted)
    if pose is None:
        return None
    kept = tracks.only(rows[pose.inliers])._replace(
        image=image, map_from_cam=pose.world_from_cam, pixels=pixels[pose.inliers]
    )
    return pose._replace(covariance=pose.covariance + tracks.anchor_covariance, pixels=kept.pixels), kept


def _flow(tracks: Tracks, image: Image, pixels: Array, guesses: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Where the windows about `pixels` of the tracks' image are in this one, and whether they are."""
    cv2 = load_extra("cv2", "robot")
    camera = tracks.camera
    from_px, to_px = _to_image(pixels, image, camera), _to_image(guesses, image, camera)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, MAX_STEPS, MIN_STEP)
    to_px, status, difference = cv2.calcOpticalFlowPyrLK(
        tracks.image, image, from_px, to_px, None, None, (WINDOW, WINDOW), LEVELS, criteria,
        cv2.OPTFLOW_USE_INITIAL_FLOW, MIN_TEXTURE,
    )  # fmt: skip
    found = _from_image(to_px, image, camera)
    return found, (status[:, 0] == 1) & (difference[:, 0] < MAX_DIFFERENCE) & _inside(found, image, camera)


def to_image(image: Image) -> Image:
    """Make the grey image, at most MAX_SIDE wide and high, of an image (H, W, 3) RGB."""
    cv2 = load_extra("cv2", "robot")
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = MAX_SIDE / max(width, height)
    if scale >= 1:
        return np.asarray(grey)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def _scale(image: Image, camera: Camera) -> Array:
    return np.divide(image.shape[1::-1], (camera.width, camera.height))


def _to_image(pixels: Array, image: Image, camera: Camera) -> NDArray[np.float32]:
    return ((pixels + 0.5) * _scale(image, camera) - 0.5).astype(np.float32)


def _from_image(pixels: NDArray[np.float32], image: Image, camera: Camera) -> Array:
    return (pixels.astype(np.float64) + 0.5) / _scale(image, camera) - 0.5


def _inside(pixels: Array, image: Image, camera: Camera) -> NDArray[np.bool_]:
    """Whether the whole window around each pixel is."""
    margin = (WINDOW // 2 + 1) / _scale(image, camera)
    size = np.array([camera.width, camera.height])
    return np.asarray(((pixels >= margin) & (pixels <= size - 1 - margin)).all(axis=1))
