"""Smooth drives of a robot through the simulated world.

A tour names places; the way between them is the cheapest on the grid of free cells, where being near an obstacle
costs; it is smoothed, and driven at a speed that keeps the turn rate and the acceleration within limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.transform import Rotation

from campose_core.errors import GeometryError
from campose_core.floor import FloorMap
from campose_core.geometry import Array, Pose
from campose_core.simulation.world import World
from campose_core.trajectory import Trajectory

ROBOT_RADIUS = 0.2  # metres
CAMERA_HEIGHT = 0.6
CAMERA_TILT_DEG = 5.0  # upwards
START_NS = 1_000_000_000  # a robot's clock that starts with the simulation; a stamp of 0 means "no stamp" in ROS

# forward (x) of the base is forward (z) of the optical frame, tilted up; the camera sits 0.1 m before the axle.
BASE_FROM_CAM = Pose(
    Rotation.from_euler("y", -CAMERA_TILT_DEG, degrees=True)
    * Rotation.from_matrix([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
    np.array([0.1, 0.0, CAMERA_HEIGHT]),
)

# Places of a tour: a doorway by its name, or a room with fractions of its extent.
Stop = str | tuple[str, float, float]
WEST_TO_EAST: list[Stop] = [
    ("corridor", 0.4, 0.5), "west door", ("west", 0.32, 0.42), ("west", 0.6, 0.4), "middle door",
    ("east", 0.35, 0.42), ("east", 0.7, 0.4), "east door", ("corridor", 0.8, 0.5), "north east door",
    ("north", 0.64, 0.44), ("north", 0.36, 0.44), "north west door", ("corridor", 0.4, 0.5),
]  # fmt: skip
EAST_TO_WEST: list[Stop] = [
    ("corridor", 0.6, 0.5), ("corridor", 0.78, 0.5), "east door", ("east", 0.7, 0.4), ("east", 0.35, 0.42),
    "middle door", ("west", 0.6, 0.4), ("west", 0.32, 0.42), "west door", ("corridor", 0.22, 0.5), "north west door",
    ("north", 0.36, 0.44), ("north", 0.64, 0.44), "north east door", ("corridor", 0.62, 0.5), ("corridor", 0.4, 0.5),
    "north west door", ("north", 0.34, 0.46),
]  # fmt: skip


def _round(room: str, x: float, y: float, radius_x: float, radius_y: float, turns: float) -> list[Stop]:
    """Return stops on an ellipse about (x, y), in fractions of the room."""
    angles = np.arange(0.0, 2 * np.pi * turns, np.pi / 6)
    return [(room, float(x + radius_x * np.cos(a)), float(y + radius_y * np.sin(a))) for a in angles]


TOURS: dict[tuple[str, str], list[Stop]] = {
    # Both ways round: whoever comes by later has seen every place from his direction.
    ("demo", "mapping"): [("corridor", 0.55, 0.5), *WEST_TO_EAST, *EAST_TO_WEST],
    ("demo", "later"): [
        ("north", 0.68, 0.62), ("north", 0.48, 0.66), ("north", 0.34, 0.62), "north west door",
        ("corridor", 0.24, 0.36), "west door", ("west", 0.42, 0.58), ("west", 0.7, 0.56), "middle door",
        ("east", 0.3, 0.58), ("east", 0.55, 0.6), "east door", ("corridor", 0.72, 0.3), ("corridor", 0.58, 0.3),
        ("corridor", 0.45, 0.7), ("corridor", 0.32, 0.66), "north west door", ("north", 0.34, 0.6),
        ("north", 0.48, 0.64), ("north", 0.62, 0.62),
    ],
    ("small", "mapping"): _round("room", 0.5, 0.5, 0.25, 0.2, 1.2),
    ("small", "later"): _round("room", 0.53, 0.54, 0.2, 0.2, 0.7),
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """How the robot drives: m/s, rad/s, m/s^2."""

    speed: float = 0.75
    turn_rate: float = np.radians(45.0)
    acceleration: float = 0.5


def drive(world: World, name: str, rate_hz: float = 10.0, limits: Limits | None = None) -> Trajectory:
    """Plan the drive `mapping` or `later` of this world: map_from_base at `rate_hz`, from START_NS on.

    Raises:
        GeometryError: the way is blocked, or the smooth way would touch something.
    """
    try:
        return drive_by_way_of(world, TOURS[world.size, name], rate_hz, limits)
    except GeometryError as error:
        raise GeometryError(f"the drive {name!r}: {error}") from error


def drive_by_way_of(
    world: World, tour: Sequence[Stop], rate_hz: float = 10.0, limits: Limits | None = None
) -> Trajectory:
    """Plan a drive by these places: map_from_base at `rate_hz`.

    Raises:
        GeometryError: the way is blocked, or the smooth way would touch something.
    """
    stops = np.array([_position(world, stop) for stop in tour])
    floor = world.floor_map()
    path = smooth_path(floor, stops)
    cells = floor.cell_of(path)
    clearance = _clearance(floor)
    nearest = clearance[cells[:, 0], cells[:, 1]].min()
    if nearest < ROBOT_RADIUS:
        raise GeometryError(
            f"in the {world.size} world with seed {world.seed} it passes {nearest:.2f} m from an obstacle: "
            "take another seed"
        )
    return time_parameterised(path, rate_hz, limits or Limits())


def camera_trajectory(map_from_base: Trajectory, base_from_cam: Pose = BASE_FROM_CAM) -> Trajectory:
    """Return map_from_cam of a camera fixed to the base."""
    return map_from_base.moved_by(base_from_cam)


def _position(world: World, stop: Stop) -> tuple[float, float]:
    return world.place(stop).at(0.5, 0.5) if isinstance(stop, str) else world.place(stop[0]).at(*stop[1:])


def _clearance(floor: FloorMap) -> Array:
    """Distance in metres of each cell from the nearest cell that is not free."""
    return np.asarray(distance_transform_edt(floor.free) * floor.resolution)


def smooth_path(floor: FloorMap, stops: ArrayLike, step: float = 0.02, sigma: float = 0.35) -> Array:
    """Find a path (N, 2) by way of the stops (M, 2): points `step` apart, corners rounded over about `sigma`, metres.

    Raises:
        GeometryError: two stops are not connected by free cells.
    """
    clearance = _clearance(floor)
    graph, index = _graph(clearance)
    cells = [_nearest_open(clearance, cell) for cell in floor.cell_of(stops)]
    corners = [floor.centre_of(cells[0])[None]]
    for start, goal in pairwise(cells):
        cost, before = dijkstra(graph, indices=index[start], return_predecessors=True)
        if not np.isfinite(cost[index[goal]]):
            raise GeometryError(
                f"no free way from {floor.centre_of(start).round(2)} to {floor.centre_of(goal).round(2)}"
            )
        way = [index[goal]]
        while way[-1] != index[start]:
            way.append(before[way[-1]])
        numbers = np.array(way[-2::-1], dtype=np.int64)
        corners.append(floor.centre_of(np.argwhere(index >= 0)[numbers]))
    rough = _resampled(np.concatenate(corners), step)
    return _resampled(gaussian_filter1d(rough, sigma / step, axis=0, mode="nearest"), step)


def _nearest_open(clearance: Array, cell: ArrayLike) -> tuple[int, int]:
    open_cells = np.argwhere(clearance >= ROBOT_RADIUS)
    row, column = open_cells[np.argmin(((open_cells - np.asarray(cell)) ** 2).sum(axis=1))]
    return int(row), int(column)


def _graph(clearance: Array) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Eight-connected graph over the cells a robot fits in, and the node number of each cell (-1: none)."""
    fits = clearance >= ROBOT_RADIUS
    index = np.full(clearance.shape, -1, dtype=np.int64)
    index[fits] = np.arange(fits.sum())
    price = 1.0 + 0.05 / np.maximum(clearance, 0.05) ** 2
    starts, ends, costs = [], [], []
    rows, columns = clearance.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(0, rows - down), slice(max(0, -right), columns - max(0, right)))
        there = (slice(down, rows), slice(max(0, right), columns - max(0, -right)))
        both = fits[here] & fits[there]
        starts.append(index[here][both])
        ends.append(index[there][both])
        costs.append(np.hypot(down, right) * (price[here] + price[there])[both] / 2)
    start, end, cost = (np.concatenate(parts) for parts in (starts, ends, costs))
    count = int(fits.sum())
    weights = csr_matrix((np.tile(cost, 2), (np.append(start, end), np.append(end, start))), shape=(count, count))
    return weights, index


