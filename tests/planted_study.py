"""A study whose frames are written down in a test: what a check says of them, beside what it should say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from small_platform import study_of

from cloudxai_analysis.checks import Check
from cloudxai_analysis.checks.judge import find, judged
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")


@dataclass(frozen=True)
class Planted:
    """One check over the frames of a study, by their places in it, and what is expected of it."""

    key: str
    frames: Mapping[str, Any]
    window: Window = WEEK
    seen: Window | None = None
    entries: tuple[dict[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    finding: str = ""
    expected: Mapping[str, Any] = field(default_factory=dict)

    def says(self, status: str, finding: str = "…", **expected: Any) -> Planted:
        """What is to be found; '…' in the finding stands for anything."""
        return replace(self, status=status, finding=finding, expected=expected)

    def study(self, folder: Path) -> Study:
        """The study of a platform without a sample, in which the frames stand."""
        study = study_of({}, folder, self.window, now=self.seen.end if self.seen else None)
        bounds = {key: value for key, value in self.settings.items() if key in type(study.bounds).model_fields}
        study.bounds = study.bounds.model_copy(update=bounds)
        contract = {key: value for key, value in self.settings.items() if key not in bounds}
        study.contract = study.contract.model_copy(update=contract)
        study.ledger.append_all([{"by": "tests", **entry} for entry in self.entries])
        vars(study)["observed"] = self.seen or self.window
        for place, frame in self.frames.items():
            topic, _, name = place.rpartition(".")
            vars(getattr(study, topic) if topic else study)[name] = frame
        return study

    def check(self) -> Check:
        """What the check says."""
        with TemporaryDirectory() as folder:
            return judged(self.study(Path(folder)), self.key)

    def answer(self) -> str:
        """The name of the answer that is found."""
        with TemporaryDirectory() as folder:
            return find(self.study(Path(folder)), self.key).answer

    def holds(self) -> None:
        """Hold what the check says to what it should, and to what holds for each."""
        check = self.check()
        assert check.status == self.status, check.finding
        assert like(check.finding, self.finding), f"{check.finding!r} is not {self.finding!r}"
        for name, value in self.expected.items():
            found = getattr(check, name)
            if name == "events":
                found = tuple(tuple(event[part] for part in ("kind", "place", "size", "unit")) for event in found)
            if isinstance(value, str) and "…" in value:
                assert like(found, value), found
            else:
                assert found == (pytest.approx(value) if isinstance(value, float) else value), name
        assert check.finding.endswith(".")
        assert "\n" not in check.finding
        assert len(check.finding) < 450
        asked = check.status in ("warn", "fail")
        assert all((check.action, check.decides, check.samples, check.disproof)) if asked else not check.action
        assert not asked or check.size or self.expected.get("size") == ""

    def __str__(self) -> str:
        return f"{self.key}-{self.status}-{self.finding[:40]}"


def like(said: str, expected: str) -> bool:
    """Whether a sentence is as expected; '…' stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), said) is not None
