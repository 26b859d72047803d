import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import proposals

TIME = "datetime64[us, UTC]"
WEEK = parse_window("2026-W46")


def moment(text):
    return pd.NaT if pd.isna(text) else pd.Timestamp(f"2026-11-11 {text}", tz="UTC")


def times(texts):
    return pd.Series(pd.to_datetime([moment(text) for text in texts], utc=True)).astype(TIME)


def outages(*rows):
    """One row per (start, end, minutes, tenant)."""
    rows = [(*row, *("",)[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["start", "end", "minutes", "tenant"])
    frame["start"], frame["end"] = times(frame["start"]), times(frame["end"])
    return frame.astype({"minutes": "float64", "tenant": "str"})


def proposed(everybody=(), single=(), impact=None):
    return proposals.proposed_incidents(outages(*everybody), outages(*single), impact)


def rows(frame):
    return frame[["tenant", "start", "end", "source"]].values.tolist()


def test_dips_are_proposed_and_say_what_they_are():
    found = proposed([("10:00", "10:19", 19)], [("14:00", "14:05", 5, "acme")])
    assert found.drop(columns="source").values.tolist() == [
        [
            *("proposed-20261111T100000Z", moment("10:00"), moment("10:19"), "", (), ""),
            *("the whole platform not ready", "1 period, 19 min"),
        ],
        [
            *("proposed-20261111T140000Z-acme", moment("14:00"), moment("14:05"), "acme", (), ""),
            *("acme not ready", "1 period, 5 min"),
        ],
    ]
    assert set(found["source"]) == {"readiness dips"}


def test_dips_of_one_tenant_within_half_an_hour_are_one_proposal():
    flaps = [(f"10:{minute:02d}", f"10:{minute + 1:02d}", 1, "acme") for minute in range(0, 40, 2)]
    found = proposed(
        [], [*flaps, ("11:09", "11:12", 3, "acme"), ("12:00", "12:05", 5, "acme"), ("10:05", "10:09", 4, "b")]
    )
    assert rows(found) == [
        ["acme", moment("10:00"), moment("11:12"), "readiness dips"],
        ["b", moment("10:05"), moment("10:09"), "readiness dips"],
        ["acme", moment("12:00"), moment("12:05"), "readiness dips"],
    ]
    assert found["evidence"].iloc[0] == "21 periods, 23 min"


def test_a_single_failed_scrape_is_no_proposal_and_a_tenants_dip_in_a_global_one_neither():
    assert proposed([("10:00", "10:01", 1)], [("14:00", "14:02", 2, "acme")]).empty
    assert len(proposed([("10:00", "10:02", 2)], [("14:00", "14:03", 3, "acme")])) == 2
    found = proposed([("10:00", "10:20", 20)], [("10:00", "10:20", 20, "a"), ("10:10", "10:40", 30, "b")])
    assert rows(found) == [
        ["", moment("10:00"), moment("10:20"), "readiness dips"],
        ["b", moment("10:10"), moment("10:40"), "readiness dips"],
    ]


def test_what_goes_on_has_no_end_and_takes_in_what_follows():
    found = proposed([("10:00", None, 5)])
    assert found["end"].isna().tolist() == [True]
    again = proposed([], [("10:00", None, 5, "a"), ("18:00", "18:10", 10, "a"), ("18:00", "18:10", 10, "b")])
    assert again[["tenant", "start"]].values.tolist() == [["a", moment("10:00")], ["b", moment("18:00")]]
    assert again["end"].isna().tolist() == [True, False]


def samples(*rows):
    """One row per (time, value, tenant)."""
    frame = pd.DataFrame(rows, columns=["time", "value", "tenant"])
    return frame.assign(time=times(frame["time"]))


def test_a_query_for_impact_gives_stretches():
    found = proposals.impact_stretches(
        samples(
            *(("10:00", 0.2, "a"), ("10:01", 0.1, "a"), ("10:02", 0.0, "a"), ("10:03", 5.0, "a")),
            *(("10:01", 1.0, "b"), ("10:05", 1.0, "b"), ("10:06", float("nan"), "b")),
        ),
        step_seconds=60,
    )
    assert found.values.tolist() == [
        ["a", moment("10:00"), moment("10:02")],
        ["b", moment("10:01"), moment("10:02")],
        ["a", moment("10:03"), moment("10:04")],
        ["b", moment("10:05"), moment("10:06")],
    ]
    alone = samples(("10:00", 1.0, "")).drop(columns="tenant")
    assert proposals.impact_stretches(alone, step_seconds=60)["tenant"].tolist() == [""]
    assert proposals.impact_stretches(alone[:0], step_seconds=60).empty


def test_impact_is_proposed_beside_the_dips():
    impact = pd.DataFrame({"tenant": [""], "start": times(["10:00"]), "end": times(["10:01"])})
    found = proposed([("10:00", "10:19", 19)], [], impact)
    assert found["id"].tolist() == ["proposed-20261111T100000Z", "proposed-20261111T100000Z-impact"]
    assert found["summary"].tolist()[1] == "the whole platform hit, by the query for impact"


def incidents(*given):
    """One row per (id, start, end, tenant)."""
    frame = pd.DataFrame(given, columns=["id", "start", "end", "tenant"])
    frame["start"], frame["end"] = times(frame["start"]), times(frame["end"])
    frame["alerts"] = [()] * len(frame)
    return frame.astype({"id": "str", "tenant": "str"})


def decided(**states):
    return pd.DataFrame({"id": list(states), "state": list(states.values())}).astype("str")


def test_what_the_ledger_knows_is_not_proposed_again():
    found = proposed([], [("10:00", "10:05", 5, "a"), ("14:00", "14:05", 5, "b"), ("18:00", "18:05", 5, "c")])
    nothing = decided()

    def left(known, done=nothing):
        return proposals.not_known(found, known, done)["tenant"].tolist()

    assert left(incidents()) == ["a", "b", "c"]
    assert left(incidents(("I", "10:04", None, "a"))) == ["b", "c"]
    assert left(incidents(("I", "10:05", "10:09", "a"))) == ["a", "b", "c"]
    assert left(incidents(("I", "09:00", "15:00", ""))) == ["c"]
    assert left(incidents(("I", "09:00", "23:00", "other"))) == ["a", "b", "c"]
    ids = found["id"].tolist()
    states = pd.DataFrame({"id": ids, "state": ["open", "confirmed", "rejected"]})
    assert left(incidents(), states) == ["a"]


def test_rates_if_confirmed_stand_beside_the_measured_ones():
    fired = times(["10:02", "20:00"])
    episodes = pd.DataFrame({"fired_at": fired, "resolved_at": fired + pd.Timedelta(minutes=5), "alertname": "A"})
    episodes = episodes.assign(tenant="a", severity="page", cut_start=False, cut_end=False)
    labels = pd.DataFrame({"alertname": [], "tenant": [], "fired_at": times([]), "judgement": []})
    labels = labels.astype({"alertname": "str", "tenant": "str", "judgement": "str"})
    complete = pd.DataFrame({"start": times([]), "end": times([])})
    found = proposals.rates_if_confirmed(
        episodes, incidents(), labels, complete, proposed([], [("10:00", "10:10", 10, "a")]), WEEK
    )
    row = found.iloc[0]
    assert row[["alertname", "severity", "trials", "trials_if", "rate_if"]].tolist() == ["A", "page", 0, 2, 0.5]
    assert pd.isna(row["rate"])
    # Wilson, 1 of 2.
    assert row[["low_if", "high_if"]].tolist() == pytest.approx([0.0945, 0.9055], abs=5e-5)


def test_hostile_tenants_stay_what_they_are():
    name = 'a"b\n<script>=c'
    found = proposed([], [("10:00", "10:05", 5, name)])
    assert found["tenant"].tolist() == [name]
    assert found["id"].tolist() == [f"proposed-20261111T100000Z-{name}"]
