"""GPS positions that phones and cameras write into their images (EXIF 2.3, section 4.6.6)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from campose_core.bag.gps_fixes import GpsFixes
from campose_core.capture.sources.folder_files import open_photo
from campose_core.capture.sources.image_folder import stamped_files
from campose_core.errors import CaptureError

GPS_IFD = 0x8825
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE, ALTITUDE_REF, ALTITUDE, ERROR_M = 1, 2, 3, 4, 5, 6, 0x1F


def read_exif_gps(folder: Path) -> GpsFixes:
    """Read the fixes of a folder's images, at the stamps of `ImageFolder`; images without one are left out."""
    rows, stamps = [], []
    for stamp_ns, file in stamped_files(folder):
        fix = _fix(file)
        if fix is not None:
            stamps.append(stamp_ns)
            rows.append(fix)
    return GpsFixes(np.array(stamps, dtype=np.int64), *np.array(rows).reshape(-1, 4).T)


def _fix(file: Path) -> tuple[float, float, float, float] | None:
    """Latitude and longitude in degrees, altitude and horizontal error in metres; NaN for what is not said."""
    try:
        with open_photo(file) as image:
            tags = image.getexif().get_ifd(GPS_IFD)
        latitude = _degrees(tags[LATITUDE], str(tags.get(LATITUDE_REF, "N")))
        longitude = _degrees(tags[LONGITUDE], str(tags.get(LONGITUDE_REF, "E")))
        altitude = float(tags[ALTITUDE]) if ALTITUDE in tags else np.nan
        if tags.get(ALTITUDE_REF) in (1, b"\x01"):  # below the sea
            altitude = -altitude
        error = float(tags[ERROR_M]) if ERROR_M in tags else np.nan
    except (CaptureError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    on_earth = abs(latitude) <= 90 and abs(longitude) <= 180
    return (latitude, longitude, altitude, error if error > 0 else np.nan) if on_earth else None


def _degrees(parts: Any, reference: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if reference.strip().upper() in ("S", "W") else value
