"""Numbers that options take: a wrong one is refused with its name before anything is read or written. NaN is none."""

from collections.abc import Sequence
from typing import Any, Literal

from jsonargparse import Namespace
from jsonargparse.typing import restricted_number_type

from campose_core.errors import GeometryError, UsageError
from campose_core.geometry import FARTHEST_M, Pose

PositiveNumber = restricted_number_type("PositiveNumber", float, [(">", 0), ("<=", FARTHEST_M)])
NotNegative = restricted_number_type("NotNegative", float, [(">=", 0), ("<=", FARTHEST_M)])
FiniteNumber = restricted_number_type("FiniteNumber", float, [(">=", -FARTHEST_M), ("<=", FARTHEST_M)])
Fraction = restricted_number_type("Fraction", float, [(">=", 0), ("<", 1)])
Count = restricted_number_type("Count", int, [(">", 0), ("<=", 1_000_000)])
Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 2**32)])
Port = restricted_number_type("Port", int, [(">=", 0), ("<=", 65535)])
# No camera takes more images a second.
FrameRate = restricted_number_type("FrameRate", float, [(">", 0), ("<=", 1000)]) | Literal["all"]


def between(kind: type, low: float, high: float) -> Any:
    """Make a type of numbers from low to high, which the parser's refusal names by its bounds."""
    return restricted_number_type(f"{kind.__name__} from {low} to {high}", kind, [(">=", low), ("<=", high)])


def pose_numbers(option: str, numbers: Sequence[float]) -> tuple[float, ...]:
    """Return X Y Z QX QY QZ QW as they were given.

    Raises:
        UsageError: they are no pose; the option is named.
    """
    try:
        Pose.from_quat_xyzw(numbers[3:], numbers[:3])
    except GeometryError as error:
        raise UsageError(f"{option}: {error}") from error
    return tuple(numbers)


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
