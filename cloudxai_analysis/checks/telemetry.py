"""Checks of the telemetry itself: is it there, where are holes, what restarted, which labels nobody declared."""

from __future__ import annotations

import pandas as pd

from cloudxai_analysis.checks.finding import Case, Found, Words, events_of, finds, found, largest
from cloudxai_analysis.ground.window import DAY
from cloudxai_analysis.measures.labels import names_replica
from cloudxai_analysis.study.alerts import ONE_DAY
from cloudxai_analysis.words.phrases import count, moment, number, percent, several, short

PLANNED = pd.Timedelta(minutes=30)  # no further from a restart, a deploy or maintenance of the ledger explains it
_PLACES = {
    *("pod", "cluster", "region", "zone", "namespace", "node", "instance"),
    *("host", "hostname", "container", "datacenter", "shard"),
}


@finds("coverage")
def seen(case: Case) -> Found:
    """Whether the telemetry is there: the share of the window's time, day by day of the least covered job."""
    telemetry, window = case.study.telemetry, case.study.seen
    first, coverage = telemetry.first_seen, case.study.within(telemetry.coverage, "day")
    if coverage.empty:
        return found("nothing") if pd.isna(first) else found("once", first=first)
    covered = case.study.within(telemetry.covered, "day").set_index("day")
    whole, seen = window.duration.total_seconds(), covered["coverage"].sum() * DAY.total_seconds()
    done = [pd.Timestamp(day.start) for day in window.days() if day.end <= window.end]
    # Of before its begin nobody knows anything.
    told = [day for day in done if not telemetry.begins or day >= first]
    blind = [day for day in told if day not in covered.index[covered["covered"]]]
    share, failed = min(seen / whole, 1.0) if whole else 0.0, coverage["failed_share"].mean()
    said = f"{percent(share, 2)} of the time was seen, {percent(failed, 2)} of the scrapes failed"
    words: Words = {"first": first, "said": said, "days": len(done)}
    if blind:
        least = covered["coverage"].reindex(blind).fillna(0.0).min() * DAY.total_seconds()
        return found("uncovered", share, since=blind[0], blind=len(blind), least=least, **words)
    if seen < ONE_DAY:
        return found("early", share, seen=seen, begin=max(first, pd.Timestamp(window.start)), **words)
    return found("began" if telemetry.begins else "covered", share, **words)


@finds("gaps")
def gaps(case: Case) -> Found:
    """Whether the scrapes have holes: the number of missing scrapes."""
    frame, fewer = case.study.telemetry.gaps, _fewer(case.study.telemetry.fewer_targets)
    if frame.empty:
        seconds = case.rows.groupby("job")["expected_minutes"].sum().max() * 60
        return found("none", 0, jobs=case.rows["job"].nunique(), seconds=seconds, fewer=fewer)
    # Nobody seen at all weighs more than one target that others stood in for.
    whole = frame[frame["instance"] == ""]
    top = largest(whole if len(whole) else frame, "seconds")
    places = frame.assign(place=frame["instance"].where(frame["instance"] != "", frame["job"]))
    return found(
        "of_target" if top["instance"] else "of_job",
        frame["missing"].sum(),
        since=frame["start"].min(),
        events=events_of(places, "scrape_gap", "place", "missing", "scrapes"),
        top=top,
        longest=f", the longest of {count(len(frame), 'gap')}" if len(frame) > 1 else "",
        name=top["instance"] or top["job"],
        fewer=fewer,
    )


def _fewer(frame: pd.DataFrame) -> str:
    """That targets went and did not come back: nobody knows whether they were taken away, or only out of sight."""
    if frame.empty:
        return ""
    top = frame.iloc[0]
    ends = f"{short(top['job'])} ends with {count(top['instances'], 'target')} instead of {number(top['before'])}"
    return f" {short(top['instance'])} is no target any more from {moment(top['end'])} on, and {ends}."


@finds("restarts")
def restarts(case: Case) -> Found:
    """Whether processes restarted that nobody had planned to: how many restarted."""
    frame, ledger = case.study.telemetry.restarts, case.study.ledger.stretches()
    common = ledger[ledger["tenant"] == ""]
    planned = [
        ((common["start"] - PLANNED <= at) & (at <= common["end"] + PLANNED)).any() for at in frame["started_at"]
    ]
    unplanned = frame[~pd.Series(planned, index=frame.index, dtype=bool)]
    events = frame.assign(one=1, start=frame["started_at"], end=frame["started_at"])
    more = f"; {count(len(frame) - 1, 'more restart')} in {case.study.observed.name}" if len(frame) > 1 else ""
    return found(
        "none" if frame.empty else "unplanned" if len(unplanned) else "planned",
        len(frame),
        since=frame["started_at"].min(),
        events=events_of(events, "restart", "instance", "one", "restart"),
        unplanned=len(unplanned),
        others=more,
        last=unplanned.iloc[-1] if len(unplanned) else None,
        who=several(unplanned["instance"]),
    )


@finds("labels")
def labels(case: Case) -> Found:
    """Whether series that the contract takes for one are several, or name no tenant: the number of such labels."""
    study, tenant = case.study, case.study.contract.tenant_label
    unexpected, nameless = study.telemetry.unexpected_labels, study.cardinality.nameless
    if not study.telemetry.inventory["series"].sum():
        return found("nothing")
    by_label = unexpected.groupby("label").size().sort_values(ascending=False, kind="stable")
    label = str(by_label.index[0]) if len(by_label) else ""
    own = unexpected[unexpected["label"] == label]
    metrics = [*own["metric"]] or nameless
    if not metrics:
        return found("none", 0)
    more = f" and {count(len(metrics) - 1, 'more metric')}" if len(metrics) > 1 else ""
    words: Words = {"metric": metrics[0], "more": more, "metrics": len(metrics), "tenant_label": tenant}
    if own.empty:
        return found("nameless", 0, **words)
    others = [f"'{short(name)}'" for name in by_label.index[1:]]
    return found(
        "apart",
        len(by_label),
        since=own["start"].min(),
        label=label,
        others=f"; so do {', '.join(others)}" if others else "",
        values=several(value or "none" for value in sorted({value for row in own["values"] for value in row})),
        series=unexpected["series"].sum(),
        setting=_setting(label, tenant),
        **words,
    )


def _setting(label: str, tenant_label: str) -> str:
    """Which setting says what a label is, by what its name tells."""
    replica = f'replica_labels = ["{label}"] of the environment, if several Prometheus scrape the same targets'
    process = f'the contract\'s process_labels, with "{label}" added, if it tells processes apart'
    if label == f"exported_{tenant_label}":
        tenant = f'tenant_label = "{label}" of the environment, if it names the tenant'
        return f"{tenant}; or 'honor_labels: true' in the scrape"
    if names_replica(label):
        return replica
    if label.removeprefix("exported_") in _PLACES:
        return f"{process}; or 'matchers' of the environment, for one of them alone"
    own = "or a label of the metric in the contract, if its values are parts that add up"
    return f"{replica}; {process}; 'tenant_label', if it names the tenant; {own}"
