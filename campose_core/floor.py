"""The floor map: an occupancy grid in the map frame, read and written as nav2's map_server does.

In memory row 0 is the smallest y, as in nav_msgs/OccupancyGrid; in an image the first row is the largest. The flip is
here and nowhere else. The reading follows navigation2/nav2_map_server/src/map_io.cpp.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from campose_core.errors import FloorError
from campose_core.files import is_there, replacing, write_text
from campose_core.geometry import Array, is_place
from campose_core.image_files import MAX_MAP_PIXELS, opened
from campose_core.yaml_files import read_yaml, yaml_text

log = logging.getLogger(__name__)

UNKNOWN, FREE, OCCUPIED = -1, 0, 100
# Which percentages count as free and as occupied where a map holds more than three values: map_saver's defaults.
FREE_UP_TO, OCCUPIED_FROM = 25, 65
MODES = ("trinary", "scale", "raw")
MAX_SIDE = 32767
# What map_saver writes, beside free_thresh 0.25 of its own, by which unknown cells come back as free ones
# (https://github.com/SteveMacenski/slam_toolbox/issues/587); told where it is more than a speck.
SAVED_FREE, SAVED_UNKNOWN, TOLD_FROM = 254, 205, 0.01
MAX_CELL_M = 1000.0
GRAYS = np.arange(256, dtype=np.uint8)
ROWS_AT_ONCE = 256
PICTURES = (".pgm", ".ppm", ".pbm", ".pnm", ".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif")
LUMA = np.array([0.212656, 0.715158, 0.072186], dtype=np.float32)  # Rec. 709, what ImageMagick's grayscale is


@dataclass(frozen=True, eq=False)
class FloorMap:
    """An occupancy grid.

    occupancy: (rows, cols) int8, percent 0..100 or -1 unknown; row 0 is the smallest y, column 0 the smallest x.
    resolution: metres per cell. origin: (x, y, yaw) in the map frame of the outer corner of cell (0, 0), radians.

    Raises:
        FloorError: empty or not two-dimensional, values outside -1..100, a resolution that is not positive, or an
            origin that is not three finite numbers.
    """

    occupancy: NDArray[np.int8]
    resolution: float
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        occupancy = np.asarray(self.occupancy)
        if occupancy.ndim != 2 or 0 in occupancy.shape or max(occupancy.shape) > MAX_SIDE:
            raise FloorError(f"a floor map needs 1 to {MAX_SIDE} rows and columns, got shape {occupancy.shape}")
        if occupancy.dtype.kind not in "iu" or occupancy.min() < UNKNOWN or occupancy.max() > OCCUPIED:
            raise FloorError("the cells of a floor map must be whole percentages 0..100, or -1 for unknown")
        if not 1e-6 <= self.resolution <= MAX_CELL_M:
            raise FloorError(f"resolution must be a positive number of metres per cell, got {self.resolution!r}")
        if len(self.origin) != 3 or not is_place(self.origin):
            raise FloorError(f"origin must be three finite numbers [x, y, yaw], got {list(self.origin)!r}")
        occupancy = occupancy.astype(np.int8)
        occupancy.setflags(write=False)
        object.__setattr__(self, "occupancy", occupancy)
        object.__setattr__(self, "resolution", float(self.resolution))
        object.__setattr__(self, "origin", tuple(float(value) for value in self.origin))

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, cols)."""
        return self.occupancy.shape[0], self.occupancy.shape[1]

    @property
    def free(self) -> NDArray[np.bool_]:
        """Return which cells (rows, cols) are free."""
        return (self.occupancy >= FREE) & (self.occupancy <= FREE_UP_TO)

    @property
    def occupied(self) -> NDArray[np.bool_]:
        """Return which cells (rows, cols) are occupied; unknown ones are neither free nor occupied."""
        return self.occupancy >= OCCUPIED_FROM

    def grid_of(self, xy: ArrayLike) -> Array:
        """Return grid places (..., 2) = (column, row) of map points (..., 2), in cells from cell (0, 0)'s corner."""
        x, y, yaw = self.origin
        offset = (np.asarray(xy, dtype=np.float64) - (x, y)) / self.resolution
        cos, sin = math.cos(yaw), math.sin(yaw)
        return np.asarray(offset @ np.array([[cos, -sin], [sin, cos]]))

    def cell_of(self, xy: ArrayLike) -> NDArray[np.int64]:
        """Return cells (..., 2) = (row, column) that hold the map points (..., 2); may lie outside, see `contains`."""
        return np.floor(self.grid_of(xy)).astype(np.int64)[..., ::-1]

    def centre_of(self, cell: ArrayLike) -> Array:
        """Return map points (..., 2) at the centres of the cells (..., 2) = (row, column)."""
        x, y, yaw = self.origin
        grid = (np.asarray(cell, dtype=np.float64)[..., ::-1] + 0.5) * self.resolution
        cos, sin = math.cos(yaw), math.sin(yaw)
        return np.asarray(grid @ np.array([[cos, sin], [-sin, cos]]) + (x, y))

    def contains(self, cell: ArrayLike) -> NDArray[np.bool_]:
        """Tell which cells (..., 2) = (row, column) lie on the map."""
        cells = np.asarray(cell)
        return np.asarray(((cells >= 0) & (cells < self.shape)).all(axis=-1))

    @classmethod
    def load(cls, yaml_path: Path | str) -> FloorMap:
        """Read a nav2 map: yaml and the image it names, relative to the yaml; beside it where that is of elsewhere.

        Raises:
            FloorError: a file is missing or damaged, a key is missing, or a value makes no sense; both are named.
        """
        yaml_path = Path(yaml_path)
        fields = _read_yaml(yaml_path)
        mode = str(fields.get("mode", "trinary")).lower()
        if mode not in MODES:
            raise FloorError(f"{yaml_path}: mode must be one of {', '.join(MODES)}, got {fields['mode']!r}")
        free_thresh, occupied_thresh = (_number(yaml_path, fields, key) for key in ("free_thresh", "occupied_thresh"))
        if not 0 <= free_thresh < occupied_thresh <= 1:
            raise FloorError(
                f"{yaml_path}: thresholds must satisfy 0 <= free_thresh < occupied_thresh <= 1, "
                f"got free_thresh {free_thresh} and occupied_thresh {occupied_thresh}"
            )
        origin = fields["origin"]
        if not isinstance(origin, list) or len(origin) != 3:
            raise FloorError(f"{yaml_path}: origin must be three numbers [x, y, yaw], got {origin!r}")
        if not isinstance(fields["negate"], (bool, int)):
            raise FloorError(f"{yaml_path}: negate must be 0 or 1, got {fields['negate']!r}")
        if mode == "raw":
            cell_of_gray = np.where(GRAYS <= OCCUPIED, GRAYS.astype(np.int16), UNKNOWN).astype(np.int8)
        else:
            cell_of_gray = _thresholded(GRAYS, bool(fields["negate"]), free_thresh, occupied_thresh, mode == "scale")
        cells, count = _read_cells(yaml_path, str(fields["image"]), cell_of_gray, transparent_too=mode == "raw")
        share = count[SAVED_UNKNOWN] / cells.size
        if mode == "trinary" and cell_of_gray[SAVED_UNKNOWN] == FREE and share >= TOLD_FROM and count[SAVED_FREE]:
            log.warning(
                f"{yaml_path}: WARNING: {share:.0%} of it is free by free_thresh {free_thresh:g}, as nav2 takes it, "
                f"and gray {SAVED_UNKNOWN}, which map_saver writes for unknown: with `free_thresh: 0.196` it is unknown"
            )
        try:
            x, y, yaw = (_number(yaml_path, {"origin": value}, "origin") for value in origin)
            return cls(np.flipud(cells), _number(yaml_path, fields, "resolution"), (x, y, yaw))
        except FloorError as error:
            raise FloorError(str(error) if str(yaml_path) in str(error) else f"{yaml_path}: {error}") from error

    def save(self, folder: Path | str, name: str = "map") -> Path:
        """Write `folder/NAME.yaml` and `NAME.pgm`, which `load` and nav2 read back as this very map.

        A map of only free, occupied and unknown cells is written in mode trinary, any other in mode raw.
        Returns the path of the yaml file.
        """
        folder = Path(folder)
        cells = self.occupancy.view(np.uint8)  # of which 255 is unknown
        trinary = all(np.isin(row, (UNKNOWN, FREE, OCCUPIED)).all() for row in self.occupancy)
        gray_of_cell = GRAYS.copy()
        if trinary:
            gray_of_cell[[FREE, OCCUPIED, UNKNOWN]] = 254, 0, 205
        with replacing(folder / f"{name}.pgm") as beside:
            Image.fromarray(gray_of_cell[np.flipud(cells)]).save(beside, format="PPM")
        fields = {
            "image": f"{name}.pgm",
            "mode": "trinary" if trinary else "raw",
            "resolution": self.resolution,
            "origin": list(self.origin),
            "negate": 0,
            "occupied_thresh": 0.65,
            "free_thresh": 0.196,  # gray 205 is 0.19608 occupied: not free, as its writer meant
        }
        write_text(folder / f"{name}.yaml", yaml_text(fields, flow=None))
        return folder / f"{name}.yaml"


