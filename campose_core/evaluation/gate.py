"""What a run must reach: `recall@25cm/2deg>=0.95`, `availability>=0.9`, `wrong_and_sure<=0.001`.

A frame without an answer counts as a failure in each of them.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from campose_core.errors import CamposeError, UsageError
from campose_core.evaluation.leak import Leak
from campose_core.evaluation.measures import RECALL_THRESHOLDS, Threshold, recall_name, recall_threshold
from campose_core.evaluation.metrics import Metrics

GATE = re.compile(r"\s*([a-z_]+)(?:@([^\s<>=]+))?\s*(>=|<=)\s*(\S+)\s*")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}
RECALLS, SHARES = ("recall", "recall_floor"), ("availability", "wrong_and_sure")
EXAMPLE = "`recall@25cm/2deg>=0.95`, `recall_floor@25cm/2deg>=0.95`, `availability>=0.9` or `wrong_and_sure<=0.001`"


class EvaluationError(CamposeError):
    """A run that does not reach what was asked for, or whose numbers mean nothing."""


class QualityGate(NamedTuple):
    """A bound on a share of all frames. threshold: metres and degrees of a recall; else None."""

    text: str
    share: str
    threshold: Threshold | None
    comparison: str
    bound: float

    def value(self, metrics: Metrics) -> float:
        """Return the share that is bounded; the metrics must have been made with the gate's threshold."""
        if self.threshold is None:
            return float(getattr(metrics, self.share))
        return float(getattr(metrics, self.share)[recall_name(*self.threshold)])

    def holds(self, metrics: Metrics) -> bool:
        """Tell whether a row is within the bound."""
        return COMPARISONS[self.comparison](self.value(metrics), self.bound)


def parse_gate(text: str) -> QualityGate:
    """Read a gate as people write it.

    Raises:
        UsageError: it is none; the message has examples.
    """
    found = GATE.fullmatch(text)
    threshold = recall_threshold(found[2]) if found and found[2] else None
    try:
        bound = float(found[4]) if found else math.nan
    except ValueError:
        bound = math.nan
    names = RECALLS if threshold else SHARES
    if found is None or found[1] not in names or (found[2] and threshold is None) or not 0 <= bound <= 1:
        raise UsageError(f"--fail-under {text!r} is no bound on a share from 0 to 1: write {EXAMPLE}")
    if (found[3] == "<=") != (found[1] == "wrong_and_sure"):
        raise UsageError(f"--fail-under {text!r} would fail the better runs: turn its sign round")
    return QualityGate(text.strip(), found[1], threshold, found[3], bound)


def thresholds_of(gates: Iterable[QualityGate]) -> list[Threshold]:
    """Return the thresholds of all recalls to measure: the usual ones, and those of the gates."""
    return list(dict.fromkeys([*RECALL_THRESHOLDS, *(gate.threshold for gate in gates if gate.threshold)]))


def require(gates: Sequence[QualityGate], metrics: Metrics, allow_leak: bool = False) -> None:
    """Hold a row against gates; without gates anything passes.

    Raises:
        EvaluationError: a bound is not kept, or the query leaks and that was not allowed; all faults are in the line.
    """
    faults = [
        f"{gate.share}{'@' + recall_name(*gate.threshold) if gate.threshold else ''} is {gate.value(metrics):.4f}, "
        f"asked for {gate.comparison} {gate.bound:g}"
        for gate in gates
        if not gate.holds(metrics)
    ]
    if gates and metrics.leak is not None and metrics.leak.leaks and not allow_leak:
        faults.append(f"{leak_text(metrics.leak)} (--allow-leak takes the numbers all the same)")
    if faults:
        raise EvaluationError(f"{metrics.estimator}: {'; '.join(faults)}")


def leak_text(leak: Leak) -> str:
    """Say in a line what leaks."""
    return f"LEAK: {'; '.join(leak.reasons)}"
