from dataclasses import replace

import pandas as pd
import pytest

from cloudxai_analysis.checks import alerts
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.study.watched import Watched

WEEK = parse_window("2026-W46")
RULES = frozenset({"Breach", "Flapping"})
SEEN = Watched(WEEK, 7 * 86_400, RULES, True)
THREE_DAYS = replace(SEEN, window=Window(WEEK.start, WEEK.end, "the 3 days seen of 2026-W46"), seconds=3 * 86_400)
STORMS = ["start", "end", "episodes", "alertname"]
FLAPPING_TENANTS = ["tenant", "start", "end", "transitions"]
FLAPPING_ALERTS = ["alertname", "tenant", "episodes", "start", "end"]
MISSED = ["id", "start", "end", "tenant", "summary", "near_miss"]
TENANTS = pd.DataFrame({"tenant": ["a", "b", "c"]})


def at(clock, day=11):
    return pd.Timestamp(f"2026-11-{day:02d} {clock}", tz="UTC")


def table(columns, *rows):
    frame = pd.DataFrame(list(rows), columns=columns)
    for name in {"start", "end"} & set(columns):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def storms_check(*storms, episodes=3, before=(), watched=SEEN):
    fired = pd.DataFrame({"fired_at": [at("10:00")] * episodes})
    return alerts.storms_check(table(STORMS, *storms), table(STORMS, *before), fired, watched)


def flapping_check(*tenants, told=(), before=(), seen=TENANTS, watched=SEEN):
    going_on = table(FLAPPING_ALERTS, *before)
    return alerts.flapping_check(
        table(FLAPPING_TENANTS, *tenants), table(FLAPPING_ALERTS, *told), going_on, seen, watched
    )


def missed_check(*missed, incidents=2, complete=((WEEK.start, WEEK.end),), watched=SEEN):
    declared = table(["start", "end"], *complete)
    begun = pd.DataFrame({"id": [f"I{number}" for number in range(incidents)]})
    return alerts.missed_check(table(MISSED, *missed), begun, declared, watched)


def test_a_storm_is_said_with_its_size_and_alert():
    check = storms_check((at("09:18"), at("09:31"), 16, "Breach"))
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding == "16 alerts began within 13 minutes from Wed 11 Nov, 09:18 UTC, most of them Breach."
    event = check.events[0]
    assert (event["kind"], event["place"], event["size"], event["unit"]) == ("alert_storm", "Breach", 16.0, "episodes")
    two = storms_check((at("09:18"), at("09:31"), 16, "A"), (at("12:00"), at("12:10"), 30, "B"))
    assert two.finding.startswith("2 alert storms in 2026-W46: 30 alerts began")
    assert two.since == at("09:18")


def test_no_storm_passes_and_blindness_is_unknown():
    assert storms_check().status == "pass"
    assert storms_check().finding == "The 3 alert episodes of 2026-W46 came in no storm."
    assert storms_check(episodes=0).finding == "No alert began in 2026-W46, so none came in a storm."
    assert storms_check(watched=THREE_DAYS).finding == (
        "The 3 alert episodes of the 3 days seen of 2026-W46 came in no storm."
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        # Seven minutes of data, and servers that never stored an alert: 'nothing fired' was said of both.
        ({"seconds": 420.0}, "Too early to tell whether there were alert storms: 7 minutes seen."),
        ({"seconds": 0.0}, "Too early to tell whether there were alert storms: 0 seconds seen."),
        (
            {"rules": None, "stored": False},
            "Whether there were alert storms is unknown: no alert was ever stored, and the server has not said which "
            "rules it had loaded.",
        ),
        (
            {"rules": frozenset(), "stored": False},
            "Whether there were alert storms is unknown: the server had loaded no alert rule.",
        ),
    ],
)
def test_silence_says_something_only_where_alerts_would_have_been_seen(more, said):
    check = storms_check(episodes=0, watched=replace(SEEN, **more))
    assert (check.status, check.finding) == ("unknown", said)


def test_silence_of_loaded_rules_or_beside_stored_alerts_says_something():
    assert storms_check(episodes=0, watched=replace(SEEN, stored=False)).status == "pass"
    assert storms_check(episodes=0, watched=replace(SEEN, rules=None)).status == "pass"
    assert SEEN.blind("pages", rules=["Breach"]) == ""
    assert "2 alert rules, and none that would tell" in SEEN.blind("pages", rules=["Page"])


def test_a_storm_over_the_weeks_begin_is_named_with_both_parts():
    late = (at("23:55", 8), at("00:15", 9), 26, "Breach")
    check = storms_check(before=[late])
    assert (check.status, check.value, check.events) == ("warn", 0.0, ())
    assert check.finding == (
        "0 alert storms began in 2026-W46; a storm of 26 alerts, begun on Sun 8 Nov, 23:55 UTC, 5 minutes before "
        "2026-W46, went on into it for 15 minutes, until Mon 9 Nov, 00:15 UTC."
    )
    assert check.since == at("23:55", 8)
    both = storms_check((at("09:18"), at("09:31"), 16, "Breach"), before=[late])
    assert both.value == 1.0
    assert both.finding.startswith("16 alerts began within 13 minutes")
    assert "; a storm of 26 alerts, begun on Sun 8 Nov" in both.finding


