"""The options by which `evaluate` and `benchmark` fail where a run does not reach what was asked for."""

from jsonargparse import ArgumentParser, Namespace

from campose_core.evaluation.gate import QualityGate, parse_gate


def add_gate_arguments(parser: ArgumentParser) -> None:
    """Declare --fail-under and --allow-leak."""
    parser.add_argument(
        "--fail-under",
        action="append",
        type=str,
        metavar="BOUND",
        help="exit with 1 where it is not kept: 'recall@25cm/2deg>=0.95', 'availability>=0.9', 'wrong_and_sure<=0'; "
        "may be given several times",
    )
    parser.add_argument(
        "--allow-leak", action="store_true", help="let --fail-under pass although query frames are in the map"
    )


def gates_of(options: Namespace) -> list[QualityGate]:
    """Return the bounds that were given.

    Raises:
        UsageError: one is none.
    """
    return [parse_gate(text) for text in options.fail_under or []]
