"""A figure as SVG for a page: text as text, the page's colour, nothing that acts or loads."""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Sequence
from html import escape
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from cloudxai_analysis.figures.labels import visible
from cloudxai_analysis.figures.style import INK, rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_SVG = "http://www.w3.org/2000/svg"
_DRAWN = """
g path text tspan defs use clipPath pattern title desc rect circle ellipse line polyline polygon
"""
_KEPT = """
id aria-hidden focusable viewBox href x1 y1 x2 y2 rx ry
fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-dasharray stroke-dashoffset stroke-linecap
stroke-linejoin stroke-miterlimit opacity clip-path clip-rule clipPathUnits
patternUnits patternContentUnits patternTransform
font font-size font-weight font-style font-stretch font-variant text-anchor dominant-baseline
"""
_ELEMENTS = frozenset(_DRAWN.split())
_WORDS = frozenset({"class", "role", "aria-label"})
_COORDINATES = frozenset({"d", "x", "y", "width", "height", "transform", "points", "cx", "cy", "r"})
_ATTRIBUTES = _WORDS | _COORDINATES | frozenset(_KEPT.split())
_REFERENCE = re.compile(r"#([\w.:-]+)|url\(#([\w.:-]+)\)")
# Numbers, colours, path data and transforms; what calls a function of CSS is none of them.
_DRAWING = re.compile(r"(?:(?:matrix|translate|scale|rotate|skewX|skewY|rgb|rgba) ?\([-+.,\d\seE%]*\)|[^()\\@;])*")
_LONG_NUMBER = re.compile(r"-?\d*\.\d{3,}")
_COMMAND = re.compile(" ?([MLCQz]) ?")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_POINTS = 13  # of a sparkline
_WIDTH, _HEIGHT, _EDGE = 104.0, 24.0, 4.0
_ONE_OF_BOTH = ".cloudxai-figure{max-width:60rem}.cloudxai-figure svg+img{display:none}"
_LINE = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"'


