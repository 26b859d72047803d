"""A platform whose evidence for v1.0 is complete: 14 days, 8 nights, 12 true pages, a harness run, signatures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
from small_platform import Written, study_of

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.study.study import Study

PROJECT = Path(__file__).parents[1]
ROUTING = PROJECT / "reference" / "alertmanager.yml"
DAY = timedelta(days=1)
END = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = Window(END - 7 * DAY, END, "2026-W46")
BEGIN = END - 28 * DAY
OWN = {"job": "cloudxai", "instance": "api-0:80"}
PAGE = {"alertname": "ServiceNotReady", "alertstate": "firing", "severity": "critical"}
PAGES = 12  # with none of them false the upper end of Wilson's interval is 3.84 / 15.84, or 24 %
ATTESTED = {"migration-guide": 5, "rollback-plan": 6, "owners": 6, "runbooks": 6, "tabletop-drill": 7}


def fired(place: int) -> datetime:
    return BEGIN + (2 * place + 1) * DAY + timedelta(hours=9)


def day(number: int, **said: Any) -> dict[str, Any]:
    """A whole day of November 2026."""
    known = {"coverage": 1.0, "rejections": 0, "seen_minutes": 1440.0, "ready_minutes": 1440.0, "partial": False}
    usual = {"kind": "day", "by": "cloudxai monitor", "environment": "demo", "status": "pass", "cap": 100, **known}
    return {**usual, "date": f"2026-11-{number:02}", **said}


def night(number: int, status: str = "pass") -> dict[str, Any]:
    own = {"date": f"2026-11-{number:02}", "at": f"2026-11-{number:02}T02:00Z"}
    return {"kind": "night", "by": "cloudxai nightly", **own, "checks": [{"id": "x", "status": status}]}


def harness(number: int = 10, **said: Any) -> dict[str, Any]:
    promises = dict.fromkeys(("within_cap", "only_at_cap", "counted_exactly"), "pass")
    own = {"kind": "harness", "by": "cloudxai harness", "at": f"2026-11-{number:02}T12:00Z", **promises}
    return {**own, "differing": 0, "cap": 100, "most_tenants": 10_000, "seed": 1, "result": "0" * 64, **said}


def attestation(what: str, number: int) -> dict[str, Any]:
    own = {"name": "Ada L.", "role": "head of operations", "date": f"2026-11-{number:02}", "attests": [what]}
    return {"kind": "attestation", "by": "ada", **own, "link": f"https://sign.example/{what}"}


def label(place: int, judgement: str = "actionable") -> dict[str, Any]:
    at = fired(place).isoformat()
    return {"kind": "label", "by": "ada", "alertname": PAGE["alertname"], "fired_at": at, "judgement": judgement}


def entries() -> list[dict[str, Any]]:
    """The ledger of a beta on whose way nothing is left."""
    return [
        *map(day, range(2, 16)),
        *map(night, range(8, 16)),
        *map(label, range(PAGES)),
        harness(),
        *(attestation(what, number) for what, number in ATTESTED.items()),
    ]


def line(labels: dict[str, str], start: datetime, end: datetime) -> Written:
    times = np.arange(start.timestamp() * 1000, end.timestamp() * 1000, 60_000, dtype=np.int64)
    return labels, times, np.ones(len(times))


@cache
def _platform() -> Study:
    """The study of the week, of which the frames that no ledger has a part in are made once."""
    pages = [line(PAGE, fired(place), fired(place) + timedelta(minutes=5)) for place in range(PAGES)]
    alerts = (PAGE, *(np.concatenate([one[part] for one in pages]) for part in (1, 2)))
    series = {"up": [line(OWN, BEGIN, END)], "readiness_state": [line(OWN, BEGIN, END)], "ALERTS": [alerts]}
    return study_of(series, Path(gettempdir()), WEEK)


def study_with(folder: Path, *written: dict[str, Any], rules: Path | None = ROUTING) -> Study:
    """That study over these entries and this file of routing; those that were made before are of no more use."""
    study = _platform()
    own = study.environment.settings.model_copy(update={"rules": (rules,) if rules else ()})
    told = {"settings": own, "outputs": folder, "source": "http://127.0.0.1:9", "name": "beta"}
    study.environment = study.environment.model_copy(update=told)
    study.ledger = Ledger(study.environment.ledger)
    study.ledger.append_all({"written_at": END, **one} for one in written)
    study.reread()
    return study
