"""What a tenant may be told of itself: made of its own rows, and of what is no tenant's.

What is made row by row is made of all tenants at once. What takes a median, or the first, of all that it is given is
made of each tenant's rows alone: so no other tenant's data can change a byte of its page.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import chain
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import HOUR
from cloudxai_analysis.measures import alerts as measure
from cloudxai_analysis.measures import semantics
from cloudxai_analysis.measures.cost import is_amount
from cloudxai_analysis.measures.counters import counted_hours
from cloudxai_analysis.measures.frames import with_text
from cloudxai_analysis.measures.readiness import tenant_availability, tenant_outages
from cloudxai_analysis.study.cost import Cost
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import near_miss

Rows = dict[str, list[Any]]
_SHORT = 60  # samples, fewer than which may not tell how often a series is scraped
_AT_ONCE = 100  # tenants whose raw samples are looked at together


def shared(study: Study) -> dict[str, Any]:
    """What all pages of a study say alike: the period, the source, the versions, and what was seen of them."""
    seen, contract, source = study.seen, study.contract, study.provenance.get("source", {})
    return {
        "window": study.window,
        "end": seen.end,
        "partial": study.partial,
        "observed": study.observed.name,
        "environment": study.environment.name,
        "platform": f"{contract.platform} {contract.platform_version}",
        "metric": contract["cost"].name,
        "source": {"kind": source.get("kind", ""), "name": source.get("source", "")},
        "package": version("cloudxai-analysis"),
        "coverage": [row for row in study.within(study.telemetry.covered, "day").itertuples() if not row.covered],
        "rules_known": bool(study.store.rules),
        "exchange": study.environment.settings.exchange,
        "hours": math.ceil(seen.duration / HOUR),
    }


def tenants(study: Study, names: Collection[str] = ()) -> list[str]:
    """The tenants named, or all of which the window has a sample or an alert, in their order.

    Raises UsageError (nothing up to the window's end is of a tenant named so; near ones are named).
    """
    known = study.hours("cost"), study.cardinality.tenant_hours, study.alerts.alert_samples
    if not names:
        own = (study.within(frame, at) for frame, at in zip(known, ("hour", "hour", "time"), strict=True))
        seen = (frame[frame["samples"] > 0] if "samples" in frame else frame for frame in own)
        return sorted(set().union(*map(_names, seen)) - {""})
    there = set().union(*map(_names, known)) - {""}
    for name in names:
        if name not in there:
            raise UsageError(
                f"No tenant '{name}' up to the end of {study.window.name}.{near_miss(name, sorted(there), most=3)} "
                "`cloudxai showback all` makes a page for each."
            )
    return sorted(set(names))


def told(study: Study, names: Collection[str]) -> Iterator[dict[str, Any]]:
    """What the page of each of these tenants says that is its own, as plain numbers, times and names."""
    costs, hours = _cost(study, names), _of(study.cardinality.window_hours, names)
    seen = study.within(costs.cost_hours)
    seen = seen[(seen["samples"] > 0) & is_amount(seen)].drop_duplicates(["tenant", "hour"])
    daily = _rows(study.within(costs.daily_costs, "day"))
    known = Counter(zip(seen["tenant"], seen["hour"].dt.floor("D"), strict=True))
    by_day = hours.assign(day=hours["hour"].dt.floor("D")).groupby("day")
    ready = {
        (day, str(row.tenant)): row.availability for day, own in by_day for row in tenant_availability(own).itertuples()
    }
    available, outages = _rows(tenant_availability(hours)), _outages(study, hours)
    episodes, breaks = _episodes(study, names), _breaks(study, costs.cost_hours)
    for name in names:
        own: dict[Any, dict[str, float]] = defaultdict(dict)
        for row in daily[name]:
            own[row.day][str(row.currency)] = row.cost
        days = [
            {
                "day": day.start,
                "costs": own[day.start],
                "hours": known[name, day.start],
                "of": math.ceil((min(day.end, study.seen.end) - day.start) / HOUR),
                "ready": ready.get((day.start, name), math.nan),
            }
            for day in study.seen.days()
        ]
        yield {
            "tenant": name,
            "days": days,
            "courses": [_course(unit, days) for unit in sorted({unit for day in own.values() for unit in day})],
            "known": sum(day["hours"] for day in days),
            "ready": next((row.availability for row in available[name]), math.nan),
            "outages": outages[name],
            "alerts": episodes[name],
            "breaks": breaks[name],
        }


def _course(currency: str, days: list[dict[str, Any]]) -> dict[str, Any]:
    """A currency's sum, its dearest day, and each day's share of that; None of a day that is not known."""
    costs = [day["costs"].get(currency, 0.0 if day["hours"] else None) for day in days]
    most = max(cost for cost in costs if cost is not None)
    shares = [None if cost is None else cost / most if most > 0 else 0.0 for cost in costs]
    total = math.fsum(cost for cost in costs if cost is not None)
    return {"currency": currency, "total": total, "most": most, "shares": shares}


def _cost(study: Study, names: Collection[str]) -> Cost:
    """The costs of some tenants."""
    costs = Cost(study)
    if study.contract["cost"].semantics == "cumulative":
        vars(costs)["cost_hours"] = _counted(study, _of(study.hours("cost"), names))
    else:
        vars(costs)["cost_hours"] = _of(study.cost.cost_hours, names)
    return costs


def _counted(study: Study, hours: pd.DataFrame) -> pd.DataFrame:
    """`counted_hours`, in which a sample older than its job's first scrape has a say in what others' first ones add."""
    scrapes, starts = study.telemetry.scrapes, study.telemetry.starts
    first = hours[(hours["samples"] > 0) & ~hours["anchored"]].groupby("job", observed=True)["first_ts"].min()
    scraped = scrapes.groupby("job", observed=True)["time"].min()
    if (first >= scraped.reindex(first.index)).all():
        return counted_hours(hours, scrapes, starts)
    return pd.concat([counted_hours(own, scrapes, starts) for own in _alone(hours)], ignore_index=True)


def _outages(study: Study, hours: pd.DataFrame) -> Rows:
    """When the tenants were not ready; how long a sample of a short series holds would be told by all others."""
    low = sorted(_names(hours[hours["min"] == 0]))
    samples = _of(study.cardinality.tenant_samples, low)
    few = samples.groupby(["tenant", "instance"], observed=True)["time"].transform("size") < _SHORT
    short = _names(samples[few])
    long = [name for name in low if name not in short]
    parts = (_of(samples, long[at : at + _AT_ONCE]) for at in range(0, len(long), _AT_ONCE))
    return _rows(tenant_outages(own) for own in chain(parts, _alone(_of(samples, short))))


def _episodes(study: Study, names: Collection[str]) -> Rows:
    """Alerts on the tenants that began in the window; how often a rule is evaluated, each tenant's own samples say."""
    topic, usual = study.alerts, study.alerts.usual_seconds
    there = _names(study.within(topic.alert_samples, "time")).intersection(names)
    samples = with_text(_of(topic.alert_samples, there), ["tenant", "alertname"])
    rules = dict(zip(samples["tenant"] + "\0" + samples["alertname"], samples["alertname"], strict=True))
    keyed = samples.assign(alertname=(samples["tenant"] + "\0" + samples["alertname"]).astype("category"))
    measured = measure.evaluation_intervals(keyed, default_seconds=usual)
    loaded = {row["alertname"]: row["interval_seconds"] or usual for row in study.store.rules or []}
    seconds = {"": usual} | {key: loaded.get(name, usual) for key, name in rules.items()}
    seconds |= {row.alertname: row.interval_seconds for row in measured.itertuples() if row.steps}
    found = measure.episodes(
        keyed,
        interval_seconds=seconds,
        window=topic.known,
        for_state=topic.for_state,
        gaps=measure.evaluation_gaps(samples[:0], study.telemetry.up, interval_seconds=usual),
    )
    return _rows(study.within(found.assign(alertname=found["alertname"].map(rules)), "fired_at"))


def _breaks(study: Study, cost_hours: pd.DataFrame) -> Rows:
    """Of whom the gauge behaves unlike what the contract says of it, by each one's own samples."""
    how: dict[str, Any] = {"semantics": study.contract["cost"].semantics}
    doubtful = semantics.suspects(study.within(cost_hours, "hour", study.cost.recent), **how)
    samples = _of(study.samples("cost", study.cost.recent), doubtful) if doubtful else cost_hours[:0]
    broken = partial(semantics.semantics_breaks, starts=study.telemetry.starts, covered=study.telemetry.covered, **how)
    return _rows(map(broken, _alone(samples)))


def _names(frame: pd.DataFrame) -> set[str]:
    return set(frame["tenant"].unique().astype("str"))


def _of(frame: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    return frame[frame["tenant"].isin(list(names))].reset_index(drop=True)


def _alone(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Each tenant's rows."""
    for _, own in frame.groupby("tenant", observed=True):
        yield own.reset_index(drop=True)


def _rows(frames: pd.DataFrame | Iterable[pd.DataFrame]) -> Rows:
    """The rows of each tenant, in their order."""
    found: Rows = defaultdict(list)
    for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
        for row in with_text(frame, ["tenant"]).itertuples(index=False):
            found[row.tenant].append(row)
    return found
