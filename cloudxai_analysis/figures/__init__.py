"""Pictures of the measures: each function draws one frame on the axes it is given; the title says what it shows."""

from cloudxai_analysis.figures.plot import plot
from cloudxai_analysis.figures.style import INK, PALETTE, empty, new_axes, title
from cloudxai_analysis.figures.svg import sparkline, to_svg

__all__ = ["INK", "PALETTE", "empty", "new_axes", "plot", "sparkline", "title", "to_svg"]
