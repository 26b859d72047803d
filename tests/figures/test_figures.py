"""Each figure on planted frames: what it says, and what stays of it if its frame is empty, hostile, short or long.

Then the frames of an analyst's own.
"""

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import alerts, cardinality, cost, new_axes, plot, readiness, telemetry, to_svg
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import parse_window

WEEK, MONTH = parse_window("2026-W46"), parse_window("2026-11")
MONDAY = pd.Timestamp(WEEK.start).as_unit("us")
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)
HOSTILE = [
    "</text><script>alert(1)</script>",
    "$x_1^2$",
    "a\nb",
    "שלום",
    "x" * 250,
    "\u202eevil",
    "a\x00\x08b",
    "",
    "&",
]
NAMES = {"tenant", "instance", "alertname", "job", "metric", "code"}


def at(*hours):
    """Moments so many hours after Monday; None is missing."""
    return pd.Series([pd.NaT if hour is None else MONDAY + hour * HOUR for hour in hours], dtype="datetime64[us, UTC]")


def by(column, step=HOUR, **columns):
    """A frame with a row for each hour, or other `step`, from Monday on."""
    frame = pd.DataFrame(columns)
    return frame.assign(**{column: at(*(number * (step / HOUR) for number in range(len(frame))))})


def rows(names, *values):
    return pd.DataFrame(list(values), columns=names.split())


HELD = pd.concat(
    [
        by("hour", held=[50.0, 70.0]).assign(job="j", instance="one:80"),
        by("hour", held=[10.0, 12.0]).assign(job="j", instance="two:80"),
    ]
)
RESTARTS = pd.DataFrame({"instance": ["one:80"], "started_at": at(1)})
ACTIVE = by("hour", tenants=[40, 48], generated=0)
AHEAD = by("day", DAY, low95=60.0, low80=61.0, median=np.arange(62.0, 92), high80=92.0, high95=95.0)
FOUND = {"tenant": "acme", "currency": "EUR", "start": at(100)[0], "end": at(106)[0], "hours": 6, "excess": 12.6}
USUAL = by("hour", cost=np.ones(168), expected=1.0, low=0.5, high=1.5)
SPENT = by("day", DAY, spent=10.0 * np.arange(1, 16), covered=[False] + [True] * 14)
LIKELY = {"spent": 150.0, "days_left": 15, "low95": 280.0, "low80": 290.0, "median": 300.0, "high80": 310.0}
EPISODES = rows("alertname judgement", ("Slow", "false"), ("Down", "true"), ("Down", "unjudged")).assign(
    fired_at=at(2, 86, 110), resolved_at=at(3, 87, None)
)
RATES = rows(
    "alertname severity trials false_positives rate low high",
    ("Slow", "page", 6, 5, 5 / 6, 0.44, 0.97),
    ("Down", "page", 4, 0, 0.0, 0.0, 0.49),
    ("Odd", "page", 0, 0, np.nan, np.nan, np.nan),
)
MOVED = rows(
    "tenant currency cost before change relative",
    ("gone", "EUR", 0.0, 50.0, -50.0, -1.0),
    ("new", "EUR", 40.0, 0.0, 40.0, np.nan),
    ("up", "EUR", 15.0, 10.0, 5.0, 0.5),
)
WEEKS = rows("start currency cost", (at(-336)[0], "EUR", 800.0), (at(0)[0], "EUR", 900.0), (at(0)[0], "USD", 9.0))
COVERED = by("day", DAY, coverage=[1.0, 0.5, 1.0]).assign(job=["a", "a", "b"], expected_minutes=1440.0)
SAMPLES = by("time", pd.Timedelta(minutes=1), value=np.arange(60.0)).assign(series_id=1, instance="a:80")
READY = by("day", DAY, availability=[1.0, 0.99, np.nan, 0.9985], seen_minutes=1440.0)
LEFT = by("day", DAY, availability=[0.9999, 0.99938], seen_minutes=43_200.0)