def test_a_flapping_tenant_is_said_with_its_transitions():
    check = flapping_check(("acme", at("13:29"), at("14:09"), 160))
    assert (check.status, check.value, check.unit) == ("warn", 1.0, "tenants")
    assert check.finding == (
        "acme flipped between ready and not ready 160 times in 40 minutes from Wed 11 Nov, 13:29 UTC."
    )
    event = check.events[0]
    assert (event["kind"], event["place"], event["size"], event["unit"]) == (
        "flapping_tenant",
        "acme",
        160.0,
        "transitions",
    )


def test_the_same_flapping_seen_by_an_alert_is_one_event():
    counted = ("acme", at("13:29"), at("14:09"), 160)
    same = ("TenantFlapping", "acme", 3, at("13:35"), at("14:20"))
    assert len(flapping_check(counted, told=[same]).events) == 1
    other = ("TenantReadinessBreach", "zeta", 4, at("10:00"), at("10:50"))
    check = flapping_check(counted, told=[same, other])
    assert [(event["place"], event["unit"]) for event in check.events] == [
        ("zeta", "episodes"),
        ("acme", "transitions"),
    ]
    assert check.finding.startswith("2 tenants flapped in 2026-W46, most of all: acme flipped")
    assert check.since == at("10:00")


def test_an_alert_without_a_tenant_flaps_too():
    check = flapping_check(told=[("ReadinessLatencyHigh", "", 5, at("10:00"), at("10:40"))])
    assert (check.status, check.value, check.events) == ("warn", 0.0, ())
    assert check.finding == "ReadinessLatencyHigh fired 5 times in 40 minutes from Wed 11 Nov, 10:00 UTC."


def test_flapping_over_the_weeks_begin_is_named():
    check = flapping_check(before=[("", "acme", 0, at("23:50", 8), at("00:20", 9))])
    assert (check.status, check.value) == ("warn", 0.0)
    assert check.finding.startswith(
        "0 tenants began to flap in 2026-W46; the flapping of acme, begun on Sun 8 Nov, 23:50"
    )
    assert "went on into it for 20 minutes" in check.finding


def test_that_none_flapped_says_over_which_time_and_what_was_not_looked_at():
    assert "in the 3 days seen of 2026-W46." in flapping_check(watched=THREE_DAYS).finding
    no_rules = flapping_check(watched=replace(SEEN, rules=None, stored=False))
    assert no_rules.status == "pass"
    assert no_rules.finding.endswith("; whether their alerts did is unknown.")


def test_no_flapping_passes_and_no_tenant_is_unknown():
    assert flapping_check().status == "pass"
    assert "None of 3 tenants flapped" in flapping_check().finding
    assert flapping_check(seen=TENANTS.iloc[:0]).status == "unknown"


def test_a_missed_incident_is_said_with_its_near_miss():
    check = missed_check(("INC-8", at("15:08", 9), at("15:12", 9), "", "not ready", "ServiceNotReady"))
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding == (
        "1 of 2 incidents in 2026-W46 went without an alert, the first on Mon 9 Nov, 15:08 UTC for the whole platform; "
        "ServiceNotReady was pending and never fired."
    )
    assert check.since == at("15:08", 9)
    assert "Shorten `for`" in check.action
    unseen = missed_check(("INC-9", at("15:08"), pd.NaT, "acme", "slow", ""))
    assert unseen.finding.endswith("for tenant acme.")
    assert unseen.action.startswith("Draft a rule")


def test_an_incident_is_not_missed_by_alerts_that_nobody_stored():
    lost = ("INC-9", at("15:08"), pd.NaT, "acme", "slow", "")
    assert missed_check(lost, watched=replace(SEEN, rules=None, stored=False)).status == "unknown"
    assert missed_check(lost, watched=replace(SEEN, stored=False)).status == "warn"


def test_incidents_that_all_raised_an_alert_pass():
    assert missed_check().finding == "Each of 2 incidents of the ledger in 2026-W46 raised an alert."
    assert missed_check(incidents=1).finding == "The 1 incident of the ledger in 2026-W46 raised an alert."
    assert missed_check(complete=()).disproof


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ([], "unknown"),
        ([(WEEK.start, WEEK.end)], "pass"),
        ([(at("00:00", 12), WEEK.end), (WEEK.start, at("00:00", 12))], "pass"),
        ([(WEEK.start, at("00:00", 11)), (at("00:00", 12), WEEK.end)], "unknown"),
        ([(at("00:00", 10), WEEK.end)], "unknown"),
    ],
)
def test_an_empty_ledger_says_something_only_where_it_is_declared_complete(declared, status):
    assert missed_check(incidents=0, complete=declared).status == status


def test_hostile_and_endless_names_leave_the_headline_one_short_line():
    name = "x\ny" + "z" * 5000
    for check in (
        flapping_check((name, at("13:29"), at("14:09"), 160)),
        missed_check(("I", at("15:08"), pd.NaT, name, "s", name)),
        storms_check((at("09:18"), at("09:31"), 16, name)),
    ):
        assert len(check.finding) < 300
        assert "\n" not in check.finding


def test_every_check_is_plain_data_of_the_alerts_section():
    checks = [storms_check(), flapping_check(), missed_check()]
    assert [check.key for check in checks] == ["storms", "flapping", "missed"]
    for check in checks:
        assert check.section == "alerts"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)
