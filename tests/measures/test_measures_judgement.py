import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from statsmodels.stats.proportion import proportion_confint

from cloudxai_analysis.measures import judgement

TIME = "datetime64[us, UTC]"
RATES = [
    "alertname",
    "severity",
    "episodes",
    "trials",
    "true_positives",
    "false_positives",
    "rate",
    "low",
    "high",
    "design_effect",
    "judged_share",
]


def moment(text):
    return pd.Timestamp(text if "-" in text else f"2026-11-11 {text}", tz="UTC")


def times(texts):
    found = [pd.NaT if pd.isna(text) else moment(text) for text in texts]
    return pd.Series(pd.to_datetime(found, utc=True)).astype(TIME)


def episodes(*rows):
    """One row per (fired_at, resolved_at, alertname, tenant)."""
    rows = [(*row, *("10:05", "Breach", "acme")[len(row) - 1 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["fired_at", "resolved_at", "alertname", "tenant"])
    frame["fired_at"], frame["resolved_at"] = times(frame["fired_at"]), times(frame["resolved_at"])
    frame["severity"] = "page"
    frame["cut_start"], frame["cut_end"] = False, False
    return frame.astype({"alertname": "str", "tenant": "str"})


def incidents(*rows):
    """One row per (id, start, end, tenant, alerts)."""
    rows = [(*row, *("10:20", "", ())[len(row) - 2 :]) for row in rows]
    frame = pd.DataFrame(rows, columns=["id", "start", "end", "tenant", "alerts"])
    frame["start"], frame["end"] = times(frame["start"]), times(frame["end"])
    return frame.assign(summary="what happened").astype({"id": "str", "tenant": "str"})


def labels(*rows):
    """One row per (fired_at, judgement)."""
    frame = pd.DataFrame(rows, columns=["fired_at", "judgement"])
    frame["fired_at"] = times(frame["fired_at"])
    return frame.assign(alertname="Breach", tenant="acme", by="ada").astype({"alertname": "str", "tenant": "str"})


def complete(start="2026-11-09", end="2026-11-16"):
    return pd.DataFrame({"start": times([start]), "end": times([end]), "by": "ada"})


NONE = complete().iloc[:0]


def judged(found, truth=None, said=None, declared=NONE):
    truth = incidents() if truth is None else truth
    return judgement.judged(found, truth, labels() if said is None else said, declared)


def verdicts(found, *rest):
    return judged(found, *rest)[["judgement", "incident", "by"]].values.tolist()


def test_true_within_an_incident_false_outside_of_it_unjudged_where_nobody_declared():
    found = episodes(("10:00",), ("14:00", "14:05"))
    assert verdicts(found, incidents(("I", "10:00")), labels(), complete()) == [
        ["true", "I", "incident"],
        ["false", "", "ledger"],
    ]
    assert verdicts(found, incidents(("I", "10:00"))) == [["true", "I", "incident"], ["unjudged", "", ""]]


def test_one_that_stood_before_is_neither_unless_it_stood_for_long():
    truth = incidents(("I", "10:00"))
    found = episodes(("09:30", "11:00"), ("08:59", "11:00"))
    assert verdicts(found, truth, labels(), complete()) == [["standing", "I", "incident"], ["false", "", "ledger"]]


def test_a_label_beats_an_incident_and_the_last_one_counts():
    truth, found = incidents(("I", "10:00")), episodes(("10:00",))
    assert verdicts(found, truth, labels(("10:00", "noise"))) == [["false", "", "label"]]
    assert verdicts(found, truth, labels(("10:00", "noise"), ("10:01", "actionable"))) == [["true", "I", "label"]]
    assert verdicts(found, incidents(), labels(("10:00", "actionable"))) == [["true", "", "label"]]
    assert verdicts(found, truth, labels(("10:00", "unknown")), complete()) == [["unjudged", "", "label"]]
    # It speaks of the episode whose begin it gives, to within a minute.
    assert verdicts(found, truth, labels(("10:02", "noise"))) == [["true", "I", "incident"]]


def test_declared_complete_is_half_open():
    found = episodes(("12:00", "12:05"), ("13:00", "13:05"))
    assert [row[0] for row in verdicts(found, incidents(), labels(), complete("12:00", "13:00"))] == [
        "false",
        "unjudged",
    ]


def test_an_episode_cut_off_by_the_windows_start_is_judged_by_labels_alone():
    found = episodes(("10:00",)).assign(cut_start=True)
    assert verdicts(found, incidents(("I", "10:00")), labels(), complete()) == [["unjudged", "", ""]]
    assert verdicts(found, incidents(), labels(("10:00", "noise"))) == [["false", "", "label"]]


def of(*judgements, apart="2h", alertname="Breach"):
    """Episodes with these judgements, `apart` from each other."""
    begun = pd.date_range("2026-11-01", periods=len(judgements), freq=apart, tz="UTC", unit="us")
    frame = pd.DataFrame({"fired_at": begun, "judgement": list(judgements)})
    return frame.assign(resolved_at=begun + pd.Timedelta(minutes=5), alertname=alertname, severity="page", incident="")


@pytest.mark.parametrize(
    ("wrong", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3 (score without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_the_interval_is_wilsons(wrong, trials, low, high):
    frame = judgement.false_positive_rates(of(*["false"] * wrong, *["true"] * (trials - wrong)))
    assert frame["trials"].tolist() == [trials]
    assert frame["rate"].tolist() == [pytest.approx(wrong / trials)]
    assert frame[["low", "high"]].values.tolist()[0] == pytest.approx([low, high], abs=5e-5)


def test_with_no_false_page_the_upper_end_passes_ten_percent_from_35_trials_on():
    upper = [judgement.false_positive_rates(of(*["true"] * trials))["high"].iloc[0] for trials in (34, 35)]
    assert upper[0] > 0.10 > upper[1]


def test_rates_by_hand_standing_and_unjudged_left_out():
    frame = judgement.false_positive_rates(of("true", "false", "true", "standing", "unjudged", "true"))
    assert list(frame) == RATES
    assert frame[RATES[:7]].values.tolist() == [["Breach", "page", 6, 4, 3, 1, 0.25]]
    assert frame["judged_share"].iloc[0] == pytest.approx(5 / 6)


def test_episodes_of_one_judgement_within_an_hour_are_one_trial():
    # At 0, 20, 40, 60, 80 minutes: the hour of the first holds four, the fifth is a trial of its own.
    frame = judgement.false_positive_rates(of(*["false"] * 5, apart="20min"))
    assert frame[["episodes", "trials", "false_positives"]].values.tolist() == [[5, 2, 2]]
    mixed = judgement.false_positive_rates(of("false", "true", "false", "true", apart="20min"))
    assert mixed[["trials", "true_positives", "false_positives"]].values.tolist() == [[2, 1, 1]]


def test_where_nothing_is_judged_the_rate_is_unknown():
    frame = judgement.false_positive_rates(of("unjudged", "standing"))
    assert frame[["trials", "judged_share"]].values.tolist() == [[0, 0.5]]
    assert frame[["rate", "low", "high"]].isna().all(axis=None)


def test_the_pooled_rate_adds_up_the_trials_of_its_rules():
    frame = pd.concat([of("true", "false", alertname="A"), of("true", alertname="B"), of("false", alertname="C")])
    pooled = judgement.pooled_rate(frame.reset_index(drop=True), ("A", "B"))
    assert pooled[RATES[:6]].values.tolist() == [["A, B", "", 3, 3, 2, 1]]
    nothing = judgement.pooled_rate(frame.iloc[:0], ("A", "B"))
    assert nothing[["episodes", "trials"]].values.tolist() == [[0, 0]]
    assert nothing[["rate", "judged_share"]].isna().all(axis=None)


def test_recall_and_times_by_hand():
    truth = incidents(
        ("one", "10:00", "10:20", "", ("Breach", "Ready")),
        ("two", "12:00", "12:20", "", ("Breach",)),
        ("unnamed", "15:00", "15:20"),
    )
    found = episodes(("10:02", "10:25"), ("10:06", "10:30"), ("12:04", "12:19", "Breach", "b"), ("15:01", "15:05"))
    frame = judgement.recall(judged(found, truth), truth).set_index("alertname")
    # Breach: after 2 and 4 min, median 3. The one's last alert was resolved 10 min after its end, not its first; the
    # other's a minute before, median 4.5.
    assert frame.loc["Breach"].tolist()[:5] == [2, 2, 1.0, 180.0, 270.0]
    # Linear between the two: 90 % of the way from 2 to 4 minutes, and from one before to ten after.
    assert frame.loc["Breach", ["detection_p90", "reset_p90"]].tolist() == pytest.approx([228.0, 534.0])
    # Wilson, 2 of 2: 0.342 to 1. Of two times both exceed the 90th percentile in 1 of 100, so that the lesser bounds it
    # from below; they are under it in 81 of 100, so that nothing bounds it from above.
    assert frame.loc["Breach", ["low", "high"]].tolist() == pytest.approx([0.3424, 1.0], abs=5e-5)
    assert frame.loc["Breach", "detection_p90_low"] == 120.0
    assert np.isnan(frame.loc["Breach", "detection_p90_high"])
    assert frame.loc["Ready", ["incidents", "caught", "recall"]].tolist() == [1, 0, 0.0]
    assert frame.loc["Ready", ["detection_seconds", "reset_seconds"]].isna().all()


def test_the_reset_is_that_of_the_last_alert_and_unknown_while_it_fires():
    # An incident of nine hours that raised short alerts: the first was resolved 8 h 31 min before its end.
    truth = incidents(("long", "10:00", "19:00", "", ("Breach",)))
    fired = episodes(("10:02", "10:29"), ("14:00", "14:10"), ("18:50", "19:04"))
    assert judgement.recall(judged(fired, truth), truth)["reset_seconds"].tolist() == [240.0]
    still = judged(fired.assign(cut_end=[False, False, True]), truth)
    row = judgement.recall(still, truth).iloc[0]
    assert (row["caught"], row["reset"], np.isnan(row["reset_seconds"])) == (1, 0, True)
    # One that a gap cut off was over when those after it fired.
    gap = judged(fired.assign(cut_end=[True, False, False]), truth)
    assert judgement.recall(gap, truth)["reset_seconds"].tolist() == [240.0]


def test_a_percentile_has_the_exact_interval_of_its_order_statistics():
    # Fifty incidents found after 1 to 50 minutes. Binomial, n = 50 and 0.9: P(X <= 40) = 0.0245, P(X <= 48) = 0.966 and
    # P(X <= 49) = 0.9948, so that the 41st and the 50th value are the ends.
    days = pd.date_range("2026-01-01", periods=50, tz="UTC", unit="us")
    truth = pd.DataFrame({"id": [f"I{number}" for number in range(50)], "start": days, "tenant": "", "summary": ""})
    truth["end"], truth["alerts"] = days + pd.Timedelta(hours=2), [("Breach",)] * 50
    fired = pd.DataFrame({"fired_at": days + pd.to_timedelta(range(1, 51), unit="min"), "alertname": "Breach"})
    fired = fired.assign(resolved_at=truth["end"], tenant="", severity="page", cut_start=False, cut_end=False)
    row = judgement.recall(judged(fired, truth), truth).iloc[0]
    ends = row[["detection_p90", "detection_p90_low", "detection_p90_high"]] / 60
    assert ends.tolist() == pytest.approx([45.1, 41.0, 50.0])


def test_missed_incidents_and_their_near_miss():
    truth = incidents(("late", "14:00", None), ("caught", "10:00"), ("b", "12:00", "12:20", "b"))
    waiting = pd.DataFrame(
        {
            "alertname": ["Second", "First", "Other", "Early"],
            "tenant": ["b", "b", "a", "b"],
            "pending_at": times(["12:06", "12:05", "12:01", "11:00"]),
            "ended_at": times(["12:07", "12:06", "12:03", "12:00"]),
        }
    )
    found = judged(episodes(("10:02",)), truth)
    missed = judgement.missed_incidents(found, truth, waiting)
    assert list(missed) == ["id", "start", "end", "tenant", "summary", "near_miss"]
    assert missed[["id", "tenant", "near_miss"]].values.tolist() == [["b", "b", "First"], ["late", "", ""]]
    assert missed["end"].isna().tolist() == [False, True]


def test_a_standing_alert_catches_nothing():
    truth = incidents(("I", "10:00"))
    found = judged(episodes(("09:30", "11:00")), truth)
    assert judgement.missed_incidents(found, truth, pendings())["id"].tolist() == ["I"]


def pendings():
    return pd.DataFrame({"alertname": [], "tenant": [], "pending_at": times([]), "ended_at": times([])}).astype(
        {"alertname": "str", "tenant": "str"}
    )


def test_nothing_gives_empty_frames_with_the_right_columns():
    found = judged(episodes(), incidents(("I", "10:00")), labels(("10:00", "noise")), complete())
    assert found.empty
    assert {"judgement", "incident", "by"} <= set(found)
    assert list(judgement.false_positive_rates(found)) == RATES
    assert judgement.false_positive_rates(found).empty
    assert judgement.recall(found, incidents()).empty
    missed = judgement.missed_incidents(found, incidents(), pendings())
    assert missed.empty
    assert str(missed["start"].dtype) == TIME
    assert verdicts(episodes(("10:00",)).assign(tenant='<b>"')) == [["unjudged", "", ""]]


def test_labels_and_incidents_speak_of_hostile_names_too():
    name = 'a"b\n=c'
    found = episodes(("10:00", "10:05", "Breach", name))
    assert verdicts(found, incidents(("I", "10:00", "10:20", name))) == [["true", "I", "incident"]]
    assert verdicts(found, incidents(), labels(("10:00", "noise")).assign(tenant=name)) == [["false", "", "label"]]
    assert np.isnan(judgement.pooled_rate(judged(found), ())["rate"].iloc[0])


def test_acknowledgement_counts_from_the_alert_and_only_where_people_wrote_it():
    truth = incidents(
        ("one", "10:00"), ("two", "12:00", "12:20"), ("three", "14:00", "14:20"), ("four", "16:00", "16:20")
    )
    truth["alerts"] = [("Breach",)] * 4
    truth["acknowledged_at"] = times(["10:08", "12:14", None, "15:59"])
    found = episodes(("10:02", "10:25"), ("12:04", "12:25"), ("14:01", "14:05"), ("16:01", "16:05"))
    row = judgement.recall(judged(found, truth), truth).iloc[0]
    # After 6 and 10 minutes; the third nobody acknowledged, the fourth somebody before the rule fired.
    assert row[["acknowledged", "acknowledge_seconds"]].tolist() == [2, 480.0]
    assert row["acknowledge_p90"] == pytest.approx(360 + 0.9 * 240)
    bare = judgement.recall(judged(found, truth), truth.drop(columns="acknowledged_at")).iloc[0]
    assert (bare["acknowledged"], np.isnan(bare["acknowledge_seconds"])) == (0, True)


@pytest.mark.parametrize("trials", [1, 2, 5, 12, 16, 35, 100, 263, 1000])
def test_intervals_are_those_of_statsmodels_and_scipy(trials):
    for wrong in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        ours = judgement.wilson_interval(wrong, trials)
        assert ours == pytest.approx(proportion_confint(wrong, trials, method="wilson"), abs=1e-12)
        theirs = binomtest(wrong, trials).proportion_ci(0.95, method="wilson")
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_further_trials_until_the_upper_end_is_within_the_bound():
    # 35 without a false one for 10 %, 12 for 25 %, by Wilson's z² (1 - b) / b: 34.6 and 11.5.
    assert judgement.trials_needed(0, 0, share=0.10) == 35
    assert judgement.trials_needed(0, 12, share=0.10) == 23
    assert judgement.trials_needed(0, 12, share=0.25) == 0
    # No false one in 12 firings reaches to 24 %: no proof of 10 %.
    assert judgement.wilson_interval(0, 12)[1] == pytest.approx(0.2425, abs=5e-5)
    frame = judgement.further_trials(judgement.false_positive_rates(of("false", "true", "false")), share=0.25)
    assert frame.values.tolist() == [["Breach", "page", judgement.trials_needed(2, 3, share=0.25)]]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_no_fewer_would_do_and_as_many_do_by_statsmodels(share):
    for wrong, trials in [(0, 0), (0, 5), (1, 1), (3, 3), (5, 16), (9, 200), (40, 41)]:
        more = judgement.trials_needed(wrong, trials, share=share)
        tried = [trials + more, *([trials + more - 1] if more and trials + more > 1 else [])]
        upper = [proportion_confint(wrong, number, method="wilson")[1] for number in tried]
        assert upper[0] <= share
        assert len(upper) == 1 or upper[1] > share


def test_a_label_speaks_of_the_nearest_of_two_that_fired_within_its_minute():
    found = episodes(("10:00:00", "10:00:10"), ("10:00:30", "10:00:40"))
    assert verdicts(found, incidents(), labels(("10:00:30", "noise"))) == [["unjudged", "", ""], ["false", "", "label"]]
    both = labels(("10:00:30", "noise"), ("10:00:01", "actionable"))
    assert [row[0] for row in verdicts(found, incidents(), both)] == ["true", "false"]
    # Of two instances at the same moment it speaks of both.
    twins = episodes(("10:00", "10:05"), ("10:00", "10:05"))
    assert [row[0] for row in verdicts(twins, incidents(), labels(("10:00", "noise")))] == ["false", "false"]


def test_trials_are_the_first_episodes_of_each():
    found = judgement.trials(of("false", "false", "unjudged", "true", apart="40min"))
    # At 0 and 40 minutes one false trial; at 120 a true one.
    assert found["judgement"].tolist() == ["false", "true"]
    assert found["fired_at"].dt.strftime("%H:%M").tolist() == ["00:00", "02:00"]
