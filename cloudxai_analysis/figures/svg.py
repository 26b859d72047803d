"""A figure as SVG that stands beside others in a page: text as text, the page's colour, no style, no clash of ids."""

from __future__ import annotations

import base64
import re
import warnings
from html import escape
from io import StringIO
from typing import TYPE_CHECKING
from xml.parsers import expat

from cloudxai_analysis.figures.labels import visible
from cloudxai_analysis.figures.style import INK, rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_DROPPED = frozenset({"metadata", "style"})
_COORDINATES = frozenset({"d", "x", "y", "width", "height", "transform", "points", "cx", "cy", "r"})
_ROOT = 'font-family="sans-serif" stroke-linejoin="round" stroke-linecap="butt"'
_LONG_NUMBER = re.compile(r"-?\d*\.\d{3,}")
_COMMAND = re.compile(" ?([MLCQz]) ?")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_svg(figure: Figure | SubFigure, prefix: str, label: str) -> str:
    """`figure` as the text of one `<svg>` element; the same figure gives the same bytes.

    `prefix` goes before every id, so that it must be unique in the page; `label` is the text alternative, which holds
    the numbers. There is no size: the element fills the width that the page gives it. What matplotlib writes as inline
    style becomes attributes, because a page with a strict content-security policy ignores inline style.
    """
    root = figure.get_figure(root=True)
    width, height = root.get_size_inches()
    writer = _Writer(re.sub(r"[^A-Za-z0-9_-]", "-", prefix))
    writer.read(_drawn(root))
    name = escape(visible(label), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * 72:.6g} {height * 72:.6g}" role="img" '
        f'aria-label="{name}" {_ROOT}><title>{name}</title>{writer.text}</svg>'
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


class _Writer:
    """Writes matplotlib's SVG anew while reading it: the inside of the outermost element, cleaned."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._written: list[str] = []
        self._open: list[str] = []  # what closes each open element: nothing for those left out
        self._dropped = 0

    @property
    def text(self) -> str:
        return "".join(self._written)

    def read(self, svg: str) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(svg.encode(), True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._dropped or name in _DROPPED:
            self._dropped += 1
            return
        written = "".join(f' {key}="{escape(value)}"' for key, value in self._attributes(name, attributes).items())
        if name == "svg" or (name == "g" and not written):
            self._open.append("")
            return
        self._written.append(f"<{name}{written}>")
        self._open.append(f"</{name}>")

    def _end(self, _: str) -> None:
        if self._dropped:
            self._dropped -= 1
            return
        closing = self._open.pop()
        if closing and self._written[-1].startswith(f"<{closing[2:-1]}") and self._written[-1].endswith(">"):
            self._written[-1] = f"{self._written[-1][:-1]}/>"
        else:
            self._written.append(closing)

    def _characters(self, text: str) -> None:
        if not self._dropped and text.strip():
            self._written.append(escape(text, quote=False))

    def _attributes(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        given = {**attributes, **_declarations(attributes.get("style", ""))}
        kept: dict[str, str] = {}
        for key, value in given.items():
            if key in ("style", "font-family") or (key == "transform" and value.startswith("rotate(-0 ")):
                continue
            if key == "id":
                # Only what is referred to needs a name; matplotlib names every group.
                if name != "g":
                    kept["id"] = f"{self._prefix}-{value}"
            elif key.endswith("href"):
                kept["href"] = f"#{self._prefix}-{value.removeprefix('#')}"
            elif key in _COORDINATES:
                short = _LONG_NUMBER.sub(_rounded, " ".join(value.split()))
                kept[key] = _COMMAND.sub(r"\1", short) if key == "d" else short
            else:
                renamed = _REFERENCE.sub(lambda found: f"url(#{self._prefix}-{found[1]})", value)
                kept[key] = "currentColor" if renamed == INK else renamed
        return kept


def _declarations(style: str) -> dict[str, str]:
    pairs = (declaration.split(":", 1) for declaration in style.split(";") if ":" in declaration)
    return {key.strip(): value.strip() for key, value in pairs}


def _rounded(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
