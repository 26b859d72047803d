"""Weekly pages of real studies: what a notebook's cells would hold, made without a kernel."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_platform import Written, study_of

from cloudxai_analysis.cards.card import LOOK_MIME, NARROW_MIME, SVG_MIME
from cloudxai_analysis.cards.compose import PAGE, ROWS
from cloudxai_analysis.cards.notebook import headline, maker
from cloudxai_analysis.decide.signoff import Signoff
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.study.study import Study

W47 = parse_window("2026-W47")
PAGES = ("demo", "a thousand tenants", "ten minutes", "nothing")


def notebook_of(study: Study) -> dict[str, Any]:
    """The weekly notebook's outputs on a study, as its file would hold them."""
    # A study of its own: a summary is made once per study, and another test may have made the demo's, without criteria.
    of = {"ledger": study.ledger, "now": study.now, "provenance": study.provenance}
    study = Study(study.environment, study.window, study.store, **of)
    bundles = [headline(study, signoff=Signoff(study).summary)._repr_mimebundle_()]
    for card in (maker(key)(study) for name in PAGE for key, row in ROWS.items() if row.page and key.startswith(name)):
        bundles.append({LOOK_MIME: card.as_dict()})
        if figure := card.svg():
            bundles.append({SVG_MIME: figure, NARROW_MIME: card.svg(narrow=True)})
    return {"cells": [{"outputs": [{"data": data}]} for data in bundles], "metadata": {}}


def platform(window: Window, *, tenants: int, seconds: int) -> dict[str, list[Written]]:
    """A platform of processes with eighty tenants each, ready all the time, that cost 2 EUR an hour each."""
    times = np.arange(window.start.timestamp() * 1000, window.end.timestamp() * 1000, seconds * 1000, dtype=np.int64)
    ones, jobs = np.ones(len(times)), [{"job": "cloudxai", "instance": f"api-{n}:80"} for n in range(tenants // 80 + 1)]
    named = [jobs[n // 80] | {"tenant": f"tenant-of-some-length-{n}"} for n in range(tenants)]
    own = {name: [(job, times, ones) for job in jobs] for name in ("up", "readiness_state")}
    money = [(name | {"currency": "EUR"}, times, 2 * ones) for name in named]
    return own | {"tenant_readiness_state": [(one, times, ones) for one in named], "tenant_cost_estimate": money}


def study_called(name: str, demo: pytest.FixtureRequest, folder: Path) -> Study:
    """The study of one of PAGES."""
    if name == "demo":
        study: Study = demo.getfixturevalue("demo_study")
        return study
    fortnight = Window(W47.start - timedelta(weeks=1), W47.end)
    early = Window(W47.start, W47.start + timedelta(minutes=10))
    series: dict[str, dict[str, list[Written]]] = {
        "a thousand tenants": platform(fortnight, tenants=1000, seconds=900),
        "ten minutes": platform(early, tenants=3, seconds=15),
        "nothing": {},
    }
    return study_of(series[name], folder, W47, now=early.end if name == "ten minutes" else None)
