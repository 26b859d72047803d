"""Tenant labels of a window: active, held, headroom, churn, the guard."""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pandas as pd

from cloudxai_analysis.measures import cardinality as measure
from cloudxai_analysis.measures import counters, identifiers, labels
from cloudxai_analysis.measures import time_to_cap as to_cap
from cloudxai_analysis.platform.contract import Contract
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, hours, part, samples, value

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study

_NAMES, _COVERED = "cardinality.generated_names.tenant", "telemetry.covered"
_BEGIN: dict[str, Any] = {"begin": "telemetry.first_seen"}
_CAP: dict[str, Any] = {"cap": "contract.tenant_cap"}
_STARTS: dict[str, Any] = {"starts": "telemetry.starts"}
_FULLEST: dict[str, Any] = {"fullest": "fullest", "generated": _NAMES, **_CAP}


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
    # Of buckets and alerts Prometheus itself makes series; what nobody has explained yet may be the tenant.
    needed = {contract.tenant_label, *contract.process_labels, "le", "alertname", "alertstate", *unexpected["label"]}
    return labels.label_savings(series, needed=needed)


def _real(hours: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """The rows of `tenant_hours` that are of no generated name."""
    return hours[~hours["tenant"].isin(names)]


def _fullest(headroom: pd.DataFrame) -> pd.DataFrame:
    """The process with the least headroom at the end, one row; none without a tenant."""
    return headroom.tail(1)


class Cardinality(Topic):
    """Frames on the tenant labels and their guard."""

    tenant_hours = hours("tenant_readiness", says="Hourly rollups of tenant readiness, the metric of every tenant.")
    window_hours = part("tenant_hours", "hour", says="The rows of `tenant_hours` in the window.")
    tenant_samples = samples("tenant_readiness", "seen", says="Raw samples of tenant readiness, in the window.")
    active_tenants = frame(measure.active_tenants, "tenant_hours", _NAMES)
    arrivals = frame(measure.tenant_arrivals, "tenant_hours", "telemetry.starts")
    held = frame(measure.held_tenants, "arrivals", "history", "telemetry.starts")
    headroom = frame(measure.headroom, "held", shown="guard", **_CAP)
    fullest = value(_fullest, "headroom")
    daily_arrivals = frame(to_cap.daily_arrivals, "arrivals", _COVERED, "history", **_FULLEST)
    busiest = value(measure.busiest, "real_hours", end="end")
    forecast = value(to_cap.arrivals_ahead, "daily_arrivals")
    time_to_cap = frame(
        to_cap.time_to_cap,
        *("daily_arrivals", "forecast", "arrivals", "refusals"),
        **{**_FULLEST, "expected": "busiest", "end": "end"},
    )
    held_ahead = frame(to_cap.paths_to_cap, "forecast", "time_to_cap")
    back_test = frame(attrgetter("back_test"), "forecast", says="How each model of the arrivals did in the back-test.")
    churn = frame(measure.tenant_churn, "real_hours", _COVERED)
    tenant_sets = frame(measure.tenant_sets, "real_hours", "seen", begins="telemetry.begins")
    series = frame(_series, "study", roles=(ANY_METRIC,))
    series_by_metric = frame(labels.series_by_metric, "series", "seen", tenant="contract.tenant_label")
    nameless = value(_nameless, "series_by_metric", "contract")
    label_savings = frame(_label_savings, "series", "contract", "telemetry.unexpected_labels")
    cohorts = frame(measure.tenant_cohorts, "real_hours", _COVERED, "history", **_BEGIN)
    lifetimes = frame(measure.tenant_lifetimes, "real_hours", end="end", **_BEGIN)
    rejection_steps = frame(
        counters.counter_steps, samples("rejections", "reach"), "telemetry.scrapes", "telemetry.starts"
    )
    history_steps = part("rejection_steps", "time", "history", says="The rows of `rejection_steps` in the history.")
    window_steps = part("rejection_steps", "time", says="The rows of `rejection_steps` in the window.")
    rejections = frame(measure.rejections, "history_steps")
    refusals = frame(measure.refusals, "rejection_steps", "seen")
    all_refusals = frame(measure.refusals, "history_steps", "history", says="The same, over the history.")
    tainted = frame(
        measure.tainted_stretches,
        *("all_refusals", "telemetry.starts", "rejection_steps", "lifetimes", "generated_names", "seen"),
    )
    guard = frame(measure.guard_invariants, "tenant_samples", "arrivals", "window_steps", **_STARTS, **_CAP)
    generated_names = frame(identifiers.generated_names, "arrivals", refusals="all_refusals", gaps="telemetry.all_gaps")
    unstable_identifiers = frame(identifiers.unstable_identifiers, "generated_names", "seen")
    generated_bursts = frame(identifiers.generated_bursts, "generated_names", within="start")
    real_hours = frame(_real, "tenant_hours", _NAMES)
