"""A section card from its row: the frame, the words that its function adds, the figure; what each says the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.catalogue import ROWS, TERMS, Row, Sentence
from cloudxai_analysis.checks import judge
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.sentences import say

MIXED = "These numbers may count twice, or mix what is apart: see the labels under Telemetry."
Words = dict[str, Any]
Worded = Callable[[Study, pd.DataFrame], Words]
MAKERS: dict[str, Maker] = {}


@dataclass(frozen=True)
class Maker:
    """What makes the card called `key` of a study; `worded` adds words to those that every card has."""

    key: str
    worded: Worded | None = None

    def __post_init__(self) -> None:
        MAKERS[self.key] = self

    def __call__(self, study: Study) -> Card:
        frame = _frame(study, ROWS[self.key])
        return compose(study, self.key, frame=frame, **(self.worded(study, frame) if self.worded else {}))


def card(key: str) -> Callable[[Worded], Maker]:
    """Make a function, of a study and the row's frame, the one that adds words to the card called `key`."""

    def keep(worded: Worded) -> Maker:
        return Maker(key, worded)

    return keep


def compose(study: Study, key: str, *, of: str = "", frame: pd.DataFrame | None = None, **words: Any) -> Card:
    """The card called `key`, of the row called so or `of`, with its words.

    `frame` is shown as the table and written in full to `data/<key>.csv`; a word `table` is shown in its place, and
    with a word `drawn` that is False there is no figure.
    """
    described, section = ROWS[of or key], key.split("-", 1)[0]
    frame = _frame(study, described) if frame is None else frame
    words = _common(study, described, section) | {"frame": frame, "table": frame} | words
    shown: pd.DataFrame = words["table"]
    check = judge.check(study, described.check) if described.check else None
    finding = check.finding if check and not described.heading else _said(described.heading, words, "heading")
    mixed = len(judge.told_apart(study, described.check, section)) > 0
    note = MIXED if mixed else _said(described.note, words, "note") if len(shown) else ""
    drawn = bool(described.figure) and len(shown) > 0 and not mixed and words.get("drawn", True)
    # Of a check that could not tell, just that; else no wider than what was seen.
    unknown = check is not None and check.status == "unknown"
    empty = "nothing to show, as it is not known" if unknown else _said(described.empty, words, "empty")
    term = TERMS[described.term]
    return Card(
        key=key,
        section=section,
        heading=finding,
        note=note,
        draw=_drawing(study, described, words) if drawn else None,
        size=described.size,
        table=shown,
        caption=say(described.caption, words),
        definition=f"{term.term}: {term.text}",
        measure=described.measure,
        window=study.seen,
        got=_samples(study, described.role),
        alt=f"{finding} {note}".strip(),
        csv=f"{key}.csv",
        checks=(described.check,) if described.check else (),
        empty="" if len(shown) else empty.replace("this window", study.observed.name),
        rows=study.environment.limits.table_rows,
    )


def _common(study: Study, row: Row, section: str) -> Words:
    common: Words = {
        "window": study.window.name,
        "observed": study.observed.name,
        "partial": study.partial,
        "begins": study.telemetry.begins,
        "cap": study.contract.tenant_cap,
        "currency": study.contract.currency,
        "zone": study.environment.settings.zone,
        "bound": judge.bound_of(study, row.check) if row.check else None,
    }
    if section == "alerts":
        common |= {"week": study.alerts.week.period, "month": study.alerts.month.period}
    return common


def _said(sentence: Sentence, words: Words, field: str) -> str:
    """The one sentence, or of several the one that the card's function has chosen."""
    return say(sentence if isinstance(sentence, str) else sentence[words[field]], words)


def _frame(study: Study, row: Row) -> pd.DataFrame:
    frame = attrgetter(row.frame)(study) if row.frame else pd.DataFrame()
    return study.within(frame, row.by) if row.by else frame


def _drawing(study: Study, row: Row, words: Words) -> Callable[[Any], Any]:
    """What draws the row's figure; a word that is a function is called when it is drawn, and not before."""

    def given(name: str) -> Any:
        found = words[name] if name in words else attrgetter(name)(study)
        return found() if callable(found) else found

    def draw(ax: Any) -> Any:
        room, _, name = row.figure.partition(".")
        figure = getattr(import_module(f"cloudxai_analysis.figures.{room}"), name)
        return figure(ax, *map(given, row.given), **{key: given(word) for key, word in row.named.items()})

    return draw


def _samples(study: Study, role: str) -> int | None:
    if not role:
        return None
    inventory = study.telemetry.inventory
    names = study.contract[role].series_names
    return int(inventory.loc[inventory["metric"].isin(names), "samples"].sum())