def _read_yaml(path: Path) -> dict[str, Any]:
    if path.suffix.lower() in PICTURES and is_there(path):
        beside = next(filter(is_there, (path.with_suffix(suffix) for suffix in (".yaml", ".yml"))), None)
        wanted = f"give {beside}" if beside else "give that; a drawing that has none is a plan (--plan)"
        raise FloorError(f"{path} is a picture, and a map is the yaml that names it: {wanted}")
    fields = read_yaml(path, FloorError)
    if not isinstance(fields, dict):
        raise FloorError(f"{path} is not a nav2 map yaml: it holds no keys")
    required = ("image", "resolution", "origin", "negate", "occupied_thresh", "free_thresh")
    missing = [key for key in required if fields.get(key) is None]
    if missing:
        raise FloorError(f"{path}: the key {missing[0]!r} is missing (a nav2 map needs {', '.join(required)})")
    return fields


def _number(path: Path, fields: dict[str, Any], key: str) -> float:
    value = fields[key]
    try:
        # PyYAML takes 5e-2 for text, yaml-cpp for a number.
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise FloorError(f"{path}: {key} must be a finite number, got {value!r}")
    return number


def _read_cells(
    yaml_path: Path, name: str, cell_of_gray: NDArray[np.int8], transparent_too: bool
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Cells (H, W) by their gray value, first row as in the image, and how many have each (256,).

    Transparent ones are unknown unless they are read too, and counted in no case. Some rows at a time: a map of a city
    block has as many cells as there are bytes in a gigabyte.
    """
    path = yaml_path.parent / name
    beside = yaml_path.parent / PureWindowsPath(name).name  # splits at both slashes
    if not is_there(path) and is_there(beside):
        log.info(f"{yaml_path}: image {name!r} is not there: {beside.name} beside it is taken")
        path = beside
    try:
        with opened(path, FloorError, MAX_MAP_PIXELS) as image:
            image.load()
            cells, count = np.empty((image.height, image.width), dtype=np.int8), np.zeros(256, dtype=np.int64)
            for top in range(0, image.height, ROWS_AT_ONCE):
                rows = slice(top, min(top + ROWS_AT_ONCE, image.height))
                gray, opaque = _gray(image.crop((0, rows.start, image.width, rows.stop)), image)
                cells[rows] = cell_of_gray[gray]
                count += np.bincount(gray[... if opaque is None else opaque].ravel(), minlength=256)
                if opaque is not None and not transparent_too:
                    cells[rows][~opaque] = UNKNOWN
    except FloorError as error:
        if not is_there(path):
            raise FloorError(f"{yaml_path}: image {name!r} does not exist (looked for {path})") from error
        raise FloorError(f"{yaml_path}: image {name!r} cannot be read: {error}") from error
    return cells, count


def _gray(rows: Image.Image, image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Gray values of some rows of an image, and which are opaque; None: all."""
    if image.mode.startswith("I"):  # 16 bits
        return np.rint(np.asarray(rows, dtype=np.float64) / 257).clip(0, 255).astype(np.uint8), None
    if image.mode == "L" and "transparency" not in image.info:
        return np.asarray(rows), None
    rgba = np.asarray(rows.convert("RGBA"))
    gray = np.rint(rgba[..., :3].astype(np.float32) @ LUMA).astype(np.uint8)
    return gray, rgba[..., 3] == 255


def _thresholded(
    gray: NDArray[np.uint8], negate: bool, free_thresh: float, occupied_thresh: float, scale: bool
) -> NDArray[np.int8]:
    """Cells of the modes trinary and scale, in single precision as map_server computes them."""
    shade = gray.astype(np.float32) / np.float32(255)
    occupied = shade if negate else np.float32(1) - shade
    cells = np.full(gray.shape, UNKNOWN, dtype=np.int8)
    if scale:
        share = (occupied - np.float32(free_thresh)) / np.float32(occupied_thresh - free_thresh)
        cells = np.floor(share.clip(0, 1) * 100 + np.float32(0.5)).astype(np.int8)
    cells[occupied >= occupied_thresh] = OCCUPIED
    cells[occupied <= free_thresh] = FREE
    return cells
