"""The colours of all pictures: those of Okabe and Ito ("Color Universal Design", 2008), which people with
colour-blindness can tell apart. What matters differs in shape too.
"""

from __future__ import annotations

BLACK, BLUE, VERMILION, GREEN = "#000000", "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
STATES = {"TRACKING": GREEN, "PREDICTED": BLUE, "INITIALIZING": ORANGE, "LOST": VERMILION, "": "#BBBBBB"}
INK, MUTED, FAINT = "#2B303A", "#5C6470", "#D9DDE3"  # text; what stands behind; grids
WALL, UNKNOWN, POINTS = INK, "#E6E9EE", "#B4BAC4"  # of floor maps; landmarks as points


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour `#RRGGBB` as three numbers 0 to 255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
