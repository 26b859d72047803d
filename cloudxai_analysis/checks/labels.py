"""Verdicts on labels that nobody declared: which they are, what says what they mean, and what they leave unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.evidence import named, several, short, when
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.labels import names_replica
from cloudxai_analysis.words.phrases import count

_PLACES = (
    *("pod", "cluster", "region", "zone", "namespace", "node"),
    *("host", "hostname", "container", "datacenter", "shard"),
)


def labels_check(
    unexpected: pd.DataFrame, nameless: Sequence[str], *, window: Window, tenant_label: str, known: bool
) -> Check:
    """Whether series that the contract takes for one are several, or name no tenant: `warn` for each such label.

    `unexpected` as `measures.labels.unexpected_labels` gives them, of all metrics; `nameless` the tenants' metrics
    without a tenant; `known` says whether there was any series. The value is the number of unexpected labels.
    """
    common: dict[str, Any] = {"key": "labels", "section": "telemetry", "unit": "unexpected labels"}
    if not known:
        finding = f"Whether labels tell series apart in {named(window)} is unknown: there is no series of the contract."
        return Check(status="unknown", finding=finding, **common)
    by_label = unexpected.groupby("label").size().sort_values(ascending=False, kind="stable")
    common |= {"value": float(len(by_label)), "samples": "series that agree in every label of the contract"}
    if unexpected.empty and nameless:
        more = f" and {count(len(nameless) - 1, 'more metric')}" if len(nameless) > 1 else ""
        return Check(
            status="warn",
            finding=f"No series of {nameless[0]}{more} has the label `{tenant_label}` in {named(window)}: they are no "
            "tenant's, and in no number.",
            size=count(len(nameless), "metric"),
            disproof="a platform that exports these metrics for no tenant",
            action="Name the label that holds the tenant in `tenant_label` of the environment.",
            decides="the owner of the monitoring",
            **common,
        )
    if unexpected.empty:
        return Check(
            status="pass",
            finding=f"No label outside of the contract tells series apart at the same time in {named(window)}.",
            disproof="series that differ in a label, and of which one is there only while the other is not",
            **common,
        )
    label = str(by_label.index[0])
    own = unexpected[unexpected["label"] == label]
    more = f" and {count(len(own) - 1, 'more metric')}" if len(own) > 1 else ""
    others = f"; so do {', '.join(f'`{short(name)}`' for name in by_label.index[1:])}" if len(by_label) > 1 else ""
    return Check(
        status="warn",
        finding=f"Series of {own['metric'].iloc[0]}{more} that the contract takes for one are several at a time, told "
        f"apart by `{short(label)}` ({_values(own)}){others}: sums may count twice, or mix what is apart.",
        size=count(unexpected["series"].sum(), "series", "series"),
        since=when(own["start"].min()),
        disproof="a label that the contract should name, with parts that add up",
        action=f"Say what `{short(label)}` is: {_setting(label, tenant_label)}.",
        decides="the owner of the monitoring",
        **common,
    )


def told_apart(check: Check, unexpected: pd.DataFrame) -> Check:
    """A check whose number rests on such series: no `pass`, and beside a finding the label that is to be settled."""
    if unexpected.empty:
        return check
    label = unexpected["label"].value_counts().index[0]
    reason = (
        f"{unexpected['metric'].iloc[0]} comes several times at once, told apart by `{short(label)}`, which no setting "
        "explains."
    )
    if check.status in ("warn", "fail"):
        return replace(check, finding=f"{check.finding} May be wrong: {reason}")
    about = check.key.replace("_", " ")
    return replace(check, status="unknown", value=None, finding=f"'{about}' is unknown: {reason}")


def _values(own: pd.DataFrame) -> str:
    return several(value or "none" for value in sorted({value for row in own["values"] for value in row}))


def _setting(label: str, tenant_label: str) -> str:
    """Which setting says what a label is, by what its name tells."""
    replica = f'`replica_labels = ["{label}"]` of the environment, if several Prometheus scrape the same targets'
    process = f'the contract\'s `process_labels`, with "{label}" added, if it tells processes apart'
    if label.removeprefix("exported_") == tenant_label and label != tenant_label:
        return (
            f'`tenant_label = "{label}"` of the environment, if it names the tenant; or `honor_labels: true` in the '
            "scrape"
        )
    if names_replica(label):
        return replica
    if label.removeprefix("exported_") in (*_PLACES, "instance"):
        return f"{process}; or `matchers` of the environment, for one of them alone"
    return (
        f"{replica}; {process}; `tenant_label`, if it names the tenant; or a label of the metric in the contract, if "
        "its values are parts that add up"
    )
