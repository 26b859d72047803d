"""Checks of the tenant labels: room left, the guard, who was refused, generated names, churn."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, by_drills, events_of, finds, found, largest
from cloudxai_analysis.measures.drills import drilled, refused_in
from cloudxai_analysis.measures.identifiers import SHAPES, unstable_identifiers
from cloudxai_analysis.words.phrases import count, day, moment, short

_HOUR = pd.Timedelta(hours=1)


@finds("headroom")
def headroom(case: Case) -> Found:
    """How many tenant labels are left: those of the last scrape."""
    rows, last, window = case.rows, case.rows.iloc[-1], case.study.observed
    ended = last["hour"] + _HOUR
    tight, full = rows[rows["headroom"] < case.bound], rows[rows["headroom"] <= 0]
    if last["headroom"] <= 0:
        answer = "held" if last["held"] == case.study.contract.tenant_cap else "shown"
    else:
        answer = "enough" if tight.empty else "was_full" if len(full) else "tight"
    return found(
        answer,
        last["headroom"],
        since=tight["hour"].min(),
        last=last,
        least=rows.loc[rows["headroom"].idxmin()],
        at_end=f"at the end of {window.name}" if ended >= window.end else f"when last seen, up to {moment(ended)}",
        tight=len(tight),
        full=len(full),
        on="on" if full["hour"].dt.floor("D").nunique() == 1 else "from",
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
    dates: Words = {name: _by(row[name], row) for name in ("earliest80", "latest80", "earliest95")}
    earliest = f"the earliest plausible date is {dates.pop('earliest95')}"
    if pd.isna(row["earliest95"]):
        earliest = f"and no plausible date lies within {row['horizon_days']} days"
    generated = f" ({row['generated']} generated)" if row["generated"] else ""
    words |= {"holds": f"{row['held']} of {row['cap']} labels{generated}", "earliest": earliest, "one_off": ""}
    if row["one_off"]:
        words["one_off"] = f"; {count(row['one_off'], 'tenant')} of {day(row['one_off_day'])} are taken for a one-off"
    if pd.isna(row["median"]):
        return found("far", **words)
    left = (row["median"] - row["from_day"]) / pd.Timedelta(days=1)
    answer, since = ("near", row["from_day"]) if left <= case.bound else ("later", None)
    return found(answer, left, since=since, by=day(row["median"]), **words, **dates)


def _by(date: pd.Timestamp, row: pd.Series) -> str:
    return f"over {row['horizon_days']} days ahead" if pd.isna(date) else day(date)


@finds("guard")
def guard(case: Case) -> Found:
    """Whether the guard keeps its promises: the number of broken ones."""
    rows, study = case.rows, case.study
    over, early = rows[~rows["within_cap"]], rows[rows["only_at_cap"].eq(False).fillna(False)]
    for answer, broken, size, at in (
        ("over", over, "most_tenants", "most_at"),
        ("early", early, "below_cap", "below_cap_at"),
    ):
        if len(broken):
            worst = largest(broken, size)
            return found(answer, len(over) + len(early), since=worst[at], worst=worst, at=worst[at])
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
    total, of_drills = case.rows["rejections"].sum(), _refused_in_drills(case)
    if of_drills.sum() >= total > 0:
        return found("drilled", total, drills=by_drills(of_drills))
    begun, top = refusals[refusals["start"] >= window.start], largest(refusals, "inside")
    told = f"most by {short(top['instance'])} from {moment(top['start'])} to {moment(top['end'])}"
    if top["inside"] < top["rejections"]:
        told += f", {top['inside']:,.0f} of {count(top['rejections'], 'refusal')} of that time in {window.name}"
    elif top["end"] >= window.end - _HOUR:
        told += ", and may go on"
    told += f"; of them {by_drills(of_drills)}" if len(of_drills) else ""
    return found(
        "refused",
        total,
        since=refusals["start"].min(),
        events=events_of(begun, "rejections", "instance", "rejections", "requests"),
        periods=f" in {len(refusals)} periods" if len(refusals) > 1 else "",
        told=told,
        lasting=(refusals["end"] - refusals["start"]).sum().total_seconds(),
    )


def _refused_in_drills(case: Case) -> pd.Series:
    """How many requests were refused in the course of each drill that they are of, by its summary."""
    drills = case.study.ledger.drills()
    if drills.empty:
        return pd.Series(dtype="float64")
    steps = case.study.cardinality.window_steps
    return refused_in(steps[steps["step"] > 0], drills)


@finds("identifiers")
def identifiers(case: Case) -> Found:
    """Whether there are generated names: how many of stems that are new, or still hold labels at the end."""
    names, drills, of_drills = case.study.cardinality.unstable_identifiers, case.study.ledger.drills(), pd.Series()
    if len(drills):
        every = case.study.cardinality.generated_names
        own = drilled(every, drills, start="first_seen", end="first_seen")
        seen = (every["last_seen"] >= case.study.seen.start) & (every["first_seen"] < case.study.seen.end)
        of_drills = own[seen & (own != "")].value_counts(sort=False)
        names = unstable_identifiers(every[own == ""], case.study.seen)
    of_stem = names[names[["new", "still"]].max(axis=1) >= case.bound]
    if of_stem.empty and len(of_drills):
        few = "; too few beside them to tell of" if len(names) else ""
        return found("drilled", 0, drills=by_drills(of_drills), rest=few)
    if of_stem.empty:
        over = int(names["count"].sum())
        return found("gone" if over >= case.bound else "none", 0, over=over, tenants=len(case.rows))
    top = of_stem.iloc[0]
    stem, shape = short(top["stem"]), SHAPES[top["shape"]].words
    total, new, still = (int(of_stem[name].sum()) for name in ("count", "new", "still"))
    rest = f", and {total - top['count']} of other stems" if len(of_stem) > 1 else ""
    if new < total:
        rest += f"; {total - new} of them came before {case.study.observed.name}, {still} still hold labels"
    rest += f"; beside them {by_drills(of_drills)}" if len(of_drills) else ""
    return found(
        "generated",
        total,
        since=of_stem["first_seen"].min(),
        events=events_of(case.study.cardinality.generated_bursts, "generated_names", "stem", "names", "names"),
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
    top, above, unknown = largest(known, "churn"), known[known["churn"] > case.bound], len(days) - len(known)
    return found(
        "above" if len(above) else "quiet" if top["churn"] else "none",
        top["churn"],
        since=above["day"].min(),
        top=top,
        above=len(above),
        rest=f"; {count(unknown, 'day')} unknown" if unknown else "",
    )
