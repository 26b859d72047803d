"""One look from its parts, with what every look says the same way: definition, window, samples, CSV."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.look import Look
from cloudxai_analysis.checks import judge
from cloudxai_analysis.study.study import Study

_DEFINITIONS = Path(__file__).with_name("definitions.toml")


@cache
def definitions() -> dict[str, dict[str, str]]:
    """Term and text of every definition, by key."""
    return tomllib.loads(_DEFINITIONS.read_text(encoding="utf-8"))


def compose(
    study: Study,
    key: str,
    *,
    measure: str,
    note: str,
    frame: pd.DataFrame,
    caption: str,
    check: str = "",
    defined: str = "",
    heading: str = "",
    role: str = "",
    draw: Callable[[Any], Any] | None = None,
    empty: str = "",
    size: tuple[float, float] = (7.2, 3.4),
) -> Look:
    """The look called `key`; its heading is the finding of `check`, and its definition `check`'s, where none is given.

    `frame` is shown as the table and written in full to `data/<key>.csv`; `role` names the metric whose samples are
    counted; `empty` is the reason that stands where there is nothing to show.
    """
    definition = definitions()[defined or check]
    finding = heading or judge.check(study, check).finding
    samples = _samples(study, role)
    note = note if len(frame) else ""
    section = key.split("-", 1)[0]
    if len(judge.told_apart(study, check, section)):
        note, draw = "These numbers may count twice, or mix what is apart: see the labels under Telemetry.", None
    return Look(
        key=key,
        section=section,
        heading=finding,
        note=note,
        draw=draw if len(frame) else None,
        size=size,
        table=frame,
        caption=caption,
        definition=f"{definition['term']}: {definition['text']}",
        measure=measure,
        window=study.seen,
        got=samples,
        alt=f"{finding} {note}".strip(),
        csv=f"{key}.csv",
        checks=(check,) if check else (),
        empty=_nothing(study, check, empty) if not len(frame) else "",
        rows=study.environment.limits.table_rows,
    )


def _nothing(study: Study, check: str, reason: str) -> str:
    """Why there is nothing to show: of a check that could not tell, just that; else no wider than what was seen."""
    if check and judge.check(study, check).status == "unknown":
        return "nothing to show, as it is not known"
    return reason.replace("this window", study.observed.name)


def _samples(study: Study, role: str) -> int | None:
    if not role:
        return None
    inventory = study.telemetry.inventory
    names = study.contract[role].series_names
    return int(inventory.loc[inventory["metric"].isin(names), "samples"].sum())