# Each figure: how it is drawn, its frame, its title, and some of what it says.
FIGURES = {
    "tenants": (
        lambda ax, frame: cardinality.tenants_and_cap(ax, ACTIVE, frame, cap=100, events=RESTARTS),
        HELD,
        "48 tenants active; one holds 70 of 100 labels",
        {"cap 100", "48 active", "one holds 70", "two holds 12", "restart one"},
    ),
    "headroom": (
        lambda ax, frame: cardinality.headroom_over_time(ax, frame, cap=100, bound=20),
        by("hour", headroom=[30.0, 0.0, 58.0]),
        "58 labels left at the end, 0 at the least",
        {"warn under 20", "58 left", "least 0, Mon 9 Nov, 01:00"},
    ),
    "ahead": (
        lambda ax, frame: cardinality.held_ahead(
            ax,
            frame,
            AHEAD.assign(day=AHEAD["day"] + 7 * DAY),
            rows("answer cap median horizon_days", ("forecast", 100, at(192)[0], 30)),
            cap=100,
        ),
        by("day", DAY, held=np.arange(40.0, 47)),
        "The cap of 100 is likely to be reached by Tue 17 Nov",
        {"cap 100", "median 91", "90 % under 92", "80 % of the paths"},
    ),
    "weeks": (
        lambda ax, frame: cost.cost_by_week(ax, frame, currency="EUR", partial=False, change=0.125),
        WEEKS,
        "2026-W46 cost 900 EUR, +12.5 % on the week before",
        {"800", "no data", "Cost by ISO week in EUR, 26 Oct to 15 Nov 2026 (UTC); USD not drawn"},
    ),
    "month": (
        lambda ax, frame: cost.month_course(
            ax, frame, pd.Series({**LIKELY, "high95": 320.0}), month=MONTH, currency="EUR"
        ),
        SPENT.assign(day=SPENT["day"] - 8 * DAY),
        "300 EUR likely by the month's end, 80 % between 290 EUR and 310 EUR",
        {"150 EUR spent", "median 300 EUR"},
    ),
    "movers": (
        cost.movers,
        MOVED,
        "gone moved most: −50.00 EUR against the week before",
        {"−50.00 EUR, gone", "+40.00 EUR, new", "+5.00 EUR, +50 %"},
    ),
    "anomaly": (
        lambda ax, frame: cost.anomaly(ax, frame, pd.Series(FOUND)),
        USUAL,
        "acme cost 12.60 EUR more than expected in 6 h",
        {"cost", "expected", "usual at most", "+12.60 EUR in 6 h", "Cost by hour in EUR, 9 to 15 Nov 2026 (UTC)"},
    ),
    "episodes": (
        lambda ax, frame: alerts.episodes_on_timeline(ax, frame, WEEK),
        EPISODES,
        "3 episodes: 1 true, 1 false, 1 unjudged",
        {"1 true", "1 false", "1 unjudged"},
    ),
    "rates": (
        lambda ax, frame: alerts.false_positive_rates(ax, frame, bound=0.1),
        RATES,
        "Most false: Slow, 5 of 6 alert groups",
        {"5 of 6 false", "0 of 4 false", "none judged"},
    ),
    "availability": (
        lambda ax, frame: readiness.availability_by_day(ax, frame, slo=0.999),
        READY,
        "2 of 3 days under 99.9 %, worst 99 %",
        {"99 %", "99.85 %", "objective 99.9 %", "no data"},
    ),
    "budget": (
        lambda ax, frame: readiness.error_budget(ax, frame, slo=0.999, window_days=30),
        LEFT,
        "38 % of the error budget remains",  # 0.62 of 1 in a thousand are used
        {"used up", "38 % left", "Error budget of 99.9 % at each day's end, 8 to 9 Nov 2026 (UTC)"},
    ),
    "latency": (
        lambda ax, frame: readiness.check_latency(ax, frame, bound=0.5),
        by("hour", seconds=[0.2, 0.62, np.nan, 0.1]),
        "p95 at most 620 ms; 1 hour over 500 ms",
        {"bound 500 ms", "100 ms"},
    ),
    "coverage": (
        lambda ax, frame: telemetry.coverage_by_day(ax, frame, least=0.95),
        COVERED,
        "83.333 % of the time since the first scrape seen, 1 of 3 days short",  # 2.5 of 3
        {"50 %", "hatched: no scrape", "Share of the time in which a target was up, 9 to 11 Nov 2026 (UTC)"},
    ),
    "samples": (
        lambda ax, frame: telemetry.raw_samples(ax, frame, metric="up", unit="1", window=WEEK, marked=None),
        SAMPLES,
        "60 samples from 0 to 59",
        {"a:80", "up, 1, 2026-W46, 9 to 15 Nov 2026 (UTC)"},
    ),
}


def draw(name, change=lambda frame: frame):
    drawn, frame, *_ = FIGURES[name]
    return drawn(new_axes(), change(frame))


def texts(ax):
    return {text.get_text().strip() for text in ax.texts}


def title(ax):
    return ax.get_title(loc="left")


