import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudxai_analysis.figures import INK, PALETTE, empty, new_axes, sparkline, title, to_svg
from cloudxai_analysis.figures.cost import movers

ELEMENTS = {"g", "path", "text", "defs", "use", "clipPath", "rect", "pattern", "title"}
HOSTILE = {
    "</text><script>alert(1)</script>": r"</text><s.*….*1\)</script>",
    "$x_1^2$": r"\$x_1\^2\$",
    "a\nb": "a b",
    "שלום": "\u2068שלום\u2069",
    "x" * 250: "x{5,}…x{5,}",
    "\u202eevil": "\ufffdevil",
    "a\x00\x08b": "a\ufffd\ufffdb",
    "<!--": "<!--",
    "&": "&",
}


def elements(svg):
    """Name, attributes and text right inside of every element, the outermost first."""
    found = ElementTree.fromstring(svg).iter()  # noqa: S314 -- our own
    return [(one.tag.rpartition("}")[2], one.attrib, one.text or "") for one in found]


def drawn(prefix="one", names=("acme", "bluefin"), label="acme 30 EUR"):
    moved = pd.DataFrame({"tenant": list(names), "currency": "EUR", "cost": 30.0, "before": 35.0, "relative": -0.1})
    moved = moved.assign(change=[-5.0 + number for number in range(len(moved))])
    return to_svg(movers(new_axes(), moved).figure, prefix, label)


def texts(svg):
    return [text for name, _, text in elements(svg) if name == "text"]


def test_a_figure_is_one_element_of_drawing_elements_that_fills_the_width_it_is_given():
    svg = drawn(label='5 < 6 & "quoted"')
    (name, root, _), (first, _, said), *inside = elements(svg)
    assert (name, root["viewBox"], root["role"]) == ("svg", "0 0 518.4 244.8", "img")
    assert (first, said, root["aria-label"]) == ("title", '5 < 6 & "quoted"', '5 < 6 & "quoted"')
    assert not {"width", "height"} & set(root)
    assert {name for name, *_ in inside} <= ELEMENTS
    assert not re.search("<[?]xml|<!DOCTYPE|<!--|style|xlink|script|image|matplotlib", svg)


def test_text_stays_text_in_a_generic_font_and_the_pages_colour():
    svg = drawn()
    assert {"acme", "−5.00 EUR, −10 %"} <= set(texts(svg))
    assert re.findall(r'font-family="[^"]*"', svg) == ['font-family="sans-serif"']
    assert INK not in svg
    assert svg.count('fill="currentColor"') >= 6  # two lines of title, two names, two amounts
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(PALETTE)


def test_ids_of_two_figures_never_meet_and_every_reference_leads_to_one():
    found = []
    for prefix in ("cost-movers", "cost-tenants", 'a"><script>'):
        svg, safe = drawn(prefix), prefix.replace('"><script>', "---script-")
        ids = [attributes["id"] for _, attributes, _ in elements(svg) if "id" in attributes]
        assert all(name.startswith(f"{safe}-") for name in ids)
        references = re.findall(r"url\(#([^)]*)\)", svg) + re.findall(r'href="#([^"]*)"', svg)
        assert references
        assert set(references) <= set(ids)
        found += ids
    assert len(found) == len(set(found))


def test_the_same_frame_gives_the_same_bytes_and_leaves_the_settings_alone():
    before = matplotlib.rcParams.copy()
    assert drawn() == drawn()
    figure = empty(new_axes(), "no sample of `up`").figure
    assert to_svg(figure, "a", "b") == to_svg(figure, "a", "b")
    assert matplotlib.rcParams.copy() == before


def test_hostile_labels_are_shown_as_text():
    svg = drawn(names=HOSTILE, label="".join(HOSTILE))
    assert "<script" not in svg
    for shown in HOSTILE.values():
        assert any(re.fullmatch(shown, text) for text in texts(svg)), shown


def test_matplotlib_waits_until_a_figure_is_drawn_and_pyplot_stays_away():
    code = (
        "import sys\n"
        "from cloudxai_analysis.figures import alerts, cardinality, cost, readiness, telemetry\n"
        "from cloudxai_analysis.figures import empty, new_axes, to_svg\n"
        "assert 'matplotlib' not in sys.modules\n"
        "to_svg(empty(new_axes(), 'no data').get_figure(root=True), 'a', 'b')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def luminance(color):
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(*colors):
    low, high = sorted(map(luminance, colors))
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_on_light_and_dark():
    # WebAIM's contrast checker gives 21:1 for black on white, 4.54:1 for #767676; WCAG 2.2, 1.4.11 asks for 3:1.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert all(contrast(color, page) >= 3 for color in PALETTE for page in ("#ffffff", "#12161c"))


def test_a_title_has_two_lines_and_is_made_smaller_to_fit():
    ax = title(new_axes(), "Short", "measure\nand window")
    assert (ax.get_title(loc="left"), [text.get_text() for text in ax.texts]) == ("Short", ["measure and window"])
    assert title(new_axes(), "word " * 40, "")._left_title.get_fontsize() < 8


def lines(svg):
    found = [attributes["points"].split() for name, attributes, _ in elements(svg) if name == "polyline"]
    return [[tuple(map(float, point.split(","))) for point in points] for points in found]


def dots(svg):
    return [tuple(float(a[key]) for key in ("cx", "cy", "r")) for name, a, _ in elements(svg) if name == "circle"]


@pytest.mark.parametrize(
    ("values", "drawn_lines", "drawn_dots"),
    [
        ([1.0, 3.0, 2.0], [[(4, 20), (52, 4), (100, 12)]], [(100, 12, 2.5)]),
        ([7.0, 7.0], [[(4, 12), (100, 12)]], [(100, 12, 2.5)]),
        ([5.0], [], [(100, 12, 1.25), (100, 12, 2.5)]),
        ([0.0, 1.0, None], [[(4, 20), (52, 4)]], []),
        ([0.0, None, math.nan, 1.0, 0.0], [[(76, 4), (100, 20)]], [(4, 20, 1.25), (100, 20, 2.5)]),
        ([], [], []),
        ([None, math.nan], [], []),
    ],
)
def test_a_sparkline_spans_its_box_breaks_where_it_knows_nothing_and_ends_in_a_dot(values, drawn_lines, drawn_dots):
    svg = sparkline(values)
    assert (lines(svg), dots(svg)) == (drawn_lines, drawn_dots)


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=20))
def test_a_sparkline_stays_in_its_box_has_thirteen_points_and_no_word_for_screen_readers(values):
    svg = sparkline(values)
    assert svg == sparkline(values[-13:])
    (_, root, _), *marks = elements(svg)
    assert root["aria-hidden"] == "true"
    assert {mark.get("stroke", mark["fill"]) for _, mark, _ in marks} <= {"currentColor"}
    for x, y in [point for line in lines(svg) for point in line] + [dot[:2] for dot in dots(svg)]:
        assert 0 <= x <= 104
        assert 0 <= y <= 24
