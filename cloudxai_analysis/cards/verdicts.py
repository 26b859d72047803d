"""The verdicts of a study, as a notebook shows them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from cloudxai_analysis.cards.card import SHAPES, html_table
from cloudxai_analysis.checks import Check, judge
from cloudxai_analysis.study.study import Study


@dataclass(frozen=True, repr=False)
class Verdicts:
    """Checks, each with its status by shape and word, and its whole finding."""

    checks: tuple[Check, ...]

    def _repr_html_(self) -> str:
        rows = [(f"{SHAPES[check.status]} {check.status}", check.key, check.finding) for check in self.checks]
        return html_table(pd.DataFrame(rows, columns=["status", "check", "finding"]))

    def __repr__(self) -> str:
        return "\n".join(f"{SHAPES[check.status]} {check.status:<7} {check.finding}" for check in self.checks)


def verdicts(study: Study, section: str = "") -> Verdicts:
    """The checks of one section, or of all."""
    return Verdicts(tuple(check for check in judge.checks(study) if section in ("", check.section)))
