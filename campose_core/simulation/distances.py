"""How far the simulated world is, pixel by pixel: rays against its surfaces, without a graphics card."""

from __future__ import annotations

import numpy as np

from campose_core.camera import Camera
from campose_core.geometry import Array, Pose
from campose_core.simulation.render import FAR, NEAR
from campose_core.simulation.world import Surface, World


def distances(world: World, camera: Camera, map_from_cam: Pose) -> Array:
    """Return how far from the camera what each pixel shows is, (H, W) metres; FAR where it shows nothing.

    camera: without distortion, as the renderer's.
    """
    rows, columns = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    in_camera = np.stack([(columns - cx) / fx, (rows - cy) / fy, np.ones_like(rows)], axis=-1)
    rays = in_camera @ map_from_cam.rotation.as_matrix().T.astype(np.float32)
    depth = np.full(rows.shape, FAR, dtype=np.float32)
    for surface in world.surfaces:
        box = _box(surface, camera, map_from_cam)
        if box is not None:
            part = depth[box]
            np.minimum(part, _depths(surface, map_from_cam.translation, rays[box]), out=part)
    return np.asarray(depth * np.linalg.norm(in_camera, axis=-1))


def _box(surface: Surface, camera: Camera, map_from_cam: Pose) -> tuple[slice, slice] | None:
    """Return the rows and columns within which a surface is seen; None where it is not."""
    corner, along, down = (np.array(edge) for edge in (surface.corner, surface.along, surface.down))
    corners = map_from_cam.inverse().transform([corner, corner + along, corner + along + down, corner + down])
    if (corners[:, 2] < NEAR).all():
        return None
    if (corners[:, 2] < NEAR).any():  # its outline crosses the plane of the camera
        return slice(0, camera.height), slice(0, camera.width)
    pixels = corners[:, :2] / corners[:, 2:] * camera.focal + camera.centre
    low = np.clip(np.floor(pixels.min(axis=0)), 0, (camera.width, camera.height)).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, (camera.width, camera.height)).astype(int)
    return (slice(low[1], high[1]), slice(low[0], high[0])) if (low < high).all() else None


def _depths(surface: Surface, origin: Array, rays: Array) -> Array:
    """Return at which multiples of the rays (H, W, 3) from the origin they meet a surface; infinite where they miss."""
    corner, along, down = (np.array(edge, dtype=np.float64) for edge in (surface.corner, surface.along, surface.down))
    normal = np.cross(along, down)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (normal @ (corner - origin)).astype(np.float32) / (rays @ normal.astype(np.float32))
        # The place on the surface, in units of its edges, by their dual basis.
        dual = np.linalg.pinv(np.stack([along, down], axis=1))
        offset = dual @ (origin - corner)
        place = depth[..., None] * (rays @ dual.T.astype(np.float32)) + offset.astype(np.float32)
        inside = ((place >= 0) & (place <= 1)).all(axis=-1) & (depth > NEAR)
    return np.where(inside, depth, np.float32(np.inf))
