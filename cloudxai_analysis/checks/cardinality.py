"""Checks of the tenant labels: room left, the guard, who was refused, generated names, churn."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, events_of, finds, found, largest
from cloudxai_analysis.measures.identifiers import SHAPES
from cloudxai_analysis.words.phrases import count, day, moment, short

_HOUR = pd.Timedelta(hours=1)


@finds("headroom")
def headroom(case: Case) -> Found:
    """How many tenant labels are left: those of the last scrape."""
    rows, last = case.rows, case.rows.iloc[-1]
    least = rows.loc[rows["headroom"].idxmin()]
    ended, window = last["hour"] + _HOUR, case.study.observed
    at_end = f"at the end of {window.name}" if ended >= window.end else f"when last seen, up to {moment(ended)}"
    tight, full = rows[rows["headroom"] < case.bound], rows[rows["headroom"] <= 0]
    if last["headroom"] <= 0:
        answer = "held" if last["held"] == case.study.contract.tenant_cap else "shown"
    elif len(tight):
        answer = "was_full" if len(full) else "tight"
    else:
        answer = "enough"
    return found(
        answer,
        last["headroom"],
        since=tight["hour"].min(),
        last=last,
        least=least,
        at_end=at_end,
        tight=len(tight),
        full=len(full),
        on="from" if len(full) and full["hour"].max().floor("D") > least["hour"] else "on",
    )


@finds("time_to_cap")
def time_to_cap(case: Case) -> Found:
    """When the cap is likely to be reached: the days from the forecast's start to the median of the paths."""
    row = case.study.cardinality.time_to_cap.iloc[0]
    words: Words = {"row": row, "name": short(case.rows["instance"].iloc[-1])}
    if row["answer"] == "too little history":
        return found("short", **words)
    if row["answer"] == "refusing" and row["held"] < row["cap"]:
        return found("below", **words)
    if row["answer"] in ("refusing", "at the cap"):
        return found("refusing" if row["answer"] == "refusing" else "full", 0, since=row["since"], **words)
    words |= {
        "holds": f"{row['held']} of {row['cap']} labels" + f" ({row['generated']} generated)" * bool(row["generated"]),
        "earliest": _earliest(row),
        "one_off": _one_off(row),
    }
    if pd.isna(row["median"]):
        return found("far", **words)
    left = (row["median"] - row["from_day"]) / pd.Timedelta(days=1)
    near = left <= case.bound
    dates: Words = {"by": _by(row["median"], row)} | {name: _by(row[name], row) for name in ("earliest80", "latest80")}
    return found("near" if near else "later", left, since=row["from_day"] if near else None, **words, **dates)


def _by(date: pd.Timestamp, row: pd.Series) -> str:
    return f"over {row['horizon_days']} days ahead" if pd.isna(date) else day(date)


def _earliest(row: pd.Series) -> str:
    if pd.isna(row["earliest95"]):
        return f"and no plausible date lies within {row['horizon_days']} days"
    return f"the earliest plausible date is {_by(row['earliest95'], row)}"


def _one_off(row: pd.Series) -> str:
    came = _by(row["one_off_day"], row)
    return f"; {count(row['one_off'], 'tenant')} of {came} are taken for a one-off" if row["one_off"] else ""


@finds("guard")
def guard(case: Case) -> Found:
    """Whether the guard keeps its promises: the number of broken ones."""
    rows, study = case.rows, case.study
    over, early = rows[~rows["within_cap"]], rows[rows["only_at_cap"].eq(False).fillna(False)]
    broken = len(over) + len(early)
    if len(over):
        worst = largest(over, "most_tenants")
        return found("over", broken, since=worst["most_at"], worst=worst, at=worst["most_at"])
    if len(early):
        worst = largest(early, "below_cap")
        return found("early", broken, since=worst["below_cap_at"], worst=worst, at=worst["below_cap_at"])
    most = f"at most {count(rows['most_tenants'].max(), 'tenant')} of {study.contract.tenant_cap} at one scrape"
    if study.within(study.cardinality.rejections).empty:
        return found("uncounted", 0, most=most)
    unsure = rows[rows["only_at_cap"].isna() & (rows["rejections"] > 0)]
    if len(unsure):
        return found("unsure", 0, most=most, unsure=unsure["rejections"].sum(), who=unsure["instance"].iloc[0])
    refused = rows["rejections"].sum()
    return found("held", 0, most=most, refused=refused, below=", none below the cap" if refused else "")


