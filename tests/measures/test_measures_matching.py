import pandas as pd

from cloudxai_analysis.measures import matching

TIME = "datetime64[us, UTC]"


def moment(clock):
    return pd.Timestamp(f"2026-11-11 {clock}", tz="UTC")


def fired(*rows):
    """One row per (alertname, tenant, fired_at, resolved_at)."""
    frame = pd.DataFrame(rows, columns=["alertname", "tenant", "fired_at", "resolved_at"])
    for name in ("fired_at", "resolved_at"):
        frame[name] = pd.to_datetime([moment(clock) for clock in frame[name]], utc=True).astype(TIME)
    return frame.astype({"alertname": "str", "tenant": "str"})


def incidents(*rows):
    """One row per (id, tenant, start, end, alerts)."""
    frame = pd.DataFrame(rows, columns=["id", "tenant", "start", "end", "alerts"])
    for name in ("start", "end"):
        times = [pd.NaT if clock is None else moment(clock) for clock in frame[name]]
        frame[name] = pd.Series(pd.to_datetime(times, utc=True), index=frame.index).astype(TIME)
    return frame.astype({"id": "str", "tenant": "str"})


def matches(episodes, truth, **more):
    return matching.matches(episodes, truth, before_minutes=10, after_minutes=30, **more)


def test_an_incident_is_widened_before_and_after():
    truth = incidents(("I", "", "10:00", "10:20", ()))
    clocks = ["09:49", "09:50", "10:49", "10:50"]
    found = matches(fired(*(("A", "a", clock, "23:00") for clock in clocks)), truth)
    assert found[["row", "id", "caught"]].values.tolist() == [[1, "I", True], [2, "I", True]]


def test_one_that_began_before_and_still_fires_stands_in_it():
    truth = incidents(("I", "", "10:00", "10:20", ()))
    rows = [("A", "a", "09:40", "09:50"), ("A", "a", "09:40", "09:51"), ("A", "a", "08:59", "12:00")]
    assert matches(fired(*rows), truth).empty
    found = matches(fired(*rows), truth, standing_minutes=60)
    assert found[["row", "caught"]].values.tolist() == [[1, False]]


def test_what_it_caught_comes_before_what_it_stood_in_and_the_nearest_first():
    truth = incidents(
        ("far", "", "10:00", "11:00", ()), ("near", "", "10:20", "11:00", ()), ("next", "", "10:50", "11:00", ())
    )
    found = matches(fired(("A", "a", "10:30", "12:00")), truth, standing_minutes=60)
    assert found[["id", "caught"]].values.tolist() == [["near", True], ["far", True], ["next", False]]


def test_scope_is_the_tenant_or_all_and_the_rules_it_names():
    alerts = fired(("A", "a", "10:00", "10:05"), ("B", "a", "10:00", "10:05"), ("A", "", "10:00", "10:05"))
    truth = incidents(
        ("all", "", "10:00", None, ()),
        ("a", "a", "10:00", None, ()),
        ("named", "", "10:00", None, ("B", "C")),
        ("both", "a", "10:00", None, ("A",)),
    )
    assert matching.in_scope(alerts, truth).tolist() == [
        [True, True, False, True],
        [True, True, True, False],
        [True, False, False, False],
    ]


def test_an_incident_that_goes_on_never_ends():
    truth = incidents(("I", "", "10:00", None, ()))
    assert matches(fired(("A", "a", "23:59", "23:59")), truth)["id"].tolist() == ["I"]


def test_nothing_matches_nothing():
    some, none = fired(("A", "a", "10:00", "10:05")), incidents()
    for episodes, truth in (
        (some, none),
        (some.iloc[:0], incidents(("I", "", "10:00", None, ()))),
        (some.iloc[:0], none),
    ):
        found = matches(episodes, truth, standing_minutes=60)
        assert list(found) == ["row", "place", "id", "caught"]
        assert found.empty
