"""Figures of matplotlib, as PNG bytes or pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from campose_core.extras import load_extra
from campose_core.plotting.palette import FAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH_INCHES = 11.0
DPI = 110


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, in inches.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    load_extra("matplotlib", "view")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def png_of(figure: Figure, dpi: int = DPI) -> bytes:
    """Draw a figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi)
    return data.getvalue()


def pixels_of(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure as a picture (H, W, 3) uint8 RGB."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png_of(figure))).convert("RGB"))


def light_grid(axes: Axes) -> None:
    """Put a grid behind what is drawn, and leave out the frame above and on the right."""
    axes.grid(color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def metres_on_axis(metres: float, _: object = None) -> str:
    """Write a length at the tick of an axis."""
    return f"{metres:g} m" if metres >= 1 else f"{metres * 100:g} cm" if metres >= 0.01 else f"{metres * 1000:g} mm"


def degrees_on_axis(degrees: float, _: object = None) -> str:
    """Write an angle at the tick of an axis."""
    return f"{degrees:g}\N{DEGREE SIGN}"


def log_ticks(axis: Axis, text_of: Callable[[float, object], str]) -> None:
    """Write the ticks of a logarithmic axis as people do, between powers of ten those at 2 and 5 alone."""
    axis.set_major_formatter(text_of)
    axis.set_minor_formatter(lambda value, at: text_of(value, at) if f"{value:e}"[0] in "25" else "")
