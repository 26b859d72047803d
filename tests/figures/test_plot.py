import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import plot
from cloudxai_analysis.ground.errors import UsageError

TIME = pd.date_range("2026-11-09", periods=24, freq="h", tz="UTC")
HOURS = pd.DataFrame({"hour": TIME, "requests": np.arange(24.0)})
TENANTS = pd.concat([HOURS.assign(tenant=name, requests=HOURS["requests"] + n) for n, name in enumerate("abcdef")])
TOTALS = pd.DataFrame({"tenant": ["a", "b", "c"], "requests": [3, 9, -1]})
OPEN = pd.DataFrame({"tenant": ["a", "b"], "start": TIME[:2], "end": [TIME[7], pd.NaT]})


def texts(figure):
    return [text.get_text() for text in figure.axes.texts]


def lanes(figure):
    return [label.get_text() for label in figure.axes.get_yticklabels()]


def test_a_time_and_a_number_are_a_course():
    figure = plot(HOURS)
    assert str(figure) == "requests: from 0 to 23"
    assert [list(line.get_ydata()) for line in figure.axes.lines if len(line.get_ydata()) == 24] == [list(range(24))]
    assert "requests, 9 Nov 2026 (UTC)" in texts(figure)


def test_a_name_beside_a_time_is_a_line_each():
    figure = plot(TENANTS)
    assert [text for text in texts(figure) if len(text) == 1] == ["c", "d", "e", "f"]  # the four that reach highest
    assert "requests by tenant, 9 Nov 2026 (UTC), 4 of 6 lines" in texts(figure)


def test_a_name_and_a_number_are_bars_and_two_times_are_stretches():
    bars = plot(TOTALS, title="What I found")
    assert (str(bars), lanes(bars)) == ("What I found", ["b", "a", "c"])
    assert {"9", "3", "−1"} <= {text.replace("-", "−") for text in texts(bars)}
    stretches = plot(OPEN)
    assert (str(stretches), lanes(stretches)) == ("2 stretches, the longest 7.0 h", ["a", "b"])


def test_a_notebook_shows_it_as_svg_and_as_an_image():
    bundle = plot(TOTALS)._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg ")
    assert 'alt="b has most: 9"' in bundle["text/html"]
    assert "the frame has no row" in texts(plot(HOURS[:0]))


@pytest.mark.parametrize(
    ("frame", "how", "said"),
    [
        ([1, 2], {}, "A DataFrame can be plotted, not a list"),
        (HOURS, {"by": "tenant"}, "no column 'tenant'. It has 'hour', 'requests'"),
        (TOTALS, {"value": "tenant"}, "Numbers are in 'requests'"),
        (HOURS.assign(hour=TIME.tz_localize(None)), {}, r"tz_localize\('UTC'\)"),
        (TOTALS[["tenant"]], {}, "No form fits the columns 'tenant'"),
        (pd.concat([TENANTS, TENANTS]), {}, "several rows of one time"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(frame, how, said):
    with pytest.raises(UsageError, match=said) as raised:
        plot(frame, **how)
    assert "\n" not in str(raised.value)
