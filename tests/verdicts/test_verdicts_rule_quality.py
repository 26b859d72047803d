from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.measures import judgement
from cloudxai_analysis.measures.rule_quality import rule_overview
from cloudxai_analysis.verdicts import rule_quality
from cloudxai_analysis.window import Window, parse_window

WEEK = parse_window("2026-W46")
MONTH = Window(datetime(2026, 10, 19, tzinfo=UTC), WEEK.end)
COVERED = pd.DataFrame({"day": pd.date_range("2026-10-19", "2026-11-15", tz="UTC", unit="us"), "covered": True})
BLIND = COVERED.assign(covered=False)
TIME = "datetime64[us, UTC]"


def of(*judgements, alertname="Breach"):
    """Episodes with these judgements, two hours apart."""
    begun = pd.date_range("2026-11-10", periods=len(judgements), freq="2h", tz="UTC", unit="us")
    frame = pd.DataFrame({"fired_at": begun, "judgement": pd.Series(judgements, dtype="str")})
    return frame.assign(resolved_at=begun + pd.Timedelta(minutes=5), alertname=alertname, severity="page")


def false_positives_check(*judgements, others=(), covered=COVERED):
    judged = pd.concat([of(*judgements), of(*others, alertname="Ticket")], ignore_index=True)
    pooled = judgement.pooled_rate(judged, ("Breach",))
    return rule_quality.false_positives_check(pooled, judged, covered, window=MONTH, bound=0.25)


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


def test_a_rate_passes_only_where_the_upper_end_is_within_the_bound():
    # Wilson, 0 of 12: 0 to 0.2425; 0 of 11: 0 to 0.2588; 1 of 4: 0.046 to 0.699.
    good = false_positives_check(*["true"] * 12)
    assert (good.status, good.value) == ("pass", 0.0)
    few = false_positives_check(*["true"] * 11)
    assert (few.status, few.value) == ("unknown", None)
    assert few.finding.endswith("(95 % interval 0 % to 26 %): too few to judge against 25 %, 1 more needed.")
    # Nor is a rate at the bound a proof of it; by Wilson's formula 18 of 19 must be true.
    at = false_positives_check("false", "true", "true", "true")
    assert at.status == "unknown"
    assert at.finding.endswith("too few to judge against 25 %, 15 more needed.")


def test_no_false_page_in_twelve_is_no_proof_of_ten_percent():
    judged = of(*["true"] * 12)
    check = rule_quality.false_positives_check(
        judgement.pooled_rate(judged, ("Breach",)), judged, COVERED, window=MONTH, bound=0.10
    )
    assert check.status == "unknown"
    assert "(95 % interval 0 % to 24 %): too few to judge against 10 %, 23 more needed." in check.finding


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


def noise_check(rates=(), *, false_at=(), covered=COVERED):
    """Rates of rules as (name, trials, false), and when false episodes fired."""
    frame = pd.DataFrame(rates, columns=["alertname", "trials", "false_positives"])
    frame["rate"] = frame["false_positives"] / frame["trials"].where(frame["trials"] > 0)
    judged = pd.DataFrame(false_at, columns=["alertname", "fired_at"]).assign(judgement="false")
    judged["fired_at"] = pd.to_datetime(judged["fired_at"], utc=True)
    return rule_quality.noise_check(frame, judged, covered, window=MONTH, paging=("Page",), bound=0.25)


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


def rates(*rows):
    """One row per (alertname, trials, low, high, needed)."""
    return pd.DataFrame(rows, columns=["alertname", "trials", "low", "high", "needed"]).assign(severity="page")


def test_a_verdict_goes_by_the_end_of_the_interval():
    frame = rule_quality.rule_verdicts(
        rates(
            *(("Good", 40, 0.01, 0.25, 0), ("Bad", 4, 0.2501, 0.9, 30)),
            *(("Few", 4, 0.05, 0.7, 15), ("Edge", 9, 0.25, 0.4, 8), ("None", 0, float("nan"), float("nan"), 12)),
        ),
        bound=0.25,
    )
    assert frame["verdict"].tolist() == [
        "good",
        "bad",
        "too few to judge, 15 more needed",
        "too few to judge, 8 more needed",
        "not judged, 12 needed",
    ]


def rules_check(*named, covered=COVERED, paging=("Page",)):
    """The check over the rules called (name, judgements), one episode every two hours from 06:00 on."""
    frames = [of(*judgements, alertname=name) for name, judgements in named]
    judged = pd.concat(frames or [of()], ignore_index=True)
    judged = judged.assign(tenant="", instance="", seconds=300.0, cut_start=False, cut_end=False)
    judged["resolved_at"] = judged["resolved_at"].astype(TIME)
    needed = judgement.further_trials(judgement.false_positive_rates(judged), share=0.25)
    truth = pd.DataFrame({"id": [], "start": [], "end": [], "tenant": [], "alerts": []})
    truth = truth.astype({"id": "str", "start": TIME, "end": TIME, "tenant": "str", "alerts": "object"})
    waiting = pd.DataFrame({"alertname": [], "tenant": [], "instance": [], "pending_at": [], "ended_at": []})
    waiting = waiting.astype({"alertname": "str", "tenant": "str", "pending_at": TIME, "ended_at": TIME})
    overview = rule_overview(judged, truth, waiting, needed, paging=paging, zone="UTC", days=28)
    return rule_quality.rules_check(overview, judged, covered, window=MONTH, bound=0.25)


def test_the_rule_to_fix_first_is_named_with_its_reason():
    # Four of four false: surely over 25 %. The page with two false trials of four weighs more: at 00:00 and 02:00.
    check = rules_check(("Slow", ["false"] * 4), ("Page", ["false", "false", "true", "true"]))
    assert (check.status, check.value, check.bound_key) == ("warn", 1.0, "false_positive_rate")
    assert check.finding == (
        "Fix Page first: 2 of 4 judged trials in the 28 days up to Mon 16 Nov, 00:00 UTC were false, 2 of them at "
        "night; surely over 25 %: Slow."
    )
    assert check.since == datetime(2026, 11, 10, tzinfo=UTC)
    assert check.action.startswith("Drop Page, or draft another: it caught 0 incidents")
    assert check.size == "6 false trials of 2 rules, 6 false trials at night"
    alone = rules_check(("Slow", ["false"] * 4))
    assert ", and woke nobody; surely over 25 %: Slow." in alone.finding


def test_few_trials_are_no_warning():
    check = rules_check(("Page", ["false", "true"]), ("Other", ["true"] * 3))
    assert (check.status, check.value) == ("unknown", None)
    assert check.finding == (
        "Too few trials to judge 2 of 2 rules against 25 %: Other needs 9 more, all true; most of the false trials are "
        "of Page, 1 of 2."
    )
    assert rules_check(("Page", ["unjudged"])).finding.endswith("Page needs 12 more, all true.")


def test_good_rules_pass_and_silence_where_telemetry_was_there():
    assert rules_check(("Page", ["true"] * 12)).status == "pass"
    assert rules_check().status == "pass"
    assert rules_check(covered=BLIND).status == "unknown"
    assert rules_check(("Page", ["true"] * 12), covered=BLIND).status == "pass"


@pytest.mark.parametrize("name", ["x\ny" + "z" * 5000, "<script>"])
def test_hostile_names_leave_the_finding_one_short_line(name):
    check = rules_check((name, ["false"] * 4))
    assert len(check.finding) < 400
    assert "\n" not in check.finding
