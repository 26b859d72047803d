"""A section of an analyst's own in a report: a function of the study, and a decorator over it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.study.study import Study

SECTION = "own"


@dataclass(frozen=True)
class Finding:
    """What a function of one's own found: the sentence that says it, the frame behind it, what draws it on an Axes."""

    says: str
    frame: pd.DataFrame
    draw: Callable[[Any], Any] | None = None


def card(found: Callable[[Study], Finding]) -> Callable[[Study], Card]:
    """Make a function, of a study, one that gives a section card: shown in a notebook, and on the page of a report.

    The function's docstring says what the number means, and stands as its definition.

    Raises
    ------
    UsageError
        The function has no docstring, or gives something else than a `Finding`.
    """
    meaning = " ".join((inspect.getdoc(found) or "").split())
    if not meaning:
        raise UsageError(f"Card '{found.__name__}' has no docstring. Say in it what the number means.")

    @wraps(found)
    def made(study: Study) -> Card:
        finding = found(study)
        if not isinstance(finding, Finding):
            raise UsageError(f"Card '{found.__name__}' gave {type(finding).__name__}, and not a Finding.")
        key = f"{SECTION}-{found.__name__.replace('_', '-')}"
        shown = len(finding.frame) > 0
        return Card(
            key=key,
            section=SECTION,
            heading=finding.says,
            note=f"{study.observed.name}; a card of the analyst's own.",
            draw=finding.draw if shown else None,
            size=(7.2, 3.4),
            table=finding.frame,
            caption=found.__name__.replace("_", " ").capitalize(),
            definition=meaning,
            measure=f"{found.__module__}.{found.__qualname__}",
            window=study.seen,
            got=None,
            alt=finding.says,
            csv=f"{key}.csv",
            empty="" if shown else "the frame has no row",
            rows=study.environment.limits.table_rows,
        )

    return made
