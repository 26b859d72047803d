"""What the harness knows for certain, held against what the suite says of the samples that were scraped.

Each sample of `OPERATIONS` says how far in its script a process was at that scrape: replayed up to
there, the script tells what the scrape must show, whatever the guard did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.operate.harness.exporter import REFUSED
from cloudxai_analysis.study.study import Study

if TYPE_CHECKING:
    from cloudxai_analysis.operate.harness.processes import Platform
    from cloudxai_analysis.operate.harness.run import Record

_HOLD = pd.Timedelta(minutes=5)  # of a value without a later sample or marker
_NEVER = pd.Timestamp("2200-01-01", tz="UTC")
_COSTS_AGREE = 1e-9
_TENANTS_MOST = 5  # named where something differs


@dataclass
class Truth:
    """What the script comes to, as far as it was scraped."""

    refused: Counter[str] = field(default_factory=Counter)  # by instance
    unscraped: int = 0  # refused after the last scrape of a process that ended
    attempts: int = 0
    over: set[str] = field(default_factory=set)  # tenants that were ever refused
    tenants: set[str] = field(default_factory=set)
    most: dict[str, int] = field(default_factory=dict)  # tenants at one scrape, by instance
    costs: dict[str, float] = field(default_factory=dict)
    outages: set[tuple[str, pd.Timestamp]] = field(default_factory=set)  # tenant, start

    @property
    def refused_in_all(self) -> int:
        """All refusals, scraped or not."""
        return sum(self.refused.values()) + self.unscraped


class Replayed:
    """A process as it must be after so many of its operations, by the script and the cap alone."""

    def __init__(self, operations: list[Any], cap: int) -> None:
        self._operations, self._cap, self._at = operations, cap, 0
        self.held: dict[str, list[Any]] = {}  # tenant: cost, ready
        self.refused, self.attempts = 0, 0
        self.over: set[str] = set()

    def until(self, number: int) -> None:
        """Go on to the state after `number` operations."""
        for kind, who, *given in self._operations[self._at : number]:
            if kind == "try":
                self.attempts += 1
                if who not in self.held and len(self.held) >= self._cap:
                    self.refused += 1
                    self.over.add(who)
                else:
                    self.held.setdefault(who, list(given))
            elif kind in ("cost", "ready") and who in self.held:
                self.held[who][kind == "ready"] = given[0]
        self._at = max(self._at, number)


def truth(record: Record, scrapes: pd.DataFrame, cap: int) -> Truth:
    """What the run's script comes to; `scrapes` are samples of `OPERATIONS`, markers included."""
    found, rows = Truth(), []
    for platform, own in _lives(record, scrapes):
        state = Replayed(platform.operations, cap)
        for row in own.itertuples():
            state.until(int(row.value))
            rows += [(tenant, platform.instance, row.time, row.until, *held) for tenant, held in state.held.items()]
        found.refused[platform.instance] += state.refused
        found.unscraped -= state.refused
        state.until(len(platform.operations))
        found.unscraped += state.refused
        found.attempts += state.attempts
        found.over |= state.over
    shown = pd.DataFrame(rows, columns=["tenant", "instance", "time", "until", "cost", "ready"])
    if rows:
        hours = (shown["until"] - shown["time"]) / pd.Timedelta(hours=1)
        found.tenants = {*shown["tenant"]}
        found.costs = (shown["cost"] * hours).groupby(shown["tenant"]).sum().to_dict()
        found.most = shown.groupby(["instance", "time"]).size().groupby("instance").max().to_dict()
        found.outages = {*_outages(shown)}
    return found


def _outages(shown: pd.DataFrame) -> Iterator[tuple[str, pd.Timestamp]]:
    """Tenant and start of each outage; what several processes show at once is one."""
    for tenant, rows in shown.sort_values("time").groupby("tenant"):
        reached = None
        for start, end in sorted(one for _, own in rows.groupby("instance") for one in _down(own, rows["time"])):
            if reached is None or start > reached:
                yield str(tenant), start
            reached = max(reached or end, end)


