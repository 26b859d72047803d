"""Verdicts on the rules: false pages, false tickets, and which rule to fix first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.measures.judgement import trials_needed
from cloudxai_analysis.phrases import count, percent
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.alert_words import OWNER, SECTION, blind, days_up_to, rows_of, seen, unknown
from cloudxai_analysis.verdicts.evidence import event, short, when
from cloudxai_analysis.window import Window

GOOD, BAD, TOO_FEW, NOT_JUDGED = "good", "bad", "too few to judge", "not judged"


def false_positives_check(
    pooled: pd.DataFrame, judged: pd.DataFrame, covered: pd.DataFrame, *, window: Window, bound: float
) -> Check:
    """How often the paging rules cried wolf: `warn` where the rate is over the bound, `fail` where surely so.

    `pooled` as `measures.judgement.pooled_rate` gives it of the paging rules, over `window` (28 days); `judged` the
    episodes of all rules in it, `covered` the covered days. The value is the pooled rate; it fails where the lower end
    of its 95 % interval is over the bound, and passes only where the upper end is not. One event `false_alert` per
    false episode, of rules that do not page, too. `unknown` where pages fired and none was judged or too few were, or
    nothing fired and no day is covered; no page at all is a `pass`.
    """
    row = pooled.iloc[0]
    false = judged[judged["judgement"] == "false"]
    common: dict[str, Any] = {"bound": bound, "bound_key": "false_positive_rate", "unit": "share"}
    common["events"] = tuple(
        event("false_alert", row["alertname"], row["fired_at"], row["resolved_at"], 1, "episode")
        for row in rows_of(false)
    )
    if not row["trials"]:
        return _without_trials(int(row["episodes"]), covered, window, common)
    surely, over, proven = row["low"] > bound, row["rate"] > bound, row["high"] <= bound
    interval = f"95 % interval {percent(row['low'], 0)} to {percent(row['high'], 0)}"
    false_of = f"{row['false_positives']:.0f} of {count(row['trials'], 'judged page')} in {days_up_to(window)}"
    rest = "" if row["judged_share"] == 1 else f"; {percent(row['judged_share'], 0)} of the episodes are judged"
    if not over and not proven:
        more = trials_needed(int(row["false_positives"]), int(row["trials"]), share=bound)
        few = f"too few to judge against {percent(bound, 0)}, {more} more needed"
        return unknown("false_positives", f"{false_of} were false ({interval}): {few}{rest}.", **common)
    asked: dict[str, Any] = {
        "since": when(false.loc[false["alertname"].isin(row["alertname"].split(", ")), "fired_at"].min()),
        "size": f"{count(row['false_positives'], 'false trial')}, each a page that called for nothing",
        "action": "Go through the false pages rule by rule, and draft a longer `for` or another threshold.",
        "decides": OWNER,
    }
    return Check(
        key="false_positives",
        section=SECTION,
        status="fail" if surely else "warn" if over else "pass",
        finding=f"{false_of} were false: {percent(row['rate'], 0)} ({interval}), at most {percent(bound, 0)} is "
        f"wanted{rest}.",
        value=float(row["rate"]),
        samples=f"{count(row['episodes'], 'episode')} of {row['alertname']} in {days_up_to(window)}, n = "
        f"{row['trials']:.0f}",
        disproof="an incident that is missing from the ledger, or a label that calls a false page actionable",
        **(asked if over else {}),
        **common,
    )


def noise_check(
    rates: pd.DataFrame,
    judged: pd.DataFrame,
    covered: pd.DataFrame,
    *,
    window: Window,
    paging: Collection[str],
    bound: float,
) -> Check:
    """Whether rules that wake nobody cry wolf: `warn` where one's rate of false firings is over the bound.

    `rates` by rule, as `measures.judgement.false_positive_rates` gives them, over `window`; `judged` the episodes in
    it, `covered` the covered days; `paging` the rules that `false_positives_check` judges. The value is the highest
    rate; `unknown` where some fired and none was judged, or none fired and no day is covered.
    """
    others = rates[~rates["alertname"].isin(list(paging))]
    known = others[others["trials"] > 0]
    common: dict[str, Any] = {"bound": bound, "bound_key": "false_positive_rate", "unit": "share"}
    if known.empty and len(others):
        finding = f"Whether {count(len(others), 'rule')} that wake nobody were right is unknown: no episode is judged."
        return unknown("noise", finding, **common)
    if known.empty and not seen(covered, window):
        return unknown("noise", blind("false alerts", window), **common)
    over = known[known["rate"] > bound].sort_values("rate", ascending=False, kind="stable")
    if over.empty:
        return Check(
            key="noise",
            section=SECTION,
            status="pass",
            finding=f"{count(len(known), 'rule')} that wake nobody fired in {days_up_to(window)}, none falsely in more "
            f"than {percent(bound, 0)} of its trials.",
            value=float(known["rate"].max()) if len(known) else None,
            samples="every sample of ALERTS",
            disproof="a label that calls an episode noise",
            **common,
        )
    top = over.iloc[0]
    false = judged[(judged["judgement"] == "false") & judged["alertname"].isin(list(over["alertname"]))]
    return Check(
        key="noise",
        section=SECTION,
        status="warn",
        finding=f"{short(top['alertname'])} was false in {top['false_positives']} of "
        f"{count(top['trials'], 'judged trial')} in {days_up_to(window)}; at most {percent(bound, 0)} is wanted"
        + (f", and {len(over) - 1} more rules are above it." if len(over) > 1 else "."),
        value=float(top["rate"]),
        size=f"{count(over['false_positives'].sum(), 'false trial')} of {count(len(over), 'rule')}",
        since=when(false["fired_at"].min()),
        samples=f"episodes of {', '.join(short(name) for name in over['alertname'])}",
        disproof="an incident that is missing from the ledger",
        action=f"Draft another threshold or a longer `for` of {short(top['alertname'])}, or drop it.",
        decides=OWNER,
        **common,
    )


def rules_check(
    overview: pd.DataFrame, judged: pd.DataFrame, covered: pd.DataFrame, *, window: Window, bound: float
) -> Check:
    """Which rule to fix first, and why: `warn` where one is surely over the bound.

    `overview` of the rules as `measures.rule_quality.rule_overview` gives it, the rule whose false trials weigh most
    first, over `window` (28 days); `judged` the episodes in it, `covered` the covered days. A rule is bad where the
    lower end of its interval is over the bound, good where the upper end is not; of all others too little is known.
    The value is the number of bad rules. `pass` where every rule that fired is good, or none fired; else `unknown`.
    """
    common: dict[str, Any] = {"bound": bound, "bound_key": "false_positive_rate", "unit": "rules"}
    verdict = rule_verdicts(overview, bound=bound)["verdict"]
    bad, few = overview[verdict == BAD], overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    if overview.empty and not seen(covered, window):
        return unknown("rules", blind("rules to fix", window), **common)
    if bad.empty and len(few):
        return unknown("rules", f"{_too_few(overview, verdict, bound)}.", **common)
    if bad.empty:
        return Check(
            key="rules",
            section=SECTION,
            status="pass",
            finding=f"{count(len(overview), 'rule')} fired in {days_up_to(window)}, each surely false in at most "
            f"{percent(bound, 0)} of its trials."
            if len(overview)
            else f"No rule fired in {days_up_to(window)}: 0 rules to fix.",
            value=0.0,
            samples="every sample of ALERTS",
            **common,
        )
    first = overview.iloc[0]
    false = judged[(judged["judgement"] == "false") & (judged["alertname"] == first["alertname"])]
    surely = ", ".join(short(name) for name in bad["alertname"].head(3))
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return Check(
        key="rules",
        section=SECTION,
        status="warn",
        finding=f"Fix {short(first['alertname'])} first: {first['false_positives']} of "
        f"{count(first['trials'], 'judged trial')} in {days_up_to(window)} were false{_how(first)}; surely over "
        f"{percent(bound, 0)}: {surely}{more}.",
        value=float(len(bad)),
        size=f"{count(overview['false_positives'].sum(), 'false trial')} of {count(len(overview), 'rule')}, "
        f"{count(overview['false_at_night'].sum(), 'false trial')} at night",
        since=when(false["fired_at"].min()),
        samples=f"{count(overview['trials'].sum(), 'judged trial')} of {count(len(overview), 'rule')} in "
        f"{days_up_to(window)}",
        disproof="an incident that is missing from the ledger, or a label that calls a false firing actionable",
        action=_action(first),
        decides=OWNER,
        **common,
    )


def rule_verdicts(rates: pd.DataFrame, *, bound: float) -> pd.DataFrame:
    """The verdict on each rule, by the end of its interval and not by its rate.

    `rates` with alertname, severity, trials, low, high and needed (further true trials, as
    `measures.judgement.further_trials` gives them).

    Columns: alertname, severity, verdict: 'good' where the upper end is within the bound, 'bad' where the lower end is
    over it, 'not judged', or 'too few to judge, 12 more needed'.
    """
    low, high = rates["low"].to_numpy(dtype=float), rates["high"].to_numpy(dtype=float)
    few = [f"{TOO_FEW}, {more:.0f} more needed" for more in rates["needed"]]
    none = [f"{NOT_JUDGED}, {more:.0f} needed" for more in rates["needed"]]
    word = np.where(low > bound, BAD, np.where(high <= bound, GOOD, np.where(rates["trials"] > 0, few, none)))
    return rates[["alertname", "severity"]].assign(verdict=pd.Series(word, index=rates.index, dtype="str"))


def _too_few(overview: pd.DataFrame, verdict: pd.Series, bound: float) -> str:
    """What is known where no rule is surely bad, and what is missing."""
    rest = overview[verdict.str.startswith((TOO_FEW, NOT_JUDGED))]
    least = rest.sort_values("needed", kind="stable").iloc[0]
    false = overview[overview["false_positives"] > 0]
    worst = (
        f"; most of the false trials are of {short(false.iloc[0]['alertname'])}, {false.iloc[0]['false_positives']} of "
        f"{false.iloc[0]['trials']}"
        if len(false)
        else ""
    )
    return (
        f"Too few trials to judge {len(rest)} of {count(len(overview), 'rule')} against {percent(bound, 0)}: "
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


def _without_trials(episodes: int, covered: pd.DataFrame, window: Window, common: dict[str, Any]) -> Check:
    if episodes:
        finding = (
            f"Whether pages were false is unknown: none of {count(episodes, 'paging episode')} in "
            f"{days_up_to(window)} is judged by the ledger or a label."
        )
        return unknown("false_positives", finding, **common)
    if not seen(covered, window):
        return unknown("false_positives", blind("false pages", window), **common)
    return Check(
        key="false_positives",
        section=SECTION,
        status="pass",
        finding=f"No paging alert fired in {days_up_to(window)}: 0 pages, and no rate to judge.",
        samples="every sample of ALERTS",
        **common,
    )
