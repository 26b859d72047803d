"""The labelling flow: episodes that nobody judged, each with the signal around it, and one call to judge it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pandas as pd

from cloudxai_analysis.cards import alerts
from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.cards.notebook import of_place, shown_samples
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import moment, short

JUDGEMENTS = ("actionable", "noise", "unknown")
PROPOSER = "cloudxai"
ROLE_OF_TOPIC = {"readiness": "readiness", "cardinality": "rejections", "cost": "cost"}
_MARGIN, _BESIDE = timedelta(hours=2), timedelta(minutes=30)
_SHOWN = ["episode", "alertname", "severity", "tenant", "instance", "pending_at", "fired_at", "resolved_at", "seconds"]


@dataclass(frozen=True)
class Album:
    """Several cards shown one below the other."""

    cards: tuple[Card, ...]

    def _ipython_display_(self) -> None:
        from IPython.display import display, publish_display_data

        if not self.cards:
            publish_display_data({"text/plain": "No episode of the 28 days is left to judge."})
        for card in self.cards:
            display(card)


def unjudged(study: Study) -> Card:
    """The episodes of 28 days that nobody judged: what `label` takes, by the number in the column `episode`."""
    everything = len(study.alerts.judged)
    empty = "all" if everything else "none"
    return compose(study, "alerts-unjudged", frame=study.alerts.unjudged[_SHOWN], everything=everything, empty=empty)


def pictures(study: Study, most: int = 6) -> Album:
    """The first of the unjudged episodes, each with the signal around it."""
    return Album(tuple(picture(study, int(number)) for number in study.alerts.unjudged["episode"].head(most)))


def picture(study: Study, episode: int, *, metric: str = "") -> Card:
    """One episode with the signal that its rule looks at, two hours before to two hours after.

    `metric` is a role of the contract; by default the one that the rule's topic speaks of. Raises
    UsageError where there is no such episode or role.
    """
    row = _episode(study, episode)
    fired, resolved = row["fired_at"].to_pydatetime(), row["resolved_at"].to_pydatetime()
    window = Window(fired - _MARGIN, min(resolved, study.seen.end) + _MARGIN)
    role = metric or _role(study, row)
    described, place = study.contract[role], row["tenant"] or row["instance"]
    return shown_samples(
        study,
        f"alerts-episode-{episode}",
        "episode",
        of_place(study.samples(role, window), place),
        described,
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
    entries = [
        {
            **said,
            "alertname": str(row["alertname"]),
            "tenant": str(row["tenant"]),
            "fired_at": row["fired_at"].to_pydatetime(),
        }
        for row in rows
    ]
    return _written(study, entries)


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
    entries: list[Any] = [_proposal(row) for row in frame.loc[wanted].to_dict("records")]
    return _written(study, [*entries, {"kind": kind, "proposals": wanted, "by": by}])


def _proposal(row: dict[Any, Any]) -> dict[str, Any]:
    start, end = row["start"].to_pydatetime(), None if pd.isna(row["end"]) else row["end"].to_pydatetime()
    return {**row, "kind": "proposal", "by": PROPOSER, "start": start, "end": end}


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
    rule = study.contract.alerts.get(str(row["alertname"]))
    role = ROLE_OF_TOPIC[rule.topic] if rule else "readiness" if row["tenant"] else "alerts"
    return "tenant_readiness" if row["tenant"] and role == "readiness" else role


def _beside(study: Study, row: pd.Series) -> str:
    """The maintenance or roll-out that the ledger has around the episode."""
    near = study.ledger.stretches()
    near = near[(near["start"] < row["resolved_at"] + _BESIDE) & (near["end"] > row["fired_at"] - _BESIDE)]
    for first in near.head(1).itertuples():
        return f"The ledger has a {first.kind} from {moment(first.start)} to {moment(first.end)} beside it."
    return "The ledger has no deploy and no maintenance within 30 minutes of it."
