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
from cloudxai_analysis.cards.follow import is_of
from cloudxai_analysis.checks import judge
from cloudxai_analysis.figures.labels import shortened
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Confirmation, Rejection
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import moment, short, span

JUDGEMENTS = ("actionable", "noise", "unknown")
PROPOSER = "cloudxai"
ROLE_OF_TOPIC = {"readiness": "readiness", "cardinality": "rejections", "cost": "cost"}
_MARGIN = timedelta(hours=2)
_SHOWN = ["episode", "alertname", "severity", "tenant", "instance", "pending_at", "fired_at", "resolved_at", "seconds"]


@dataclass(frozen=True)
class Album:
    """Several cards shown one below the other, or the sentence that stands where there is none."""

    cards: tuple[Card, ...]
    empty: str

    def _ipython_display_(self) -> None:
        from IPython.display import display, publish_display_data

        if not self.cards:
            publish_display_data({"text/plain": self.empty})
        for card in self.cards:
            display(card)


def unjudged(study: Study) -> Card:
    """The episodes of 28 days that nobody judged: what `label` takes, by the number in the column `episode`."""
    frame = study.alerts.unjudged[_SHOWN]
    everything = len(study.alerts.judged)
    left_out = "all" if everything else "none"
    return compose(study, "alerts-unjudged", frame=frame, everything=everything, empty=left_out)


def pictures(study: Study, most: int = 6) -> Album:
    """The first of the unjudged episodes, each with the signal around it."""
    first = study.alerts.unjudged["episode"].head(most)
    return Album(tuple(picture(study, int(number)) for number in first), "No episode of the 28 days is left to judge.")


def picture(study: Study, episode: int, *, metric: str = "") -> Card:
    """One episode with the signal that its rule looks at, two hours before to two hours after.

    `metric` is a role of the contract; by default the one that the rule's topic speaks of.

    Raises
    ------
    UsageError
        There is no such episode, or the contract has no such role.
    """
    row = _episode(study, episode)
    fired, resolved = row["fired_at"].to_pydatetime(), row["resolved_at"].to_pydatetime()
    window = Window(fired - _MARGIN, min(resolved, study.seen.end) + _MARGIN)
    role = metric or _role(study, row)
    described = study.contract[role]
    samples = study.samples(role, window)
    place = row["tenant"] or row["instance"]
    some = is_of(samples, place) if place else None
    own = samples if some is None or not some.any() else samples[some]
    return compose(
        study,
        f"alerts-episode-{episode}",
        of="episode",
        frame=own.reset_index(drop=True),
        found=row,
        whose=_whose(row),
        beside=" ".join([_rule_words(study, row), _ledger_words(study, row)]).strip(),
        metric=described.name,
        unit=described.unit.replace("currency", study.contract.currency),
        around=window,
        marked=(fired, resolved),
    )


def label(study: Study, episodes: int | Iterable[int], judgement: str, *, by: str, why: str = "") -> Card:
    """Write a label of one or several episodes into the ledger, and show the rates as they are now.

    `episodes` are numbers of the column `episode`; `judgement` is 'actionable', 'noise' or 'unknown'; `by` is who says
    so. All are written or none. The study's rates and verdicts are made anew from then on; its telemetry stays.

    Raises
    ------
    UsageError
        There is no such episode or judgement, or `by` is empty; nothing was written.
    LakeDamaged, LakeLocked
        The ledger cannot be written.
    """
    if judgement not in JUDGEMENTS:
        raise UsageError(f"Judgement '{judgement}' is none of {', '.join(JUDGEMENTS)}. Nothing was written.")
    numbers = list(episodes) if isinstance(episodes, Iterable) else [episodes]
    rows = [_episode(study, number) for number in numbers]
    entries: list[dict[str, Any]] = [
        {
            "kind": "label",
            "alertname": str(row["alertname"]),
            "tenant": str(row["tenant"]),
            "fired_at": row["fired_at"].to_pydatetime(),
            "judgement": judgement,
            "summary": why,
            "by": by,
        }
        for row in rows
    ]
    study.ledger.append_all(entries)
    _moved(study)
    return alerts.false_positives(study)


def proposed(study: Study, impact: pd.DataFrame | None = None) -> Card:
    """What the telemetry lets take for incidents, to be confirmed or rejected; none of it counts as truth.

    `impact`: stretches of a query of your own, with tenant, start, end, as `measures.proposals.impact_stretches` makes
    them of its samples.
    """
    frame = study.alerts.proposed(_checked(impact)).drop(columns=["alerts", "severity"])
    return compose(study, "alerts-proposed", frame=frame)


def if_confirmed(study: Study, impact: pd.DataFrame | None = None) -> Card:
    """The rates as they are, beside those that they were if all that is proposed were confirmed."""
    found = study.alerts.proposed(_checked(impact))
    return compose(study, "alerts-if-confirmed", frame=study.alerts.rates_if_confirmed(found), proposed=len(found))


