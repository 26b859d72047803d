"""What changed in metrics between two sides, as their samples show it: one row a change, and what cannot be told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pandas as pd

from cloudxai_analysis.decide.alignment import Alignment, aligned
from cloudxai_analysis.decide.changes import Change
from cloudxai_analysis.decide.levels import COUNTS, FLOOR, LEAST_SAMPLES, MOVES, RESTS, Both, Shown, both_of, side_of
from cloudxai_analysis.decide.renames import Pair, Rename, renames

SURE, LIKELY, UNKNOWN = "sure", "likely", "not known"
COLUMNS = ("kind", "old", "new", "factor", "labels", "added", "sure", "locked", "evidence")
_BREAKS = ("vanished", "type", "unit", "meaning")  # the promise that a metric's meaning never changes
_LARGE = 3.5  # a step, in natural logarithms, that is more likely a unit than a meaning
_SURE_FALLS, _LEAST_FALLS = 30, 10  # of a gauge, in as many steps as a counter rose without any
Row = dict[str, Any]


def drift(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    process_labels: Collection[str] = ("job", "instance"),
    locked: Collection[str] = (),
) -> pd.DataFrame:
    """What changed between samples of two sides: of two stretches of time, or of two builds at one time.

    Columns of both: metric, labels (JSON text), time (UTC), value; type, unit and help where they are known. Of a
    metric in `locked` any change of its meaning breaks a promise. What is in no row of the result was held against
    each other and is as it was.

    Columns: kind (as of `changes.Change`), old, new, factor (new value over old), labels (old name: new name), added,
    sure ('sure', 'likely' or 'not known'), locked, evidence (a sentence).
    """
    was, now = side_of(before), side_of(after)
    rows: list[Row] = []
    for name in sorted(was.keys() & now.keys()):
        rows += _of_one_name(was[name], now[name], process_labels)
    rows += [_renamed(pair, one) for one in renames(was, now, process_labels) for pair in one.pairs]
    old, new = ({row[side] for row in rows if row["kind"] == "renamed"} for side in ("old", "new"))
    alone = [("vanished", was[name]) for name in sorted(was.keys() - now.keys() - old)]
    alone += [("appeared", now[name]) for name in sorted(now.keys() - was.keys() - new)]
    rests = {(kind, *shown.range): shown.name for kind, shown in alone if shown.behaves == RESTS}
    for kind, shown in alone:
        names, other = ((shown.name, ""), "appeared") if kind == "vanished" else (("", shown.name), "vanished")
        twin = rests.get((other, *shown.range), "") if shown.behaves == RESTS else ""
        told = f"{len(shown.labels):,} series on this side alone, and no other metric goes on from it or to it"
        told = f"as constant as {twin}, which {other}: whether they are one cannot be told" if twin else told
        rows.append(_row(kind, *names, UNKNOWN if twin else SURE, told))
    for row in rows:
        row["locked"] = row["old"] in locked and (row["kind"] in _BREAKS or row["factor"] != 1)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def changes_of(rows: pd.DataFrame) -> list[Change]:
    """The rows that are known, as a changes file takes them."""
    kept = rows[rows["sure"] != UNKNOWN].drop(columns="sure").rename(columns={"evidence": "note"})
    return [Change.model_validate(row) for row in kept.to_dict("records")]


def _row(kind: str, old: str, new: str, sure: str, evidence: str, alignment: Alignment | None = None) -> Row:
    changed = (alignment.renamed, alignment.added) if alignment else ({}, ())
    return dict(zip(COLUMNS, (kind, old, new, 1.0, *changed, sure, False, evidence), strict=True))


def _renamed(pair: Pair, one: Rename) -> Row:
    told = f"{len(pair.alignment.groups):,} of {len(pair.old.labels):,} series go on under the new name"
    told += f" as {pair.part[0]}={pair.part[1]!r}" if pair.part else ""
    told += f", {_times(pair.factor)} as large" if pair.factor != 1 else ""
    told += f", as its {len(one.pairs)} parts do" if len(one.pairs) > 1 else ""
    if one.sure == UNKNOWN:
        alike = f"{one.rival} looks alike" if one.told else "values are constant, too few or fit too badly to tell"
        told = f"perhaps: names and labels fit, but {alike}"
    told += _of_labels(pair.alignment)
    return _row("renamed", pair.old.name, pair.new.name, one.sure, told, pair.alignment) | {"factor": pair.factor}


def _of_labels(alignment: Alignment) -> str:
    """What became of labels, in words; one that is gone and new is written in another way."""
    gone = {old: f"called {new!r}" if new else "gone" for old, new in alignment.renamed.items()}
    told = gone | {name: "written in another way" if name in gone else "new" for name in alignment.added}
    return "".join(f"; label {name!r} is {how}" for name, how in told.items())


def _of_one_name(old: Shown, new: Shown, process_labels: Collection[str]) -> Iterator[Row]:
    alignment, name = aligned(old.labels, new.labels, process_labels), old.name
    if alignment.renamed or alignment.added:
        yield _row("label", name, name, SURE, f"of {name}{_of_labels(alignment)}", alignment)
    if kind := _another_type(old, new):
        yield _row("type", name, name, *kind)
    elif (states := _of_states(old, new)) is not None:
        yield from (_row("meaning", name, name, *one) for one in states)
    elif name.endswith("_bucket"):  # counts and sum speak for them
        return
    elif both := both_of(old, new, alignment):
        yield from _of_levels(old, new, both)
    else:
        least = min(int(old.samples.max()), int(new.samples.max()))
        why = f"no series has {LEAST_SAMPLES} samples on both sides, the fullest {least:,}"
        yield _row("meaning", name, name, UNKNOWN, why)


def _another_type(old: Shown, new: Shown) -> tuple[str, str] | None:
    """How sure, and why, where a metric is of another type."""
    told = [shown.told.get("type", "").replace("unknown", "") for shown in (old, new)]
    if all(told) and told[0] != told[1]:
        return SURE, f"declared a {told[0]} before and a {told[1]} after"
    counter, gauge = (old, new) if old.behaves == COUNTS else (new, old)
    if (counter.behaves, gauge.behaves) != (COUNTS, MOVES) or told[0] == told[1] == "gauge":
        return None
    rises, _, falls = gauge.steps
    expected = falls / max(rises + falls, 1) * counter.steps[0]
    # A gauge that once grew for a while, or falls now for one, is no other type.
    if min(rises, falls, expected) < _LEAST_FALLS:
        return None
    said = {COUNTS: "only rises", MOVES: "rises and falls"}
    told_so = f"{said[old.behaves]} before and {said[new.behaves]} after: a {old.behaves} became a {new.behaves}"
    return (SURE if expected >= _SURE_FALLS else LIKELY), told_so


def _of_states(old: Shown, new: Shown) -> list[tuple[str, str]] | None:
    """How sure, and why, a state of 0 and 1 means something else now, if it does; None where it is no state."""
    states = [bool(np.isin(one.levels[np.isfinite(one.levels)], (0, 1)).all()) for one in (old, new)]
    if not states[0] or min(old.samples.max(), new.samples.max()) < LEAST_SAMPLES or not (old.range[1] or states[1]):
        return None
    if not states[1]:
        return [(SURE, "was 0 or 1 before, and lies between {:g} and {:g} after".format(*new.range))]
    was, now = (float(np.nanmean(shown.levels[:, :, 2])) for shown in (old, new))
    if min(was, now) > 0.2 or max(was, now) < 0.8:
        return []
    told = f"{round(was)} nearly always before and {round(now)} nearly always after"
    if old.range == new.range == (0, 1):
        return [(LIKELY, f"{told}, with both values on both sides: turned round")]
    return [(UNKNOWN, f"{told}: the state itself, or what its values mean")]


def _of_levels(old: Shown, new: Shown, both: Both) -> Iterator[Row]:
    """A change of unit or meaning by how the values moved."""
    middles = [float(np.nanmedian(side)) for side in (both.was, both.now)]
    if not (both.changed.any() and all(middles)):  # what begins or ends to happen is no other meaning
        return
    (far, factor), (next_far, other) = both.factors()[:2]
    size, noise = float(both.step[len(both.step) // 2]), float(both.noise.max())
    within, rests = max(FLOOR, 2.5 * noise), old.behaves == new.behaves == RESTS
    fits = far <= (1e-4 if rests else within) and factor != 1 and both.changed.all() and within <= 0.4
    kind, sure, told = "meaning", UNKNOWN, f"{_times(float(np.exp(size)))} as large from the change on"
    if fits:
        as_well = next_far**2 - far**2 < within**2
        kind, sure = "unit", LIKELY if rests or as_well or within > 0.15 else SURE
        told += f", which is {_times(factor)} within {within:.0%}, in all quantiles alike"
        told += f"; {_times(other)} fits as well" if as_well else ""
    elif rests:
        told = "constant before and another constant after: a setting, a unit or a meaning"
    elif abs(size) > _LARGE and far <= 5 * noise:
        kind, told = "unit", f"{told}: about {_times(factor)}, and too restless to tell a unit from a meaning"
    else:
        times = float(np.abs(both.step).max()) / max(noise, FLOOR)
        sure, told = SURE if times >= 6 else LIKELY, f"{told}: {times:.0f} times its usual step, and it stays"
    yield _row(kind, old.name, new.name, sure, told) | {"factor": factor if fits else 1.0}


def _times(factor: float) -> str:
    return f"{factor:,.6g} times" if factor >= 1 else f"1/{1 / factor:,.6g}"
