"""The focal length of images of a mapped place, out of the landmarks that they show.

One image hardly tells a longer focal length from a camera farther away; what lies at different depths does, and several
images together. Poses and lens are adjusted together (Triggs et al., "Bundle adjustment: a modern synthesis", 1999):
the poses of the images are eliminated, so that each image leaves one small equation for the lens, which also says what
that image alone tells of the focal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.geometry import Array, Pose
from campose_core.landmark_map.pnp import ENOUGH, MAX_REPROJECTION, MIN_INLIERS, CameraPose, solve_pnp
from campose_core.statistics import evenly_spaced, robust_sigma

K1_SIGMA = 0.1  # what the radial distortion of an unknown lens may differ by from the assumed one
CENTRE_SIGMA = 0.0001  # of the image width: a lens is centred, unless the image was cropped
ROUNDS, MAX_STEPS = 4, 6  # of choosing the landmarks that agree, and of adjusting to them
CONVERGED = 1e-5  # of the logarithm of the focal length
# Landmarks that were found with a wrong lens show about half of what it is off by: in the kitchen, elsewhere not
# measured.
HIDDEN = 2.0
STEP = 1e-6  # of numerical derivatives
FOCAL, CENTRE, ADDED = 0, (2, 3), {"k1": 1, "cx": 2, "cy": 3}  # parameters by their place in a change of the lens (4,)
# Landmarks are off together, which their residuals do not show: single images of a kitchen were off by 2 to 3 times
# what the noise of their pixels leaves open. Tuned there. Of a lobby and a campus, by the one to four photos that were
# found at zoom 0.8 and 1.43, the estimate was 0.7, 1.9 and 3.0 standard deviations off; more was not measured.
PIXELS_ALONE = 3.0
# By what a wrong focal length moves a camera aside of where it does to first order, as a share of that, and turns it,
# in radians for a factor e, on each axis: which landmarks agree changes with it. A kitchen's video at 3, 7 and -10 %:
# aside 0.12, 0.10 and 0.25 of the way in the median (p90 0.23, 0.32, 0.40), turned by 0.26, 0.58 and 0.98 deg.
ASIDE, TURNED = 0.25, 0.12
CONTRADICTED, LEAST_CONTRADICTION = 3.0, 0.02  # deviations, and the logarithm, of what an image says of its lens


class FrameMatches(NamedTuple):
    """Pixels (N, 2) of an image and the landmarks xyz (N, 3) that they may show."""

    stamp_ns: int
    pixels: Array
    xyz: Array


class WideMatches(NamedTuple):
    """An image that was taken about at `world_from_cam`, by matches that may be far from where its lens, as it is
    taken to be, puts the landmarks: what agrees with a wrong lens is about as wrong, and shows a sixth of it."""

    frame: FrameMatches
    world_from_cam: Pose


class FrameFocal(NamedTuple):
    """What one image alone says of the logarithm of the focal length, and its standard deviation; inliers: how many
    landmarks agree."""

    stamp_ns: int
    log_focal: float
    sigma: float
    inliers: int


class FocalFit(NamedTuple):
    """camera: the fitted one; sigma: standard deviation of the logarithm of its focal length, for noise in the pixels.
    frames: those that agree. shown: by how many of them a landmark is shown, in the mean."""

    camera: Camera
    sigma: float
    frames: tuple[FrameFocal, ...]
    shown: float

    @property
    def inliers(self) -> int:
        return sum(frame.inliers for frame in self.frames)


class View(NamedTuple):
    """cam_from_world of a frame, and what agrees with it."""

    stamp_ns: int
    cam_from_world: Pose
    pixels: Array
    xyz: Array


def changed_lens(camera: Camera, change: Array) -> Camera:
    """Return the camera with its focal lengths scaled by exp(change[0]), change[1] added to its first radial term, and
    its centre moved by change[2:4], of the image width."""
    params = list(camera.params)
    for i, name in enumerate(MODEL_PARAMS[camera.model]):
        if name in ("f", "fx", "fy"):
            params[i] *= float(np.exp(change[FOCAL]))
        elif name in ADDED:
            params[i] += float(change[ADDED[name]]) * (1.0 if name == "k1" else camera.width)
    return replace(camera, params=tuple(params))


def zoomed(camera: Camera, focal: float) -> Camera:
    """Return the camera with another focal length (fx) in pixels."""
    return changed_lens(camera, np.array([np.log(focal / camera.focal[0]), 0.0, 0.0, 0.0]))


def posed(frames: Sequence[FrameMatches], camera: Camera) -> list[CameraPose | None]:
    """Each frame by itself, as if `camera` were the right one."""
    return [solve_pnp(frame.pixels, frame.xyz, camera) for frame in frames]


def fit_focal_length(
    frames: Sequence[FrameMatches],
    camera: Camera,
    poses: Sequence[CameraPose | None],
    centre_sigma: float = CENTRE_SIGMA,
) -> FocalFit | None:
    """Focal length, first radial term, centre and poses by all frames that have a pose in `poses` by `camera`.

    centre_sigma: how far from where `camera` has it the centre may be, of the image width. None where no frame has a
    pose, or the landmarks leave the focal length open altogether.
    """
    started = [(f, p.world_from_cam.inverse()) for f, p in zip(frames, poses, strict=True) if p is not None]
    return _fitted(started, camera, centre_sigma)


def _fitted(started: Sequence[tuple[FrameMatches, Pose]], camera: Camera, centre_sigma: float) -> FocalFit | None:
    """As `fit_focal_length`, of frames and where their poses (cam_from_world) are looked for."""
    prior = np.array([0.0, K1_SIGMA**-2, centre_sigma**-2, centre_sigma**-2])
    change, fit = np.zeros(4), None
    for _ in range(ROUNDS):
        now = changed_lens(camera, change)
        views = [view for frame, pose in started if (view := _agreeing(frame, pose, now)) is not None]
        adjusted = _adjust(views, camera, change, prior) if views else None
        if adjusted is None:
            return None
        change, views, fit = adjusted
        by_stamp = {view.stamp_ns: view.cam_from_world for view in views}
        started = [(frame, by_stamp[frame.stamp_ns]) for frame, _ in started if frame.stamp_ns in by_stamp]
    return fit


def _agreeing(frame: FrameMatches, cam_from_world: Pose, camera: Camera) -> View | None:
    offsets = camera.project(cam_from_world.transform(frame.xyz)) - frame.pixels
    agree = np.flatnonzero(np.hypot(*offsets.T) < MAX_REPROJECTION * camera.width)
    if len(agree) < MIN_INLIERS:
        return None
    agree = agree[evenly_spaced(len(agree), ENOUGH)]
    return View(frame.stamp_ns, cam_from_world, frame.pixels[agree], frame.xyz[agree])


class _Equation(NamedTuple):
    """What is left of a frame for the lens: information (4, 4) and gradient (4,), pose eliminated, for pixels of unit
    noise. pose_step (6,) and pose_by_lens (6, 4): the pose's own step, and with the lens."""

    information: Array
    gradient: Array
    pose_step: Array
    pose_by_lens: Array


