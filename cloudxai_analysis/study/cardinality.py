"""Tenant labels of a window: active, held, headroom, churn, the guard."""

from __future__ import annotations

import json
from collections.abc import Collection
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures import cardinality as measure
from cloudxai_analysis.measures import counters, identifiers, labels, taint
from cloudxai_analysis.measures import time_to_cap as to_cap
from cloudxai_analysis.measures.forecast import Forecast
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, hours, part, samples, value

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

# What Prometheus itself makes series of: their buckets and alerts are lost without these.
_NEEDED = ("le", "alertname", "alertstate")
_NAMES = "cardinality.generated_names.tenant"
_BEGIN: dict[str, Any] = {"begin": "telemetry.first_seen"}
_CAP: dict[str, Any] = {"cap": "contract.tenant_cap"}
_STARTS: dict[str, Any] = {"starts": "telemetry.starts"}


def _headroom(held: pd.DataFrame, arrivals: pd.DataFrame, guard: pd.DataFrame, cap: int) -> pd.DataFrame:
    """Headroom by hour, over the history."""
    # Without any tenant nobody knows how many a process holds.
    return measure.headroom(held if len(arrivals) else held[:0], cap=cap, shown=guard)


def _daily_arrivals(
    arrivals: pd.DataFrame,
    headroom: pd.DataFrame,
    covered: pd.DataFrame,
    history: Window,
    *,
    cap: int,
    generated: Collection[str],
) -> pd.DataFrame:
    """Real tenants that came to the process with the least headroom, by whole day of the history."""
    whole = Window(history.start, pd.Timestamp(history.end).floor("D").to_pydatetime())
    fullest = headroom.tail(1)
    own = arrivals[arrivals["job"].isin(fullest["job"])]
    name = fullest["instance"].max() if len(fullest) else ""
    return to_cap.daily_arrivals(own, covered, whole, cap=cap, instance=name, generated=generated)


def _to_cap(
    daily: pd.DataFrame,
    arrivals: pd.DataFrame,
    headroom: pd.DataFrame,
    refusals: pd.DataFrame,
    *,
    generated: Collection[str],
    end: pd.Timestamp,
    **given: int,
) -> tuple[pd.DataFrame, Forecast]:
    """When the process with the least headroom may be full, and the forecast behind it."""
    own = arrivals.merge(headroom[["job", "instance"]].tail(1), on=["job", "instance"])
    own = own[own["started_at"].isna() | (own["started_at"] == own["started_at"].max())]
    since = refusals.loc[refusals["end"] >= end - pd.Timedelta(hours=1), "start"].min()
    return to_cap.time_to_cap(
        daily,
        held=int(headroom["held"].tail(1).sum()),
        generated=int(own["tenant"].isin(generated).sum()),
        refusing_since=None if pd.isna(since) else since,
        **given,
    )


def _held_ahead(found: tuple[pd.DataFrame, Forecast], daily: pd.DataFrame) -> pd.DataFrame:
    """Held tenants of that process over the days ahead, with intervals; empty where they cannot be forecast."""
    return to_cap.paths_to_cap(found[1], held=int(found[0]["held"].iloc[0]), last=daily["day"].max())


def _tenant_sets(hours: pd.DataFrame, seen: Window, begins: bool) -> pd.DataFrame:
    """New, returning, stayed and lost tenants of the window, generated names left out."""
    found = measure.tenant_sets(hours, seen)
    return found.assign(set=found["set"].replace("new", "unknown")) if begins else found


def _series(study: Study) -> pd.DataFrame:
    """Every series of the contract's metrics in the history, with `metric` and all of its labels."""
    names = study.contract.series_names()
    return pd.concat([study.series(name, study.history).assign(metric=name) for name in names], ignore_index=True)


def _nameless(found: pd.DataFrame, contract: Contract) -> list[str]:
    """Metrics of tenants that were exported in the window without a single series that names a tenant."""
    own = [one.name for one in contract.metrics.values() if {"tenant", contract.tenant_label} & set(one.labels)]
    return found.loc[(found["tenants"] == 0) & found["metric"].isin(own), "metric"].tolist()


def _label_savings(series: pd.DataFrame, contract: Contract, unexpected: pd.DataFrame) -> pd.DataFrame:
    """What dropping each label of each metric would save, over the history."""
    needed = {contract.tenant_label, *contract.process_labels, *_NEEDED}
    # What nobody has explained yet may be the tenant.
    return labels.label_savings(series, needed=needed | set(unexpected["label"]))


