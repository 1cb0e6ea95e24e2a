"""Where a camera may be by three landmarks that it sees (P3P), for many triples at once.

Persson and Nordberg, "Lambda twist: an accurate fast robust perspective three point solver", ECCV 2018. The distances
l = (l1, l2, l3) of the three landmarks from the camera satisfy |li yi - lj yj|^2 = aij: three quadrics, of whose
pencil one member falls apart into two planes. In each plane what is left is one quadratic equation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campose_core.geometry import Array

DEGENERATE = 1e-9  # of products of squared sides: landmarks on one line, two in one place, or a pencil without a cubic


def poses_of_three(bearings: Array, xyz: Array) -> tuple[Array, Array, NDArray[np.intp]]:
    """Return rotations (M, 3, 3) and translations (M, 3) of cam_from_world, up to four for each triple, and which (M,).

    bearings (K, 3, 3): unit vectors in the camera frame, a row for each landmark; xyz (K, 3, 3): the landmarks.
    """
    usable, pencil = _usable(bearings, xyz)
    distances, triple = _distances(*pencil)
    triple = usable[triple]
    in_cam, in_world = distances[:, :, None] * bearings[triple], xyz[triple]
    # Two sides and their normal, as columns, in both frames: R turns the one into the other.
    rotations = _sides(in_cam) @ np.linalg.inv(_sides(in_world))
    rotations = _orthonormal(rotations)
    return rotations, in_cam[:, 0] - np.einsum("mij,mj->mi", rotations, in_world[:, 0]), triple


def _usable(bearings: Array, xyz: Array) -> tuple[NDArray[np.intp], tuple[Array, Array, Array, Array]]:
    """Return the triples that determine something; their two quadrics (K, 3, 3), |x2 - x3|^2 (K,), and y2 . y3."""
    a12, a13, a23 = (((xyz[:, i] - xyz[:, j]) ** 2).sum(axis=1) for i, j in ((0, 1), (0, 2), (1, 2)))
    c12, c13, c23 = ((bearings[:, i] * bearings[:, j]).sum(axis=1) for i, j in ((0, 1), (0, 2), (1, 2)))
    o = np.zeros_like(a12)
    first = _symmetric(a23, a23 - a12, -a12, -c12 * a23, o, c23 * a12)
    second = _symmetric(a23, -a13, a23 - a13, o, -c13 * a23, c23 * a13)
    area = np.linalg.norm(np.cross(xyz[:, 1] - xyz[:, 0], xyz[:, 2] - xyz[:, 0]), axis=1)
    cubic = a13 * a23 * np.abs(a13 * (1 - c23**2) - a23 * (1 - c13**2))  # |det second|
    good = np.flatnonzero((area**2 > DEGENERATE * a12 * a13) & (cubic > DEGENERATE * np.maximum(a13, a23) ** 3))
    return good, (first[good], second[good], a23[good], c23[good])


def _symmetric(xx: Array, yy: Array, zz: Array, xy: Array, xz: Array, yz: Array) -> Array:
    return np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=1).reshape(-1, 3, 3)


def _distances(first: Array, second: Array, a23: Array, c23: Array) -> tuple[Array, NDArray[np.intp]]:
    """Return the distances (M, 3) of the three landmarks, all positive, and the triple (M,) of each."""
    # det(first + g second) = 0 has one real root at least, and the plane pair of any will do.
    gamma = -_real_eigenvalue(np.asarray(np.linalg.solve(second, first)))
    gamma = np.where(np.isfinite(gamma), gamma, 0.0)  # three equal ones: no pair of planes, and no pose comes of it
    values, vectors = np.linalg.eigh(first + gamma[:, None, None] * second)
    slope = np.sqrt(np.maximum(-values[:, 0], 0.0) / np.maximum(values[:, 2], 1e-150))
    found, triple = [], []
    for sign in (1.0, -1.0):
        normal = vectors[:, :, 2] + sign * slope[:, None] * vectors[:, :, 0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            by_two, by_three = -normal[:, 1] / normal[:, 0], -normal[:, 2] / normal[:, 0]
            # l = l2 (by_two + by_three t, 1, t) on the second quadric.
            u = np.stack([by_two, np.ones_like(by_two), np.zeros_like(by_two)], axis=1)
            v = np.stack([by_three, np.zeros_like(by_two), np.ones_like(by_two)], axis=1)
            on_u, on_v = (np.einsum("kij,kj->ki", second, w) for w in (u, v))
            a, b, c = (v * on_v).sum(axis=1), (u * on_v).sum(axis=1), (u * on_u).sum(axis=1)
            root = np.sqrt(b * b - a * c)
            # Citardauq beside the usual form, so that neither root is a difference of two like numbers.
            q = -(b + np.copysign(root, b))
            for t in (q / a, c / q):
                shape = u + t[:, None] * v
                scale = np.sqrt(a23 / (1.0 + t * t - 2.0 * c23 * t))
                distances = scale[:, None] * shape
                good = np.flatnonzero(np.isfinite(distances).all(axis=1) & (distances > 0).all(axis=1))
                found.append(distances[good])
                triple.append(good)
    return np.concatenate(found), np.concatenate(triple)


def _real_eigenvalue(matrices: Array) -> Array:
    """Return one of each of the matrices (K, 3, 3), by Cardano's formula, and Newton's for its last digits."""
    a = np.trace(matrices, axis1=1, axis2=2)
    b, c = (a * a - np.einsum("kij,kji->k", matrices, matrices)) / 2.0, np.linalg.det(matrices)
    # x^3 - a x^2 + b x - c with x = y + a / 3 is y^3 - 3 p y - 2 q.
    p, q = a * a / 9.0 - b / 3.0, a**3 / 27.0 - a * b / 6.0 + c / 2.0
    inside = q * q - p**3
    with np.errstate(invalid="ignore", divide="ignore"):
        of_three = 2.0 * np.sqrt(p) * np.cos(np.arccos(np.clip(q / p**1.5, -1.0, 1.0)) / 3.0)
        root = np.cbrt(q + np.copysign(np.sqrt(inside), q))
        x = a / 3.0 + np.where(inside < 0, of_three, root + p / root)
        for _ in range(2):
            x = x - (((x - a) * x + b) * x - c) / ((3.0 * x - 2.0 * a) * x + b)
    return np.asarray(x)


def _sides(corners: Array) -> Array:
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.stack([one, two, np.cross(one, two)], axis=2)


def _orthonormal(matrices: Array) -> Array:
    """Return the rotations that the rounded matrices (M, 3, 3) stand for: their columns, one after the other."""
    x = matrices[:, :, 0] / np.linalg.norm(matrices[:, :, 0], axis=1, keepdims=True)
    z = np.cross(x, matrices[:, :, 1])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=2)
