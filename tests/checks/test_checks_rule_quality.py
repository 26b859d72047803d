from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.checks import rule_quality
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import judgement
from cloudxai_analysis.measures.rule_quality import rule_overview
from cloudxai_analysis.study.watched import Watched

WEEK = parse_window("2026-W46")
MONTH = Window(datetime(2026, 10, 19, tzinfo=UTC), WEEK.end, "the 28 days up to Mon 16 Nov, 00:00 UTC")
SEEN = Watched(MONTH, 28 * 86_400, frozenset({"Breach", "Ticket"}), True)
BLIND = replace(SEEN, seconds=0.0)
TIME = "datetime64[us, UTC]"


def of(*judgements, alertname="Breach"):
    """Episodes with these judgements, two hours apart."""
    begun = pd.date_range("2026-11-10", periods=len(judgements), freq="2h", tz="UTC", unit="us")
    frame = pd.DataFrame({"fired_at": begun, "judgement": pd.Series(judgements, dtype="str")})
    resolved = begun + pd.Timedelta(minutes=5)
    return frame.assign(resolved_at=resolved, alertname=alertname, severity="page", incident="")


def false_positives_check(*judgements, others=(), watched=SEEN, bound=0.25):
    judged = pd.concat([of(*judgements), of(*others, alertname="Ticket")], ignore_index=True)
    pooled = judgement.pooled_rate(judged, ("Breach",))
    return rule_quality.false_positives_check(pooled, judged, watched, paging=("Breach",), bound=bound)


def test_a_rate_that_is_not_shown_to_be_over_the_bound_is_no_warning():
    # Wilson, 2 of 4: 0.150 to 0.850, on both sides of 25 %, unlike 2 of 25, 0.022 to 0.2497; 1 of 1: 0.207
    # to 1. They warned for their rates.
    check = false_positives_check("false", "true", "false", "true", "standing")
    assert (check.status, check.value, check.bound) == ("unknown", None, 0.25)
    assert check.finding == (
        "2 of 4 alert groups of rules that wake someone in the 28 days up to Mon 16 Nov, 00:00 UTC were false: 50 % "
        "(95 % interval 15 % to 85 %), not shown to be over 25 %, nor within it; 21 more, all true, would do."
    )
    assert false_positives_check("false").status == "unknown"


def test_they_fail_where_even_the_lower_end_is_over_the_bound():
    # Wilson, 4 of 4: 0.510 to 1; 3 of 4: 0.301 to 0.954.
    check = false_positives_check(*["false"] * 4, "standing")
    assert (check.status, check.value) == ("fail", 1.0)
    assert "were false: 100 % (95 % interval 51 % to 100 %), at most 25 % is wanted." in check.finding
    # Pages and alert groups are counted apart, each by its name.
    assert check.samples.startswith("5 pages of Breach in the 28 days")
    assert check.samples.endswith("100 % judged; n = 4, worth 4.0 independent ones")
    assert check.since == datetime(2026, 11, 10, tzinfo=UTC)
    assert false_positives_check("false", "false", "false", "true").status == "fail"


def test_a_shorter_time_seen_is_said():
    named = "the 3 days seen of the 28 days up to Mon 16 Nov, 00:00 UTC"
    three_days = replace(SEEN, window=Window(MONTH.start, MONTH.end, named), seconds=3 * 86_400)
    for check in (false_positives_check(watched=three_days), false_positives_check("true", watched=three_days)):
        assert f"in {named}" in check.finding


def test_a_rate_passes_only_where_the_upper_end_is_within_the_bound():
    # Wilson, 0 of 12: 0 to 0.2425; 0 of 11: 0 to 0.2588; 1 of 4: 0.046 to 0.699.
    good = false_positives_check(*["true"] * 12)
    assert (good.status, good.value) == ("pass", 0.0)
    few = false_positives_check(*["true"] * 11)
    assert (few.status, few.value) == ("unknown", None)
    assert few.finding.endswith(
        "(95 % interval 0 % to 26 %), not shown to be over 25 %, nor within it; 1 more, all true, would do."
    )
    # Nor is a rate at the bound a proof of it; by Wilson's formula 18 of 19 must be true.
    at = false_positives_check("false", "true", "true", "true")
    assert at.status == "unknown"
    assert at.finding.endswith("nor within it; 15 more, all true, would do.")


