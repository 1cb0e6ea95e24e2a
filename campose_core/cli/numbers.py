"""Numbers that options take: a wrong one is refused with its name before anything is read or written. NaN is none."""

from typing import Literal

from jsonargparse.typing import restricted_number_type

INFINITY = float("inf")
PositiveNumber = restricted_number_type("PositiveNumber", float, [(">", 0), ("<", INFINITY)])
NotNegative = restricted_number_type("NotNegative", float, [(">=", 0), ("<", INFINITY)])
FiniteNumber = restricted_number_type("FiniteNumber", float, [(">", -INFINITY), ("<", INFINITY)])
Fraction = restricted_number_type("Fraction", float, [(">=", 0), ("<", 1)])
Port = restricted_number_type("Port", int, [(">=", 0), ("<=", 65535)])
# No camera takes more pictures a second.
FrameRate = restricted_number_type("FrameRate", float, [(">", 0), ("<=", 1000)]) | Literal["all"]
