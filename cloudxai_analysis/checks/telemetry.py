"""Verdicts on the telemetry itself: is it there, where are holes, what restarted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import event, named, several, short, when
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.study.watched import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, percent, span

_SECTION = "telemetry"
_OWNER = "the owner of the monitoring"


def coverage_check(
    coverage: pd.DataFrame, covered: pd.DataFrame, first: pd.Timestamp, *, window: Window, least: float
) -> Check:
    """Whether the telemetry is there: `warn` where a day since its begin is not covered.

    `coverage` by job and day as `scrape_coverage` gives it, `covered` as `covered_periods`, both of the window; `first`
    when the first scrape of all was made. The value is the share of the window's time, day by day of the least covered
    job. `unknown` without any scrape, and where the telemetry begins in the window: of before nobody knows anything.
    """
    check = partial(Check, key="coverage", section=_SECTION, bound=least, bound_key="coverage", unit="share")
    if coverage.empty:
        finding = f"No sample of `up` for the contract's jobs in {named(window)}: nobody knows what was scraped."
        if pd.notna(first):
            finding = f"Too early to tell: scraped for the first time on {moment(first)}."
        return check(status="unknown", finding=finding)
    whole = window.duration.total_seconds()
    seen = covered["coverage"].sum() * DAY.total_seconds()
    done = [day for day in window.days() if day.end <= window.end]
    blind = [day for day in done if day.start not in set(covered.loc[covered["covered"], "day"])]
    began = pd.notna(first) and first > pd.Timestamp(window.start) + pd.Timedelta(hours=1)
    blind = [day for day in blind if not began or day.start >= first]
    failed = coverage["failed_share"].mean()
    said = f"{percent(min(seen / whole, 1.0), 2)} of the time was seen, {percent(failed, 2)} of the scrapes failed"
    check = partial(
        check,
        value=min(seen / whole, 1.0) if whole else 0.0,
        samples="every sample of `up`, held until the next one",
        disproof="a target that service discovery never had",
    )
    if blind:
        shares = covered.set_index("day")["coverage"].reindex([day.start for day in blind]).fillna(0.0)
        finding = (
            f"{len(blind)} of {count(len(done), 'day')} of {named(window)} not covered, the least with "
            f"{span(shares.min() * DAY.total_seconds())} of 24 hours; {said}."
        )
        return check(
            status="warn",
            finding=finding,
            size=count(len(blind), "uncovered day"),
            since=when(blind[0].start),
            action="Find out why no scrape succeeded, before numbers of those days are used.",
            decides=_OWNER,
        )
    if seen < ONE_DAY:
        finding = f"Too early to tell: {span(seen)} seen, since {moment(max(first, pd.Timestamp(window.start)))}."
        return check(status="unknown", finding=finding)
    if began:
        finding = (
            f"What was before {moment(first)} is unknown, for the telemetry of {named(window)} begins there; {said}."
        )
        return check(status="unknown", finding=finding)
    finding = f"All {count(len(done), 'whole day')} of {named(window)} are covered: {said}."
    return check(status="pass", finding=finding)


def gaps_check(gaps: pd.DataFrame, coverage: pd.DataFrame, *, window: Window) -> Check:
    """Whether the scrapes have holes: `warn` where one overlaps the window; one event `scrape_gap` each.

    `gaps` as `scrape_gaps` gives them; the value is the number of missing scrapes. `unknown` without any sample of
    `up`.
    """
    check = partial(Check, key="gaps", section=_SECTION, unit="scrapes")
    if coverage.empty:
        finding = (
            f"Whether scrapes are missing in {named(window)} is unknown: there are no two samples of `up` to tell by."
        )
        return check(status="unknown", finding=finding)
    check = partial(check, value=float(gaps["missing"].sum()), samples="the time between neighbouring samples of `up`")
    if gaps.empty:
        return check(
            status="pass",
            finding=f"No gap in the scrapes of {count(coverage['job'].nunique(), 'job')} in the "
            f"{span(coverage.groupby('job')['expected_minutes'].sum().max() * 60)} of {named(window)}.",
            disproof="a target that service discovery never had",
        )
    # Nobody seen at all weighs more than one target that others stood in for.
    whole = gaps[gaps["instance"] == ""]
    worst = whole if len(whole) else gaps
    longest = worst.loc[worst["seconds"].idxmax()]
    who = short(longest["instance"]) if longest["instance"] else f"No target of {short(longest['job'])}"
    was = "was not scraped" if longest["instance"] else "was scraped"
    return check(
        status="warn",
        finding=f"{who} {was} for {span(longest['seconds'])} from {moment(longest['start'])}"
        + (f", the longest of {count(len(gaps), 'gap')}." if len(gaps) > 1 else "."),
        size=f"{count(gaps['missing'].sum(), 'scrape')} missing",
        since=when(gaps["start"].min()),
        disproof="a planned move of the target or of Prometheus at that time",
        action=f"Find out why {short(longest['instance'] or longest['job'])} was no target from "
        f"{moment(longest['start'])}.",
        decides=_OWNER,
        events=tuple(
            event("scrape_gap", row.instance or row.job, row.start, row.end, row.missing, "scrapes")
            for row in gaps.itertuples()
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
    check = partial(Check, key="restarts", section=_SECTION)
    if starts.empty:
        return check(
            status="unknown", finding=f"Restarts in {named(window)} are unknown: no process exports when it began."
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
    return check(
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
        size=count(len(unplanned), "unplanned restart") if len(unplanned) else "",
        action=f"Find out why {several(unplanned['instance'])} restarted, or write the deploy into the ledger.",
        decides="the platform team",
    )


def unread(check: Check, shared: pd.DataFrame) -> Check:
    """A check of counters and held tenants, with the addresses that it could not read: no `pass` stands beside one.

    `shared` are the rows of `process_starts` behind whose address several processes answer in the window.
    """
    if shared.empty:
        return check
    names = ", ".join(f"{short(row.instance)} ({row.processes} processes)" for row in shared.head(3).itertuples())
    reason = (
        f"Several processes answer by turns behind {count(len(shared), 'address', 'addresses')}: {names}. Their "
        "counters and tenants cannot be told apart; scrape each process at an address of its own."
    )
    if check.status in ("warn", "fail"):
        return replace(check, finding=f"{check.finding} {reason}")
    about = "Restarts are" if check.key == "restarts" else f"'{check.key.replace('_', ' ')}' is"
    return replace(check, status="unknown", value=None, finding=f"{about} unknown in part. {reason}")


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
