"""A section card from its row in `cards.toml`: frame, words, figure; or one of the analyst's own."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, TypeAdapter

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.checks import judge
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import near_miss
from cloudxai_analysis.words.sentences import say

MIXED = "These numbers may count twice, or mix what is apart: see the labels under Telemetry."
# One sentence, or several by name: the card's function chooses one of them by a word called like the field; else it is
# the first, or 'none' of an empty frame.
Sentence = str | dict[str, str]
Words = dict[str, Any]
Worded = Callable[[Study, pd.DataFrame], Words]
Maker = Callable[[Study], Card]
WORDED: dict[str, Worded] = {}


class Tile(BaseModel):
    """A card's number on the first screen: its key in `summary.json`, its place, and its sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    place: int
    label: str
    unit: str
    text: str
    change: str
    against: str = "on the {{ period }} before"
    detail: str
    check: str = ""
    bound_text: str = ""
    amber: float | None = None  # share of the bound from which on the tile warns of what its check still passes
    good: str = ""
    sums: str = ""


class Row(BaseModel):
    """One section card: what it shows, in which words, under which definition, drawn by what.

    `check` is whose finding is the heading where there is none of its own; `role` names the metric
    whose samples are counted; `figure` is a function of `figures/`, which is given words or paths
    from the study.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str
    caption: str
    empty: Sentence
    check: str = ""
    heading: Sentence = ""
    defined: str = ""
    note: Sentence = ""
    frame: str = ""
    by: str = ""
    over: str = "seen"
    role: str = ""
    figure: str = ""
    varies: str = ""
    given: tuple[str, ...] = ("frame",)
    named: dict[str, str] = {}
    size: tuple[float, float] = (7.2, 3.4)
    page: bool = True
    tile: Tile | None = None


class Section(BaseModel):
    """A section of the page: its title, the notebook that goes deeper, and what it shows by the cards' keys.

    The heading of the card `answer` answers its question; `figures` are at most two, `tables` stand
    open, and `evidence` is folded beside that of what was found. All else is the analysts' edition.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    notebook: str
    answer: str = ""
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


_read = tomllib.loads(Path(__file__).with_name("cards.toml").read_text(encoding="utf-8"))
TERMS: dict[str, dict[str, str]] = _read.pop("terms")  # words of the report: `term`, and what it means as `text`
PAGE = TypeAdapter(dict[str, Section]).validate_python(_read.pop("sections"))  # in the page's order
ROWS = TypeAdapter(dict[str, Row]).validate_python(_read)


def card(key: str) -> Callable[[Worded], Maker]:
    """Make a function, of a study and the row's frame, the one that adds words to the card called `key`."""

    def keep(worded: Worded) -> Maker:
        WORDED[key] = worded
        return maker(key)

    return keep


def maker(key: str) -> Maker:
    """What makes the card called `key`, once a study; one without a function of its own is its row alone."""

    def made(study: Study) -> Card:
        if ("card", key) not in study.made:
            frame = study.rows(ROWS[key].frame, ROWS[key].by)
            words = WORDED[key](study, frame) if key in WORDED else {}
            study.made["card", key] = compose(study, key, frame=frame, **words)
        return study.made["card", key]

    return made


def plain(section: str) -> Callable[[str], Maker]:
    """The cards of a section that are their row alone, by name: `data` is the card `cost-data`."""

    def made(name: str) -> Maker:
        key = f"{section}-{name.replace('_', '-')}"
        if key not in ROWS:
            own = [one.partition("-")[2].replace("-", "_") for one in ROWS if one.startswith(f"{section}-")]
            raise AttributeError(f"The section {section} has no card '{name}'.{near_miss(name, own)}")
        return maker(key)

    return made


def compose(study: Study, key: str, *, of: str = "", frame: pd.DataFrame | None = None, **words: Any) -> Card:
    """The card called `key`, of the row called so or `of`, with its words.

    `frame` is shown as the table and written in full to `data/<key>.csv`; a word `table` is shown
    in its place, and with a word `drawn` that is False there is no figure.
    """
    row, section = ROWS[of or key], key.split("-", 1)[0]
    frame = study.rows(row.frame, row.by) if frame is None else frame
    words = _common(study, row, section) | {"frame": frame, "table": frame} | words

    def said(field: str) -> str:
        sentence: Sentence = getattr(row, field)
        if not isinstance(sentence, str):
            sentence = sentence[words.get(field) or ("none" if frame.empty else next(iter(sentence)))]
        return say(sentence, words)

    shown: pd.DataFrame = words["table"]
    check = judge.check(study, row.check) if row.check else None
    mixed = len(judge.told_apart(study, row.check, section)) > 0
    drawn = bool(row.figure) and len(shown) > 0 and not mixed and words.get("drawn", True)
    drawn = drawn and (not row.varies or frame[row.varies].nunique() > 1)
    # Of a check that could not tell, just that; else no wider than what was seen.
    unknown = check is not None and check.status == "unknown"
    empty = "nothing to show, as it is not known" if unknown else said("empty")
    return Card(
        key=key,
        heading=check.finding if check and not row.heading else said("heading"),
        note=MIXED if mixed else said("note") if len(shown) else "",
        draw=_drawing(study, row, words) if drawn else None,
        size=row.size,
        table=shown,
        caption=say(row.caption, words),
        definition="{term}: {text}".format(**TERMS[row.defined or row.check]),
        measure=row.measure,
        window=attrgetter(row.over)(study),
        got=_samples(study, row.role) if row.role else None,
        checks=(row.check,) if row.check else (),
        empty="" if len(shown) else empty.replace("this window", study.observed.name),
        rows=study.environment.limits.table_rows,
    )


def _common(study: Study, row: Row, section: str) -> Words:
    common: Words = {
        "study": study,
        "window": study.window.name,
        "observed": study.observed.name,
        "partial": study.partial,
        "period": study.window.period,
        "so_far": " so far" * study.partial,
        "begins": study.telemetry.begins,
        "cap": study.contract.tenant_cap,
        "currency": study.contract.currency,
        "zone": study.environment.settings.zone,
        "bound": judge.bound_of(study, row.check) if row.check else None,
    }
    if section == "alerts":
        common |= {"week": study.alerts.week, "month": study.alerts.month}
    return common


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


def _samples(study: Study, role: str) -> int:
    inventory = study.telemetry.inventory
    return int(inventory.loc[inventory["metric"].isin(study.contract[role].series_names), "samples"].sum())


def own_card(
    study: Study, says: str, frame: pd.DataFrame, *, means: str, draw: Callable[[Any], Any] | None = None
) -> Card:
    """A card of the analyst's own, shown in a notebook, and on the page of a report.

    `says` is the sentence that was found, `frame` what stands behind it, `means` the term and what
    it means, as 'Dearest hour: the hour of …', and `draw` fills an Axes.
    """
    term, empty = means.partition(":")[0], len(frame) == 0
    return Card(
        key=f"own-{'-'.join(term.lower().split())}",
        heading=says,
        note=f"{study.observed.name}; a card of the analyst's own.",
        draw=None if empty else draw,
        table=frame,
        caption=term,
        definition=means,
        measure="a notebook",
        window=study.seen,
        empty="the frame has no row" if empty else "",
        rows=study.environment.limits.table_rows,
    )
