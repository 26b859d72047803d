"""Verdicts on the telemetry itself: is it there, where are holes, what restarted."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cloudxai_analysis.phrases import count, moment, percent
from cloudxai_analysis.verdicts import Check
from cloudxai_analysis.verdicts.evidence import event, named, short, when
from cloudxai_analysis.window import Window

_SECTION = "telemetry"
_OWNER = "the owner of the monitoring"


def coverage_check(coverage: pd.DataFrame, covered: pd.DataFrame, *, window: Window, least: float) -> Check:
    """Whether the expected scrapes are there: `warn` where a day of the window is not covered.

    `coverage` by target and day as `scrape_coverage` gives it, `covered` as `covered_days`, both of the window. The
    value is the share of the expected scrapes; `unknown` without any sample of `up`.
    """
    expected = int(coverage["expected"].sum())
    common: dict[str, Any] = {"bound": least, "bound_key": "coverage", "unit": "share"}
    if not expected:
        return Check(
            key="coverage",
            section=_SECTION,
            status="unknown",
            finding=f"No sample of `up` for the contract's jobs in {named(window)}: nobody knows what was scraped.",
            **common,
        )
    scrapes = int(coverage["scrapes"].sum())
    days = len(list(window.days()))
    blind = covered[~covered["covered"]]
    # A day without any row is one on which no target had a sample at all.
    missing = days - len(covered) + len(blind)
    share = scrapes / expected
    said = f"{percent(share, 2)} of {count(expected, 'expected scrape')} succeeded"
    if not missing:
        return Check(
            key="coverage",
            section=_SECTION,
            status="pass",
            finding=f"{said}, and all {count(days, 'day')} of {named(window)} are covered.",
            value=share,
            samples="every sample of `up`",
            disproof="a target that service discovery never had",
            **common,
        )
    dark = [day.start for day in window.days() if day.start not in set(covered["day"])]
    worst = 0.0 if dark else blind["coverage"].min()
    return Check(
        key="coverage",
        section=_SECTION,
        status="warn",
        finding=f"{missing} of {count(days, 'day')} of {named(window)} not covered, the least with {percent(worst)} of "
        f"its scrapes; over the window {said}.",
        value=share,
        size=count(missing, "uncovered day"),
        since=when(min([*dark, *blind["day"]])),
        samples="every sample of `up`",
        disproof="a planned end of a target that service discovery kept",
        action="Find out why the targets were not scraped, before numbers of those days are used.",
        decides=_OWNER,
        **common,
    )


def gaps_check(gaps: pd.DataFrame, coverage: pd.DataFrame, *, window: Window) -> Check:
    """Whether the scrapes have holes: `warn` where one overlaps the window; one event `scrape_gap` each.

    `gaps` as `scrape_gaps` gives them; the value is the number of missing scrapes. `unknown` without any sample of
    `up`.
    """
    if not coverage["expected"].sum():
        return Check(
            key="gaps",
            section=_SECTION,
            status="unknown",
            finding=f"Whether scrapes are missing in {named(window)} is unknown: there is no sample of `up` at all.",
        )
    if gaps.empty:
        return Check(
            key="gaps",
            section=_SECTION,
            status="pass",
            finding=f"No gap in the scrapes of {count(coverage['instance'].nunique(), 'target')} in {named(window)}.",
            value=0.0,
            unit="scrapes",
            samples="the time between neighbouring samples of `up`",
            disproof="a target that service discovery never had",
        )
    longest = gaps.loc[gaps["seconds"].idxmax()]
    minutes = count(longest["seconds"] / 60, "minute")
    return Check(
        key="gaps",
        section=_SECTION,
        status="warn",
        finding=f"{short(longest['instance'])} was not scraped for {minutes} from {moment(longest['start'])}"
        + (f", the longest of {count(len(gaps), 'gap')}." if len(gaps) > 1 else "."),
        value=float(gaps["missing"].sum()),
        unit="scrapes",
        size=f"{count(gaps['missing'].sum(), 'scrape')} missing",
        since=when(gaps["start"].min()),
        samples="the time between neighbouring samples of `up`",
        disproof="a planned move of the target or of Prometheus at that time",
        action=f"Find out why {short(longest['instance'])} was no target from {moment(longest['start'])}.",
        decides=_OWNER,
        events=tuple(
            event("scrape_gap", row.instance, row.start, row.end, row.missing, "scrapes") for row in gaps.itertuples()
        ),
    )


def restarts_check(
    restarts: pd.DataFrame, starts: pd.DataFrame, planned: pd.DataFrame, *, window: Window, apart_minutes: float = 30
) -> Check:
    """Whether processes restarted that nobody had planned to: `warn` where one did; one event `restart` each.

    `restarts` and `starts` as `process_starts` gives them, the first of the window, the second of the history;
    `planned` the ledger's deploys and maintenance, as `Ledger.stretches` gives them: one that is no further than
    `apart_minutes` away explains a restart. `unknown` where no process exports when it began.
    """
    if starts.empty:
        return Check(
            key="restarts",
            section=_SECTION,
            status="unknown",
            finding=f"Restarts in {named(window)} are unknown: no process exports when it began.",
        )
    unplanned = restarts[~_planned(restarts, planned, pd.Timedelta(minutes=apart_minutes))]
    if restarts.empty:
        found = f"No process restarted in {named(window)}."
    elif unplanned.empty:
        found = f"{count(len(restarts), 'restart')} in {named(window)}, each at a deploy or maintenance of the ledger."
    else:
        last = unplanned.iloc[-1]
        others = f"; {count(len(restarts) - 1, 'more restart')} in {named(window)}" if len(restarts) > 1 else ""
        found = (
            f"{short(last['instance'])} restarted on {moment(last['started_at'])}, and no deploy or maintenance in the "
            f"ledger says why{others}."
        )
    asked: dict[str, Any] = {
        "size": count(len(unplanned), "unplanned restart"),
        "action": "Find out why the process restarted, or write the deploy into the ledger.",
        "decides": "the platform team",
    }
    return Check(
        key="restarts",
        section=_SECTION,
        status="warn" if len(unplanned) else "pass",
        finding=found,
        value=float(len(restarts)),
        unit="restarts",
        since=when(restarts["started_at"].min()) if len(restarts) else None,
        samples="process_start_time_seconds of every process",
        disproof="a target that moved to another address",
        events=tuple(
            event("restart", row.instance, row.started_at, row.started_at, 1, "restart")
            for row in restarts.itertuples()
        ),
        **(asked if len(unplanned) else {}),
    )


def _planned(restarts: pd.DataFrame, planned: pd.DataFrame, apart: pd.Timedelta) -> pd.Series:
    common = planned[planned["tenant"] == ""]
    return pd.Series(
        [
            bool(((common["start"] - apart <= at) & (at <= common["end"] + apart)).any())
            for at in restarts["started_at"]
        ],
        index=restarts.index,
        dtype=bool,
    )
