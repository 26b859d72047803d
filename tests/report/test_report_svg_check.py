"""Figures on the page: drawings only, whatever a notebook brings."""

from __future__ import annotations

import pytest
from executed import FIGURE
from matplotlib.figure import Figure

from cloudxai_analysis.figures import new_axes, sparkline, to_svg
from cloudxai_analysis.report.svg_check import allowed_svg

OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<foreignObject><b/></foreignObject>",
        "<style>*{fill:url(http://example.org/)}</style>",
        "<image href='http://example.org/x.png'/>",
        "<animate attributeName='href' to='javascript:alert(1)'/>",
        "<a href='javascript:alert(1)'><text>x</text></a>",
        "<iframe xmlns='http://www.w3.org/1999/xhtml' src='http://example.org/'/>",
    ],
)
def test_what_acts_or_loads_is_left_out(inside: str) -> None:
    assert allowed_svg(f"{OPEN}{inside}<path d='M0 0'/></svg>") == (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0" /></svg>'
    )


@pytest.mark.parametrize(
    "attribute",
    [
        "onload='alert(1)'",
        "style='fill:url(http://example.org/)'",
        "href='http://example.org/#a'",
        "href='javascript:alert(1)'",
        "xlink:href='http://example.org/'",
        "fill='url(http://example.org/#a)'",
        "fill='URL(http://example.org/)'",
        "fill='url(#a) url(http://example.org/)'",
        "fill='u\\72l(http://example.org/)'",
        "clip-path='url(&quot;http://example.org/&quot;)'",
        "transform='translate(1) url(x)'",
    ],
)
def test_attributes_that_lead_elsewhere_are_left_out(attribute: str) -> None:
    assert "<path />" in allowed_svg(f"{OPEN}<path {attribute}/></svg>")


@pytest.mark.parametrize(
    "attribute",
    ['fill="#0072b2"', 'fill="currentColor"', 'transform="translate(4 -2.5) scale(.1)"', 'clip-path="url(#a)"'],
)
def test_attributes_that_draw_stay(attribute: str) -> None:
    assert f"<path {attribute} />" in allowed_svg(f"{OPEN}<path {attribute}/></svg>")


def test_ids_and_what_leads_to_them_begin_with_the_figures_key() -> None:
    inside = '<g id="a"/><g id="cost-weeks-b"/><use href="#a"/><path fill="url(#a)" clip-path="url(#cost-weeks-b)"/>'
    found = allowed_svg(f"{OPEN}{inside}</svg>", "cost-weeks")
    assert '<g id="cost-weeks-a" /><g id="cost-weeks-b" /><use href="#cost-weeks-a" />' in found
    assert '<path fill="url(#cost-weeks-a)" clip-path="url(#cost-weeks-b)" />' in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no svg",
        "<svg xmlns='http://www.w3.org/2000/svg'>",
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
        "<svg><path d='M0 0'/></svg>",
        "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>]><svg xmlns='http://www.w3.org/2000/svg'>&a;</svg>",
        f"{OPEN}\ud800</svg>",
    ],
)
def test_what_is_no_svg_gives_nothing(text: str) -> None:
    assert allowed_svg(text) == ""


def test_text_stays_text() -> None:
    assert "&lt;script&gt;" in allowed_svg(f"{OPEN}<text>&lt;script&gt;</text></svg>")


def test_our_own_figures_come_through_whole() -> None:
    axes = new_axes(4, 2)
    axes.plot([0, 1], [1, 0], marker="o")
    axes.set_title("Labels left")
    assert isinstance(axes.figure, Figure)
    drawn = to_svg(axes.figure, "headroom", "54 labels left")
    for svg in (drawn, sparkline([1.0, None, 2.0]), FIGURE):
        kept = allowed_svg(svg)
        for element in ("<path", "<use", "<text", "<polyline", "<circle", "clip-path=", "href=", "transform="):
            assert kept.count(element) == svg.count(element), element
