"""All numbers of localization in one run, beside the plain way: all features against all landmarks, PnP, no prior.

    python -m benchmarks.localization --data ../shared/data/redkitchen --out /tmp/localization
    python -m benchmarks.localization --data ../shared/data/redkitchen --out /tmp/localization stress node

OUT keeps what was rendered and built (about ten minutes on two cores the first time), so that a section can be run
again by its name.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.localization.material import Material, prepare
from campose_core.cli.console import show_log
from campose_core.trajectory import read_tum


def relocalization(material: Material) -> str:
    from benchmarks.localization.relocalization import table

    return "\n\n".join(table(place.scene, place.query, read_tum(place.truth)) for place in material.places)


def tracking(material: Material) -> str:
    from benchmarks.localization.tracking import table

    return table(material)


def stress(material: Material) -> str:
    from benchmarks.localization.stress import table

    return table(material.demo.scene, material.world, material.out / "stress")


def reliability(material: Material) -> str:
    from benchmarks.localization.reliability import table

    return "\n\n".join(table(place, material.out / "replay") for place in material.places)


def node(material: Material) -> str:
    from benchmarks.localization.node import table

    return table(material.demo, material.out / "node")


SECTIONS: dict[str, Callable[[Material], str]] = {
    section.__name__: section for section in (relocalization, tracking, reliability, node, stress)
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.localization",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="the kitchen's mapping and query recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for scenes and results")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {unknown[0]!r}, known: {', '.join(SECTIONS)}")
    material = prepare(options.data, options.out)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start")
    for name in options.sections or SECTIONS:
        start = time.monotonic()
        text = SECTIONS[name](material)
        print(f"\n== {name} ({time.monotonic() - start:.0f} s)\n\n{text}", flush=True)


if __name__ == "__main__":
    show_log()
    main()
