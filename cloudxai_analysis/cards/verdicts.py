"""The verdicts of a study, as a notebook shows them."""

from __future__ import annotations

from cloudxai_analysis.cards.card import Verdicts
from cloudxai_analysis.checks import judge
from cloudxai_analysis.study.study import Study


def verdicts(study: Study, section: str = "") -> Verdicts:
    """The checks of one section, or of all; `judge.check_table` gives them as a frame."""
    return Verdicts(tuple(check for check in judge.checks(study) if section in ("", check.section)))
