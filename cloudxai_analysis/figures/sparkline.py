"""The trend of a tile: a line as small as a word."""

from __future__ import annotations

import math
from collections.abc import Sequence

POINTS = 13
_WIDTH, _HEIGHT, _EDGE = 104.0, 24.0, 4.0

Place = tuple[float, float]


def sparkline(values: Sequence[float | None]) -> str:
    """An SVG line of the last 13 values, broken where a value is unknown, with a dot at the last one.

    It takes the colour of the text around it, and is hidden from screen readers: the tile says the same in words.
    """
    places = _places(values[-POINTS:])
    marks = [_stretch(run) for run in _runs(places)]
    if places and places[-1] is not None:
        marks.append(_dot(places[-1], 2.5))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" class="sparkline" '
        f'aria-hidden="true" focusable="false">{"".join(marks)}</svg>'
    )


def _places(values: Sequence[float | None]) -> list[Place | None]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return []
    low, high = min(known), max(known)
    step = (_WIDTH - 2 * _EDGE) / max(len(values) - 1, 1)
    # A lone value stands at the right, where the newest is in every other sparkline.
    first = _WIDTH - _EDGE - step * (len(values) - 1)

    def place(number: int, value: float | None) -> Place | None:
        if value is None or not math.isfinite(value):
            return None
        # Halves: the range of two finite floats may be too large for a float.
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
        return first + number * step, _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)

    return [place(number, value) for number, value in enumerate(values)]


def _runs(places: list[Place | None]) -> list[list[Place]]:
    runs: list[list[Place]] = [[]]
    for place in places:
        if place is not None:
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _stretch(run: list[Place]) -> str:
    if len(run) == 1:
        return _dot(run[0], 1.25)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return (
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _dot(place: Place, radius: float) -> str:
    return f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="{radius:g}" fill="currentColor"/>'
