"""The sign-off of v1.0: where each criterion of `signoff.toml` stands. People attest and sign; the suite never does.

Finders say what the evidence shows. Whether that is too old to say anything is decided here, by the clock alone.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, TypeAdapter, field_validator

from cloudxai_analysis.decide.evidence import FINDERS, MET, NOT_KNOWN, NOT_MET, Case, Found, attestations
from cloudxai_analysis.ground.window import HOUR
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.tables import Table
from cloudxai_analysis.study.numbers import NUMBERS, number
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import several
from cloudxai_analysis.words.sentences import say

_WORST = (NOT_MET, NOT_KNOWN, MET)
_ON_PAGE = ["number", "criterion", "status", "since", "fresh_until", "missing", "attests"]
_TIMES = ("since", "newest", "fresh_until", "at")
_Key = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
_Said = Annotated[str, Field(min_length=1)]
_Level = Literal["low", "medium", "high"]


class Asked(Table):
    """Evidence that a criterion asks for: what finds it, when it goes stale and why, and what renews it."""

    key: _Key
    kind: str
    stale_after_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    because: _Said
    renew: _Said

    @field_validator("kind")
    @classmethod
    def _is_found(cls, kind: str) -> str:
        if kind not in FINDERS:
            raise ValueError(f"nothing finds evidence of the kind '{kind}'; known are {', '.join(FINDERS)}")
        return kind

    @property
    def holds(self) -> timedelta:
        """How long it says something."""
        return self.stale_after_hours * HOUR


class Criterion(Table):
    """A criterion: its text, its evidence, who attests it in the end, and where to read what to do."""

    key: _Key
    text: _Said
    attests: _Said
    runbook: _Said
    evidence: Annotated[tuple[Asked, ...], Field(min_length=1)]


class Risk(Table):
    """A row of the risk matrix: the number of the study that stands beside it, how that is said, and what to do."""

    risk: _Said
    likelihood: _Level
    impact: _Level
    owner: _Said
    figure: str
    says: _Said
    action: _Said

    @field_validator("figure")
    @classmethod
    def _is_a_number(cls, figure: str) -> str:
        if figure not in NUMBERS:
            raise ValueError(f"the study has no number '{figure}'")
        return figure


_read = tomllib.loads(Path(__file__).with_name("signoff.toml").read_text(encoding="utf-8"))
WORDS: dict[str, str] = _read["words"]
CRITERIA = TypeAdapter(tuple[Criterion, ...]).validate_python(_read["criterion"])
RISKS = TypeAdapter(tuple[Risk, ...]).validate_python(_read["risk"])


class Signoff:
    """The criteria at a moment, by a study, its ledger and its environment's files.

    `at` is the clock by which evidence ages, the study's end unless it is given; `days` is the
    ledger with the observed days, the study's own unless another is given. Raises LakeDamaged (the
    ledger is).
    """

    def __init__(self, study: Study, *, at: datetime | None = None, days: Ledger | None = None) -> None:
        self.study, self.at = study, (at or study.seen.end).astimezone(UTC)
        self._days = days or study.ledger

    @cached_property
    def found(self) -> list[tuple[int, Criterion, Asked, Found]]:
        """What is found of each piece that is asked for, with the number of its criterion, by that."""
        return [
            (place, criterion, asked, self._aged(asked))
            for place, criterion in enumerate(CRITERIA, start=1)
            for asked in criterion.evidence
        ]

    @cached_property
    def parts(self) -> pd.DataFrame:
        """What the criteria ask for, one by one.

        Columns: number (of the criterion), part, status ('met', 'not met', 'not known'), since,
        newest (evidence), fresh_until (NaT where it does not age), evidence (how many pieces),
        missing, because (it goes stale then).
        """
        rows = []
        for place, _, asked, found in self.found:
            times = (found.since, found.newest, found.newest and found.newest + asked.holds)
            told = (len(found.evidence), found.missing, asked.because)
            rows.append((place, asked.key, found.status, *times, *told))
        return _typed(rows, "number part status since newest fresh_until evidence missing because")

    @cached_property
    def criteria(self) -> pd.DataFrame:
        """The criteria in their order; each is what the worst of its parts is.

        Columns: number, criterion, status ('met', 'not met', 'not known'), since, newest (the oldest
        of its parts' newest evidence), fresh_until (when the first of them goes stale), evidence (how
        many pieces), missing, attests (who would).
        """
        rows = []
        for place, criterion in enumerate(CRITERIA, start=1):
            own = self.parts[self.parts["number"] == place]
            status = min(own["status"], key=_WORST.index)
            since = own.loc[own["status"] == status, "since"]
            times = (since.max() if status == MET else since.min(), own["newest"].min(), own["fresh_until"].min())
            missing = "; ".join(dict.fromkeys(text for text in own["missing"] if text))
            rows.append((place, criterion.text, status, *times, own["evidence"].sum(), missing, criterion.attests))
        return _typed(rows, "number criterion status since newest fresh_until evidence missing attests")

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Every piece of evidence. Columns: number, part, kind, name, at, sha256, link."""
        rows = [
            (place, asked.key, one.kind, one.name, one.at, one.sha256, one.link)
            for place, _, asked, found in self.found
            for one in found.evidence
        ]
        return _typed(rows, "number part kind name at sha256 link")

    @cached_property
    def risks(self) -> pd.DataFrame:
        """The risk matrix. Columns: risk, likelihood, impact, owner, now (the present figure, in words)."""
        rows = []
        for one in RISKS:
            value = number(self.study, one.figure)
            now = NOT_KNOWN if value is None else say(one.says, {"value": value})
            rows.append((one.risk, one.likelihood, one.impact, one.owner, now))
        return pd.DataFrame(rows, columns=["risk", "likelihood", "impact", "owner", "now"], dtype="str")

    @property
    def headline(self) -> str:
        """What all of it comes to; the most is that the evidence is complete."""
        tally = self.criteria["status"].value_counts()
        met, broken, unknown = (int(tally.get(status, 0)) for status in (MET, NOT_MET, NOT_KNOWN))
        words = {"met": met, "not_met": broken, "unknown": unknown, "all": len(CRITERIA)}
        return say(WORDS["complete" if met == len(CRITERIA) else "missing"], words)

    @property
    def notes(self) -> str:
        """What is attested and asked for by no criterion: a slip of the pen would leave one unmet; '' if nothing is."""
        known = [asked.key for _, _, asked, _ in self.found if asked.kind == "attested"]
        said = (name for one in attestations(self.study.ledger, self.at) for name in one.attests)
        strange = several(name for name in said if name not in known)
        return say(WORDS["strange"], {"names": strange, "known": ", ".join(known)}) if strange else ""

    @property
    def summary(self) -> dict[str, Any]:
        """All of it as plain data for `summary.json`: text, notes, and the criteria, one by one."""
        rows = self.criteria[_ON_PAGE].assign(missing=self.criteria["missing"].str.replace("`", ""))
        criteria = json.loads(rows.to_json(orient="records", date_format="iso", date_unit="s"))
        return {"text": self.headline, "notes": self.notes.replace("`", ""), "criteria": criteria}

    def lines(self) -> Iterator[str]:
        """The headline, and each criterion with what is missing."""
        yield self.headline
        for row in self.criteria.itertuples():
            since = "" if pd.isna(row.since) else f" since {row.since:%Y-%m-%d}"
            fresh = "" if pd.isna(row.fresh_until) else f", fresh until {row.fresh_until:%Y-%m-%d %H:%M} UTC"
            yield f"{row.number} {row.status}{since}{fresh}: {row.criterion}"
            if row.missing:
                yield f"  missing: {row.missing}"
        if self.notes:
            yield self.notes

    def _aged(self, asked: Asked) -> Found:
        """What is found, or that it is not known any more."""
        found = FINDERS[asked.kind](Case(self.study, self.at, self._days, asked.key, asked.holds))
        if found.newest is None or self.at < (stale := found.newest + asked.holds):
            return found
        words = {"newest": found.newest, "seconds": asked.holds.total_seconds(), "renew": asked.renew}
        return replace(found, status=NOT_KNOWN, since=stale, missing=say(WORDS["stale"], words))


def _typed(rows: Sequence[tuple[object, ...]], names: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=names.split())
    for column in frame.columns.intersection(_TIMES):
        # A column of missing times alone has no zone that astype could keep.
        frame[column] = pd.to_datetime(frame[column], utc=True).astype("datetime64[us, UTC]")
    return frame