def _adjust(views: list[View], start: Camera, change: Array, prior: Array) -> tuple[Array, list[View], FocalFit] | None:
    """Gauss-Newton on poses and on the lens's change (4,) from `start`, with Cauchy's weights; and the fit where it
    ends. prior (4,): the information there is of no change."""
    for _ in range(MAX_STEPS):
        camera = changed_lens(start, change)
        sigma_px = max(robust_sigma(np.concatenate([residuals_of(view, camera) for view in views])), 1e-3)
        equations = [_equation(view, camera, sigma_px) for view in views]
        information = np.sum([e.information for e in equations], axis=0) + np.diag(prior)
        gradient = np.sum([e.gradient for e in equations], axis=0) + prior * change
        if not np.isfinite(information).all() or information[FOCAL, FOCAL] <= 0:
            return None
        step = -np.linalg.solve(information, gradient)
        step *= min(1.0, 0.2 / max(abs(step).max(), 1e-12))
        change = change + step
        views = [
            view._replace(cam_from_world=_moved(view.cam_from_world, e.pose_step + e.pose_by_lens @ step))
            for view, e in zip(views, equations, strict=True)
        ]
        if abs(step[FOCAL]) < CONVERGED:
            break
    variance = float(np.linalg.inv(information)[FOCAL, FOCAL])
    if not (np.isfinite(variance) and variance > 0):
        return None
    frames = []
    for view, equation in zip(views, equations, strict=True):
        correction, sigma = _said(equation)
        log_focal = float(np.log(camera.focal[0])) + correction
        frames.append(FrameFocal(view.stamp_ns, log_focal, sigma, len(view.pixels)))
    landmarks = np.concatenate([view.xyz for view in views])
    shown = len(landmarks) / len(np.unique(landmarks, axis=0))
    return change, views, FocalFit(changed_lens(start, change), variance**0.5, tuple(frames), shown)


def residuals_of(view: View, camera: Camera) -> Array:
    """Return how far from its landmarks a frame shows them, pixels (2N,)."""
    return np.nan_to_num(camera.project(view.cam_from_world.transform(view.xyz)) - view.pixels, nan=1e3).ravel()


