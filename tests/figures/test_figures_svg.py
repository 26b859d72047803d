import re
import subprocess
import sys
from xml.parsers import expat

import matplotlib
import pandas as pd
import pytest

from cloudxai_analysis.figures import INK, PALETTE, empty, new_axes, title, to_svg
from cloudxai_analysis.figures.cost import movers, top_tenants


class Element:
    def __init__(self, name, attributes):
        self.name, self.attributes, self.text = name, attributes, ""


def elements(svg):
    """Every element of a well-formed document, the outermost first; each with the text right inside it."""
    found, open_ = [], []
    parser = expat.ParserCreate()

    def start(name, attributes):
        found.append(Element(name, attributes))
        open_.append(found[-1])

    def read(text):
        open_[-1].text += text

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_.pop()
    parser.CharacterDataHandler = read
    parser.Parse(svg.encode(), True)
    return found


ELEMENTS = {"g", "path", "text", "defs", "use", "clipPath", "rect", "pattern", "title"}
HOSTILE = [
    "</text><script>alert(1)</script>",
    "$x_1^2$",
    "a\nb",
    "שלום",
    "x" * 250,
    "\u202eevil",
    "a\x00\x08b",
    "<!--",
    "&",
]


def costs(names=("acme", "bluefin")):
    return pd.DataFrame({"tenant": list(names), "currency": "EUR", "cost": [30.0 - n for n in range(len(names))]})


def drawn(prefix="one", names=("acme", "bluefin"), label="acme 30 EUR"):
    ax = top_tenants(new_axes(), costs(names), currency="EUR")
    return to_svg(ax.get_figure(root=True), prefix, label)


def hatched(prefix):
    moved = costs().assign(before=35.0, change=[-5.0, -6.0], relative=-0.1)
    return to_svg(movers(new_axes(), moved).get_figure(root=True), prefix, "moved")


def texts(svg):
    return [element.text for element in elements(svg) if element.name == "text"]


def test_svg_is_one_element_of_drawing_elements_that_fills_the_width_it_is_given():
    root, *inside = elements(drawn())
    assert root.name == "svg"
    assert root.attributes["viewBox"] == "0 0 518.4 244.8"
    assert not {"width", "height"} & set(root.attributes)
    assert {element.name for element in inside} <= ELEMENTS


def test_svg_has_no_prolog_comment_or_inline_style():
    svg = drawn()
    assert svg.startswith("<svg ")
    for unwanted in ("<?xml", "<!DOCTYPE", "<!--", "style", "xlink", "script", "image", "matplotlib"):
        assert unwanted not in svg


def test_text_takes_the_colour_of_the_page():
    svg = drawn()
    assert INK not in svg
    assert svg.count('fill="currentColor"') >= 6  # two lines of title, two names, two amounts
    assert set(re.findall(r"#[0-9a-f]{6}", svg)) <= set(PALETTE)


def test_text_stays_text_in_a_generic_font():
    svg = drawn()
    assert "acme" in texts(svg)
    assert "30.00 EUR, 51 %" in texts(svg)  # 30 of 30 + 29
    assert re.findall(r'font-family="[^"]*"', svg) == ['font-family="sans-serif"']


def test_label_is_the_text_alternative_and_escaped():
    root, name, *_ = elements(drawn(label='5 < 6 & "quoted"'))
    assert root.attributes["role"] == "img"
    assert root.attributes["aria-label"] == '5 < 6 & "quoted"'
    assert (name.name, name.text) == ("title", '5 < 6 & "quoted"')


def test_ids_of_two_figures_never_meet_and_every_reference_leads_to_one():
    found = []
    for prefix in ("cost-movers", "cost-tenants"):
        svg = hatched(prefix)
        ids = [element.attributes["id"] for element in elements(svg) if "id" in element.attributes]
        assert len(ids) == len(set(ids))
        assert all(name.startswith(f"{prefix}-") for name in ids)
        references = re.findall(r"url\(#([^)]*)\)", svg) + re.findall(r'href="#([^"]*)"', svg)
        assert references
        assert set(references) <= set(ids)
        found.append(set(ids))
    assert not found[0] & found[1]


def test_prefix_cannot_leave_its_attribute():
    svg = hatched('a"><script>')
    assert any(element.attributes.get("id", "").startswith("a---script--") for element in elements(svg))


def test_same_frame_gives_the_same_bytes():
    assert drawn() == drawn()
    assert hatched("a") == hatched("a")


def test_figure_can_be_written_twice():
    figure = top_tenants(new_axes(), costs(), currency="EUR").get_figure(root=True)
    assert to_svg(figure, "a", "b") == to_svg(figure, "a", "b")


def test_hostile_labels_are_shown_as_text():
    svg = drawn(names=HOSTILE, label="".join(HOSTILE))
    shown = texts(svg)
    assert "<script" not in svg
    assert "$x_1^2$" in shown
    assert "a b" in shown
    assert "\u2068שלום\u2069" in shown
    assert "�evil" in shown
    assert "a��b" in shown
    assert any(text.startswith("</text><scrip") and text.endswith("(1)</script>") for text in shown)
    assert any(re.fullmatch("x{5,}…x{5,}", text) for text in shown)


def test_settings_stay_as_they_were():
    before = matplotlib.rcParams.copy()
    drawn()
    assert matplotlib.rcParams.copy() == before


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


@pytest.mark.parametrize("page", ["#ffffff", "#12161c"])
@pytest.mark.parametrize("color", PALETTE)
def test_colours_stand_out_on_light_and_dark(color, page):
    low, high = sorted((luminance(color), luminance(page)))
    assert (high + 0.05) / (low + 0.05) >= 3.0  # WCAG 2.2, 1.4.11


def test_contrast_formula_by_a_published_value():
    # WebAIM's contrast checker gives 21:1 for black on white, 4.54:1 for #767676.
    assert (1.0 + 0.05) / (luminance("#000000") + 0.05) == pytest.approx(21)
    assert (1.0 + 0.05) / (luminance("#767676") + 0.05) == pytest.approx(4.54, abs=0.005)


def test_title_has_two_lines_and_is_made_smaller_to_fit():
    ax = title(new_axes(), "Short", "measure\nand window")
    assert ax.get_title(loc="left") == "Short"
    assert [text.get_text() for text in ax.texts] == ["measure and window"]
    long = title(new_axes(), "word " * 40, "")
    size = long.title.get_fontsize(), long._left_title.get_fontsize()
    assert min(size) < 8


def test_empty_state_says_its_reason():
    figure = empty(new_axes(), "no sample of `up`").get_figure(root=True)
    assert "no sample of `up`" in texts(to_svg(figure, "a", "b"))
