"""Whether migrated rules say of the same past what the old ones said of it, episode by episode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cloudxai_analysis.decide.changes import Change
from cloudxai_analysis.decide.rewriting import Plan
from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import WEEK, Window
from cloudxai_analysis.measures.frames import TIME, typed
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.replay.history import History
from cloudxai_analysis.replay.session import past
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.sources.series import Labels, SeededSource, SeriesBatch
from cloudxai_analysis.words.phrases import count

_TEXTS = ["severity", "tenant", "instance"]
_KEY = [*_TEXTS, "fired_at", "resolved_at"]
_RULES = {"alertname": "str", "status": "str", "old": "int64", "new": "int64", "apart": "int64", "note": "str"}
_DIFFERENCES = {"alertname": "str", "only": "str", **dict.fromkeys(_TEXTS, "str")}
_DIFFERENCES |= dict.fromkeys(["fired_at", "resolved_at"], TIME)


class Proof(NamedTuple):
    """What came of it.

    `rules` has a row for each alert: alertname, status ('same', 'differs', 'unknown'), old and new
    (episodes of each rule), apart (of which the other has none), note. `differences` has those:
    alertname, only ('old' or 'new'), severity, tenant, instance, fired_at, resolved_at.
    """

    rules: pd.DataFrame
    differences: pd.DataFrame


class Moved:
    """A source's series as the new version exports them: names, values and labels as the plan says."""

    def __init__(self, origin: Any, plan: Plan) -> None:
        self._origin = origin
        self._moves = {move.new: move for name in plan.names if (move := plan.move(name)).new}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._origin, name)

    def read(self, metric: str, matchers: Mapping[str, str], window: Window) -> SeriesBatch:
        """What the origin has of the metric, by whatever name it has it."""
        move = self._moves.get(metric)
        if move is None:
            found: SeriesBatch = self._origin.read(metric, matchers, window)
            return found
        batch = self._origin.read(move.old, matchers, window)
        values = np.where(np.isnan(batch.values), batch.values, batch.values * move.factor)  # markers keep their bits
        edges = zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True)
        parts = [(self._labels(labels, move), batch.times[low:high], values[low:high]) for labels, low, high in edges]
        return SeriesBatch.of(metric, parts)

    def _labels(self, labels: Labels, move: Change) -> Labels:
        named = {move.labels.get(name, name): text for name, text in labels.items()}
        named.pop("", None)
        if move.labels.get("le") == "":  # the bounds have the new unit, which is that of the sum
            whole = self._moves.get(f"{move.new.removesuffix('_bucket')}_sum")
            named["le"] = f"{float(labels['le']) * (whole.factor if whole else 1.0):.12g}".replace("inf", "+Inf")
        return named


def proved(
    environment: Environment,
    window: Window,
    now: datetime,
    plan: Plan,
    old: Sequence[AlertingRule],
    new: Sequence[AlertingRule],
    *,
    weeks: int,
) -> Proof:
    """Replay old rules on old names and new rules on new ones over the last `weeks` weeks, and compare their episodes.

    A server that is watched must hold both; the demo's series are put under the new names here.
    Raises UsageError where there is no rule, NeedsServer where nothing evaluates PromQL, and the
    source's errors.
    """
    if not old or not new:
        raise UsageError("There is no alerting rule on one of the two sides. Give files with rules of Prometheus.")
    end = min(window.end, now)
    span, contract = Window(end - weeks * WEEK, end), environment.contract
    origin = source_of(environment)
    seeded = isinstance(origin, SeededSource)
    names = contract.series_names()
    back = {to: was for row in plan.changes for was, to in row.labels.items() if to}

    def named(labels: Labels) -> dict[str, str]:
        return contract.named({back.get(name, name): text for name, text in labels.items()})

    moved: Any = Moved(origin, plan) if seeded else origin
    with ExitStack() as open_:
        before = open_.enter_context(past(environment, span, old, origin=origin, names=names))
        after_names = [plan.move(name).new or name for name in names]
        after = open_.enter_context(past(environment, span, new, origin=moved, names=after_names, named=named))
        found = list(_compared(before, after, old, new, {} if seeded else _in_one_form(plan)))
    rows = pd.DataFrame([row for row, _ in found], columns=list(_RULES))
    parts = [part for _, part in found if len(part)]
    apart = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_DIFFERENCES))
    return Proof(typed(rows, _RULES), typed(apart, _DIFFERENCES))


def _in_one_form(plan: Plan) -> dict[str, str]:
    """Names that a change keeps, of which one server holds the old form or the new one, and why nothing is proven."""
    kept = (name for name in plan.names if (move := plan.move(name)).new == name and (move.labels or move.factor != 1))
    return {name: f"{name} keeps its name: one server does not hold both what it was and what it is" for name in kept}


def _compared(
    before: History,
    after: History,
    old: Sequence[AlertingRule],
    new: Sequence[AlertingRule],
    one_form: Mapping[str, str],
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each alert's row, and the episodes that only one side has; rules of one name are paired in their order."""
    nothing = pd.DataFrame(columns=list(_DIFFERENCES))
    sides = [_numbered(old), _numbered(new)]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        pair = [side.get(key) for side in sides]
        row: dict[str, Any] = {"alertname": key[0], "status": "unknown", "old": 0, "new": 0, "apart": 0, "note": ""}
        told = [why for name, why in one_form.items() if any(rule and name in rule.expr for rule in pair)]
        if None in pair:
            only = "new" if pair[0] is None else "old"
            yield row | {"status": "differs", "note": f"only the {only} files have this rule"}, nothing
        elif told:
            yield row | {"note": told[0]}, nothing
        else:
            try:
                fires = [side.replay(rule) for side, rule in zip((before, after), pair, strict=True) if rule]
            except (SourceAnswerError, UsageError) as error:
                yield row | {"note": str(error)}, nothing
                continue
            yield _judged(row, *fires)


def _numbered(rules: Sequence[AlertingRule]) -> dict[tuple[str, int], AlertingRule]:
    """The rules by name, and by their number among those of one name."""
    number = pd.Series([rule.name for rule in rules], dtype="str").groupby([rule.name for rule in rules]).cumcount()
    return {(rule.name, int(place)): rule for rule, place in zip(rules, number, strict=True)}


def _judged(row: dict[str, Any], old: pd.DataFrame, new: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    sides = [one.assign(again=one.groupby(_KEY).cumcount())[[*_KEY, "again"]] for one in (old, new)]
    both = sides[0].merge(sides[1], how="outer", indicator=True)
    apart = both[both["_merge"] != "both"]
    row |= {"old": len(old), "new": len(new), "apart": len(apart)}
    if not len(old) and not len(new):
        return row | {"note": "neither fired, which proves nothing of it"}, apart.iloc[:0]
    if not len(new):
        row["note"] = "nothing was found under the new names: does the source record them (new-from-old.rules.yml)?"
    elif len(apart):
        row["note"] = f"{count(len(apart), 'episode')} of one side alone"
    only = apart["_merge"].map({"left_only": "old", "right_only": "new"})
    listed = apart.assign(alertname=row["alertname"], only=only.astype("str")).sort_values(["fired_at", *_TEXTS])
    return row | {"status": "differs" if len(apart) else "same"}, listed