def test_no_false_page_in_twelve_is_no_proof_of_ten_percent():
    check = false_positives_check(*["true"] * 12, bound=0.10)
    assert check.status == "unknown"
    assert "(95 % interval 0 % to 24 %), not shown to be over 10 %, nor within it; 23 more," in check.finding


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
    assert "24 pages of Breach in the 28 days" in false_positives_check(*["true", "unjudged"] * 12).samples
    assert ", 50 % judged; n = 12" in false_positives_check(*["true", "unjudged"] * 12).samples


def test_pages_that_nobody_judged_are_unknown():
    check = false_positives_check("unjudged", "standing")
    assert check.status == "unknown"
    assert "of 2 pages" in check.finding


def test_silence_passes_only_where_telemetry_was_there():
    assert false_positives_check().status == "pass"
    assert "No rule that wakes someone fired" in false_positives_check().finding
    assert false_positives_check(watched=BLIND).status == "unknown"


def test_silence_of_the_pages_passes_only_where_a_rule_that_pages_was_loaded():
    assert false_positives_check(watched=replace(SEEN, rules=frozenset({"Ticket"}))).status == "unknown"
    assert false_positives_check(watched=replace(SEEN, rules=None, stored=False)).status == "unknown"
    assert false_positives_check(watched=replace(SEEN, rules=None)).status == "pass"


def noise_check(rates=(), *, false_at=(), watched=SEEN):
    """Rates of rules as (name, trials, false), and when false episodes fired."""
    frame = pd.DataFrame(rates, columns=["alertname", "trials", "false_positives"])
    frame["rate"] = frame["false_positives"] / frame["trials"].where(frame["trials"] > 0)
    ends = [judgement.wilson_interval(wrong, number) for _, number, wrong in rates]
    frame[["low", "high"]] = np.array(ends or np.empty((0, 2)), dtype=float)
    frame["design_effect"] = 1.0
    judged = pd.DataFrame(false_at, columns=["alertname", "fired_at"]).assign(judgement="false")
    judged["fired_at"] = pd.to_datetime(judged["fired_at"], utc=True)
    return rule_quality.noise_check(frame, judged, watched, paging=("Page",), bound=0.25)


def test_a_rule_that_wakes_nobody_and_is_mostly_false_asks_for_people():
    """3 of 3 is 100 %, above 25 %; the paging rule is another check's matter."""
    check = noise_check([("Slow", 3, 3), ("Good", 8, 2), ("Page", 4, 4)], false_at=[("Slow", "2026-11-03 04:00")])
    assert (check.status, check.value) == ("warn", 1.0)
    assert check.finding.startswith("Slow was false in 3 of 3 alert groups, 100 % (95 % interval 44 % to 100 %)")
    assert check.since.isoformat() == "2026-11-03T04:00:00+00:00"


def test_noise_at_the_bound_is_unknown_and_so_is_unjudged_noise():
    # Wilson, 2 of 8: 0.071 to 0.591. It passed for its rate, of 25 %.
    at = noise_check([("Good", 8, 2)])
    assert (at.status, at.value) == ("unknown", None)
    assert "Good was false in 2 of 8 alert groups, 25 % (95 % interval 7 % to 59 %)" in at.finding
    assert noise_check([("Good", 12, 0)]).status == "pass"
    assert noise_check().status == "pass"
    assert noise_check([("New", 0, 0)]).status == "unknown"
    assert noise_check(watched=BLIND).status == "unknown"


