"""A night's run: each assertion asked of the live server, again where the way to it failed, and kept in the ledger.

An attempt that fails by the way (no connection, 429, 5xx, an answer cut short, a scrape that is not there yet) is kept,
and asked for again in further rounds within the night's budget; a fault of the platform is never asked for again. What
nobody could see is 'unknown'.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from cloudxai_analysis.ground.errors import CloudxaiError, SourceUnreachable, UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import Asserted, Night
from cloudxai_analysis.operate.assertions import Row, assertions
from cloudxai_analysis.operate.nights import nights
from cloudxai_analysis.operate.probes import PROBES, Seen, shown
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.replay.own_server import NeedsServer
from cloudxai_analysis.sources.answers import Momentary, TooManySamples, one_line
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, texts_of
from cloudxai_analysis.sources.series import Labels
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.words.phrases import count

BY = "cloudxai nightly"
MOST_SERIES = 1_000  # of one answer: an assertion counts, and does not list
_TOO_MANY = f", and an assertion takes {MOST_SERIES:,}. Use count() or topk() in its query."
_MOST_BYTES = 1 << 20
_PAUSES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)  # shares of the budget: doubling, and all of it in the end
_HOLDS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt}
_HOLDS |= {"<=": operator.le, ">": operator.gt, ">=": operator.ge}
_Rows = list[tuple[Labels, float]]


@dataclass
class _Tried:
    """An assertion with what was seen of it, if anything was, and why each failed attempt did."""

    row: Row
    seen: Seen | None = None
    attempts: list[str] = field(default_factory=list)
    error: CloudxaiError | None = None
    open: bool = True

    def result(self, away: CloudxaiError | None) -> Asserted:
        said = {"id": self.row.id, "attempts": tuple(self.attempts)}
        if self.seen is None:
            cause = self.error or away
            return Asserted(**said, status="unknown", finding=one_line(cause, most=400))
        if self.seen.left_out:
            return Asserted(**said, status="left out", finding=self.seen.left_out)
        status = {"yes": "pass", "no": self.row.otherwise, "unknown": "unknown"}[self.seen.holds]
        return Asserted(**said, status=status, finding=one_line(self.seen.finding, most=400))


def nightly(environment: Environment, *, now: datetime, live: bool = True, again: bool = False) -> tuple[Night, bool]:
    """The night of the day of `now`, and whether it was run for this: one that the ledger has is not, but `again`.

    Unless `live`, queries are evaluated at `now`. Raises NeedsServer of the demo, UsageError (a file
    of assertions is wrong), and what the ledger does. A source that is away raises nothing: its
    night is unknown.
    """
    asked, limits, day = assertions(environment), environment.limits, now.astimezone(UTC).date()
    ledger = Ledger.of(environment)
    known = next((one for one in nights(ledger) if one.date == day), None)
    if known and not again:
        return known, False
    patience = min(limits.total_deadline_seconds, limits.request_timeout_seconds)
    once = limits.model_copy(update={"retries": 0, "total_deadline_seconds": patience})
    source = open_source(environment.source, limits=once, settings=environment.settings)
    if not isinstance(source, ServerSource):
        raise NeedsServer(
            "The nightly assertions need a server: they are held against what runs, and the demo is none. Give "
            "--source the URL of a Prometheus."
        )
    checks, away = ask(asked, source, environment, moment=None if live else now)
    kept = ledger.append(Night(date=day, at=now, source=source.name, checks=checks, away=away, by=BY))
    return cast("Night", kept), True


def ask(
    asked: Iterable[Row], source: ServerSource, environment: Environment, *, moment: datetime | None = None
) -> tuple[tuple[Asserted, ...], str]:
    """What is found of each assertion, in order, and why none could be asked where the source was away ('' else).

    Attempts that fail by the way are made again, in rounds.
    """
    tried = [_Tried(one) for one in asked]
    budget = environment.limits.nightly_retry_seconds
    away: CloudxaiError | None = None
    until: float | None = None
    for pause in (0.0, *(share * budget for share in _PAUSES)):
        left = [one for one in tried if one.open]
        if not left or (until is not None and time.monotonic() + pause > until):
            break
        time.sleep(pause)
        away = _round(left, source, environment, moment)
        until = until or time.monotonic() + budget
    seen = any(one.seen and not one.seen.left_out for one in tried)
    away = away or next((one.error for one in tried if isinstance(one.error, SourceUnreachable)), None)
    return tuple(one.result(away) for one in tried), "" if seen or away is None else one_line(away, most=400)


def _round(
    left: list[_Tried], source: ServerSource, environment: Environment, moment: datetime | None
) -> CloudxaiError | None:
    """Ask each once; where the server is away, the rest is not asked, and why it is away is given."""
    for one in left:
        _attempt(one, source, environment, moment)
        if isinstance(one.error, SourceUnreachable):
            try:
                source.clock()
            except SourceUnreachable as error:
                return error
            except CloudxaiError:
                continue
    return None


def _attempt(one: _Tried, source: ServerSource, environment: Environment, moment: datetime | None) -> None:
    """Ask once. What may be otherwise in a moment stays open, and its cause is kept as one of the attempts."""
    one.seen, one.error = None, None
    try:
        one.seen = _look(one.row, source, environment, partial(_rows, source, moment=moment))
        one.open, cause = one.seen.soon, one.seen.finding
    except (SourceUnreachable, Momentary) as error:
        one.error, one.open, cause = error, True, str(error)
    except CloudxaiError as error:
        one.error, one.open, cause = error, False, ""
    if one.open:
        one.attempts.append(one_line(cause, most=300))


def _look(row: Row, source: ServerSource, environment: Environment, rows: Any) -> Seen:
    if row.left_out:
        return Seen("unknown", "", left_out=row.left_out)
    if row.probe:
        return PROBES[row.probe](source, environment)
    if row.only_where and not rows(row.only_where):
        return Seen("unknown", "", left_out=one_line(f"nothing here has {row.only_where}"))
    return judged(row.comparator or "", row.bound, rows(row.query))


def judged(comparator: str, bound: float | None, rows: _Rows) -> Seen:
    """What an answer's series say of an assertion: all must hold; without any, only 'absent' and 'present' can tell."""
    if comparator in ("absent", "present"):
        finding = f"is there: {shown(map(_said, rows))}" if rows else "nothing is there"
        wanted = comparator == "present"
        return Seen("yes" if bool(rows) == wanted else "no", finding, soon=wanted and not rows)
    if not rows:
        return Seen("unknown", "the query gave nothing", soon=True)
    bound = 0.0 if bound is None else bound
    must = f"{comparator} {bound:g}"
    broken = [row for row in rows if not math.isnan(row[1]) and not _HOLDS[comparator](row[1], bound)]
    if broken:
        of = "" if len(rows) == 1 else f" ({len(broken):,} of {count(len(rows), 'series', 'series')})"
        return Seen("no", f"{shown(map(_said, broken))}; must be {must}{of}")
    if any(math.isnan(value) for _, value in rows):
        return Seen("unknown", f"the query gave NaN; must be {must}")
    return Seen("yes", f"{_said(rows[0]) if len(rows) == 1 else count(len(rows), 'series', 'series')} {must}")