def confirm(study: Study, ids: str | Iterable[str], *, by: str, impact: pd.DataFrame | None = None) -> Card:
    """Write into the ledger that these proposals were incidents, and show the rates as they are now.

    `ids` as `proposed` shows them, one or several; `impact` as given there. All are written or none.

    Raises
    ------
    UsageError
        There is no such proposal, or `by` is empty; nothing was written.
    LakeDamaged, LakeLocked
        The ledger cannot be written.
    """
    return _decide(study, ids, by, impact, Confirmation)


def reject(study: Study, ids: str | Iterable[str], *, by: str, impact: pd.DataFrame | None = None) -> Card:
    """Write into the ledger that these proposals were no incidents; they are not proposed again.

    Raises
    ------
    UsageError, LakeDamaged, LakeLocked
        As `confirm`.
    """
    return _decide(study, ids, by, impact, Rejection)


def _decide(
    study: Study,
    ids: str | Iterable[str],
    by: str,
    impact: pd.DataFrame | None,
    kind: type[Confirmation] | type[Rejection],
) -> Card:
    wanted = [ids] if isinstance(ids, str) else [str(one) for one in ids]
    frame = study.alerts.proposed(_checked(impact)).set_index("id", drop=False)
    missing = [one for one in wanted if one not in frame.index]
    if missing or not wanted:
        raise UsageError(
            f"There is no open proposal '{missing[0]}'. See proposed(study). Nothing was written."
            if missing
            else "No proposal was named. See proposed(study). Nothing was written."
        )
    entries: list[Any] = [_proposal(row) for row in frame.loc[wanted].to_dict("records")]
    study.ledger.append_all([*entries, {"kind": kind.model_fields["kind"].default, "proposals": wanted, "by": by}])
    _moved(study)
    return alerts.false_positives(study)


def _checked(impact: pd.DataFrame | None) -> pd.DataFrame | None:
    if impact is None:
        return None
    if missing := [name for name in ("tenant", "start", "end") if name not in impact]:
        raise UsageError(f"Stretches of impact have no column '{missing[0]}'. Give tenant ('' for all), start, end.")
    naive = [name for name in ("start", "end") if impact[name].notna().any() and impact[name].dt.tz is None]
    if naive:
        raise UsageError(f"Times of impact in '{naive[0]}' have no time zone. Give times with tz=\"UTC\".")
    return impact


def _proposal(row: dict[Any, Any]) -> dict[str, Any]:
    fields = {name: row[name] for name in ("id", "tenant", "alerts", "severity", "summary", "source", "evidence")}
    end = None if pd.isna(row["end"]) else row["end"].to_pydatetime()
    return {"kind": "proposal", "by": PROPOSER, "start": row["start"].to_pydatetime(), "end": end, **fields}


def _moved(study: Study) -> None:
    """Let the study's rates and verdicts be made of the ledger as it is now."""
    study.reread()
    judge.forget(study)


def _episode(study: Study, number: int) -> pd.Series:
    frame = study.alerts.judged
    found = frame[frame["episode"] == number]
    if found.empty:
        raise UsageError(
            f"The 28 days have no episode {number}. See unjudged(study), or the column `episode` of "
            "study.alerts.judged. Nothing was written."
        )
    return found.iloc[0]


def _role(study: Study, row: pd.Series) -> str:
    rule = study.contract.alerts.get(str(row["alertname"]))
    if rule is None:
        return "tenant_readiness" if row["tenant"] else "alerts"
    role = ROLE_OF_TOPIC[rule.topic]
    return "tenant_readiness" if row["tenant"] and role == "readiness" else role


def _whose(row: pd.Series) -> str:
    place = row["tenant"] or row["instance"]
    return f" of {short(place)}" if place else ""


def _rule_words(study: Study, row: pd.Series) -> str:
    """The rule as the server has it loaded, else as the contract describes it."""
    name, rules = str(row["alertname"]), study.rules
    for loaded in () if rules is None else rules[rules["alertname"] == name].itertuples():
        holds = f" for {span(loaded.for_seconds)}" if loaded.for_seconds else ""
        return f"The rule that is loaded: {shortened(loaded.expr, 120)}{holds}."
    rule = study.contract.alerts.get(name)
    return rule.help if rule else "Neither the server nor the contract tells of this rule."


def _ledger_words(study: Study, row: pd.Series) -> str:
    """The maintenance and roll-outs that the ledger has around the episode."""
    near, stretches = timedelta(minutes=30), study.ledger.stretches()
    beside = stretches[(stretches["start"] < row["resolved_at"] + near) & (stretches["end"] > row["fired_at"] - near)]
    if beside.empty:
        return "The ledger has no deploy and no maintenance within 30 minutes of it."
    first = beside.iloc[0]
    return f"The ledger has a {first['kind']} from {moment(first['start'])} to {moment(first['end'])} beside it."
