"""Labels, SVG and sparklines: whatever a name or a notebook brings, drawings only, and every text as its own text."""

import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from cloudxai_analysis.figures import PALETTE, empty, new_axes, sparkline, title, to_svg
from cloudxai_analysis.figures.cost import movers
from cloudxai_analysis.figures.labels import change_of, share_words, shortened, text_width, visible, without_port
from cloudxai_analysis.figures.style import INK
from cloudxai_analysis.figures.svg import allowed_svg

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


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("a\n\tb  c", "a b c"),
        ("", "(none)"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("日本", "日本"),
        ("e" + "\u0301" * 50, "e\u0301\u0301"),
        ("عميل", "\u2068عميل\u2069"),
        ("a" * 20 + "b" * 20, "a" * 13 + "…" + "b" * 12),  # 26 characters
    ],
)
def test_a_label_becomes_visible(label, shown):
    assert shortened(label) == shown


@given(st.text(max_size=300))
def test_any_label_becomes_one_short_line(label):
    shown = shortened(label)
    assert len(shown) <= 28  # 26 and the two isolates
    assert text_width(shown, 1.0) <= 26 * 0.64
    assert "\n" not in shown
    assert visible(shown.strip("\u2068\u2069")) == shown.strip("\u2068\u2069")


def test_common_ports_are_left_away_shares_are_whole_only_where_they_are_and_changes_have_their_sign():
    assert without_port(["a:80", "b:80"]) == {"a:80": "a", "b:80": "b"}
    assert without_port(["a:80", "a:81"]) == {"a:80": "a:80", "a:81": "a:81"}
    shares = {1.0: "100 %", 0.999: "99.9 %", 0.98681: "98.681 %", 0.9999999: "99.999 %", 0.0: "0 %"}
    assert {share: share_words(share) for share in shares} == shares
    assert [change_of(one, "EUR") for one in (12.3, -1200.0, 0.0)] == ["+12.30 EUR", "−1,200 EUR", "0.00 EUR"]


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


def test_a_figure_fills_the_width_it_is_given_with_text_as_text_in_the_pages_font_and_colour():
    svg = drawn(label='5 < 6 & "quoted"')
    (name, root, _), (first, _, said), *_ = elements(svg)
    assert (name, root["viewBox"], root["role"]) == ("svg", "0 0 518.4 244.8", "img")
    assert (first, said, root["aria-label"]) == ("title", '5 < 6 & "quoted"', '5 < 6 & "quoted"')
    assert not {"width", "height"} & set(root)
    assert not re.search("<[?]xml|<!DOCTYPE|<!--|style|xlink|script|image|matplotlib", svg)
    assert {"acme", "−5.00 EUR, −10 %"} <= set(texts(svg))
    assert re.findall(r'font-family="[^"]*"', svg) == ['font-family="sans-serif"']
    assert INK not in svg
    assert svg.count('fill="currentColor"') >= 6  # two lines of title, two names, two amounts
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(PALETTE)


def test_ids_of_two_figures_never_meet_every_reference_leads_to_one_and_the_page_takes_them_as_they_are():
    found = []
    for prefix, safe in (("cost-movers", "cost-movers"), ("cost-tenants",) * 2, ('a"><script>', "a---script-")):
        svg = drawn(prefix)
        ids = [attributes["id"] for _, attributes, _ in elements(svg) if "id" in attributes]
        assert all(name.startswith(f"{safe}-") for name in ids)
        references = re.findall(r"url\(#([^)]*)\)", svg) + re.findall(r'href="#([^"]*)"', svg)
        assert references
        assert set(references) <= set(ids)
        assert elements(allowed_svg(svg, safe))[1:] == elements(svg)[1:]
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


def contrast(*colors):
    parts = np.array([to_rgb(color) for color in colors])
    light = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    low, high = sorted(light @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_on_light_and_dark():
    # WebAIM's contrast checker gives 4.54:1 for #767676 on white; WCAG 2.2, 1.4.11 asks for 3:1.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert all(contrast(color, page) >= 3 for color in PALETTE for page in ("#ffffff", "#12161c"))


def test_a_title_has_two_lines_and_is_made_smaller_to_fit():
    ax = title(new_axes(), "Short", "measure\nand window")
    assert (ax.get_title(loc="left"), [text.get_text() for text in ax.texts]) == ("Short", ["measure and window"])
    assert title(new_axes(), "word " * 40, "")._left_title.get_fontsize() < 8


OPEN = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
EMPTY = '<svg viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg"><path /></svg>'


@pytest.mark.parametrize(
    "inside",
    [
        *("<script>alert(1)</script><path/>", "<foreignObject><b/></foreignObject><path/>"),
        "<style>*{fill:url(http://example.org/)}</style><path/>",
        "<image href='http://example.org/x.png'/><path/>",
        "<animate attributeName='href' to='javascript:alert(1)'/><path/>",
        "<a href='javascript:alert(1)'><text>x</text></a><path/>",
        "<iframe xmlns='http://www.w3.org/1999/xhtml' src='http://example.org/'/><path/>",
        "<path onload='alert(1)'/>",
        "<path style='fill:url(http://example.org/);behavior:url(#a)'/>",
        *("<path href='http://example.org/#a'/>", "<path href='javascript:alert(1)'/>"),
        "<path xlink:href='http://example.org/'/>",
        "<path fill='url(http://example.org/#a)'/>",
        "<path fill='URL(http://example.org/)'/>",
        "<path fill='url(#a) url(http://example.org/)'/>",
        r"<path fill='u\72l(http://example.org/)'/>",
        "<path clip-path='url(&quot;http://example.org/&quot;)'/>",
        "<path transform='translate(1) url(x)'/>",
    ],
)
def test_what_acts_loads_or_leads_elsewhere_is_left_out(inside):
    assert allowed_svg(f"{OPEN}{inside}</svg>", "key") == EMPTY


def test_what_draws_stays_and_ids_begin_with_the_figures_key():
    kept = '<path fill="#0072b2" stroke="currentColor" transform="translate(4 -2.5) scale(.1)" />'
    named = '<path id="k-a" /><path id="k-b" /><use href="#k-a" /><path fill="url(#k-a)" clip-path="url(#k-b)" />'
    text = "<text>&lt;script&gt;</text>"
    given = named.replace("k-a", "a")  # one that has the key already keeps it
    assert allowed_svg(f"{OPEN}{kept}{text}{given}</svg>", "k") == EMPTY.replace("<path />", kept + text + named)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no svg", "<svg xmlns='http://www.w3.org/2000/svg'>", "<svg><path d='M0 0'/></svg>"),
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
        "<!DOCTYPE svg [<!ENTITY a 'aaaaaaaaaa'>]><svg xmlns='http://www.w3.org/2000/svg'>&a;</svg>",
        f"{OPEN}\ud800</svg>",
    ],
)
def test_what_is_no_svg_gives_nothing(text):
    assert allowed_svg(text, "key") == ""


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
        ([0.0, None, math.nan, 1.0, 0.0], [[(76, 4), (100, 20)]], [(4, 20, 1.25), (100, 20, 2.5)]),
        ([0.0, 1.0, None], [[(4, 20), (52, 4)]], []),
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
