"""Cost of a snap: the look-up, with and without a place it came from, against a scan over all cells.

    python benchmarks/snap.py [MAP.yaml]

Prints microseconds a snap and how many times faster than the scan. Without a map, a floor of two rows of rooms is used.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from campose_core.floor import FloorMap
from campose_core.walkable import WalkableMap

POINTS = 20_000
SCANNED = 100


def rooms(side: int = 2000, resolution: float = 0.05) -> FloorMap:
    """Square rooms of 100 cells with walls of 4 and doors of 24 cells."""
    occupancy = np.zeros((side, side), dtype=np.int8)
    for wall in range(0, side, 100):
        occupancy[wall : wall + 4] = occupancy[:, wall : wall + 4] = 100
    for wall in range(100, side, 100):
        for door in range(40, side, 100):
            occupancy[wall : wall + 4, door : door + 24] = occupancy[door : door + 24, wall : wall + 4] = 0
    return FloorMap(occupancy, resolution)


def microseconds(snap: Callable[[int], object], count: int) -> tuple[float, float]:
    """Median and 99th percentile of one call each."""
    spent = np.empty(count)
    for i in range(count):
        start = time.perf_counter_ns()
        snap(i)
        spent[i] = time.perf_counter_ns() - start
    return float(np.median(spent)) / 1e3, float(np.percentile(spent, 99)) / 1e3


def main() -> None:
    floor = FloorMap.load(sys.argv[1]) if len(sys.argv) > 1 else rooms()
    start = time.perf_counter()
    walkable = WalkableMap.from_floor(floor)
    print(f"map of {floor.shape[1]} x {floor.shape[0]} cells, look-up built in {time.perf_counter() - start:.2f} s")

    rng = np.random.default_rng(0)
    centres = floor.centre_of(np.argwhere(walkable.walkable))
    came_from = centres[rng.integers(len(centres), size=POINTS)]
    raw = came_from + rng.normal(0, 0.4, came_from.shape)
    raw_list, from_list = raw.tolist(), [tuple(p) for p in came_from.tolist()]
    off = [i for i in range(POINTS) if not walkable.is_walkable(*raw_list[i])]
    print(f"{POINTS} poses 0.4 m about a walkable point, {len(off)} of them not on a walkable cell")

    def scan(i: int) -> None:
        np.hypot(*(centres - raw[off[i]]).T).argmin()

    def scan_in_python(i: int) -> None:
        x, y = raw_list[off[i]]
        min((px - x) ** 2 + (py - y) ** 2 for px, py in centres_list)

    centres_list = centres.tolist()
    baseline, _ = microseconds(scan_in_python, min(2, len(off)))
    rows = [
        ("scan of all cells, plain Python", baseline, float("nan")),
        ("scan of all cells, numpy", *microseconds(scan, min(SCANNED, len(off)))),
        ("snap, all poses", *microseconds(lambda i: walkable.snap(*raw_list[i]), POINTS)),
        ("snap, poses off the walkable cells", *microseconds(lambda i: walkable.snap(*raw_list[off[i]]), len(off))),
        (
            "the same with came_from",
            *microseconds(lambda i: walkable.snap(*raw_list[off[i]], from_list[off[i]]), len(off)),
        ),
    ]
    print(f"{'':38}{'median us':>12}{'p99 us':>12}{'times faster':>14}")
    for name, median, p99 in rows:
        print(f"{name:38}{median:12.1f}{p99:12.1f}{baseline / median:14.0f}")


if __name__ == "__main__":
    main()
