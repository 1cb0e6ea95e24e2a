"""Numbers that options take: a wrong one is refused with its name before anything is read or written. NaN is none."""

from typing import Any, Literal

from jsonargparse import Namespace
from jsonargparse.typing import restricted_number_type

INFINITY = float("inf")
PositiveNumber = restricted_number_type("PositiveNumber", float, [(">", 0), ("<", INFINITY)])
NotNegative = restricted_number_type("NotNegative", float, [(">=", 0), ("<", INFINITY)])
FiniteNumber = restricted_number_type("FiniteNumber", float, [(">", -INFINITY), ("<", INFINITY)])
Fraction = restricted_number_type("Fraction", float, [(">=", 0), ("<", 1)])
Port = restricted_number_type("Port", int, [(">=", 0), ("<=", 65535)])
# No camera takes more images a second.
FrameRate = restricted_number_type("FrameRate", float, [(">", 0), ("<=", 1000)]) | Literal["all"]


def plain(options: Namespace) -> Namespace:
    """Return options whose numbers are of Python's own types: those of the parser cannot be written as YAML."""
    return Namespace(**{name: _plain(value) for name, value in vars(options).items()})


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(one) for one in value)
    for kind in (float, int):
        if isinstance(value, kind) and not isinstance(value, bool):
            return kind(value)
    return value