def _down(own: pd.DataFrame, shown: pd.Series) -> Iterator[tuple[pd.Timestamp, pd.Timestamp]]:
    """The outages of a tenant at one instance, each from its first scrape to that which shows the tenant ready again.

    Where the instance is gone it lasts until the tenant is shown again, by any.
    """
    stretch = (own["ready"] != own["ready"].shift()).cumsum()
    for _, rows in own[own["ready"] == 0].groupby(stretch):
        last = rows.iloc[-1]
        after = own.loc[own["time"] > last["time"], "time"]
        after = after if len(after) else shown[shown > last["until"]]
        yield rows["time"].iloc[0], after.min() if len(after) else _NEVER


def _lives(record: Record, scrapes: pd.DataFrame) -> Iterator[tuple[Platform, pd.DataFrame]]:
    """Each platform with its scrapes: time, value, and until when what they show holds."""
    frame = scrapes.assign(instance=_address(scrapes)).sort_values(["instance", "time"])
    following = frame.groupby("instance")["time"].shift(-1)
    frame["until"] = np.minimum(following.fillna(frame["time"] + _HOLD), frame["time"] + _HOLD)
    frame = frame[frame["value"].notna()]
    for platform in record.platforms:
        later = [one.began for one in record.platforms if one.instance == platform.instance]
        ends = min((began for began in later if began > platform.began), default=None)
        own = frame[(frame["instance"] == platform.instance) & (frame["time"] >= platform.began)]
        yield platform, own[own["time"] < ends] if ends else own


def judged(record: Record, study: Study, *, cap: int) -> dict[str, Any]:
    """The three verdicts, what agrees and what not, and the counts of a run."""
    scrapes = study.samples("operations", markers=True)
    known = truth(record, scrapes, cap)
    answers = Counter(status for one in record.platforms for status in one.statuses)
    counts = {
        "processes": len(record.platforms),
        "scrapes": int(scrapes["value"].notna().sum()),
        "attempts": known.attempts,
        "admitted": known.attempts - known.refused_in_all,
        "refused": known.refused_in_all,
        "refused_names": len(known.over),
        "refused_after_the_last_scrape": known.unscraped,
        "unanswered": record.unanswered,
        "rules": 0 if study.rules is None else len(study.rules),
    }
    return {
        "verdicts": [*_verdicts(known, study, cap)],
        "agreement": [*_agreement(record, known, study, answers)],
        "counts": counts,
    }


def _verdicts(known: Truth, study: Study, cap: int) -> Iterator[dict[str, Any]]:
    guard, steps = study.cardinality.guard, study.cardinality.window_steps
    most, at = _most(guard, "most_tenants")
    yield _verdict("I1", most <= cap, f"at most {most:,.0f} tenants at a scrape, cap {cap:,}{at if most > cap else ''}")
    below, refused = _refused_below(study, cap), float(steps["step"].sum())
    early = max(float(guard["below_cap"].sum()), below)
    said = f"{early:,.0f} of {refused:,.0f} refusals while fewer than {cap:,} tenants were held"
    yield _verdict("I2", early == 0 if refused else None, said)
    by_instance = steps.groupby(_address(steps))["step"].sum()
    apart = {
        name: (int(by_instance.get(name, 0)), known.refused[name])
        for name in sorted({*by_instance.index, *known.refused})
        if by_instance.get(name, 0) != known.refused[name]
    }
    over = sum(known.refused.values())
    said = f"{refused:,.0f} rejections counted, {over:,} attempts over the cap scraped"
    said += "".join(f"; {name}: {one:,} counted, {other:,} attempted" for name, (one, other) in apart.items())
    yield _verdict("I3", not apart if over or refused else None, said)


