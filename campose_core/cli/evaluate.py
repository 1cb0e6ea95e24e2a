"""`campose evaluate`: errors of an estimated trajectory against a reference."""

import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.external_poses import read_reference
from campose_core.capture.recording import open_recording
from campose_core.cli.console import say, show
from campose_core.cli.gate import add_gate_arguments, gates_of
from campose_core.cli.outputs import check_file, check_folder
from campose_core.errors import UsageError
from campose_core.evaluation.estimates import read_estimates
from campose_core.evaluation.frame_errors import poses_without_a_frame
from campose_core.evaluation.gate import require, thresholds_of
from campose_core.evaluation.judge import Beside, judged
from campose_core.evaluation.one_cause import one_cause
from campose_core.evaluation.table import measure_table, tables
from campose_core.files import write_text
from campose_core.map_scale import ScaleBasis
from campose_core.scene.scene import Scene

STDOUT = "-"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the two trajectories, what they are judged beside, and where the metrics go."""
    parser.add_argument("estimate", type=Path, help="EST.tum; EST.json beside it tells the frames without an answer")
    parser.add_argument(
        "reference",
        type=Path,
        help="map_from_cam of the recording: REF.tum, another trajectory, a data set, or its bag with /tf or poses: "
        "BAG, BAG:TOPIC, BAG:FRAME",
    )
    parser.add_argument(
        "--scene", type=Path | None, help="the scene that was localized in: is any frame also in its map? And the snap"
    )
    parser.add_argument(
        "--query", type=Path | None, help="the recording that was localized: its images, for the leak guard and report"
    )
    parser.add_argument("--topic", type=str | None, help="image topic of --query, for bags with several")
    add_gate_arguments(parser)
    parser.add_argument("--report", type=Path | None, metavar="DIR", help="write DIR/index.html and DIR/report.json")
    parser.add_argument(
        "--against", type=Path | None, metavar="report.json", help="of an earlier run: what is better, worse, the same"
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
    """Score the estimate against the reference; prints the tables, and fails where a bound is not kept."""
    if options.json not in (None, STDOUT) and Path(options.json) == options.estimate.with_suffix(".json"):
        raise UsageError(f"--json {options.json} would replace the summary of {options.estimate}: choose another name")
    if options.against is not None and options.report is None:
        raise UsageError("--against is told on the report: give --report DIR")
    if options.topic is not None and options.query is None:
        raise UsageError("--topic is of --query: give both")
    if options.json not in (None, STDOUT):
        check_file("--json", Path(options.json))
    if options.report is not None:
        check_folder("--report", options.report)
    gates = gates_of(options)
    estimates, reference = read_estimates(options.estimate), read_reference(options.reference, options.topic)
    scene = None if options.scene is None else Scene.open(options.scene)
    query = None if options.query is None else open_recording(options.query, options.topic)
    beside = Beside.of_query(scene, query)
    judgement = judged([estimates], reference, beside, thresholds_of(gates))
    metrics, over, truth = judgement.rows[0], judgement.estimates[0], judgement.truth or reference
    if options.report is not None:
        from campose_core.evaluation.report import write_judgement

        title = f"{options.estimate.name} against {options.reference.name}"
        page = write_judgement(options.report, title, judgement, beside, options.against)
        say(f"evaluate: the report: {page}")
    if options.json == STDOUT:
        show(json.dumps(metrics.to_dict()))
    else:
        show(*tables([metrics]).splitlines(), "", *measure_table([metrics]).splitlines())
        if cause := one_cause(over, truth):
            show("", cause)
        if estimates.scale is not ScaleBasis.MEASURED:
            scale = estimates.scale.value
            show("", f"The scale of their map is {scale}: errors in metres are against a frame of its own.")
        if not over.complete:
            show("", f"No {options.estimate.stem}.json beside the estimates: every reference pose counts as a frame.")
        unlisted = len(over.outcomes) - len(estimates.outcomes)
        if estimates.complete and unlisted:
            show(
                "", f"{unlisted} images of the query are in no row of {options.estimate.stem}.json: without an answer."
            )
        if query is None and (left := poses_without_a_frame(over, truth)):
            show("", f"{left} reference poses are of no frame: --query RECORDING tells whether images were left out.")
        if gates and scene is None:
            show("", "No --scene: nobody looked for frames that the map was made of.")
        if metrics.without_reference:
            show("", f"{metrics.without_reference} frames have no reference pose and count in nothing.")
    if options.json not in (None, STDOUT):
        write_text(Path(options.json), json.dumps(metrics.to_dict(), indent=2) + "\n")
    require(gates, metrics, options.allow_leak)
