"""A figure as SVG that stands beside others in a page: text as text, the page's colour, no style, no clash of ids."""

from __future__ import annotations

import base64
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from html import escape
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from cloudxai_analysis.figures.labels import visible
from cloudxai_analysis.figures.style import INK, rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_COORDINATES = frozenset({"d", "x", "y", "width", "height", "transform", "points", "cx", "cy", "r"})
_ROOT = 'font-family="sans-serif" stroke-linejoin="round" stroke-linecap="butt"'
_LONG_NUMBER = re.compile(r"-?\d*\.\d{3,}")
_COMMAND = re.compile(" ?([MLCQz]) ?")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_POINTS = 13  # of a sparkline
_WIDTH, _HEIGHT, _EDGE = 104.0, 24.0, 4.0
_LINE = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"'


def to_svg(figure: Figure | SubFigure, prefix: str, label: str) -> str:
    """`figure` as the text of one `<svg>` element; the same figure gives the same bytes.

    `prefix` goes before every id, so that it must be unique in the page; `label` is the text alternative, which holds
    the numbers. There is no size: the element fills the width that the page gives it. What matplotlib writes as inline
    style becomes attributes, because a page with a strict content-security policy ignores inline style.
    """
    root = figure.get_figure(root=True)
    width, height = root.get_size_inches()
    safe, name = re.sub(r"[^A-Za-z0-9_-]", "-", prefix), escape(visible(label), quote=True)
    drawn = ET.fromstring(_drawn(root))  # noqa: S314 -- written by matplotlib just now
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * 72:.6g} {height * 72:.6g}" role="img" '
        f'aria-label="{name}" {_ROOT}><title>{name}</title>{_inside(drawn, safe)}</svg>'
    )


def as_image(svg: str, alt: str) -> str:
    """A figure as an image on white: of a notebook that it does not trust yet, JupyterLab shows no SVG."""
    drawn = svg.replace("<svg ", '<svg color="#1c2126" ', 1)
    drawn = drawn.replace("</title>", '</title><rect width="100%" height="100%" fill="#ffffff"/>', 1)
    data = base64.b64encode(drawn.encode()).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alt, quote=True)}" width="720">'


def _drawn(figure: Figure) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    page = StringIO()
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasSVG) else FigureCanvasSVG(figure)
    with matplotlib.rc_context(rc()), warnings.catch_warnings():
        # The reader's browser has glyphs that the font which measures the text has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas.print_svg(page, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _NOT_IN_XML.sub("\ufffd", page.getvalue())


def _inside(element: ET.Element, prefix: str) -> str:
    """What an element holds, cleaned: no metadata, no style, no group that says nothing."""
    text = element.text or ""
    written = [escape(text, quote=False)] if text.strip() else []
    for child in element:
        name, inside = child.tag.rpartition("}")[2], ""
        if name in ("metadata", "style"):
            continue
        attributes, inside = dict(_attributes(name, child, prefix)), _inside(child, prefix)
        if name == "g" and not attributes:
            written.append(inside)
            continue
        said = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        written.append(f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>")
    return "".join(written)


def _attributes(name: str, element: ET.Element, prefix: str) -> Iterator[tuple[str, str]]:
    pairs = (declaration.split(":", 1) for declaration in element.get("style", "").split(";") if ":" in declaration)
    given = {**element.attrib, **{key.strip(): value.strip() for key, value in pairs}}
    for key, value in given.items():
        if key in ("style", "font-family") or (key == "transform" and value.startswith("rotate(-0 ")):
            continue
        if key == "id":
            # Only what is referred to needs a name; matplotlib names every group.
            if name != "g":
                yield "id", f"{prefix}-{value}"
        elif key.endswith("href"):
            yield "href", f"#{prefix}-{value.removeprefix('#')}"
        elif key in _COORDINATES:
            short = _LONG_NUMBER.sub(_rounded, " ".join(value.split()))
            yield key, _COMMAND.sub(r"\1", short) if key == "d" else short
        else:
            renamed = _REFERENCE.sub(lambda found: f"url(#{prefix}-{found[1]})", value)
            yield key, "currentColor" if renamed == INK else renamed


def _rounded(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def sparkline(values: Sequence[float | None]) -> str:
    """The trend of a tile: an SVG line of the last 13 values, broken where one is unknown, with a dot at the last.

    It takes the colour of the text around it, and is hidden from screen readers: the tile says the same in words.
    """
    y = np.array(values[-_POINTS:], dtype=float)
    known, marks = np.isfinite(y), []
    if known.any():
        # Halves: the range of two finite floats may be too large for a float.
        low, high = y[known].min() / 2, y[known].max() / 2
        share = (np.where(known, y, low) / 2 - low) / (high - low) if high > low else np.full(len(y), 0.5)
        height = _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)
        # A lone value stands at the right, where the newest is in every other sparkline.
        across = _WIDTH - _EDGE - (_WIDTH - 2 * _EDGE) / max(len(y) - 1, 1) * np.arange(len(y))[::-1]
        for is_known, run in groupby(range(len(y)), key=lambda place: known[place]):
            points = [(across[place], height[place]) for place in run]
            if is_known and len(points) > 1:
                marks.append(f'<polyline points="{" ".join(f"{x:.1f},{up:.1f}" for x, up in points)}" {_LINE}/>')
            elif is_known:
                marks.append(_dot(*points[0], 1.25))
        if known[-1]:
            marks.append(_dot(across[-1], height[-1], 2.5))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" class="sparkline" '
        f'aria-hidden="true" focusable="false">{"".join(marks)}</svg>'
    )


def _dot(x: float, y: float, radius: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="currentColor"/>'
