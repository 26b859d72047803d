"""Verdicts on the rules: false pages, false tickets, and which rule to fix first."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import numpy as np
import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.alert_words import OWNER, SECTION, of_all, rows_of
from cloudxai_analysis.checks.evidence import event, several, short, when
from cloudxai_analysis.measures.clusters import surely_over
from cloudxai_analysis.measures.judgement import trials_needed
from cloudxai_analysis.study.watched import Watched
from cloudxai_analysis.words.phrases import count, percent

GOOD, BAD, TOO_FEW, NOT_JUDGED = "good", "bad", "too few to judge", "not judged"
_GROUP = "alert group"
_SILENCE = "every sample of ALERTS, and the rules that the server had loaded"


def false_positives_check(
    pooled: pd.DataFrame, judged: pd.DataFrame, watched: Watched, *, paging: Collection[str], bound: float
) -> Check:
    """How often the paging rules cried wolf: `fail` where the rate is surely over the bound.

    `pooled` as `measures.judgement.pooled_rate` gives it of the rules `paging`, over the window `watched` (28 days);
    `judged` the episodes of all rules in it. The value is the pooled rate; it fails where the lower end of its 95 %
    interval is over the bound, passes only where the upper end is not, and is `unknown` between. One event
    `false_alert` per false episode, of rules that do not page, too. `unknown`, too, where pages fired and none was
    judged, and where nothing fired and silence tells nothing; else no page at all is a `pass`.
    """
    row = pooled.iloc[0]
    false = judged[judged["judgement"] == "false"]
    check = partial(
        Check, key="false_positives", section=SECTION, bound=bound, bound_key="false_positive_rate", unit="share"
    )
    check = partial(
        check,
        events=tuple(
            event("false_alert", row["alertname"], row["fired_at"], row["resolved_at"], 1, "episode")
            for row in rows_of(false)
        ),
    )
    pages = int(row["episodes"])
    if not pages:
        if blind := watched.blind("pages", rules=paging):
            return check(status="unknown", finding=blind)
        finding = f"No rule that wakes someone fired in {watched.period}: there is no rate to judge."
        return check(status="pass", finding=finding, samples=_SILENCE)
    if not row["trials"]:
        finding = (
            f"Whether pages were false is unknown: of {count(pages, 'page')} in {watched.period} none is judged by "
            "the ledger or a label."
        )
        return check(status="unknown", finding=finding)
    said = (
        f"{row['false_positives']:.0f} of {count(row['trials'], _GROUP)} of rules that wake someone in "
        f"{watched.period} were false: {of_all(row['rate'], row['low'], row['high'])}"
    )
    over = row["low"] > bound
    if not over and row["high"] > bound:
        more = trials_needed(
            row["false_positives"] / row["design_effect"], row["trials"] / row["design_effect"], share=bound
        )
        finding = f"{said}, not shown to be over {percent(bound, 0)}, nor within it; {more} more, all true, would do."
        return check(status="unknown", finding=finding)
    return check(
        status="fail" if over else "pass",
        finding=f"{said}, at most {percent(bound, 0)} is wanted.",
        value=float(row["rate"]),
        samples=f"{count(pages, 'page')} of {row['alertname']} in {watched.period}, {percent(row['judged_share'], 0)} "
        f"judged; n = {row['trials']:.0f}, worth {row['trials'] / row['design_effect']:.1f} independent ones",
        disproof="an incident that is missing from the ledger, or a label that calls a false page actionable",
        since=when(false.loc[false["alertname"].isin(list(paging)), "fired_at"].min()) if over else None,
        size=f"{count(row['false_positives'], f'false {_GROUP}')} that called for nothing" if over else "",
        action="Go through the false pages rule by rule, and draft a longer `for` or another threshold.",
        decides=OWNER,
    )


def noise_check(
    rates: pd.DataFrame, judged: pd.DataFrame, watched: Watched, *, paging: Collection[str], bound: float
) -> Check:
    """Whether rules that wake nobody cry wolf: `warn` where one's rate of false firings is surely over the bound.

    `rates` by rule, as `measures.judgement.false_positive_rates` gives them, over the window `watched`; `judged` the
    episodes in it; `paging` the rules that `false_positives_check` judges. Of several rules, those over it are told by
    Benjamini–Hochberg. The value is the highest rate; `pass` where each interval lies within the bound, or where none
    fired and silence tells so; else `unknown`.
    """
    others = rates[~rates["alertname"].isin(list(paging))]
    known = others[others["trials"] > 0]
    check = partial(Check, key="noise", section=SECTION, bound=bound, bound_key="false_positive_rate", unit="share")
    if known.empty and len(others):
        finding = f"Whether {count(len(others), 'rule')} without pages fired rightly is unknown: no alert is judged."
        return check(status="unknown", finding=finding)
    if known.empty and (blind := watched.blind("false alerts")):
        return check(status="unknown", finding=blind)
    over = known[_surely_over(known, bound)].sort_values("rate", ascending=False, kind="stable")
    open_to = known[~(known["high"] <= bound)]
    if over.empty and len(open_to):
        top = open_to.sort_values("rate", ascending=False, kind="stable").iloc[0]
        finding = (
            f"{len(open_to)} of {count(len(known), 'rule')} that wake nobody not shown to be over {percent(bound, 0)} "
            f"false in {watched.period}, nor within it; {_most(top)}."
        )
        return check(status="unknown", finding=finding)
    if over.empty:
        return check(
            status="pass",
            finding=f"{count(len(known), 'rule')} that wake nobody fired in {watched.period}, each surely false in at "
            f"most {percent(bound, 0)} of its {_GROUP}s."
            if len(known)
            else f"Of the rules that wake nobody none fired in {watched.period}.",
            value=float(known["rate"].max()) if len(known) else None,
            samples=_SILENCE,
            disproof="a label that calls an episode noise",
        )
    top = over.iloc[0]
    false = judged[(judged["judgement"] == "false") & judged["alertname"].isin(list(over["alertname"]))]
    more = f"; {len(over) - 1} more are surely above it" if len(over) > 1 else ""
    return check(
        status="warn",
        finding=f"{_most(top)} in {watched.period}; at most {percent(bound, 0)} is wanted{more}.",
        value=float(top["rate"]),
        size=f"{count(over['false_positives'].sum(), f'false {_GROUP}')} of {count(len(over), 'rule')}",
        since=when(false["fired_at"].min()),
        samples=f"episodes of {', '.join(short(name) for name in over['alertname'])}",
        disproof="an incident that is missing from the ledger",
        action=f"Draft another threshold or a longer `for` of {short(top['alertname'])}, or drop it.",
        decides=OWNER,
    )


def rules_check(overview: pd.DataFrame, judged: pd.DataFrame, watched: Watched, *, bound: float) -> Check:
    """Which rule to fix first, and why: `warn` where one is surely over the bound.

    `overview` of the rules as `measures.rule_quality.rule_overview` gives it, the rule whose false trials weigh most
    first, over the window `watched` (28 days); `judged` the episodes in it. A rule is bad or good as `rule_verdicts`
    says; of all others too little is known. The value is the number of bad rules. `pass` where every rule that fired is
    good, or none fired and silence tells so; else `unknown`.
    """
    check = partial(Check, key="rules", section=SECTION, bound=bound, bound_key="false_positive_rate", unit="rules")
    verdict = rule_verdicts(overview, bound=bound)["verdict"]
    bad, few = overview[verdict == BAD], overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    if overview.empty and (blind := watched.blind("rules to fix")):
        return check(status="unknown", finding=blind)
    if bad.empty and len(few):
        return check(status="unknown", finding=f"{_too_few(overview, verdict, bound)}.")
    if bad.empty:
        return check(
            status="pass",
            finding=f"{count(len(overview), 'rule')} fired in {watched.period}, each surely false in at most "
            f"{percent(bound, 0)} of its {_GROUP}s."
            if len(overview)
            else f"No rule fired in {watched.period}: 0 rules to fix.",
            value=0.0,
            samples=_SILENCE,
        )
    first = bad.iloc[0]
    false = judged[(judged["judgement"] == "false") & (judged["alertname"] == first["alertname"])]
    return check(
        status="warn",
        finding=f"Fix {short(first['alertname'])} first: {first['false_positives']} of "
        f"{count(first['trials'], _GROUP)} in {watched.period} were false{_how(first)}; surely over "
        f"{percent(bound, 0)}: {several(bad['alertname'])}.",
        value=float(len(bad)),
        size=f"{count(overview['false_positives'].sum(), f'false {_GROUP}')} of {count(len(overview), 'rule')}, "
        f"{overview['false_at_night'].sum()} of them at night",
        since=when(false["fired_at"].min()),
        samples=f"{count(overview['trials'].sum(), _GROUP)} of {count(len(overview), 'rule')} in {watched.period}",
        disproof="an incident that is missing from the ledger, or a label that calls a false firing actionable",
        action=_action(first),
        decides=OWNER,
    )


def rule_verdicts(rates: pd.DataFrame, *, bound: float) -> pd.DataFrame:
    """The verdict on each rule, by the end of its interval and not by its rate.

    `rates` with alertname, severity, trials, rate, high, design_effect and needed (further true trials, as
    `measures.judgement.further_trials` gives them).

    Columns: alertname, severity, verdict: 'good' where the upper end is within the bound, 'bad' where the lower end is
    over it, of several rules by Benjamini–Hochberg; 'not judged', or 'too few to judge, 12 more needed'.
    """
    few = [f"{TOO_FEW}, {more:.0f} more needed" for more in rates["needed"]]
    none = [f"{NOT_JUDGED}, {more:.0f} needed" for more in rates["needed"]]
    unsure = np.where(rates["high"] <= bound, GOOD, np.where(rates["trials"] > 0, few, none))
    word = np.where(_surely_over(rates, bound), BAD, unsure)
    return rates[["alertname", "severity"]].assign(verdict=pd.Series(word, index=rates.index, dtype="str"))


def _surely_over(rates: pd.DataFrame, bound: float) -> np.ndarray:
    return surely_over(rates["rate"], rates["trials"] / rates["design_effect"], bound=bound)


def _most(row: pd.Series) -> str:
    """'Slow was false in 3 of 3 alert groups, 100 % (95 % interval 44 % to 100 %)'."""
    share = of_all(row["rate"], row["low"], row["high"])
    return f"{short(row['alertname'])} was false in {row['false_positives']} of {count(row['trials'], _GROUP)}, {share}"


def _too_few(overview: pd.DataFrame, verdict: pd.Series, bound: float) -> str:
    """What is known where no rule is surely bad, and what is missing."""
    rest = overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    least = rest.sort_values("needed", kind="stable").iloc[0]
    false = overview[overview["false_positives"] > 0]
    worst = (
        f"; most of the false ones are of {short(false.iloc[0]['alertname'])}, {false.iloc[0]['false_positives']} of "
        f"{false.iloc[0]['trials']}"
        if len(false)
        else ""
    )
    return (
        f"Too few {_GROUP}s to judge {len(rest)} of {count(len(overview), 'rule')} against {percent(bound, 0)}: "
        f"{short(least['alertname'])} needs {least['needed']:.0f} more, all true{worst}"
    )


def _how(row: pd.Series) -> str:
    if not row["paging"]:
        return ", and woke nobody"
    return f", {row['false_at_night']} of them at night" if row["false_at_night"] else ", and each woke someone"


def _action(row: pd.Series) -> str:
    name = short(row["alertname"])
    if not row["caught"]:
        return f"Drop {name}, or draft another: it caught 0 incidents, and nothing would be missed without it."
    return (
        f"Draft a longer `for` or another threshold of {name}, and replay it over the history: it alone caught "
        f"{count(row['alone'], 'incident')}."
    )
