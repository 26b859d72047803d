"""The trend of a tile: a line as small as a word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

POINTS = 13
_WIDTH, _HEIGHT, _EDGE = 104.0, 24.0, 4.0
_LINE = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"'


def sparkline(values: Sequence[float | None]) -> str:
    """An SVG line of the last 13 values, broken where a value is unknown, with a dot at the last one.

    It takes the colour of the text around it, and is hidden from screen readers: the tile says the same in words.
    """
    y = np.array(values[-POINTS:], dtype=float)
    known, marks = np.isfinite(y), []
    if known.any():
        # Halves: the range of two finite floats may be too large for a float.
        low, high = y[known].min() / 2, y[known].max() / 2
        share = (np.where(known, y, low) / 2 - low) / (high - low) if high > low else np.full(len(y), 0.5)
        height = _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)
        # A lone value stands at the right, where the newest is in every other sparkline.
        across = _WIDTH - _EDGE - (_WIDTH - 2 * _EDGE) / max(len(y) - 1, 1) * np.arange(len(y))[::-1]
        for is_known, run in groupby(range(len(y)), key=lambda place: known[place]):
            if is_known:
                marks.append(_stretch([(across[place], height[place]) for place in run]))
        if known[-1]:
            marks.append(_dot(across[-1], height[-1], 2.5))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" class="sparkline" '
        f'aria-hidden="true" focusable="false">{"".join(marks)}</svg>'
    )


def _stretch(run: list[tuple[float, float]]) -> str:
    if len(run) == 1:
        return _dot(*run[0], 1.25)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return f'<polyline points="{points}" {_LINE}/>'


def _dot(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="currentColor"/>'
