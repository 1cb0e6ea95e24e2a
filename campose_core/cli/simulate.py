"""`campose simulate OUT`: a rendered floor with exact ground truth."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import show
from campose_core.cli.numbers import Seed
from campose_core.simulation.world import SIZES


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the folder, and which floor is rendered."""
    parser.add_argument("out", type=Path, help="folder for bags, videos, trajectories, camera and floor map")
    parser.add_argument("--seed", type=Seed, default=0, help="another seed is another floor")
    parser.add_argument("--size", choices=SIZES, default="demo", help="small: one room, for trying things out")
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")


def run(options: Namespace) -> None:
    """Render the floor and its drives; prints what was written."""
    from campose_core.simulation.simulate import DRIVES, simulate

    simulate(options.out, options.size, options.seed)
    out = options.out
    written = {
        "floor": str(out / "floor" / "map.yaml"),
        "camera": str(out / "camera.json"),
        "picture": str(out / "world.png"),
        **{f"{name}_{kind}": str(out / f"{name}.{kind}") for name in DRIVES for kind in ("bag", "mp4", "tum")},
    }
    if options.json:
        show(json.dumps(written))
    else:
        for what, path in written.items():
            show(f"{what:12} {path}")
