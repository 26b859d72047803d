"""The labelling flow: episodes that nobody judged, each with the signal around it, and one call to judge it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.cards import alerts
from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.lab import asking, looked_on
from cloudxai_analysis.cards.notebook import of_place, shown_samples
from cloudxai_analysis.checks.finding import when
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.measures.counters import counter_steps
from cloudxai_analysis.measures.readiness import check_latency
from cloudxai_analysis.platform.contract import Metric
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import moment, short

JUDGEMENTS = ("actionable", "noise", "unknown")
PROPOSER = "cloudxai"
_STRETCH = "5min"  # in which a histogram is summed up
_MARGIN, _BESIDE = timedelta(hours=2), timedelta(minutes=30)
_SHOWN = ["episode", "alertname", "severity", "tenant", "instance", "pending_at", "fired_at", "resolved_at", "seconds"]


def unjudged(study: Study) -> Card:
    """The episodes of 28 days that nobody judged: what `label` takes, by the number in the column `episode`."""
    every = len(study.alerts.judged)
    frame, empty = study.alerts.unjudged[_SHOWN], "all" if every else "none"
    return compose(study, "alerts-unjudged", frame=frame, everything=every, empty=empty)


def pictures(study: Study, most: int = 6) -> None:
    """Show the first of the unjudged episodes, each with the signal around it; to who looks on, with buttons below."""
    from IPython.display import display, publish_display_data

    left = study.alerts.unjudged["episode"].head(most)
    if left.empty:
        publish_display_data({"text/plain": "No episode of the 28 days is left to judge."})
    elif not looked_on():
        display(*(picture(study, int(number)) for number in left))
    else:
        _asked(study, [int(number) for number in left])


def _asked(study: Study, episodes: list[int]) -> None:
    """Each picture over the buttons that judge it, under the name that stands above them all."""
    from IPython.display import display
    from ipywidgets import Text

    name = Text(description="Judged by", placeholder="your name")
    display(name)
    for episode in episodes:
        write = lambda judgement, episode=episode: label(study, episode, judgement, by=name.value)  # noqa: E731
        display(picture(study, episode), asking(JUDGEMENTS, write))


def picture(study: Study, episode: int, *, metric: str = "") -> Card:
    """One episode with the signal that its rule looks at, two hours before to two hours after.

    `metric` is a role of the contract; by default that of the metric in the rule's expression. Of a
    histogram its 95th percentile is drawn. Raises UsageError where there is no such episode or role.
    """
    row = _episode(study, episode)
    fired, resolved = row["fired_at"].to_pydatetime(), row["resolved_at"].to_pydatetime()
    window = Window(fired - _MARGIN, min(resolved, study.seen.end) + _MARGIN)
    role = metric or _role(study, row)
    place = row["tenant"] or row["instance"]
    return shown_samples(
        study,
        f"alerts-episode-{episode}",
        "episode",
        *_signal(study, role, window, place),
        window=window,
        marked=(fired, resolved),
        found=row,
        whose=f" of {short(place)}" if place else "",
        beside=_beside(study, row),
    )


def label(study: Study, episodes: int | Iterable[int], judgement: str, *, by: str, why: str = "") -> Card:
    """Write a label of one or several episodes into the ledger, and show the rates as they are now.

    `episodes` are numbers of the column `episode`; `judgement` is 'actionable', 'noise' or
    'unknown'; `by` is who says so. All are written or none; UsageError where there is no such
    episode or judgement, or `by` is empty.
    """
    if judgement not in JUDGEMENTS:
        raise UsageError(f"Judgement '{judgement}' is none of {', '.join(JUDGEMENTS)}. Nothing was written.")
    rows = [_episode(study, number) for number in (episodes if isinstance(episodes, Iterable) else [episodes])]
    said = {"kind": "label", "judgement": judgement, "summary": why, "by": by}
    told = [row[["alertname", "tenant", "fired_at"]].to_dict() for row in rows]
    return _written(study, [{**said, **own, "fired_at": when(own["fired_at"])} for own in told])


def proposed(study: Study) -> Card:
    """What the telemetry lets take for incidents, to be confirmed or rejected; none of it counts as truth."""
    return compose(study, "alerts-proposed", frame=study.alerts.proposals.drop(columns=["alerts", "severity"]))


def confirm(study: Study, ids: str | Iterable[str], *, by: str) -> Card:
    """Write into the ledger that these proposals were incidents, and show the rates as they are now.

    All are written or none; UsageError where there is no such proposal, or `by` is empty.
    """
    return _decide(study, ids, by, "confirmation")


def reject(study: Study, ids: str | Iterable[str], *, by: str) -> Card:
    """Write into the ledger that these proposals were no incidents, as `confirm` does; they are not proposed again."""
    return _decide(study, ids, by, "rejection")


def _decide(study: Study, ids: str | Iterable[str], by: str, kind: str) -> Card:
    wanted = [ids] if isinstance(ids, str) else [str(one) for one in ids]
    frame = study.alerts.proposals.set_index("id", drop=False)
    if missing := [one for one in wanted or ["none named"] if one not in frame.index]:
        raise UsageError(f"There is no open proposal '{missing[0]}'. See proposed(study). Nothing was written.")
    entries: list[Any] = [
        {**row, "kind": "proposal", "by": PROPOSER, "start": when(row["start"]), "end": when(row["end"])}
        for row in frame.loc[wanted].to_dict("records")
    ]
    return _written(study, [*entries, {"kind": kind, "proposals": wanted, "by": by}])


def _written(study: Study, entries: list[dict[str, Any]]) -> Card:
    """The rates after these entries: they and the verdicts are made anew, the telemetry stays."""
    study.ledger.append_all(entries)
    study.reread()
    return alerts.false_positives(study)


def _episode(study: Study, number: int) -> pd.Series:
    found = study.alerts.judged.query("episode == @number")
    if found.empty:
        raise UsageError(
            f"The 28 days have no episode {number}. See unjudged(study), or the column `episode` of "
            "study.alerts.judged. Nothing was written."
        )
    return found.iloc[0]


def _role(study: Study, row: pd.Series) -> str:
    """The role of the metric that a rule looks at: by the expression that is loaded, else by the contract."""
    name = str(row["alertname"])
    asked: set[str] = set()
    loaded = study.rules if study.rules is not None else pd.DataFrame(columns=["alertname", "expr"])
    for expression in loaded.loc[loaded["alertname"] == name, "expr"]:
        with suppress(Unparsed):
            asked |= parse(expression).metrics
    own = [role for role, metric in study.contract.metrics.items() if asked & set(metric.series_names)]
    promised = study.contract.alerts.get(name)
    usual = "tenant_readiness" if row["tenant"] else "alerts"
    return next(iter(own), (promised and promised.signal) or usual)


def _signal(study: Study, role: str, window: Window, place: str) -> tuple[pd.DataFrame, Metric]:
    """Samples of a metric at a place; of a histogram its 95th percentile, since its buckets are no picture."""
    metric = study.contract[role]
    if metric.kind != "histogram":
        return of_place(study.samples(role, window), place), metric
    steps = counter_steps(
        study.samples(role, window, suffix="_bucket"), study.telemetry.scrapes, study.telemetry.starts
    )
    steps = steps.assign(hour=steps["time"].dt.floor(_STRETCH), increase=steps["step"])
    found = check_latency(of_place(steps, place)).rename(columns={"hour": "time", "seconds": "value"})
    called = metric.model_copy(update={"name": f"95th percentile of {metric.name} over {_STRETCH}"})
    return found.assign(series_id=0, instance=place), called


def _beside(study: Study, row: pd.Series) -> str:
    """The maintenance or roll-out that the ledger has around the episode."""
    near = study.ledger.stretches()
    near = near[(near["start"] < row["resolved_at"] + _BESIDE) & (near["end"] > row["fired_at"] - _BESIDE)]
    for first in near.head(1).itertuples():
        return f"The ledger has a {first.kind} from {moment(first.start)} to {moment(first.end)} beside it."
    return "The ledger has no deploy and no maintenance within 30 minutes of it."