def to_svg(figure: Figure | SubFigure, prefix: str, label: str) -> str:
    """`figure` as the text of one `<svg>` element; the same figure gives the same bytes.

    `prefix` goes before every id, so that it must be unique in the page; `label` is the text
    alternative, which holds the numbers. There is no size: the element fills the width that the
    page gives it.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    page, name = StringIO(), visible(label)
    with matplotlib.rc_context(rc()), warnings.catch_warnings():
        # The reader's browser has glyphs that the font which measures the text has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        canvas = FigureCanvasSVG(figure.get_figure(root=True))
        canvas.print_svg(page, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(_NOT_IN_XML.sub("\ufffd", page.getvalue()))  # noqa: S314 - written just now
    _clean(root, f"{re.sub('[^A-Za-z0-9_-]', '-', prefix)}-")
    looks = {"font-family": "sans-serif", "stroke-linejoin": "round", "stroke-linecap": "butt"}
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": name, **looks}
    title = ElementTree.Element("title")
    title.text = name
    root.insert(0, title)
    return _written(root)


def allowed_svg(text: str, prefix: str) -> str:
    """`text`, an SVG document, with every element and attribute left out that is not for drawing.

    A reference may only lead to an element of the same figure, whose ids all begin with `prefix`. A
    text that is no SVG, or that declares a document type (and with it entities that could grow),
    gives ''.
    """
    if "<!DOCTYPE" in text.upper():
        return ""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there is no entity to expand
    except (ElementTree.ParseError, UnicodeError):
        return ""
    if root.tag != f"{{{_SVG}}}svg":
        return ""
    _clean(root, f"{prefix}-")
    return _written(root)


def as_image(svg: str, alt: str) -> str:
    """A figure for a notebook: in the colours of its theme, as wide as the cell.

    JupyterLab takes every SVG and style out of a notebook that is not trusted yet: there the same
    figure stands as an image on white.
    """
    drawn = svg.replace(">", ' color="#1c2126"><rect width="100%" height="100%" fill="#ffffff"/>', 1)
    data = base64.b64encode(drawn.encode()).decode()
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alt, quote=True)}" width="100%">'
    return f'<div class="cloudxai-figure">{svg}{image}</div><style>{_ONE_OF_BOTH}</style>'


def _written(root: ElementTree.Element) -> str:
    root.set("xmlns", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, prefix: str) -> None:
    """Keep what draws, without style, space between elements, and groups that say nothing."""
    kept: list[ElementTree.Element] = []
    for child in element:
        space, _, name = str(child.tag).rpartition("}")
        if space == f"{{{_SVG}" and name in _ELEMENTS:
            _clean(child, prefix)
            kept += list(child) if name == "g" and not child.attrib else [child]
    element[:] = kept
    element.tag = str(element.tag).rpartition("}")[2]
    # Style becomes attributes: a page with a strict content-security policy ignores it.
    pairs = (declaration.split(":", 1) for declaration in element.get("style", "").split(";") if ":" in declaration)
    given = element.attrib | {name.strip(): value.strip() for name, value in pairs}
    values = {name: _value(name, value, prefix) for key, value in given.items() if (name := key.rpartition("}")[2])}
    if element.tag == "g":
        # Only what is referred to needs a name; matplotlib names every group.
        values.pop("id", "")
    element.attrib = {name: value for name, value in values.items() if value}
    element.text, element.tail = (text if (text or "").strip() else None for text in (element.text, element.tail))


def _value(name: str, value: str, prefix: str) -> str:
    """What stays of an attribute's value; '' where nothing does."""
    if name not in _ATTRIBUTES or value.startswith("rotate(-0 "):
        return ""
    if name == "id":
        return prefix + value.removeprefix(prefix)
    if value == INK:
        return "currentColor"
    if name in _WORDS:
        return value
    if found := _REFERENCE.fullmatch(value):
        led = prefix + (found[1] or found[2]).removeprefix(prefix)
        return f"#{led}" if name == "href" and found[1] else f"url(#{led})" if found[2] else value
    if name == "href" or not _DRAWING.fullmatch(value):
        return ""
    if name in _COORDINATES:
        short = _LONG_NUMBER.sub(lambda found: f"{round(float(found[0]), 2) + 0.0:g}", " ".join(value.split()))
        return _COMMAND.sub(r"\1", short) if name == "d" else short
    return value


def sparkline(values: Sequence[float | None], *, most: int = _POINTS, width: float = _WIDTH) -> str:
    """The trend of a tile: an SVG line of the last values, 13 at most, broken where one is unknown, a dot at the last.

    It takes the colour of the text around it, and is hidden from screen readers: the tile says the
    same in words.
    """
    y = np.array(values[-most:], dtype=float) / 2  # the range of two finite floats may be too large for a float
    known, marks = np.isfinite(y), []
    if known.any():
        low, high = y[known].min(), y[known].max()
        share = (np.where(known, y, low) - low) / (high - low) if high > low else np.full(len(y), 0.5)
        height = _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)
        # A lone value stands at the right, where the newest is in every other sparkline.
        across = width - _EDGE - (width - 2 * _EDGE) / max(len(y) - 1, 1) * np.arange(len(y))[::-1]
        dots = [(-1, 2.5)] if known[-1] else []
        for is_known, run in groupby(range(len(y)), key=lambda place: known[place]):
            places = list(run)
            if is_known and len(places) > 1:
                points = " ".join(f"{across[place]:.1f},{height[place]:.1f}" for place in places)
                marks.append(f'<polyline points="{points}" {_LINE}/>')
            elif is_known:
                dots.insert(0, (places[0], 1.25))
        marks += [
            f'<circle cx="{across[at]:.1f}" cy="{height[at]:.1f}" r="{r}" fill="currentColor"/>' for at, r in dots
        ]
    return (
        f'<svg xmlns="{_SVG}" viewBox="0 0 {width:g} {_HEIGHT:g}" class="sparkline" aria-hidden="true" '
        f'focusable="false">{"".join(marks)}</svg>'
    )
