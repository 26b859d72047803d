"""Figures let onto the page: only drawing elements and attributes, nothing that acts, loads or styles."""

from __future__ import annotations

import re
from xml.etree import ElementTree

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    (
        *("svg", "g", "path", "text", "tspan", "defs", "use", "clipPath", "pattern", "title", "desc"),
        *("rect", "circle", "ellipse", "line", "polyline", "polygon"),
    )
)
_ATTRIBUTES = frozenset(
    (
        *("id", "class", "role", "aria-label", "aria-hidden", "focusable", "viewBox", "transform", "href"),
        *("d", "points", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width", "height"),
        *("fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray"),
        *("stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity"),
        *("clip-path", "clip-rule", "clipPathUnits", "patternUnits", "patternContentUnits", "patternTransform"),
        *("font", "font-size", "font-family", "font-weight", "font-style", "font-stretch", "font-variant"),
        *("text-anchor", "dominant-baseline"),
    )
)
_WORDS = frozenset({"id", "class", "role", "aria-label"})
_INSIDE = re.compile(r"#([\w.:-]+)|url\(#([\w.:-]+)\)")
# Numbers, colours, path data and transforms; what calls a function of CSS is none of them.
_DRAWING = re.compile(r"(?:(?:matrix|translate|scale|rotate|skewX|skewY|rgb|rgba) ?\([-+.,\d\seE%]*\)|[^()\\@;])*")


def allowed_svg(text: str, prefix: str = "") -> str:
    """`text`, an SVG document, with every element and attribute left out that is not for drawing.

    A reference may only lead to an element of the same figure, and where there is a `prefix`, every id begins with it.
    A text that is no XML, or that declares a document type (and with it entities that could grow), gives ''.
    """
    if not text or "<!DOCTYPE" in text.upper():
        return ""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there is no entity to expand
    except (ElementTree.ParseError, UnicodeError):
        return ""
    if _name(root) != "svg":
        return ""
    _clean(root, f"{prefix}-" if prefix else "")
    ElementTree.register_namespace("", _NAMESPACE.strip("{}"))
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _clean(element: ElementTree.Element, prefix: str) -> None:
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        kept = _value(name, value, prefix) if name in _ATTRIBUTES else ""
        if kept:
            element.set(name, kept)
    for child in list(element):
        if isinstance(child.tag, str) and _name(child) in _ELEMENTS:
            _clean(child, prefix)
        else:
            element.remove(child)


def _value(name: str, value: str, prefix: str) -> str:
    """What stays of an attribute's value; '' where nothing does."""
    if name == "id":
        return _prefixed(value, prefix)
    if name in _WORDS:
        return value
    if found := _INSIDE.fullmatch(value):
        if name == "href":
            return f"#{_prefixed(found[1], prefix)}" if found[1] else ""
        return f"url(#{_prefixed(found[2], prefix)})" if found[2] else value
    return value if name != "href" and _DRAWING.fullmatch(value) else ""


def _prefixed(identifier: str, prefix: str) -> str:
    return identifier if identifier.startswith(prefix) else f"{prefix}{identifier}"


def _name(element: ElementTree.Element) -> str:
    tag = str(element.tag)
    return tag.removeprefix(_NAMESPACE) if tag.startswith(_NAMESPACE) else ""
