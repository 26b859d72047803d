import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.figures import cost as figures
from cloudxai_analysis.figures import new_axes, to_svg

MONDAY = pd.Timestamp("2026-10-05", tz="UTC").as_unit("us")  # of 2026-W41


def weekly(*rows):
    """One row per (weeks after W41, cost) in EUR."""
    frame = pd.DataFrame(rows, columns=["number", "cost"]).astype({"cost": "float64"})
    start = [MONDAY + pd.Timedelta(weeks=number) for number in frame["number"]]
    return frame.assign(start=pd.Series(start, dtype="datetime64[us, UTC]"), week="", currency="EUR", tenants=3)


def costs(*rows):
    return pd.DataFrame(rows, columns=["tenant", "cost"]).assign(currency="EUR").astype({"cost": "float64"})


def moved(*rows):
    frame = pd.DataFrame(rows, columns=["tenant", "cost", "before"]).astype({"cost": "float64", "before": "float64"})
    change = frame["cost"] - frame["before"]
    return frame.assign(currency="EUR", change=change, relative=change / frame["before"].where(frame["before"] != 0))


def course(count=168):
    hours = pd.date_range("2026-11-09", periods=count, freq="h", tz="UTC").as_unit("us")
    return pd.DataFrame({"hour": hours, "cost": 1.0, "expected": 1.0, "low": 0.5, "high": 1.5})


def found(hourly, tenant="acme"):
    start = hourly["hour"].iloc[100] if len(hourly) else MONDAY
    end = start + pd.Timedelta(hours=6)
    return pd.Series({"tenant": tenant, "currency": "EUR", "start": start, "end": end, "hours": 6, "excess": 12.6})


def said(ax):
    return [text.get_text() for text in ax.texts]


def message(ax):
    return ax.get_title(loc="left")


def test_week_says_its_change():
    two = weekly((0, 800.0), (1, 900.0))
    ax = figures.cost_by_week(new_axes(), two, currency="EUR", partial=False, change=0.125)
    assert message(ax) == "2026-W42 cost 900 EUR, +12.5 % on the week before"
    # Whether two weeks can be compared is not for their bars to say.
    unknown = figures.cost_by_week(new_axes(), two, currency="EUR", partial=False)
    assert message(unknown) == "2026-W42 cost 900 EUR"
    assert {"800 EUR", "900 EUR", "Cost by ISO week in EUR, 2026-W41 to 2026-W42 (UTC)"} <= set(said(ax))
    assert ax.get_ylim()[0] == 0


def test_unfinished_week_is_hatched_and_not_compared():
    ax = figures.cost_by_week(new_axes(), weekly((0, 800.0), (1, 90.0)), currency="EUR", partial=True)
    assert message(ax) == "2026-W42 cost 90.00 EUR so far"
    assert [patch.get_hatch() for patch in ax.patches].count("////") == 1


def test_week_without_a_cost_is_no_zero():
    ax = figures.cost_by_week(new_axes(), weekly((0, 800.0), (2, 900.0)), currency="EUR", partial=False)
    assert message(ax) == "2026-W43 cost 900 EUR"
    assert "no data" in said(ax)


def test_other_currencies_are_named_and_left_out():
    frame = pd.concat([weekly((0, 800.0)), weekly((0, 5.0)).assign(currency="USD")])
    ax = figures.cost_by_week(new_axes(), frame, currency="EUR", partial=False)
    assert message(ax) == "2026-W41 cost 800 EUR"
    assert any(text.endswith("; USD not drawn") for text in said(ax))


def test_top_tenants_give_shares_of_all():
    ax = figures.top_tenants(new_axes(), costs(("small", 100.0), ("big", 300.0), ("least", 0.0)), currency="EUR", top=2)
    assert message(ax) == "big costs most: 300 EUR, 75 % of all"  # of 400
    assert [label.get_text() for label in ax.get_yticklabels()] == ["big", "small"]
    assert "Cost by tenant in the window, EUR; 1 other cost 0.00 EUR" in said(ax)


def test_movers_tell_new_and_gone_from_change():
    ax = figures.movers(new_axes(), moved(("gone", 0.0, 50.0), ("new", 40.0, 0.0), ("up", 15.0, 10.0)))
    assert message(ax) == "gone moved most: −50.00 EUR against the week before"
    assert {"−50.00 EUR, gone", "+40.00 EUR, new", "+5.00 EUR, +50 %"} <= set(said(ax))


def test_anomaly_says_its_excess():
    hourly = course()
    ax = figures.anomaly(new_axes(), hourly, found(hourly))
    assert message(ax) == "acme cost 12.60 EUR more than expected in 6 h"
    assert {"cost", "expected", "usual range", "+12.60 EUR in 6 h"} <= set(said(ax))
    assert "Cost by hour in EUR, 9 to 15 Nov 2026 (UTC)" in said(ax)


def test_anomaly_without_a_currency_says_so():
    hourly = course()
    ax = figures.anomaly(new_axes(), hourly, found(hourly).replace("EUR", ""))
    assert message(ax) == "acme cost 12.60 more than expected in 6 h"
    assert "Cost by hour, no currency given, 9 to 15 Nov 2026 (UTC)" in said(ax)
    assert "+12.60 in 6 h" in said(ax)


@pytest.mark.parametrize("tenant", ["x" * 300, "</text><script>", "$a_b$", "a\nb", ""])
def test_any_tenant_gives_a_figure(tenant):
    hourly = course()
    for ax in (
        figures.anomaly(new_axes(), hourly, found(hourly, tenant)),
        figures.top_tenants(new_axes(), costs((tenant, 1.0)), currency="EUR"),
        figures.movers(new_axes(), moved((tenant, 1.0, 2.0))),
    ):
        assert len(message(ax)) < 90
        assert "<script" not in to_svg(ax.get_figure(root=True), "a", tenant)


def test_currency_of_a_label_is_as_little_trusted_as_a_tenant():
    frame = costs(("acme", 1.0)).assign(currency="</text>" * 99)
    ax = figures.top_tenants(new_axes(), frame, currency="</text>" * 99)
    assert len(message(ax)) < 60


def test_figure_of_a_quarter_stays_small():
    hours = course(13 * 168)
    hours["cost"] = np.random.default_rng(1).random(len(hours))
    ax = figures.anomaly(new_axes(), hours, found(hours))
    assert len(to_svg(ax.get_figure(root=True), "a", "b")) < 60_000


def test_empty_frames_say_why():
    drawn = [
        figures.cost_by_week(new_axes(), weekly(), currency="EUR", partial=False),
        figures.cost_by_week(new_axes(), weekly((0, 1.0)), currency="USD", partial=False),
        figures.top_tenants(new_axes(), costs(), currency="EUR"),
        figures.movers(new_axes(), moved()),
        figures.anomaly(new_axes(), course(0), found(course(0))),
    ]
    assert [said(ax)[1] for ax in drawn] == [
        "no cost in EUR in these weeks",
        "no cost in USD in these weeks",
        "no tenant cost anything in EUR in this window",
        "no tenant can be compared with the week before",
        "no hour of this tenant can be compared with its history",
    ]
