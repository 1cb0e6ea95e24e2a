"""Positions by satellite, and the level metric frame at a place on the earth (east, north, up)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from campose_core.errors import CaptureError
from campose_core.geometry import Array
from campose_core.trajectory import Stamps

# WGS 84 (NGA.STND.0036, table 3.1): semi-major axis in metres, flattening.
SEMI_MAJOR_M, FLATTENING = 6378137.0, 1 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)


@dataclass(frozen=True, eq=False)
class GpsFixes:
    """N fixes: stamps_ns (N,), latitude and longitude in degrees, altitude in metres (above the ellipsoid, or the sea).

    sigma_m (N,): standard deviation of a horizontal coordinate as the receiver claims it, NaN where it does not.
    frame_id: of the antenna, empty where nothing is known of it.

    Raises:
        CaptureError: lengths differ, or a latitude or longitude that is not on the earth.
    """

    stamps_ns: Stamps
    latitude_deg: Array
    longitude_deg: Array
    altitude_m: Array
    sigma_m: Array
    frame_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps_ns", np.asarray(self.stamps_ns, dtype=np.int64))
        for name in ("latitude_deg", "longitude_deg", "altitude_m", "sigma_m"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
            if values.shape != self.stamps_ns.shape:
                raise CaptureError(f"GPS fixes need one {name} for each of their {len(self.stamps_ns)} stamps")
        for name, most in (("latitude_deg", 90.0), ("longitude_deg", 180.0)):
            values = getattr(self, name)
            if not (np.abs(values) <= most).all():
                raise CaptureError(
                    f"a GPS {name} must lie within {most:.0f}, got {values[~(np.abs(values) <= most)][0]}"
                )

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def middle(self) -> tuple[float, float, float]:
        """Return median latitude and longitude, degrees, and altitude, metres (0 where unknown): no jump moves it."""
        heights = self.altitude_m[np.isfinite(self.altitude_m)]
        height = float(np.median(heights)) if len(heights) else 0.0
        return float(np.median(self.latitude_deg)), float(np.median(self.longitude_deg)), height


def enu(fixes: GpsFixes, origin: tuple[float, float, float]) -> Array:
    """Return the fixes (N, 3) in metres east, north and up of `origin` (latitude_deg, longitude_deg, altitude_m).

    A fix without altitude is taken to be at that of the origin.
    """
    latitude, longitude = np.radians(origin[0]), np.radians(origin[1])
    height = np.where(np.isfinite(fixes.altitude_m), fixes.altitude_m, origin[2])
    points = _earth_centred(np.radians(fixes.latitude_deg), np.radians(fixes.longitude_deg), height)
    middle = _earth_centred(np.array([latitude]), np.array([longitude]), np.array([origin[2]]))
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(latitude), np.cos(latitude), np.sin(longitude), np.cos(longitude)
    enu_from_earth = np.array(
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )
    return np.asarray((points - middle) @ enu_from_earth.T)


def _earth_centred(latitude: Array, longitude: Array, height: Array) -> Array:
    """(N, 3) in metres from the centre of the earth (ECEF), from radians and metres above the ellipsoid."""
    normal = SEMI_MAJOR_M / np.sqrt(1 - ECCENTRICITY_SQUARED * np.sin(latitude) ** 2)
    level = (normal + height) * np.cos(latitude)
    along_axis = (normal * (1 - ECCENTRICITY_SQUARED) + height) * np.sin(latitude)
    return np.stack([level * np.cos(longitude), level * np.sin(longitude), along_axis], axis=1)