def _verdict(name: str, holds: bool | None, said: str) -> dict[str, Any]:
    status = "unknown" if holds is None else "pass" if holds else "fail"
    return {"invariant": name, "status": status, "said": said if holds is not None else "nothing went over the cap"}


def _most(guard: pd.DataFrame, column: str) -> tuple[float, str]:
    if guard.empty:
        return 0.0, ""
    row = guard.loc[guard[column].idxmax()]
    return float(row[column]), f" ({row['instance']}, {row['most_at']:%H:%M:%S} UTC)"


def _refused_below(study: Study, cap: int) -> float:
    """Refusals counted at a scrape that shows fewer tenants than the cap: no tenant ever leaves a process."""
    shown = study.cardinality.tenant_samples.groupby(["instance", "time"], observed=True)["tenant"].nunique()
    steps = study.cardinality.window_steps
    risen = steps[steps["step"] > 0].groupby(["instance", "time"], observed=True)["step"].sum()
    return float(risen[shown.reindex(risen.index).fillna(0) < cap].sum())


def _agreement(record: Record, known: Truth, study: Study, answers: Counter[int]) -> Iterator[dict[str, Any]]:
    """What the harness knows beside what is said of it: one row each."""
    yield _row("requests answered with 429", known.refused_in_all, answers[REFUSED])
    shown, guard = study.cardinality.tenant_samples, study.cardinality.guard
    yield _row("tenants", len(known.tenants), shown["tenant"].nunique(), known.tenants ^ {*shown["tenant"].unique()})
    for instance, most in sorted(known.most.items()):
        own = guard.loc[_address(guard) == instance, "most_tenants"].sum()
        yield _row(f"most tenants at a scrape, {_called(record, instance)}", most, int(own))
    again = Counter(one.instance for one in record.platforms)
    yield _row("restarts", sum(number - 1 for number in again.values()), len(study.telemetry.restarts))
    yield from _costs(known, study)
    ours = {(str(row.tenant), row.start) for row in study.readiness.tenant_outages.itertuples()}
    apart = {who for who, _ in ours ^ known.outages}
    yield _row("tenant outages, by their start", len(known.outages), len(ours), apart)
    episodes = study.alerts.episodes
    since = episodes["pending_at"].fillna(episodes["fired_at"]).dt.floor("s")
    found = {*zip(episodes["alertname"], episodes["tenant"], episodes["instance"], since, strict=True)}
    apart = {f"{name} {tenant}".strip() for name, tenant, _, _ in found ^ record.fired.episodes}
    yield _row("alert episodes, by their start", len(record.fired.episodes), len(found), apart)


def _costs(known: Truth, study: Study) -> Iterator[dict[str, Any]]:
    if "cost" not in study.contract.metrics or study.contract["cost"].semantics != "rate":
        return
    costs = study.cost.costs.groupby("tenant")["cost"].sum()
    apart = {
        name
        for name in {*known.costs, *costs.index}
        if not isclose(costs.get(name, 0.0), known.costs.get(name, 0.0), rel_tol=_COSTS_AGREE, abs_tol=1e-15)
    }
    currency = study.contract.currency
    total = round(sum(known.costs.values()), 6)
    yield _row(f"cost, {currency}, each tenant to a billionth", total, round(float(costs.sum()), 6), apart)


def _address(frame: pd.DataFrame) -> pd.Series:
    """The address of each row's process: all labels that tell processes apart hold it."""
    return frame["instance"].astype("str").str.partition("/")[0]


def _called(record: Record, instance: str) -> str:
    """A name for an address that is the same in each run."""
    return f"process {list(dict.fromkeys(one.instance for one in record.platforms)).index(instance) + 1}"


def _row(what: str, known: float, said: float, apart: Any = ()) -> dict[str, Any]:
    differing = sorted(map(str, apart))
    row = {"what": what, "known": known, "said": said, "agrees": known == said and not differing}
    return row | ({"differing": differing[:_TENANTS_MOST]} if differing else {})