def _resampled(path: Array, step: float) -> Array:
    lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = np.linspace(0.0, lengths[-1], max(2, round(lengths[-1] / step)))
    return np.stack([np.interp(at, lengths, axis) for axis in path.T], axis=1)


def time_parameterised(path: Array, rate_hz: float, limits: Limits) -> Trajectory:
    """Drive along a path (N, 2) of even steps, looking ahead: as fast as the limits allow, from rest to rest."""
    tangent = np.gradient(path, axis=0)
    heading = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
    step = np.linalg.norm(path[1] - path[0])
    bend = np.abs(np.diff(heading)) / step
    curvature = np.maximum(np.append(bend, 0.0), np.append(0.0, bend))
    speed = np.minimum(limits.speed, limits.turn_rate / np.maximum(curvature, 1e-9))
    speed[[0, -1]] = 0.05
    for i in range(1, len(speed)):  # v^2 = u^2 + 2 a s, forwards and backwards
        speed[i] = min(speed[i], np.sqrt(speed[i - 1] ** 2 + 2 * limits.acceleration * step))
    for i in range(len(speed) - 2, -1, -1):
        speed[i] = min(speed[i], np.sqrt(speed[i + 1] ** 2 + 2 * limits.acceleration * step))
    seconds = np.append(0.0, np.cumsum(2 * step / (speed[1:] + speed[:-1])))
    at = np.arange(0.0, seconds[-1], 1.0 / rate_hz)
    positions = np.stack([*(np.interp(at, seconds, axis) for axis in path.T), np.zeros(len(at))], axis=1)
    rotations = _about_z(np.interp(at, seconds, heading))
    stamps = START_NS + np.round(at * 1e9).astype(np.int64)
    return Trajectory(stamps, positions, rotations, child_frame_id="base_link")


