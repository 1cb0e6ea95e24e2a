"""What the node costs and what it stands, over real DDS: camera, node and watcher in processes of their own.

    python -m benchmarks.ros --out /tmp/ros
    python -m benchmarks.ros --out /tmp/ros --part overload --part viewer

Beside it, in the same run, a plain node with the same localizer (plain_node.py). The part `memory` takes `--minutes`,
the others together about fourteen. Logs of the nodes stay in OUT.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.ros import parts
from benchmarks.ros.material import Material, prepare
from campose_core.cli.console import show_log

PARTS: dict[str, Callable[[Material, Path, float], list[parts.Row]]] = {
    "overhead": parts.overhead,
    "overload": parts.overload,
    "rate": parts.rate,
    "start": parts.start,
    "idle": parts.idle,
    "viewer": parts.viewer,
    "memory": parts.memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ros", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes, images and logs")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this one; may be repeated")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the part memory (default: %(default)s)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    material = prepare(options.out.resolve())
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in options.part or PARTS:
        started = time.monotonic()
        rows = PARTS[name](material, options.out.resolve(), options.minutes)
        print(f"\n== {name} ({time.monotonic() - started:.0f} s)")
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            print(
                "  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip(), flush=True
            )


if __name__ == "__main__":
    show_log()
    main()
