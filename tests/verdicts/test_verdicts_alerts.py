from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.measures import judgement
from cloudxai_analysis.verdicts import alerts
from cloudxai_analysis.window import Window, parse_window

WEEK = parse_window("2026-W46")
MONTH = Window(datetime(2026, 10, 19, tzinfo=UTC), WEEK.end)
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-19", "2026-11-15", tz="UTC", unit="us"), "covered": True})
BLIND = COVERED.assign(covered=False)
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


def of(*judgements, alertname="Breach"):
    """Episodes with these judgements, two hours apart."""
    begun = pd.date_range("2026-11-10", periods=len(judgements), freq="2h", tz="UTC", unit="us")
    frame = pd.DataFrame({"fired_at": begun, "judgement": pd.Series(judgements, dtype="str")})
    return frame.assign(resolved_at=begun + pd.Timedelta(minutes=5), alertname=alertname, severity="page")


def false_positives_check(*judgements, others=(), covered=COVERED):
    judged = pd.concat([of(*judgements), of(*others, alertname="Ticket")], ignore_index=True)
    pooled = judgement.pooled_rate(judged, ("Breach",))
    return alerts.false_positives_check(pooled, judged, covered, window=MONTH, bound=0.25)


def storms_check(*storms, episodes=3, covered=COVERED):
    fired = pd.DataFrame({"fired_at": [at("10:00")] * episodes})
    return alerts.storms_check(table(STORMS, *storms), fired, covered, window=WEEK)


def flapping_check(*tenants, told=(), seen=TENANTS):
    return alerts.flapping_check(table(FLAPPING_TENANTS, *tenants), table(FLAPPING_ALERTS, *told), seen, window=WEEK)


def missed_check(*missed, incidents=2, complete=((WEEK.start, WEEK.end),)):
    declared = table(["start", "end"], *complete)
    begun = pd.DataFrame({"id": [f"I{number}" for number in range(incidents)]})
    return alerts.missed_check(table(MISSED, *missed), begun, declared, window=WEEK)


def test_false_pages_over_the_bound_warn_with_interval_and_n():
    # Wilson, 2 of 4: 0.150 to 0.850.
    check = false_positives_check("false", "true", "false", "true", "standing")
    assert (check.status, check.value, check.bound) == ("warn", 0.5, 0.25)
    assert check.finding == (
        "2 of 4 judged pages in the 28 days up to Mon 16 Nov, 00:00 UTC were false: 50 % "
        "(95 % interval 15 % to 85 %), at most 25 % is wanted."
    )
    assert check.samples.endswith("n = 4")
    assert check.since == datetime(2026, 11, 10, tzinfo=UTC)


def test_they_fail_where_even_the_lower_end_is_over_the_bound():
    # Wilson, 4 of 4: 0.510 to 1; 3 of 4: 0.301 to 0.954.
    assert false_positives_check(*["false"] * 4).status == "fail"
    assert false_positives_check("false", "false", "false", "true").status == "fail"
    assert false_positives_check("false").status == "warn"


def test_a_rate_at_the_bound_passes():
    assert false_positives_check("false", "true", "true", "true").status == "pass"
    assert false_positives_check("true").value == 0.0


def test_each_false_episode_is_an_event_of_rules_that_do_not_page_too():
    check = false_positives_check("true", "false", others=("false", "unjudged"))
    assert check.events == (
        {
            "kind": "false_alert",
            "place": "Breach",
            "start": datetime(2026, 11, 10, 2, tzinfo=UTC),
            "end": datetime(2026, 11, 10, 2, 5, tzinfo=UTC),
            "size": 1.0,
            "unit": "episode",
        },
        {
            "kind": "false_alert",
            "place": "Ticket",
            "start": datetime(2026, 11, 10, tzinfo=UTC),
            "end": datetime(2026, 11, 10, 0, 5, tzinfo=UTC),
            "size": 1.0,
            "unit": "episode",
        },
    )


def test_the_share_that_is_judged_is_said():
    assert "; 50 % of the episodes are judged." in false_positives_check("true", "unjudged").finding


def test_pages_that_nobody_judged_are_unknown():
    check = false_positives_check("unjudged", "standing")
    assert check.status == "unknown"
    assert "none of 2 paging episodes" in check.finding


def test_silence_passes_only_where_telemetry_was_there():
    assert false_positives_check().status == "pass"
    assert "No paging alert fired" in false_positives_check().finding
    assert false_positives_check(covered=BLIND).status == "unknown"
    assert false_positives_check(covered=COVERED.iloc[:0]).status == "unknown"


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
    assert storms_check().finding == "3 alert episodes of 2026-W46 came in no storm."
    assert storms_check(episodes=0).status == "pass"
    assert storms_check(episodes=0, covered=BLIND).status == "unknown"


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
    checks = [false_positives_check("false"), storms_check(), flapping_check(), missed_check()]
    assert [check.key for check in checks] == ["false_positives", "storms", "flapping", "missed"]
    for check in checks:
        assert check.section == "alerts"
        assert check.as_dict()["finding"].endswith(".")
        assert any(letter.isdigit() for letter in check.finding)


def noise_check(rates=(), *, false_at=(), covered=COVERED):
    """Rates of rules as (name, trials, false), and when false episodes fired."""
    frame = pd.DataFrame(rates, columns=["alertname", "trials", "false_positives"])
    frame["rate"] = frame["false_positives"] / frame["trials"].where(frame["trials"] > 0)
    judged = pd.DataFrame(false_at, columns=["alertname", "fired_at"]).assign(judgement="false")
    judged["fired_at"] = pd.to_datetime(judged["fired_at"], utc=True)
    return alerts.noise_check(frame, judged, covered, window=MONTH, paging=("Page",), bound=0.25)


def test_a_rule_that_wakes_nobody_and_is_mostly_false_asks_for_people():
    """3 of 3 is 100 %, above 25 %; the paging rule is another check's matter."""
    check = noise_check([("Slow", 3, 3), ("Good", 8, 2), ("Page", 4, 4)], false_at=[("Slow", "2026-11-03 04:00")])
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding.startswith("Slow was false in 3 of 3 judged trials")
    assert check.since.isoformat() == "2026-11-03T04:00:00+00:00"


def test_noise_at_the_bound_passes_and_unjudged_noise_is_unknown():
    assert noise_check([("Good", 8, 2)]).status == "pass"
    assert noise_check().status == "pass"
    assert noise_check([("New", 0, 0)]).status == "unknown"
    assert noise_check(covered=BLIND).status == "unknown"
