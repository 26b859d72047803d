"""Figures let onto the page: only drawing elements and attributes, nothing that acts, loads or styles."""

from __future__ import annotations

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


def allowed_svg(text: str) -> str:
    """`text`, an SVG document, with every element and attribute left out that is not for drawing.

    A reference may only lead to an element of the same figure. A text that is no XML, or that declares a document
    type (and with it entities that could grow), gives ''.
    """
    if not text or "<!DOCTYPE" in text.upper():
        return ""
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there is no entity to expand
    except ElementTree.ParseError:
        return ""
    if _name(root) != "svg":
        return ""
    _clean(root)
    ElementTree.register_namespace("", _NAMESPACE.strip("{}"))
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _clean(element: ElementTree.Element) -> None:
    for name, value in list(element.attrib.items()):
        local = name.rsplit("}", 1)[-1]
        inside = value.startswith("#") if local == "href" else "url(" not in value or value.startswith("url(#")
        if name.startswith("{") or local not in _ATTRIBUTES or not inside:
            del element.attrib[name]
    for child in list(element):
        if isinstance(child.tag, str) and _name(child) in _ELEMENTS:
            _clean(child)
        else:
            element.remove(child)


def _name(element: ElementTree.Element) -> str:
    tag = str(element.tag)
    return tag.removeprefix(_NAMESPACE) if tag.startswith(_NAMESPACE) else ""
