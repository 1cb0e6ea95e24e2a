"""Entry point of `campose`: finds the verb, parses its options, runs it, and turns faults into one line.

Each verb is a module of this package with `add_arguments(parser)` and `run(options)`; only the chosen one is imported,
and all that takes long where an interrupt is heard already.
"""

import importlib
import sys
from collections.abc import Sequence

from campose_core import __version__
from campose_core.cli.console import exit_code_of, say, show, show_log
from campose_core.cli.interrupts import heed_one_interrupt

VERBS = {
    "simulate": "a rendered floor with exact ground truth: bag, video, floor map, reference trajectories",
    "build": "recording -> localizer in one command: extract, map, align, floor, split, train, benchmark",
    "extract": "frames out of a video, an image folder or a bag",
    "map": "structure from motion over the extracted frames",
    "update": "a new recording of the place becomes part of its map, or goes out of it again",
    "align": "put the reconstruction into the metric map frame",
    "floor": "the floor map: a nav2 map, a plan drawing, or made from the recording itself",
    "split": "divide the frames into train, val and test",
    "train": "train a pose network",
    "localize": "a pose for each frame of a recording",
    "evaluate": "errors of an estimated trajectory against a reference",
    "benchmark": "every estimator of a scene on the same frames",
    "matrix": "many runs: scenes x recordings x conditions x estimators x seeds, on all cores or a Dask scheduler",
    "replay": "the localizer of the node over a recording, as fast as it goes: same poses every time",
    "doctor": "what a scene covers, what holds its map together, and what to record next",
    "export": "the map for COLMAP, nerfstudio or hloc",
    "view": "serve a scene to Foxglove on ws://127.0.0.1:8765, or write it to an MCAP file",
}


def usage() -> str:
    """Write the help of `campose` itself: every verb in a line."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {description}" for verb, description in VERBS.items())
    return f"usage: campose VERB ...\n\n{verbs}\n\n`campose VERB --help` tells more. Version {__version__}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 done, 1 failed on the data, 2 wrong usage, 130 interrupted).

    arguments: None in a process that is there for them alone, which takes them from its command line.
    """
    if arguments is None:
        heed_one_interrupt()
        arguments = sys.argv[1:]
    arguments = list(arguments)
    if arguments[:1] in (["-h"], ["--help"]):
        return exit_code_of("campose", lambda: show(*usage().splitlines()))
    if arguments[:1] == ["--version"]:
        return exit_code_of("campose", lambda: show(f"campose {__version__}"))
    if not arguments or arguments[0] not in VERBS:
        complaint = f"campose: unknown verb {arguments[0]!r}\n\n" if arguments else ""
        for line in (complaint + usage()).splitlines():
            say(line)
        return 2
    show_log()
    verb, *rest = arguments
    return exit_code_of(f"campose {verb}", lambda: _run(verb, rest))


def _run(verb: str, arguments: Sequence[str]) -> None:
    from campose_core.cli.numbers import plain
    from campose_core.cli.verb_parser import VerbParser

    module = importlib.import_module(f"campose_core.cli.{verb}")
    parser = VerbParser(prog=f"campose {verb}", description=VERBS[verb])
    module.add_arguments(parser)
    module.run(plain(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