@finds("rejections")
def rejections(case: Case) -> Found:
    """Whether the guard refused anybody: the number of requests refused in the window."""
    refusals, window = case.study.cardinality.refusals, case.study.observed
    if refusals.empty:
        hours = case.rows["hour"].nunique()
        whole = hours * _HOUR >= window.end - window.start - _HOUR
        seen = f"the {count(hours, 'hour')} in which its counter was seen"
        return found("none", 0, seen=window.name if whole else seen)
    told, begun = [], refusals[refusals["start"] >= window.start]
    if len(begun):
        top = largest(begun, "inside")
        until = f" to {moment(top['end'])}" if moment(top["end"]) != moment(top["start"]) else ""
        told.append(f"most by {short(top['instance'])} from {moment(top['start'])}{until}")
        after = top["rejections"] - top["inside"]
        if after:
            told.append(f"it goes on after {window.name}, with {after:,.0f} more")
        elif top["end"] >= window.end - _HOUR:
            told[-1] += ", and may go on"
    told += [
        f"at {short(row['instance'])} since {moment(row['start'])}, before this window: {row['inside']:,.0f} of "
        f"{count(row['rejections'], 'refusal')} in it"
        for row in refusals[refusals["start"] < window.start].to_dict("records")
    ]
    return found(
        "refused",
        case.rows["rejections"].sum(),
        since=refusals["start"].min(),
        events=events_of(begun, "rejections", "instance", "rejections", "requests"),
        periods=f" in {len(refusals)} periods" if len(refusals) > 1 else "",
        told="; ".join(told),
    )


@finds("identifiers")
def identifiers(case: Case) -> Found:
    """Whether there are generated names: how many of stems that are new, or still hold labels at the end."""
    names = case.study.cardinality.unstable_identifiers
    of_stem = names[names[["new", "still"]].max(axis=1) >= case.bound]
    if of_stem.empty:
        over = int(names["count"].sum())
        return found("gone" if over >= case.bound else "none", 0, over=over, tenants=len(case.rows))
    top = of_stem.iloc[0]
    bursts, stem, shape = case.study.cardinality.generated_bursts, short(top["stem"]), SHAPES[top["shape"]].words
    total, new, still = (int(of_stem[name].sum()) for name in ("count", "new", "still"))
    rest = f", and {total - top['count']} of other stems" if len(of_stem) > 1 else ""
    if new < total:
        rest += f"; {total - new} of them came before {case.study.observed.name}, {still} still hold labels"
    return found(
        "generated",
        total,
        since=of_stem["first_seen"].min(),
        events=events_of(bursts, "generated_names", "stem", "names", "names"),
        top=top,
        like=f"'{stem}…' followed by a {shape}" if top["stem"] else f"a {shape} and nothing else",
        sent=f"tenant '{stem}…'" if top["stem"] else f"a {shape} for a tenant",
        rest=rest,
    )


@finds("churn")
def churn(case: Case) -> Found:
    """Whether many tenants came and went from one day to the next: the highest churn of a day."""
    days = case.study.within(case.study.cardinality.churn, "day")
    known = days[days["churn"].notna()]
    if known.empty:
        return found("nothing")
    top, above = known.loc[known["churn"].idxmax()], known[known["churn"] > case.bound]
    unknown = len(days) - len(known)
    return found(
        "above" if len(above) else "quiet" if top["churn"] else "none",
        top["churn"],
        since=above["day"].min(),
        top=top,
        above=len(above),
        rest=f"; {count(unknown, 'day')} unknown" if unknown else "",
    )