def _said(row: tuple[Labels, float]) -> str:
    labels = ", ".join(f"{name} {one_line(value, most=60)}" for name, value in row[0].items() if name != "__name__")
    return f"{labels}: {row[1]:g}" if labels else f"{row[1]:g}"


def _rows(source: ServerSource, query: str, *, moment: datetime | None) -> _Rows:
    """The series of an answer, with one number each; raises UsageError of an answer of another kind, or too large."""

    def read(data: Any) -> _Rows:
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        if data["resultType"] != "vector" or any("value" not in one for one in data["result"]):
            kind = "histograms" if data["resultType"] == "vector" else f"a {one_line(data['resultType'], most=20)}"
            raise UsageError(f"gave {kind}. An assertion needs a query with one number a series.")
        if len(data["result"]) > MOST_SERIES:
            raise UsageError(f"gave {len(data['result']):,} series{_TOO_MANY}")
        return [(texts_of(one["metric"]), float(one["value"][1])) for one in data["result"]]

    fields = {"query": query, "timeout": source.session.patience, **WHOLE_ANSWERS}
    fields |= {"time": moment.isoformat()} if moment else {}
    try:
        with source.session.narrowed(_MOST_BYTES):
            return source.session.ask(f"Asked for {one_line(query, most=120)}", "query", fields, read=read)
    except TooManySamples:
        raise UsageError(f"gave more than it can take in{_TOO_MANY}") from None
