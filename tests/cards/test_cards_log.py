"""The log of the beta: its calendar, table, Markdown, and the sign-off's first criterion, by days written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from small_platform import study_of

from cloudxai_analysis.cards import alerts
from cloudxai_analysis.cards.log import Log
from cloudxai_analysis.ground.window import Window

END = datetime(2026, 11, 16, tzinfo=UTC)
HOSTILE = "<b>x</b> @all |\n# y"


def day(back: int, **said: Any) -> dict[str, Any]:
    """A whole day that lies so many days back from the end, the last one being 1."""
    known = {"coverage": 1.0, "rejections": 0, "seen_minutes": 1440.0, "ready_minutes": 1421.0}
    usual = {"kind": "day", "by": "job", "environment": "beta", "status": "pass", "cap": 100, "partial": False, **known}
    return {**usual, "date": (END - timedelta(days=back)).date(), **said}


def log_of(tmp_path: Path, *entries: dict[str, Any]) -> Log:
    study = study_of({}, tmp_path, Window(END - timedelta(days=7), END, "2026-W46"))
    study.ledger.append_all(entries)
    return Log(study)


def days(most: int, **others: dict[str, Any]) -> list[dict[str, Any]]:
    """So many days in a row, some of them otherwise, by how far back they lie; without those that are said to be so."""
    changes = {int(name[1:]): change for name, change in others.items()}
    return [day(back, **changes.get(back, {})) for back in range(most, 0, -1) if changes.get(back) != {"left": "out"}]


PART = {"partial": True, "why": "half of it", "coverage": 0.5}
OUT = {"left": "out"}
OPEN = {"kind": "incident", "id": "INC-1", "by": "ada", "start": "2026-11-10T10:00Z"}


@pytest.mark.parametrize(
    ("entries", "run", "states"),
    [
        (days(14), 14, ["met", "met", "met"]),
        (days(13), 13, ["not met", "met", "not met"]),
        (days(20, d5=PART), 4, ["not met", "met", "not met"]),
        (days(20, d5=OUT), 4, ["not known", "met", "not known"]),
        (days(20, d1=OUT), 0, ["not known", "not known", "not known"]),
        (days(40), 30, ["met", "met", "met"]),
        (days(14, d1={"rejections": None}), 14, ["met", "not known", "not known"]),
        (days(14, d1={"rejections": 3}), 14, ["met", "not met", "not met"]),
        (days(14, d2={"rejections": 3}), 14, ["met", "met", "met"]),
        ([*days(14), {**OPEN, "alerts": ["TenantLabelCardinalityExceeded"]}], 14, ["met", "not met", "not met"]),
        ([*days(14), {**OPEN, "alerts": ["ServiceNotReady"]}], 14, ["met", "met", "met"]),
        ([*days(14), OPEN], 14, ["met", "not known", "not known"]),
        ([], 0, ["not known", "not known", "not known"]),
    ],
)
def test_the_first_criterion(tmp_path: Path, entries: list[dict[str, Any]], run: int, states: list[str]) -> None:
    log = log_of(tmp_path, *entries)
    assert log.run == run
    assert log.signoff()["state"].tolist() == states


def test_each_day_has_its_cell_and_what_is_not_known_is_said(tmp_path: Path) -> None:
    log = log_of(
        tmp_path, *days(6, d6={"status": "fail"}, d4=PART, d3=OUT, d2={"backfilled": True, "rejections": None})
    )
    assert log.calendar["state"].tolist() == ["whole", "whole", "partial", "missing", "whole", "whole"]
    assert log.calendar["status"].tolist() == ["fail", "pass", "pass", "", "pass", "pass"]
    table = log.table()
    assert table["state"].tolist()[-2:] == ["whole, back-filled", "whole"]
    assert table["refused"].tolist() == ["0", "0", "0", "not known", "not known", "0"]
    assert table["cost"].tolist() == ["not known"] * 6
    picture = log.card().svg()
    assert all(word in picture for word in (">missing<", ">pass, part<", ">fail<", ">Mon<", ">W46<"))


def test_foreign_text_stays_text_in_markdown(tmp_path: Path) -> None:
    found = [{"check": "outages", "status": "warn", "finding": HOSTILE}]
    fired = [{"alertname": HOSTILE, "tenant": HOSTILE, "fired_at": "2026-11-15T02:00Z", "topic": "readiness"}]
    text = log_of(tmp_path, day(1, notes=[HOSTILE], findings=found, alerts_fired=fired, by=HOSTILE)).markdown()
    assert text.count("\n## ") + text.startswith("## ") == 1
    assert not [sign for sign in ("<b>", "@all", "\n# y") if sign in text]
    assert text.count("&lt;b&gt;x&lt;/b&gt; &#64;all") == 5
    assert "- **Cost:** not known" in text


def test_observations_and_attestations_have_their_cards(tmp_path: Path) -> None:
    seen = {"kind": "observation", "by": "bob", "summary": HOSTILE}
    signed = {"kind": "attestation", "by": "bob", "name": "Ada", "role": "head", "link": "https://sign.example/7"}
    study = log_of(
        tmp_path,
        {**seen, "at": "2026-11-12T10:00Z"},
        {**seen, "at": "2026-11-01T10:00Z"},
        {**signed, "date": "2026-11-01"},
        {**signed, "date": "2026-11-16"},
    ).study
    assert alerts.observations(study).heading == "1 observation written down in 2026-W46."
    assert alerts.attestations(study).heading == "1 attestation up to the end of 2026-W46."
    assert alerts.observations(study).table["summary"].tolist() == [HOSTILE]
