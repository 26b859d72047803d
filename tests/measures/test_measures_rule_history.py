from datetime import UTC, datetime, timedelta

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.rule_history import ALWAYS, FIRED, NEVER, PENDING, UNKNOWN, rule_history

START = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = Window(START, START + timedelta(days=7))
RULES = pd.DataFrame({"alertname": ["Quiet", "Stuck", "Seen", "Nearly"], "file": "a.yml", "line": [3, 9, 15, 21]})


def episodes(*rows):
    """Rows of (rule, tenant, hours after the start, hours long)."""
    frame = pd.DataFrame(rows, columns=["alertname", "tenant", "at", "hours"]).astype(
        {"alertname": "str", "tenant": "str"}
    )
    fired = pd.Timestamp(START) + pd.to_timedelta(frame["at"], unit="h")
    return frame.assign(severity="page", instance="", fired_at=fired, seconds=frame["hours"] * 3600.0)


def pendings(*names):
    return pd.DataFrame({"alertname": pd.Series(names, dtype="str")})


def test_each_rule_says_what_it_did_and_the_stuck_one_comes_first():
    """Stuck: 160 of 168 hours = 95 % by one tenant; Seen: twice 2 h of two tenants = 2 h of 168 by the longest."""
    found = rule_history(
        RULES,
        episodes(("Stuck", "a", 8, 160), ("Seen", "a", 10, 2), ("Seen", "b", 50, 2)),
        pendings("Nearly", "Seen"),
        WEEK,
    ).set_index("alertname")
    assert list(found.index) == ["Stuck", "Quiet", "Nearly", "Seen"]
    assert list(found["answer"]) == [ALWAYS, NEVER, PENDING, FIRED]
    assert found.loc["Seen", "episodes"] == 2
    assert found.loc["Seen", "pendings"] == 1
    assert found.loc["Seen", "firing_share"] == 2 / 168
    assert found.loc["Seen", "last_fired"] == pd.Timestamp(START) + pd.Timedelta(hours=50)
    assert found.loc["Stuck", "line"] == 9


def test_many_short_episodes_of_one_label_set_add_up():
    rows = [("Stuck", "a", hour, 0.95) for hour in range(168)]
    assert rule_history(RULES, episodes(*rows), pendings(), WEEK)["answer"].iloc[0] == ALWAYS
    apart = [("Stuck", str(hour), hour, 0.95) for hour in range(168)]
    assert rule_history(RULES, episodes(*apart), pendings(), WEEK)["answer"].iloc[-1] == FIRED


def test_a_server_without_any_alert_says_nothing_of_its_rules():
    found = rule_history(RULES, episodes(), pendings(), WEEK)
    assert set(found["answer"]) == {UNKNOWN}
    assert found["firing_share"].isna().all()
    assert rule_history(RULES.iloc[:0], episodes(), pendings(), WEEK).empty
