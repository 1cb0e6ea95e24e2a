"""`campose evaluate`: errors of an estimated trajectory against a reference."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.external_poses import read_reference
from campose_core.cli.console import show
from campose_core.errors import UsageError
from campose_core.evaluation.constant_offset import constant_offset
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.metrics import evaluate
from campose_core.evaluation.table import tables
from campose_core.files import write_text
from campose_core.map_scale import ScaleBasis

STDOUT = "-"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the two trajectories, and where the metrics go."""
    parser.add_argument("estimate", type=Path, help="EST.tum; EST.json beside it tells the frames without an answer")
    parser.add_argument(
        "reference", type=Path, help="REF.tum, another trajectory or a data set: map_from_cam of the recording"
    )
    parser.add_argument(
        "--json",
        type=str,
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write the metrics to FILE, or print them instead of the table; an infinite error is null",
    )


def run(options: Namespace) -> None:
    """Score the estimate against the reference; prints the tables."""
    if options.json not in (None, STDOUT) and Path(options.json) == options.estimate.with_suffix(".json"):
        raise UsageError(f"--json {options.json} would replace the summary of {options.estimate}: choose another name")
    estimates, reference = read_estimates(options.estimate), read_reference(options.reference)
    metrics = evaluate(estimates, reference)
    if options.json == STDOUT:
        show(json.dumps(metrics.to_dict()))
        return
    show(*tables([metrics]).splitlines())
    if offset := constant_offset(estimates, reference):
        show("", offset)
    if estimates.scale is not ScaleBasis.MEASURED:
        show("", f"The scale of their map is {estimates.scale.value}: errors in metres are against a frame of its own.")
    if not estimates.complete:
        show("", f"No {options.estimate.stem}.json beside the estimates: every reference pose counts as a frame.")
    if metrics.without_reference:
        show("", f"{metrics.without_reference} frames have no reference pose and count in nothing.")
    if options.json is not None:
        write_text(Path(options.json), json.dumps(metrics.to_dict(), indent=2) + "\n")