def _about_z(yaw: Array) -> Rotation:
    return Rotation.from_rotvec(np.outer(yaw, [0.0, 0.0, 1.0]))


def drifting_odometry(map_from_base: Trajectory, drift: float = 0.02, seed: int = 0) -> Trajectory:
    """Return odom_from_base as wheels would count it, from the identity on.

    Distances and turns are wrong by the factor 1 +- drift (its sign drawn per drive), and each step by a further random
    part of that size. drift = 0 gives the true motion.
    """
    rng = np.random.default_rng([seed, 0x0D0])
    bias = 1.0 + drift * rng.choice([-1.0, 1.0], 2)
    inverse = map_from_base.rotations[:-1].inv()
    steps = inverse.apply(np.diff(map_from_base.positions, axis=0))
    turns = (inverse * map_from_base.rotations[1:]).as_rotvec()[:, 2]
    steps = steps * (bias[0] + drift * rng.standard_normal((len(steps), 1)))
    turns = turns * (bias[1] + drift * rng.standard_normal(len(turns)))
    yaw = np.append(0.0, np.cumsum(turns))
    rotations = _about_z(yaw)
    positions = np.concatenate([np.zeros((1, 3)), np.cumsum(rotations[:-1].apply(steps), axis=0)])
    return Trajectory(map_from_base.stamps_ns, positions, rotations, "odom", "base_link")
