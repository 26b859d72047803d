"""Verdicts on the tenant labels: room left, the guard, who was refused, generated names, churn."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from cloudxai_analysis.checks import Check, Status
from cloudxai_analysis.checks.evidence import event, going_on, named, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.identifiers import SHAPES
from cloudxai_analysis.words.phrases import count, moment, percent

_SECTION = "cardinality"
_OWNER = "the platform team"
_HOUR = pd.Timedelta(hours=1)


def headroom_check(headroom: pd.DataFrame, *, window: Window, cap: int, share: float) -> Check:
    """How many tenant labels are left: `fail` with none at the window's end, `warn` where it came under `share` of cap.

    `headroom` by hour, of the window, as `measures.cardinality.headroom` gives it; the value is the last row's, that of
    the last scrape.
    """
    # Labels are whole: fewer than 7.5 are fewer than 8. Rounded first, since 0.07 x 100 is a little over 7.
    bound = float(math.ceil(round(share * cap, 6)))
    check = partial(Check, key="headroom", section=_SECTION, unit="labels", bound=bound, bound_key="headroom_share")
    if headroom.empty:
        return check(
            status="unknown",
            finding=f"How many tenant labels are left in {named(window)} is unknown: no process exported a tenant.",
        )
    last, least = headroom.iloc[-1], headroom.loc[headroom["headroom"].idxmin()]
    ended = last["hour"] + _HOUR
    at_end = f"at the end of {named(window)}" if ended >= window.end else f"when last seen, up to {moment(ended)}"
    tight = headroom[headroom["headroom"] < bound]
    full = headroom[headroom["headroom"] <= 0]
    status: Status = "fail" if last["headroom"] <= 0 else "warn" if len(tight) else "pass"
    if status == "pass":
        finding = (
            f"{count(last['headroom'], 'tenant label')} of {cap} left {at_end}, never fewer than {least['headroom']}."
        )
    elif status == "fail":
        held = f"all {cap} are held" if last["held"] == cap else f"it has shown {last['held']} of {cap} since its start"
        finding = f"{short(last['instance'])} has no tenant label left {at_end}: {held}."
    else:
        had = (
            f"no tenant label left for {count(len(full), 'hour')}"
            if len(full)
            else f"only {count(least['headroom'], 'tenant label')} left"
        )
        day = least["hour"]
        since = "from" if len(full) and full["hour"].max().floor("D") > day else "on"
        finding = (
            f"{short(least['instance'])} had {had} {since} {day:%a} {day.day} {day:%b}; "
            f"{last['headroom']} of {cap} were left {at_end}."
        )
    return check(
        status=status,
        finding=finding,
        value=float(last["headroom"]),
        samples="distinct tenants that each process had shown since its start",
        disproof="tenants that a process held and that no scrape saw",
        size=f"{count(len(tight), 'hour')} under {bound:.0f} labels" if status != "pass" else "",
        since=when(tight["hour"].iloc[0]) if len(tight) else None,
        action="Decide whether to raise the cap or to free labels, before the next tenants come.",
        decides=_OWNER,
    )


def guard_check(guard: pd.DataFrame, *, counted: bool, window: Window, cap: int) -> Check:
    """Whether the guard keeps its promises: `fail` where a process broke one.

    `guard` as `measures.guard.guard_invariants` gives it, `counted` whether any process exports the rejection counter;
    the value is the number of broken promises. `unknown` without a process, or where none is seen to be broken and
    refusals cannot be judged.
    """
    check = partial(Check, key="guard", section=_SECTION)
    if guard.empty:
        return check(
            status="unknown",
            finding=f"Whether the guard works is unknown: no process exported a tenant in {named(window)}.",
        )
    over = guard[~guard["within_cap"]]
    early = guard[guard["only_at_cap"].eq(False).fillna(False)]
    broken = len(over) + len(early)
    samples = "distinct tenants at each scrape, against every step of the rejection counter"
    check = partial(check, unit="broken promises", value=float(broken), samples=samples)
    if not broken:
        return _guard_held(guard, window, cap, counted, check)
    if len(over):
        worst = over.loc[over["most_tenants"].idxmax()]
        finding = (
            f"{short(worst['instance'])} exported {worst['most_tenants']} tenants at {moment(worst['most_at'])}, "
            f"{worst['most_tenants'] - cap} more than its cap of {cap}."
        )
        since = worst["most_at"]
    else:
        worst = early.loc[early["below_cap"].idxmax()]
        finding = (
            f"{short(worst['instance'])} refused {count(worst['below_cap'], 'request')} while it held fewer than {cap} "
            f"tenants, first at {moment(worst['below_cap_at'])}."
        )
        since = worst["below_cap_at"]
    return check(
        status="fail",
        finding=finding,
        size=count(broken, "broken promise"),
        since=when(since),
        disproof="another cap in that process's configuration, or labels that it held before the telemetry begins",
        action=f"Hold the configuration of {short(worst['instance'])} and the guard's code against {moment(since)}.",
        decides=_OWNER,
    )


def _guard_held(guard: pd.DataFrame, window: Window, cap: int, counted: bool, check: partial[Check]) -> Check:
    most = f"at most {count(guard['most_tenants'].max(), 'tenant')} of {cap} at one scrape"
    refusals = count(guard["rejections"].sum(), "refusal")
    if not counted:
        finding = (
            f"Whether the guard refuses only at the cap is unknown: no rejection counter was seen in {named(window)}; "
            f"{most}."
        )
        return check(status="unknown", finding=finding, disproof="a build that exports the counter")
    unsure = guard[guard["only_at_cap"].isna() & (guard["rejections"] > 0)]
    if len(unsure):
        finding = (
            f"Whether the guard works is unknown: {count(unsure['rejections'].sum(), 'refusal')} in {named(window)} by "
            f"{short(unsure['instance'].iloc[0])}, which may hold more tenants than the telemetry saw; {most}."
        )
        return check(status="unknown", finding=finding, disproof="a longer history")
    return check(
        status="pass",
        finding=f"The guard held in {named(window)}: {most}, and "
        f"{refusals}{', none below the cap' if guard['rejections'].sum() else ''}.",
        disproof="a tenant that came and went between two scrapes",
    )


def rejections_check(refusals: pd.DataFrame, rejections: pd.DataFrame, *, window: Window) -> Check:
    """Whether the guard refused anybody: `warn` where it did; one event `rejections` per stretch begun in the window.

    `refusals` as `measures.guard.split_at` gives them, `rejections` by hour of the window; the value is the number of
    requests refused in the window. `unknown` where no process exports the counter.
    """
    check = partial(Check, key="rejections", section=_SECTION)
    if rejections.empty:
        return check(
            status="unknown", finding=f"Refused requests of {named(window)} are unknown: no rejection counter was seen."
        )
    total = rejections["rejections"].sum()
    if refusals.empty:
        hours = rejections["hour"].nunique()
        seen = f"the {count(hours, 'hour')} in which its counter was seen"
        whole = hours * _HOUR >= window.end - window.start - _HOUR
        return check(
            status="pass",
            finding=f"The guard refused no request in {named(window) if whole else seen}.",
            value=0.0,
            unit="requests",
            samples="every step of the rejection counter",
            disproof="refusals between a process's last scrape and its end",
        )
    rest = f" in {len(refusals)} periods" if len(refusals) > 1 else ""
    told, begun = [], refusals[refusals["start"] >= window.start]
    if len(begun):
        top = begun.loc[begun["inside"].idxmax()]
        until = f" to {moment(top['end'])}" if moment(top["end"]) != moment(top["start"]) else ""
        told.append(f"most by {short(top['instance'])} from {moment(top['start'])}{until}")
        after = top["rejections"] - top["inside"]
        if after:
            told.append(f"it goes on after {named(window)}, with {after:,.0f} more")
        elif top["end"] >= window.end - _HOUR:
            told[-1] += ", and may go on"
    if len(begun) < len(refusals):
        told.append(going_on(refusals, window, place="instance", size="rejections", noun="refusal"))
    return check(
        status="warn",
        finding=f"{count(total, 'request')} of new tenants refused in {named(window)}{rest}, {'; '.join(told)}.",
        value=float(total),
        unit="requests",
        size=count(total, "refused request"),
        since=when(refusals["start"].min()),
        samples="every step of the rejection counter",
        disproof="a load test that meant to be refused",
        action="Find the client that sent the new tenant names, and tell the tenants who were refused.",
        decides=_OWNER,
        events=tuple(
            event("rejections", row.instance, row.start, row.end, row.rejections, "requests")
            for row in begun.itertuples()
        ),
    )


def identifiers_check(
    identifiers: pd.DataFrame, bursts: pd.DataFrame, tenants: pd.DataFrame, *, window: Window, least: int
) -> Check:
    """Whether there are generated names: `warn` where `least` of a stem are new or still hold labels at the end.

    `identifiers` as `measures.identifiers.unstable_identifiers` gives them; `bursts` as `generated_bursts`, begun in
    the window, one event `generated_names` each; `tenants` has one row per tenant seen.
    """
    check = partial(Check, key="identifiers", section=_SECTION)
    if tenants.empty:
        return check(
            status="unknown",
            finding=f"Whether tenant labels look generated is unknown: no tenant was seen in {named(window)}.",
        )
    check = partial(check, unit="names", bound=float(least), bound_key="unstable_identifiers")
    found = identifiers[identifiers[["new", "still"]].max(axis=1) >= least]
    if found.empty:
        over = int(identifiers["count"].sum())
        finding = (
            f"No more generated names in {named(window)}: {count(over, 'name')} of before, gone by its end."
            if over >= least
            else f"No generated name is among {count(len(tenants), 'tenant label')} in {named(window)}."
        )
        return check(
            status="pass",
            finding=finding,
            value=0.0,
            samples="every tenant label of the window: its name, when it came and how long it stayed",
            disproof="the list of tenants that were signed up",
        )
    top = found.iloc[0]
    total, new, still = (int(found[column].sum()) for column in ("count", "new", "still"))
    shape = SHAPES[top["shape"]].words
    stem = f"'{short(top['stem'])}…' followed by a {shape}" if top["stem"] else f"a {shape} and nothing else"
    sent = f"tenant '{short(top['stem'])}…'" if top["stem"] else f"a {shape} for a tenant"
    rest = f", and {total - top['count']} of other stems" if len(found) > 1 else ""
    since = f"; {total - new} of them came before {named(window)}, {still} still hold labels" if new < total else ""
    return check(
        status="warn",
        finding=f"{top['count']} tenant labels look generated: {stem}, first {moment(top['first_seen'])}{rest}{since}.",
        value=float(total),
        size=f"{count(total, 'label')} of the cap",
        since=when(found["first_seen"].min()),
        samples=f"labels such as {', '.join(short(name) for name in top['examples'])}",
        disproof="tenants that were really signed up under these names",
        action=f"Find what sends {sent}, and have it send the tenant's own name.",
        decides=_OWNER,
        events=tuple(
            event("generated_names", row["stem"], row["start"], row["end"], row["names"], "names")
            for row in bursts.to_dict("records")
        ),
    )


def churn_check(churn: pd.DataFrame, *, window: Window, bound: float) -> Check:
    """Whether many tenants came and went from one day to the next: `warn` where a day's churn is above `bound`.

    `churn` by day, of the window, as `tenant_churn` gives it; the value is the highest. `unknown` where no day's is
    known.
    """
    known = churn[churn["churn"].notna()]
    check = partial(Check, key="churn", section=_SECTION, unit="share", bound=bound, bound_key="daily_churn")
    if known.empty:
        return check(
            status="unknown",
            finding=f"Churn of {named(window)} is unknown: no two neighbouring days with tenants are covered.",
        )
    top = known.loc[known["churn"].idxmax()]
    above = known[known["churn"] > bound]
    day = f"{top['day']:%a} {top['day'].day} {top['day']:%b}"
    finding = (
        f"{percent(top['churn'], 0)} churn on {day}: {top['came']:.0f} tenants came, {top['left']:.0f} left"
        if len(above)
        else f"At most {percent(top['churn'], 0)} of the tenants came or went from one day to the next"
        if top["churn"]
        else "No tenant came or went from one day to the next"
    )
    unknown = count(len(churn) - len(known), "day")
    return check(
        status="warn" if len(above) else "pass",
        finding=f"{finding}{f'; {unknown} unknown' if len(known) < len(churn) else ''}.",
        value=float(top["churn"]),
        samples="tenants seen on neighbouring covered days",
        disproof="a planned move of tenants on that day",
        size=f"{count(len(above), 'day')} above {percent(bound, 0)}" if len(above) else "",
        since=when(above["day"].min()) if len(above) else None,
        action="Find out whether tenants came and left, or whether their labels only changed.",
        decides=_OWNER,
    )
