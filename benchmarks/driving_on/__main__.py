"""`python -m benchmarks.driving_on --data DATA --out OUT`: a table, and OUT/driving_on.png.

--data: the folder with the recordings of the kitchen; --out: what is rendered and built is kept there. --seeds: drives
for each odometry.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.driving_on.picture import draw
from benchmarks.driving_on.table import measured
from benchmarks.localization.material import prepare
from campose_core.cli.console import show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    material = prepare(options.data, options.out)
    table, example = measured(material, options.data, options.seeds)
    show(*table.splitlines())
    draw(example, options.out / "driving_on.png")


if __name__ == "__main__":
    main()
