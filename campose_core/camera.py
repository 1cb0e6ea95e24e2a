"""The camera: a COLMAP camera model with pixel centres at integers.

In memory and on disk the centre of the first pixel is (0, 0), as in OpenCV and ROS. COLMAP puts it at (0.5, 0.5);
`Camera.to_colmap`, `Camera.from_colmap` and the two functions for pixels are the only places that know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from campose_core.distortion import Distortion
from campose_core.errors import GeometryError
from campose_core.geometry import Array

MODEL_PARAMS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
    # OpenCV's CALIB_THIN_PRISM_MODEL, which COLMAP lacks: the rational model, and a lens that is not quite parallel.
    "OPENCV_THIN_PRISM": (
        "fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4",
    ),
}  # fmt: skip
MAX_SIDE = 100_000  # pixels
MIN_FOCAL = 1e-3  # pixels: less sees all at once
MAX_PARAM = 1e9  # pixels, and terms of a distortion
MAX_NEWTON_STEPS = 8
PROFILE_ANGLES = np.radians(np.linspace(0.0, 89.0, 1781))
PIXEL_PARAMS = {"f", "fx", "fy", "cx", "cy"}


def pixels_to_colmap(pixels: Array) -> Array:
    """Return pixels (N, 2), with centres at integers, with COLMAP's origin: the outer corner of the first pixel."""
    return pixels + 0.5


def pixels_from_colmap(pixels: Array) -> Array:
    """Return pixels (N, 2) of COLMAP's origin with centres at integers."""
    return pixels - 0.5