def _equation(view: View, camera: Camera, sigma_px: float) -> _Equation:
    residuals = residuals_of(view, camera)
    by_pose, by_lens = derivatives(view, camera)
    weights = 1.0 / (1.0 + (residuals.reshape(-1, 2) ** 2).sum(axis=1) / (2.0 * sigma_px) ** 2)
    weights = np.repeat(weights, 2) / sigma_px**2
    a = by_pose.T @ (weights[:, None] * by_pose)
    b = by_pose.T @ (weights[:, None] * by_lens)
    g = by_pose.T @ (weights * residuals)
    solved = np.linalg.solve(a, np.column_stack([b, g]))
    information = by_lens.T @ (weights[:, None] * by_lens) - b.T @ solved[:, :-1]
    gradient = by_lens.T @ (weights * residuals) - b.T @ solved[:, -1]
    return _Equation(information, gradient, -solved[:, -1], -solved[:, :-1])


def _moved(pose: Pose, step: Array) -> Pose:
    return Pose(Rotation.from_rotvec(step[:3]) * pose.rotation, pose.translation + step[3:])


def derivatives(view: View, camera: Camera) -> tuple[Array, Array]:
    """Return those of the pixels, by a turn of the camera's axes and a step (2N, 6), and by the lens (2N, 4)."""
    turned = view.cam_from_world.rotation.apply(view.xyz)
    points = turned + view.cam_from_world.translation
    before = camera.project(points)
    step = STEP * float(np.median(np.linalg.norm(points, axis=1)))
    by_point = np.stack([(camera.project(points + step * axis) - before) / step for axis in np.eye(3)], axis=2)
    by_turn = np.stack([np.einsum("nij,nj->ni", by_point, np.cross(axis, turned)) for axis in np.eye(3)], axis=2)
    by_pose = np.concatenate([by_turn, by_point], axis=2).reshape(-1, 6)
    by_focal = before - camera.centre
    by_k1 = (changed_lens(camera, np.array([0.0, STEP, 0.0, 0.0])).project(points) - before) / STEP
    by_centre = [np.broadcast_to(camera.width * axis, before.shape) for axis in np.eye(2)]
    by_lens = np.stack([by_focal, by_k1, *by_centre], axis=2).reshape(-1, 4)
    return np.nan_to_num(by_pose), np.nan_to_num(by_lens)


def lens_covariance(pose: CameraPose, camera: Camera) -> Array:
    """Return what an estimated lens adds to a pose's covariance (6, 6) over (x, y, z, rx, ry, rz), world axes.

    An error of the focal length moves the camera along its axis, one of the centre turns it. An image
    whose own landmarks contradict the focal length adds what they contradict it by: another lens took it. Zero for a
    calibrated camera.
    """
    if camera.focal_sigma == 0.0:
        return np.zeros((6, 6))
    cam_from_world = pose.world_from_cam.inverse()
    equation = _of_image(cam_from_world, pose.pixels, pose.xyz, camera)
    contradiction, alone = _said(equation)
    tolerated = max(CONTRADICTED * float(np.hypot(camera.focal_sigma, alone)), LEAST_CONTRADICTION)
    variance = camera.focal_sigma**2 + ((HIDDEN * contradiction) ** 2 if abs(contradiction) > tolerated else 0.0)
    moved = _in_world(equation.pose_by_lens[:, FOCAL], pose)
    way = float(np.linalg.norm(moved[:3]))
    covariance = variance * (np.outer(moved, moved) + np.diag(np.repeat([(ASIDE * way) ** 2, TURNED**2], 3)))
    for axis in CENTRE if camera.centre_sigma > 0.0 else ():
        moved = camera.centre_sigma * _in_world(equation.pose_by_lens[:, axis], pose)
        covariance += np.outer(moved, moved)
    return np.asarray(covariance)


def _in_world(by_lens: Array, pose: CameraPose) -> Array:
    """Return a step of the pose's equation (6,) as (x, y, z, rx, ry, rz) of the camera in world axes."""
    turn, step = np.split(by_lens, 2)
    to_world = pose.world_from_cam.rotation
    place = pose.world_from_cam.inverse().translation
    return np.concatenate([to_world.apply(np.cross(turn, place) - step), -to_world.apply(turn)])


def focal_correction(image: WideMatches, camera: Camera) -> tuple[float, float] | None:
    """Return what one image alone would add to the logarithm of the focal length, and the standard deviation of that;
    None where it leaves it open."""
    fit = _fitted([(image.frame, image.world_from_cam.inverse())], camera, CENTRE_SIGMA)
    return fit and (float(np.log(fit.camera.focal[0] / camera.focal[0])), PIXELS_ALONE * fit.sigma)


def _of_image(cam_from_world: Pose, pixels: Array, xyz: Array, camera: Camera) -> _Equation:
    view = View(0, cam_from_world, pixels, xyz)
    return _equation(view, camera, max(robust_sigma(residuals_of(view, camera)), 1e-3))


def _said(equation: _Equation) -> tuple[float, float]:
    alone = max(float(equation.information[FOCAL, FOCAL]), 1e-12)
    return -float(equation.gradient[FOCAL]) / alone, alone**-0.5
