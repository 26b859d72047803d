"""A day's recommendation on a rollout: promote, hold or roll back, with the reason; people decide.

Harm: each look spends its part of the stage's alpha, which Holm's steps divide among the signals. Promotion: at the
last look every signal must be shown not to be worse by its margin, which needs no correction (an intersection–union
test). What is not known is 'hold', and never 'promote'. What a stage will be able to show, `power` tells before it
begins, of cohorts drawn of what units did without any cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import isfinite
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact

from cloudxai_analysis.decide.ranks import Numbers, harm_chance, nominal_levels, share_limit, shift_limit
from cloudxai_analysis.decide.stages import Rollout, Signal
from cloudxai_analysis.ledger.jobs import SignalSeen
from cloudxai_analysis.words.phrases import count

PROMOTE: Literal["promote"] = "promote"
HOLD: Literal["hold"] = "hold"
ROLL_BACK: Literal["roll back"] = "roll back"
WORSE, WITHIN = "worse", "worse, and by less than the margin"
NOT_WORSE, OPEN, UNKNOWN = "shown not to be worse", "not shown either way", "unknown"
POWER, _DRAWS = 0.8, 200
Arms = tuple[Numbers, Numbers]  # changes of the cohort's units, and of the rest's


class Look(NamedTuple):
    """A recommendation, why, and what was seen of each signal."""

    recommendation: Literal["promote", "hold", "roll back"]
    reason: str
    signals: tuple[SignalSeen, ...] = ()


def recommend(
    table: Rollout,
    alpha: float,
    look: int,
    arms: Mapping[str, Arms],
    *,
    whole: bool,
    doubts: Sequence[str] = (),
    blocks: Sequence[str] = (),
) -> Look:
    """The recommendation of a look, the first being 1; `whole` where all days of the stage were seen.

    `arms` are the changes of every signal that is asked, empty where it is unknown. What is in
    `doubts` forbids to promote; `blocks` are why the arms cannot be compared at all.
    """
    if blocks or not (look and alpha and arms):
        return Look(HOLD, " ".join(blocks or doubts or ["Nothing is seen yet."]))
    seen = _judged(table, alpha, look, arms, whole)
    harmed = [one for one in seen if one.state in (WORSE, WITHIN)]
    unshown = [one for one in seen if one.state not in (NOT_WORSE, WITHIN)]
    if harmed and unshown:
        return Look(ROLL_BACK, " ".join(_harm(table.signals[one.name], one) for one in harmed), seen)
    reasons = list(doubts)
    if harmed:
        named = ", ".join(table.signals[one.name].title for one in harmed)
        reasons.append(f"Worse in {named}, and by less than the margin: people weigh it.")
    elif not whole:
        reasons.insert(0, f"{look} of {table.looks} days are seen; no harm is shown so far.")
    else:
        reasons += [_doubt(table.signals[one.name], one) for one in unshown]
    if reasons:
        return Look(HOLD, " ".join(reasons), seen)
    shown = ", ".join(_at_most(table.signals[one.name], one) for one in seen)
    return Look(PROMOTE, f"Shown not to be worse by more than is tolerated: {shown}.", seen)


def _judged(table: Rollout, alpha: float, look: int, arms: Mapping[str, Arms], whole: bool) -> tuple[SignalSeen, ...]:
    steps = [nominal_levels(alpha / left, table.looks)[look - 1] for left in range(len(arms), 0, -1)]
    known = {name: min(map(len, own)) >= table.least_units for name, own in arms.items()}
    chance = {name: harm_chance(*own) if known[name] else 1.0 for name, own in arms.items()}
    ranked = zip(sorted(arms, key=chance.__getitem__), steps, strict=True)
    harmed = dict(takewhile(lambda own: chance[own[0]] <= own[1], ranked))
    next_level = steps[min(len(harmed), len(steps) - 1)]

    def seen(name: str) -> SignalSeen:
        signal, (cohort, rest), shift, limit, within = table.signals[name], arms[name], None, None, False
        if known[name] and (whole or harmed):  # no look before the last one promotes
            shift, limit = float(np.median(cohort) - np.median(rest)), shift_limit(cohort, rest)
            within = is_tolerated(signal, cohort, rest)
        found = (WITHIN if within else WORSE) if name in harmed else NOT_WORSE if within else OPEN
        return SignalSeen(
            name=name,
            state=found if known[name] else UNKNOWN,
            cohort=len(cohort),
            rest=len(rest),
            chance=chance[name],
            level=harmed.get(name, next_level),
            shift=shift,
            limit=limit if limit is not None and isfinite(limit) else None,
            margin=signal.margin,
        )

    return tuple(map(seen, arms))


def is_tolerated(signal: Signal, cohort: Numbers, rest: Numbers) -> bool:
    """Whether a cohort is shown not to be worse by the margin, nor too many of it."""
    few = signal.most_worse is None or share_limit(cohort, rest, signal.margin) < signal.most_worse
    return few and shift_limit(cohort, rest) < signal.margin


def _harm(signal: Signal, seen: SignalSeen) -> str:
    middle = f"the middle unit by {signal.shown(seen.shift)} more than the rest's"
    by = middle if (seen.shift or 0) > 0 else "some by much"
    return (
        f"Worse in {signal.title}, {by}: a cohort like the rest would be so by a chance of {seen.chance:.2g}, "
        f"and this look may spend {seen.level:.2g}."
    )


def _doubt(signal: Signal, seen: SignalSeen) -> str:
    if seen.state == UNKNOWN:
        return f"{signal.title.capitalize()} is unknown: it is there of {seen.cohort} and {seen.rest} units."
    if seen.limit is not None and seen.limit < signal.margin:
        return f"A minority may be worse in {signal.title} by over the margin."
    return f"Not shown not to be worse in {signal.title}: {_at_most(signal, seen)}."


def _at_most(signal: Signal, seen: SignalSeen) -> str:
    return f"{signal.title} by at most {signal.shown(seen.limit)} (tolerated {signal.shown(signal.margin)})"


def lost_unlike(cohort: tuple[int, int], rest: tuple[int, int], level: float) -> str:
    """Why two arms, of which each had and has so many units, cannot be compared: they lost them unlike; else ''."""
    (had, has), (others, left) = cohort, rest
    chance = float(fisher_exact([[had - has, has], [others - left, left]])[1])
    if (had, others) == (has, left) or chance > level:
        return ""
    return (
        f"The arms lost units unlike: {had - has} of {had} in the cohort, {others - left} of {count(others, 'unit')} "
        f"in the rest (chance {chance:.2g}). What is left cannot be compared, and the loss itself may be the harm."
    )


def power(table: Rollout, alpha: float, size: int, values: Mapping[str, Numbers]) -> pd.DataFrame:
    """What a cohort of so many units can show of each signal, of changes that units made between two weeks.

    Columns: signal, units, tolerated (the margin), found (chance that harm of the margin's size to
    every unit is found by the last look), detectable (the least harm that is found in 80 %;
    infinite where none is), shown (chance to be shown not to be worse where nothing changes).
    """
    rows, draw = [], np.random.default_rng(1)
    for name, own in values.items():
        signal, told = table.signals[name], [0.0, np.inf, 0.0]
        if min(size, len(own) - size) >= table.least_units:
            level = nominal_levels(alpha / len(values), table.looks)[-1]
            arms = [np.split(draw.permutation(own), [size]) for _ in range(_DRAWS)]
            # Harm is found where it is over the limit of how far the cohort may lie below the rest by chance.
            least = np.array([shift_limit(rest, cohort, level=level) for cohort, rest in arms])
            shown = np.mean([is_tolerated(signal, *one) for one in arms])
            found, detectable = np.mean(least <= signal.margin), np.quantile(least, POWER, method="higher")
            told = [float(found), float(detectable), float(shown)]
        rows.append((name, len(own), signal.margin, *told))
    return pd.DataFrame(rows, columns=["signal", "units", "tolerated", "found", "detectable", "shown"])