def lanes(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def renamed(frame, names):
    """`frame` with other names; each name stays one name."""
    out = frame.copy()
    for column in NAMES & set(frame):
        old = list(dict.fromkeys(frame[column]))
        out[column] = frame[column].map(dict(zip(old, names, strict=False)))
    return out


def thousand(frame):
    """A thousand rows, each with names of its own."""
    long = pd.concat([frame] * (1000 // len(frame) + 1), ignore_index=True).head(1000)
    return long.assign(**{column: [f"name-{number:04d}:80" for number in range(1000)] for column in NAMES & set(long)})


@pytest.mark.parametrize("name", FIGURES)
def test_what_was_planted_is_said(name):
    *_, message, said = FIGURES[name]
    ax = draw(name)
    assert title(ax) == message
    assert said <= texts(ax)
    assert "UTC" in ax.get_xlabel() or "(UTC)" not in "".join(texts(ax))
    assert not any(" nan" in text for text in texts(ax))
    assert "Nothing to draw" in texts(draw(name, lambda frame: frame[:0])) or name == "tenants"


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "change",
    [lambda frame: frame.head(1), lambda frame: renamed(frame, HOSTILE), thousand],
    ids=["one", "hostile", "long"],
)
def test_short_long_and_hostile_frames_stay_readable(name, change):
    ax = draw(name, change)
    svg = to_svg(ax.figure, name, title(ax))
    assert "<script" not in svg
    assert len(title(ax)) < 100
    assert len(lanes(ax)) <= 20
    assert not any("\n" in text or " nan" in text for text in {*texts(ax), *lanes(ax), title(ax)})


OTHERS = [
    ("rates", lambda frame: frame[1:], "None of 4 judged alert groups was false"),
    ("rates", lambda frame: frame[2:], "No rule could be judged"),
    ("availability", lambda frame: frame[:1], "Every day met 99.9 %; the worst had 100 %"),
    ("budget", lambda frame: frame.assign(availability=0.99888), "Error budget overspent by 12 %"),
    # Eleven minutes of ten days: 11 of the 43.2 minutes that 30 days allow, so that 75 % are left.
    (
        "budget",
        lambda frame: frame.assign(availability=1 - 11 / 14_400, seen_minutes=14_400),
        "75 % of the error budget remains",
    ),
    ("latency", lambda frame: frame.assign(seconds=2.5), "p95 at most 2.5 s; 4 hours over 0.5 s"),
    ("coverage", lambda frame: frame[:1], "100 % of the time since the first scrape seen"),
    ("availability", lambda frame: frame.assign(seen_minutes=[1440, 1440, 1440, 700]), "unfinished"),
    ("budget", lambda frame: frame.assign(seen_minutes=[700, 43_200]), "short history"),
    ("movers", lambda frame: thousand(frame).assign(currency="EUR"), "Change of cost, EUR, 10 of 1,000 tenants"),
]


@pytest.mark.parametrize(("name", "change", "said"), OTHERS)
def test_another_outcome_and_what_is_left_out_are_said(name, change, said):
    ax = draw(name, change)
    assert said in {title(ax), *texts(ax)}


def test_a_gap_breaks_the_line_and_is_hatched():
    ax = draw("latency", lambda _: by("hour", seconds=np.full(10, 0.1)).drop(index=[4, 5]))
    assert [np.isnan(line.get_ydata()).sum() for line in ax.lines if len(line.get_ydata()) > 5] == [1]
    assert [patch.get_hatch() for patch in ax.patches].count("////") == 1


def test_a_day_without_a_row_is_hatched_and_lanes_stand_in_their_order():
    assert lanes(draw("episodes")) == ["Down", "Slow"]
    assert [patch.get_hatch() for patch in draw("coverage").patches].count("////") == 1  # a lacks one day, b two


def test_a_storm_says_its_number_and_an_episode_that_goes_on_has_an_arrow():
    storm = pd.DataFrame({"alertname": "Down", "judgement": "true", "fired_at": at(*[86 + n / 900 for n in range(15)])})
    assert "15 at once" in texts(draw("episodes", lambda _: storm.assign(resolved_at=storm["fired_at"] + HOUR)))
    assert [line.get_xdata().tolist() for line in draw("episodes").lines if line.get_marker() == ">"] == [[20773.0]]


@pytest.mark.parametrize("name", ["anomaly", "headroom", "latency"])
def test_a_quarter_of_hours_stays_small(name):
    values = 20.0 * np.random.default_rng(1).random(2184)
    columns = {"cost", "headroom", "seconds", "value"} & set(FIGURES[name][1])
    frame = by("hour", **dict.fromkeys(columns, values), expected=10.0, low=5.0, high=15.0, instance="a:80")
    ax = draw(name, lambda _: frame.assign(time=frame["hour"]))
    assert len(to_svg(ax.figure, name, "")) < 60_000


TIME = pd.date_range("2026-11-09", periods=24, freq="h", tz="UTC")
HOURS = pd.DataFrame({"hour": TIME, "requests": np.arange(24.0)})
TENANTS = pd.concat([HOURS.assign(tenant=name, requests=HOURS["requests"] + n) for n, name in enumerate("abcdef")])
TOTALS = pd.DataFrame({"tenant": ["a", "b", "c"], "requests": [3, 9, -1]})


@pytest.mark.parametrize(
    ("frame", "how", "message", "said", "lanes_"),
    [
        (HOURS, {}, "requests: from 0 to 23", {"requests, 9 Nov 2026 (UTC)"}, None),
        # The four that reach highest.
        (
            TENANTS,
            {},
            "requests by tenant: from 2 to 28",
            {"f", "c", "requests by tenant, 9 Nov 2026 (UTC), 4 of 6 lines"},
            None,
        ),
        (TOTALS, {"title": "What I found"}, "What I found", {"9", "3", "-1", "requests by tenant"}, ["b", "a", "c"]),
        (HOURS[:0], {}, "Nothing to draw", {"the frame has no row"}, None),
    ],
)
def test_a_frame_of_ones_own_takes_the_form_of_its_columns(frame, how, message, said, lanes_):
    figure = plot(frame, **how)
    assert str(figure) == message
    assert said <= texts(figure.axes)
    assert lanes_ is None or lanes(figure.axes) == lanes_
    bundle = figure._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg ")
    assert f'alt="{message}"' in bundle["text/html"]


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