@dataclass(frozen=True)
class Camera:
    """COLMAP model name, image size in pixels, and parameters in COLMAP's order (see `MODEL_PARAMS`).

    focal_sigma: standard deviation of the logarithm of the focal length, where that was estimated; 0 is a calibration.
    centre_sigma: of each coordinate of its centre, as a share of the image width, where that was estimated.

    Raises:
        GeometryError: unknown model, wrong number of parameters, one beyond MAX_PARAM, a focal length that is not
            positive, or a size that is none.
    """

    model: str
    width: int
    height: int
    params: tuple[float, ...]
    focal_sigma: float = 0.0
    centre_sigma: float = 0.0

    def __post_init__(self) -> None:
        if self.model not in MODEL_PARAMS:
            raise GeometryError(f"unknown camera model {self.model!r}, known: {', '.join(MODEL_PARAMS)}")
        names = MODEL_PARAMS[self.model]
        object.__setattr__(self, "params", tuple(float(value) for value in self.params))
        if len(self.params) != len(names) or not (np.abs(self.params) <= MAX_PARAM).all():
            raise GeometryError(f"camera model {self.model} needs the finite numbers {names}, got {self.params}")
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE and min(self.focal) >= MIN_FOCAL):
            focal = " and ".join(f"{value:g}" for value in self.focal)
            raise GeometryError(
                f"a camera needs a positive size and focal length, got {self.width}x{self.height} pixels and {focal}"
            )

    @classmethod
    def from_field_of_view(cls, width: int, height: int, horizontal_deg: float) -> Camera:
        """Make a SIMPLE_RADIAL camera without distortion, centred, with the given horizontal field of view.

        width, height: pixels.
        """
        focal = width / 2 / np.tan(np.radians(horizontal_deg) / 2)
        return cls("SIMPLE_RADIAL", width, height, (focal, (width - 1) / 2, (height - 1) / 2, 0.0))

    def to_colmap(self) -> tuple[str, int, int, list[float]]:
        """Return model, width, height and parameters with COLMAP's pixel origin."""
        return self.model, self.width, self.height, self._map_centre(0.5)

    @classmethod
    def from_colmap(cls, model: str, width: int, height: int, params: Sequence[float]) -> Camera:
        """Make it from what `to_colmap` gives: parameters with COLMAP's pixel origin."""
        at_corner = cls(model, width, height, tuple(params))
        return cls(model, width, height, tuple(at_corner._map_centre(-0.5)))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Camera:
        """Make it from what `to_dict` gave.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: a field is missing, or of another kind.
            GeometryError: the fields are no camera.
        """
        return cls(str(fields["model"]), int(fields["width"]), int(fields["height"]), tuple(fields["params"]))

    def to_dict(self) -> dict[str, Any]:
        """Return model, width, height and params, as YAML and JSON can hold them."""
        return {"model": self.model, "width": self.width, "height": self.height, "params": list(self.params)}

    def _map_centre(self, shift: float) -> list[float]:
        named = zip(MODEL_PARAMS[self.model], self.params, strict=True)
        return [value + shift if name in ("cx", "cy") else value for name, value in named]

    def _param(self, name: str) -> float:
        names = MODEL_PARAMS[self.model]
        return self.params[names.index(name)] if name in names else 0.0

    @property
    def focal(self) -> tuple[float, float]:
        """Return (fx, fy) in pixels."""
        if "f" in MODEL_PARAMS[self.model]:
            return self._param("f"), self._param("f")
        return self._param("fx"), self._param("fy")

    @property
    def centre(self) -> tuple[float, float]:
        """Return the principal point (cx, cy) in pixels."""
        return self._param("cx"), self._param("cy")

    def matrix(self) -> Array:
        """Return the 3x3 intrinsic matrix K, in pixels."""
        (fx, fy), (cx, cy) = self.focal, self.centre
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @cached_property
    def distortion(self) -> Distortion:
        """Return how the lens bends rays."""
        radial, tangential, prism = (
            tuple(self._param(f"{kind}{i}") for i in range(1, count + 1))
            for kind, count in (("k", 6), ("p", 2), ("s", 4))
        )
        return Distortion(self.model == "OPENCV_FISHEYE", radial, tangential, prism)

    def distort(self, rays: ArrayLike) -> Array:
        """Return distorted image-plane coordinates (N, 2) of normalised rays (N, 2) = (x / z, y / z)."""
        return self.distortion.apply(rays)

    @cached_property
    def _profile(self) -> tuple[Array, Array]:
        """Angles to the axis, and where their rays end in the image plane, as far as that grows with the angle.

        Beyond, a polynomial folds back into the image, or a rational one jumps: it describes no lens there.
        """
        radii = self.distortion.radius(PROFILE_ANGLES)
        grows = np.append(True, np.diff(radii) > 0)
        count = len(grows) if grows.all() else int(np.argmin(grows))
        return PROFILE_ANGLES[:count], radii[:count]

    @property
    def max_angle(self) -> float:
        """Return the angle to the axis, radians, up to which the model describes a lens."""
        return float(self._profile[0][-1])

    def rays(self, pixels: ArrayLike) -> Array:
        """Return normalised rays (N, 2) = (x / z, y / z) of pixels (N, 2); NaN for pixels that no ray reaches.

        The radial part is inverted by its profile, the rest by Newton's method from there.
        """
        distorted = (np.asarray(pixels, dtype=np.float64).reshape(-1, 2) - self.centre) / self.focal
        angles, radii = self._profile
        radius = np.hypot(*distorted.T)
        angle = np.interp(radius, radii, angles)
        start = np.divide(np.tan(angle), radius, out=np.ones_like(radius), where=radius > 1e-12)
        rays = distorted * start[:, None]
        for _ in range(MAX_NEWTON_STEPS):
            found = self.distort(rays)
            missing = distorted - found
            if np.abs(missing).max(initial=0.0) < 1e-12:
                break
            (x_by_x, x_by_y), (y_by_x, y_by_y) = self.distortion.derivatives(rays)
            determinant = x_by_x * y_by_y - y_by_x * x_by_y
            determinant = np.where(determinant == 0.0, np.inf, determinant)
            x = (missing[:, 0] * y_by_y - missing[:, 1] * x_by_y) / determinant
            y = (x_by_x * missing[:, 1] - y_by_x * missing[:, 0]) / determinant
            rays = rays + np.stack([x, y], axis=1)
        reached = np.linalg.norm(self.distort(rays) - distorted, axis=1) < 1e-6
        return np.where((reached & (np.hypot(*rays.T) < np.tan(self.max_angle)))[:, None], rays, np.nan)

    def project(self, points_cam: ArrayLike) -> Array:
        """Return pixels (N, 2) of points (N, 3) in the camera frame; NaN for points that are not in front of the
        camera, or farther aside than the model describes a lens.
        """
        points = np.asarray(points_cam, dtype=np.float64).reshape(-1, 3)
        depth = np.where(points[:, 2] > 1e-9, points[:, 2], np.nan)
        rays = points[:, :2] / depth[:, None]
        if self.max_angle < PROFILE_ANGLES[-1]:
            rays = np.where(np.hypot(*rays.T)[:, None] < np.tan(self.max_angle), rays, np.nan)
        return self.distort(rays) * self.focal + self.centre

    def is_lens_of(self, other: Camera) -> bool:
        """Tell whether both project alike, however sure either is."""
        return self == replace(other, focal_sigma=self.focal_sigma, centre_sigma=self.centre_sigma)

    def resized(self, width: int, height: int) -> Camera:
        """Return the camera of the same image at another size in pixels; the image's corners stay its corners.

        Raises:
            GeometryError: no size, or one of another shape, and the model has one focal length for both axes.
        """
        scale = {"x": width / self.width, "y": height / self.height}
        if min(width, height) < 1 or ("f" in MODEL_PARAMS[self.model] and abs(scale["x"] / scale["y"] - 1) > 0.01):
            raise GeometryError(f"{self.model} cannot be resized from {self.width}x{self.height} to {width}x{height}")
        params = []
        for name, value in zip(MODEL_PARAMS[self.model], self.params, strict=True):
            if name in ("cx", "cy"):
                value = (value + 0.5) * scale[name[-1]] - 0.5
            elif name in PIXEL_PARAMS:
                value *= scale.get(name[-1], scale["x"])
            params.append(value)
        return Camera(self.model, width, height, tuple(params), self.focal_sigma, self.centre_sigma)

    def cropped(self, left: int, top: int, width: int, height: int) -> Camera:
        """Return the camera of the sub-image of width x height pixels that starts at pixel (left, top)."""
        shift = {"cx": left, "cy": top}
        params = [v - shift.get(n, 0) for n, v in zip(MODEL_PARAMS[self.model], self.params, strict=True)]
        return Camera(self.model, width, height, tuple(params), self.focal_sigma, self.centre_sigma)

    def rotated(self, quarter_turns: int) -> Camera:
        """Return the camera of the image turned counter-clockwise by quarter turns, as `numpy.rot90` turns pixels."""
        camera = self
        for _ in range(quarter_turns % 4):
            camera = camera._rotated_once()
        return camera

    def _rotated_once(self) -> Camera:
        # rot90: new x = old y, new y = (width - 1) - old x. Radial terms stay; the tangential ones follow the axes.
        old = dict(zip(MODEL_PARAMS[self.model], self.params, strict=True))
        new = dict(old)
        new["cx"], new["cy"] = old["cy"], (self.width - 1) - old["cx"]
        if "fx" in old:
            new["fx"], new["fy"] = old["fy"], old["fx"]
        if "p1" in old:
            new["p1"], new["p2"] = -old["p2"], old["p1"]
        if "s1" in old:
            new["s1"], new["s2"], new["s3"], new["s4"] = old["s3"], old["s4"], -old["s1"], -old["s2"]
        params = tuple(new[name] for name in MODEL_PARAMS[self.model])
        return Camera(self.model, self.height, self.width, params, self.focal_sigma, self.centre_sigma)