def _generated_series(series: pd.DataFrame, names: Collection[str], label: str) -> int:
    """Series of the history whose tenant is a generated name."""
    own = set(names)
    return sum(json.loads(text).get(label) in own for text in series["labels"])


def _refused_names(steps: pd.DataFrame) -> list[str]:
    """Tenants whose requests a guard refused in the window, where its counter carries their names."""
    return [name for name in steps.loc[steps["step"] > 0, "tenant"].astype("str").unique() if name]


def _still_tainted(found: pd.DataFrame, seen: Window) -> pd.DataFrame:
    """Stretches in which refused tenants are missing that overlap the window, over the history's refusals."""
    return found[found["until"] > seen.start].reset_index(drop=True)


def _real(hours: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """The rows of `tenant_hours` that are of no generated name."""
    return hours[~hours["tenant"].isin(names)]


class Cardinality(Topic):
    """Frames on the tenant labels and their guard."""

    tenant_hours = hours("tenant_readiness", says="Hourly rollups of tenant readiness, the metric of every tenant.")
    window_hours = part("tenant_hours", "hour", says="The rows of `tenant_hours` in the window.")
    tenant_samples = samples("tenant_readiness", "seen", says="Raw samples of tenant readiness, in the window.")
    active_tenants = frame(measure.active_tenants, "tenant_hours", _NAMES)
    arrivals = frame(measure.tenant_arrivals, "tenant_hours", "telemetry.starts")
    held = frame(measure.held_tenants, "arrivals", "history", "telemetry.starts")
    headroom = frame(_headroom, "held", "arrivals", "guard", **_CAP)
    daily_arrivals = frame(
        _daily_arrivals, "arrivals", "headroom", "telemetry.covered", "history", generated=_NAMES, **_CAP
    )
    busiest = value(measure.busiest, "real_hours", end="end")
    to_cap = value(
        _to_cap,
        *("daily_arrivals", "arrivals", "headroom", "refusals"),
        generated=_NAMES,
        expected="busiest",
        end="end",
        **_CAP,
    )
    time_to_cap = frame(itemgetter(0), "to_cap", says="When the process with the least headroom may be full, one row.")
    held_ahead = frame(_held_ahead, "to_cap", "daily_arrivals")
    back_test = frame(
        lambda found: found[1].back_test, "to_cap", says="How each model of the arrivals did in the back-test."
    )
    churn = frame(measure.tenant_churn, "real_hours", "telemetry.covered")
    tenant_sets = frame(_tenant_sets, "real_hours", "seen", "telemetry.begins")
    series = frame(_series, "study", roles=(ANY_METRIC,))
    series_by_metric = frame(labels.series_by_metric, "series", "seen", tenant="contract.tenant_label")
    nameless = value(_nameless, "series_by_metric", "contract")
    label_savings = frame(_label_savings, "series", "contract", "telemetry.unexpected_labels")
    generated_series = value(_generated_series, "series", _NAMES, "contract.tenant_label")
    cohorts = frame(measure.tenant_cohorts, "real_hours", "telemetry.covered", "history", **_BEGIN)
    lifetimes = frame(measure.tenant_lifetimes, "real_hours", end="end", **_BEGIN)
    rejection_steps = frame(
        counters.counter_steps, samples("rejections", "reach"), "telemetry.scrapes", "telemetry.starts"
    )
    history_steps = part("rejection_steps", "time", "history", says="The rows of `rejection_steps` in the history.")
    window_steps = part("rejection_steps", "time", says="The rows of `rejection_steps` in the window.")
    rejections = frame(measure.rejections, "history_steps")
    refusals = frame(
        counters.split_at,
        *(value(measure.refusals, "rejection_steps"), "rejection_steps", "seen"),
        by=["job", "instance"],
        says="Whole stretches in which a guard refused that overlap the window, with their part `inside` it.",
    )
    all_refusals = frame(measure.refusals, "history_steps")
    refused_names = value(_refused_names, "window_steps")
    tainted = frame(
        _still_tainted,
        value(
            taint.tainted_stretches,
            *("all_refusals", "telemetry.starts", "rejection_steps", "lifetimes", "generated_names"),
            end="end",
        ),
        "seen",
    )
    guard = frame(measure.guard_invariants, "tenant_samples", "arrivals", "window_steps", **_STARTS, **_CAP)
    generated_names = frame(identifiers.generated_names, "arrivals", refusals="all_refusals", gaps="telemetry.all_gaps")
    unstable_identifiers = frame(identifiers.unstable_identifiers, "generated_names", "seen")
    generated_bursts = frame(identifiers.generated_bursts, "generated_names", within="start")
    real_hours = frame(_real, "tenant_hours", _NAMES)
