import json

import pandas as pd
import pytest

from cloudxai_analysis.measures import evaluations

TIME = "datetime64[us, UTC]"


def moment(text):
    return pd.Timestamp(f"2026-11-11 {text}", tz="UTC")


def samples(first, steps, *, series=1, name="Breach"):
    """Samples that many seconds apart from each other."""
    times = [moment(first)]
    for seconds in steps:
        times.append(times[-1] + pd.Timedelta(seconds=seconds))
    frame = pd.DataFrame({"series_id": series, "time": pd.Series(times).astype(TIME), "value": 1.0})
    return frame.assign(alertname=pd.Categorical([name] * len(frame)))


def intervals(*frames):
    found = evaluations.evaluation_intervals(pd.concat(frames, ignore_index=True), default_seconds=60)
    return {row.alertname: (row.interval_seconds, row.steps) for row in found.itertuples()}


def test_an_interval_is_the_usual_step_of_a_rules_series():
    # Twelve steps of 15 s, and one of an hour between two firings.
    assert intervals(samples("10:00", [15] * 6 + [3600] + [15] * 6)) == {"Breach": (15.0, 13)}
    two = pd.concat([samples("10:00", [30] * 12), samples("11:00", [30] * 3, series=2)])
    assert intervals(two) == {"Breach": (30.0, 15)}
    both = intervals(samples("10:00", [300] * 12), samples("10:00", [1] * 12, series=2, name="Live"))
    assert both == {"Breach": (300.0, 12), "Live": (1.0, 12)}


@pytest.mark.parametrize(
    "steps",
    [
        [15] * 9,  # too few
        [15] * 8 + [60] * 8,  # not regular
        [600] * 20,  # each firing has one sample, every ten minutes: that is no interval
        [],
    ],
)
def test_what_the_samples_cannot_tell_is_the_contracts(steps):
    assert intervals(samples("10:00", steps)) == {"Breach": (60.0, 0)}


def test_steps_between_series_are_none():
    frames = [samples("10:00", [60], series=number) for number in range(12)]
    assert intervals(*frames) == {"Breach": (60.0, 12)}
    assert evaluations.evaluation_intervals(samples("10:00", [])[:0], default_seconds=60).empty


def series(*labels):
    return pd.DataFrame({"series_id": range(10, 10 + len(labels)), "labels": [json.dumps(one) for one in labels]})


def test_series_of_one_alert_differ_by_state_and_replica_alone():
    pending = {"alertname": "A", "alertstate": "pending", "path": "/x"}
    firing = pending | {"alertstate": "firing"}
    other = firing | {"path": "/y"}
    found = evaluations.alert_identities(series(pending, firing, other))
    assert found["series_id"].tolist() == [10, 11, 12]
    first, second, third = found["alert"]
    assert first == second != third
    pair = series(firing | {"replica": "a"}, firing | {"replica": "b"})
    assert evaluations.alert_identities(pair)["alert"].nunique() == 2
    assert evaluations.alert_identities(pair, replica_labels=["replica"])["alert"].nunique() == 1
    assert evaluations.alert_identities(series()).empty


def test_samples_get_their_alert_and_a_series_nobody_knows_is_one_of_its_own():
    identities = pd.DataFrame({"series_id": [20, 10], "alert": [1, 0]})
    frame = pd.concat([samples("10:00", [60], series=number) for number in (10, 20, 30)])
    assert evaluations.identified(frame, identities)["alert"].tolist() == [0, 0, 1, 1, 30, 30]
    assert evaluations.identified(frame, identities[:0])["alert"].tolist() == [10, 10, 20, 20, 30, 30]


def up(*stretches):
    return pd.concat([samples(first, [60] * (minutes - 1)) for first, minutes in stretches])


def gaps(alerts, scraped, seconds=60):
    found = evaluations.evaluation_gaps(alerts, scraped, interval_seconds=seconds)
    return found.values.tolist()


def test_a_gap_is_where_neither_a_rule_nor_a_scrape_left_anything():
    nothing = samples("10:00", [])[:0]
    assert gaps(nothing, up(("10:00", 10), ("10:30", 10))) == [[moment("10:09"), moment("10:30"), 1260.0]]
    # Two minutes and a half are none, and a rule that is evaluated meanwhile shows that the server is up.
    assert gaps(nothing, up(("10:00", 10), ("10:11", 10))) == []
    assert gaps(samples("10:09", [60] * 21), up(("10:00", 10), ("10:30", 10))) == []
    # Quiet rules are no gap; without a scrape nobody knows.
    assert gaps(nothing, up(("10:00", 40))) == []
    assert gaps(samples("10:00", [3600]), nothing) == []


def test_a_gap_is_longer_than_the_longer_of_both_steps():
    # Scraped every minute, evaluated every five: seven minutes between are none.
    scraped = up(("10:00", 10), ("10:16", 10))
    assert gaps(samples("10:00", [])[:0], scraped, seconds=300) == []
    assert len(gaps(samples("10:00", [])[:0], scraped)) == 1


def test_intervals_by_rule_and_for_all_others():
    names = pd.Series(["A", "B", "A"], dtype="category")
    assert evaluations.seconds_of(names, 30).tolist() == [30.0, 30.0, 30.0]
    assert evaluations.seconds_of(names, {"": 60.0, "A": 5.0}).tolist() == [5.0, 60.0, 5.0]
