"""The nights that were, as the ledger has them: each check's record, its flake rate, and the run of green nights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from cloudxai_analysis.cards.card import html_table, table_cells
from cloudxai_analysis.ground.window import DAY
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import Asserted, Night
from cloudxai_analysis.measures.rates import wilson_interval
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.words.phrases import count

EXAMPLE = "reference/nights.jsonl"

NIGHTS = 30  # of a check's record
GREEN_NIGHTS = 7  # in a row: what the sign-off asks for
STATUSES = ("fail", "unknown", "warn", "pass", "left out")  # the worst first
_SIGNS = {"pass": "●", "flaky": "○", "warn": "▲", "fail": "■", "unknown": "?", "left out": "·"}
MISSED = "–"
SIGNS = "● pass, ○ flaky pass, ▲ warn, ■ fail, ? unknown, · left out, – no such night, or not asked in it"


def nights(ledger: Ledger) -> list[Night]:
    """The nights that count, of each date the last run, by date."""
    return sorted(ledger.standing().counting(Night), key=lambda night: night.date)


def kept_in(environment: Environment, end: date) -> Ledger:
    """The ledger that holds an environment's nights before `end`; of the demo, which has none, that of an example."""
    own, file = Ledger.of(environment), project_folder() / EXAMPLE
    is_demo = environment.is_demo and file.is_file()
    return Ledger(file) if is_demo and not any(night.date < end for night in nights(own)) else own


def history(environment: Environment, end: date) -> tuple[list[Night], str]:
    """The nights of an environment before `end`, and where they are from."""
    ledger = kept_in(environment, end)
    known = [night for night in nights(ledger) if night.date < end]
    if ledger.path != environment.ledger:
        needs = "the demo has no server to hold assertions against"
        return known, f"{count(len(known), 'night')} of an example, {EXAMPLE}: {needs}"
    if known:
        return known, f"{count(len(known), 'night')} of {environment.name}, {known[0].date} to {known[-1].date}"
    return [], f"no night of {environment.name} is known; `{environment.command('nightly')}` runs one"


def status_of(night: Night) -> str:
    """A night's worst: 'fail', else 'unknown', which a source that was away is, else 'warn', else 'pass'."""
    found = {check.status for check in night.checks}
    return next((status for status in STATUSES[:-1] if status in found), "unknown")


@dataclass(frozen=True)
class GreenRun:
    """How many nights in a row were green up to the last one, how many of them had a flaky pass, what ended it before.

    `state` is 'met' at 7 nights, 'not met' below, 'not known' without a night.
    """

    nights: int
    flaky: int
    broken_by: str
    state: str

    def __str__(self) -> str:
        if self.state == "not known":
            return "No night is known: not known whether the nightly checks are green."
        told = f", of them {self.flaky} with a flaky pass" if self.flaky else ""
        before = f"; before that {self.broken_by}" if self.broken_by else ""
        asked = f"{GREEN_NIGHTS} are asked for: {self.state}"
        return f"{count(self.nights, 'green night')} in a row{told}{before}. {asked}."


def green_run(nights: Iterable[Night]) -> GreenRun:
    """The run of green nights up to the last that is known.

    A night that was missed, or had a fail, a warning or an unknown, ends it; a flaky pass is green, and told.
    """
    known = {night.date: night for night in nights}
    if not known:
        return GreenRun(0, 0, "", "not known")
    day = max(known)
    run: list[Night] = []
    while (night := known.get(day)) and status_of(night) == "pass":
        run.append(night)
        day -= DAY
    broken = f"the night of {day} {_ended(night) if night else 'was missed'}" if day >= min(known) else ""
    flaky = sum(any(check.flaky for check in night.checks) for night in run)
    return GreenRun(len(run), flaky, broken, "met" if len(run) >= GREEN_NIGHTS else "not met")


def _ended(night: Night) -> str:
    if night.away:
        return "could not run"
    status = status_of(night)
    named = [check.id for check in night.checks if check.status == status]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return f"had {named[0] if named else 'nothing asked'}{more} {status if named else ''}".rstrip()


def told(check: Asserted) -> str:
    """What was found; of a flaky one first why its first attempt failed."""
    return f"at first: {check.attempts[0]}; then: {check.finding}" if check.flaky else check.finding


def record(nights: Sequence[Night]) -> pd.DataFrame:
    """What every check came to in each night that counts.

    Columns: date, check, status ('pass', 'warn', 'fail', 'unknown', 'left out'), flaky, attempts
    (those that failed), finding (as `told`); by date.
    """
    rows = [
        (night.date, check.id, check.status, check.flaky, len(check.attempts), told(check))
        for night in sorted(nights, key=lambda one: one.date)
        for check in night.checks
    ]
    return pd.DataFrame(rows, columns=["date", "check", "status", "flaky", "attempts", "finding"])


@dataclass(frozen=True, repr=False)
class Grid:
    """Nights as signs: a row a check, a column a night, missed ones too."""

    cells: pd.DataFrame

    def _repr_html_(self) -> str:
        return f"{html_table(table_cells(self.cells.reset_index()))}<p>{SIGNS}</p>"

    def __repr__(self) -> str:
        width = max(map(len, self.cells.index), default=0)
        rows = [f"{row[0]:<{width}}  {''.join(row[1:])}" for row in self.cells.itertuples()]
        span = [f"{self.cells.columns[0]} to {self.cells.columns[-1]}"] if len(self.cells) else ["no night is known"]
        return "\n".join([*span, *rows, SIGNS])


def grid(nights: Sequence[Night]) -> Grid:
    """The last nights, by check."""
    shown = _last(nights)
    days = pd.date_range(shown[0].date, shown[-1].date) if shown else []
    signs = {(night.date, check.id): sign(check) for night in shown for check in night.checks}
    ids = pd.Index(dict.fromkeys(name for _, name in signs), name="check", dtype="str")
    cells = {f"{day:%m-%d}": [signs.get((day.date(), name), MISSED) for name in ids] for day in days}
    return Grid(pd.DataFrame(cells, index=ids))


def sign(check: Asserted) -> str:
    """The sign of a check's result in the grid."""
    return _SIGNS["flaky" if check.flaky and check.status == "pass" else check.status]


def flake_rates(nights: Sequence[Night]) -> pd.DataFrame:
    """Each check's record over the last nights: how often it was flaky, and what it was worth.

    The rate is that of the nights in which it was seen to hold or not, with Wilson's 95 % interval.

    Columns: check, nights (asked and answered), fails, flaky, unknown, rate, low, high (NaN
    without a night), worth ('found faults', 'never failed', 'only flaked', 'never known'); the
    flakiest first.
    """
    rows = []
    shown = record(_last(nights))
    for name, own in shown[shown["status"] != "left out"].groupby("check", sort=False):
        known = own[own["status"] != "unknown"]
        fails, flaky = int(known["status"].isin(["fail", "warn"]).sum()), int(known["flaky"].sum())
        low, high = wilson_interval(flaky, len(known))
        worth = "found faults" if fails else "only flaked" if flaky else "never failed" if len(known) else "never known"
        rate = flaky / len(known) if len(known) else float("nan")
        rows.append((name, len(known), fails, flaky, len(own) - len(known), rate, low, high, worth))
    columns = ["check", "nights", "fails", "flaky", "unknown", "rate", "low", "high", "worth"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["flaky", "check"], ascending=[False, True], ignore_index=True)


def _last(nights: Sequence[Night]) -> list[Night]:
    """The nights of the last 30 days."""
    ordered = sorted(nights, key=lambda night: night.date)
    return [night for night in ordered if night.date > ordered[-1].date - DAY * NIGHTS]
