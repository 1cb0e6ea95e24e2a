"""`campose split SCENE`"""

import json
from typing import cast

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import show
from campose_core.cli.numbers import Fraction
from campose_core.scene.scene import Scene
from campose_core.scene.split import Scheme, SplitOptions, counts, split


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, and by what its frames are divided."""
    parser.add_argument("scene", help="scene folder")
    parser.add_argument(
        "--scheme", choices=["contiguous", "interleaved", "source"], default=SplitOptions.scheme,
        help="contiguous stretches of each recording; frame index modulo 3; or whole recordings",
    )  # fmt: skip
    parser.add_argument("--val", type=Fraction, default=SplitOptions.val, help="fraction that chooses a checkpoint")
    parser.add_argument("--test", type=Fraction, default=SplitOptions.test, help="fraction that is never trained on")
    parser.add_argument("--val-sources", nargs="+", default=[], metavar="SOURCE", help="recordings (scheme source)")
    parser.add_argument("--test-sources", nargs="+", default=[], metavar="SOURCE", help="recordings (scheme source)")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")


def run(options: Namespace) -> None:
    """Divide the frames; prints how many each split has."""
    chosen = SplitOptions(
        cast(Scheme, options.scheme), options.val, options.test, tuple(options.val_sources), tuple(options.test_sources)
    )
    found = counts(split(Scene.open(options.scene), chosen))
    if options.json:
        show(json.dumps(found))
    else:
        show("  ".join(f"{name} {count}" for name, count in found.items()))