def test_one_of_many_quiet_rules_may_look_noisy_by_chance():
    # Wilson, 3 of 4: 0.301 to 0.954, over 25 % for one rule (p = 0.0105), and of ten the Benjamini-Hochberg p is 0.105.
    alone, others = [("Slow", 4, 3)], [(f"R{number}", 12, 0) for number in range(9)]
    assert noise_check(alone).status == "warn"
    assert noise_check([*alone, *others]).status == "unknown"


def rates(*rows):
    """One row per (alertname, trials, false ones, needed)."""
    frame = pd.DataFrame(rows, columns=["alertname", "trials", "false_positives", "needed"])
    frame["high"] = [judgement.wilson_interval(wrong, number)[1] for _, number, wrong, _ in rows]
    frame["rate"] = frame["false_positives"] / frame["trials"].where(frame["trials"] > 0)
    return frame.assign(severity="page", design_effect=1.0)


def test_a_verdict_goes_by_the_end_of_the_interval():
    frame = rule_quality.rule_verdicts(
        rates(
            # Wilson, 4 of 40: 0.040 to 0.231; 4 of 4: 0.510 to 1; 1 of 4: 0.046 to 0.699; 5 of 9: 0.267 to 0.811, which
            # of four rules that are judged is no proof: p = 0.017, by Benjamini and Hochberg 0.034.
            *(("Good", 40, 4, 0), ("Bad", 4, 4, 30)),
            *(("Few", 4, 1, 15), ("Edge", 9, 5, 8), ("None", 0, 0, 12)),
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


def rules_check(*named, watched=SEEN, paging=("Page",)):
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
    return rule_quality.rules_check(overview, judged, watched, bound=0.25)


def test_the_rule_to_fix_first_is_named_with_its_reason():
    # Four of four false: surely over 25 %. Of two pages at 00:00 and 02:00 each weighs more, and that with two of four
    # is not shown to be over it: nobody is asked to fix it.
    check = rules_check(
        ("Slow", ["false"] * 4),
        ("Page", ["false"] * 4),
        ("Other", ["false", "false", "true", "true"]),
        paging=("Page", "Other"),
    )
    assert (check.status, check.value, check.bound_key) == ("warn", 2.0, "false_positive_rate")
    assert check.finding == (
        "Fix Page first: 4 of 4 alert groups in the 28 days up to Mon 16 Nov, 00:00 UTC were false, 4 of them at "
        "night; surely over 25 %: Page, Slow."
    )
    assert check.since == datetime(2026, 11, 10, tzinfo=UTC)
    assert check.action.startswith("Drop Page, or draft another: it caught 0 incidents")
    assert check.size == "10 false alert groups of 3 rules, 10 of them at night"
    undecided = rules_check(("Slow", ["false"] * 4), ("Page", ["false", "false", "true", "true"]))
    assert undecided.finding.startswith("Fix Slow first: 4 of 4 alert groups")
    alone = rules_check(("Slow", ["false"] * 4))
    assert ", and woke nobody; surely over 25 %: Slow." in alone.finding


def test_few_trials_are_no_warning():
    check = rules_check(("Page", ["false", "true"]), ("Other", ["true"] * 3))
    assert (check.status, check.value) == ("unknown", None)
    assert check.finding == (
        "Too few alert groups to judge 2 of 2 rules against 25 %: Other needs 9 more, all true; most of the false ones "
        "are of Page, 1 of 2."
    )
    assert rules_check(("Page", ["unjudged"])).finding.endswith("Page needs 12 more, all true.")


def test_good_rules_pass_and_silence_where_telemetry_was_there():
    assert rules_check(("Page", ["true"] * 12)).status == "pass"
    assert rules_check().status == "pass"
    assert rules_check(watched=BLIND).status == "unknown"
    assert rules_check(("Page", ["true"] * 12), watched=BLIND).status == "pass"


@pytest.mark.parametrize("name", ["x\ny" + "z" * 5000, "<script>"])
def test_hostile_names_leave_the_finding_one_short_line(name):
    check = rules_check((name, ["false"] * 4))
    assert len(check.finding) < 400
    assert "\n" not in check.finding
