"""One stage of a rollout on one study: who is in which arm, each day's look, what the stage will be able to show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
import pandas as pd

from cloudxai_analysis.decide.canary import HOLD, Arms, Look, lost_unlike, power, recommend
from cloudxai_analysis.decide.cohorts import Pairs, applies, changes, drawn, of_units, pairs, units_before
from cloudxai_analysis.decide.stages import Rollout
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, WEEK, Window, midnight
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import CanaryLook, Cohort
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count


@dataclass(frozen=True)
class Trial:
    """A stage of a rollout from its first day on, and its cohort; the study begins a week before."""

    study: Study
    table: Rollout
    rollout: str
    stage: int
    first_day: date
    cohort: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()

    @property
    def start(self) -> pd.Timestamp:
        """When its first day begins."""
        return pd.Timestamp(self.first_day, tz=UTC)

    @cached_property
    def _before(self) -> list[Cohort]:
        """With whom stages and attempts began before this one."""
        now = (self.stage, self.first_day)
        return [one for one in cohorts(self.study.ledger, self.rollout) if (one.stage, one.date) < now]

    @property
    def attempt(self) -> int:
        """How often the stage has begun."""
        return 1 + sum(one.stage == self.stage for one in self._before)

    @property
    def alpha(self) -> float:
        """What its looks may spend."""
        return self.table.stage(self.stage).alpha_of(self.attempt)

    @property
    def _known(self) -> pd.Timestamp:
        """When the week before it ends, or has come to."""
        return min(self.start, self.study.end.floor("D"))

    @cached_property
    def _everybody(self) -> pd.DataFrame:
        return units_before(self.study, self._known, self.table.cluster_label)

    @cached_property
    def tenants(self) -> pd.DataFrame:
        """The tenants to be compared, as `units_before` gives them: nobody who has the new version already."""
        new = (one for one in self._before if not self.table.stage(one.stage).shadow)
        served, found = {tenant for one in new for tenant in one.tenants}, self._everybody
        return found[~found["unit"].isin(found.loc[found["tenant"].isin(served), "unit"])]

    @cached_property
    def in_cohort(self) -> pd.Series:
        """By unit, the share of its tenants that are in the cohort: 1 or 0, but of a unit that was torn apart."""
        return self.tenants["tenant"].isin(self.cohort).groupby(self.tenants["unit"]).mean()

    @property
    def size(self) -> int:
        """How many units the stage's cohort is to have."""
        everybody, left = self._everybody["unit"].nunique(), self.tenants["unit"].nunique()
        return max(1, round(self.table.stage(self.stage).share * everybody) - (everybody - left))

    def drawn(self, seed: int) -> Trial:
        """The same with a cohort of that size, by chance."""
        return replace(self, cohort=frozenset(drawn(self.tenants, self.size, seed)))

    def look(self, day: date | None = None) -> Look:
        """The recommendation as of the end of a day, or of the last day that is over."""
        last = self.table.looks if day is None else min(self.table.looks, (day - self.first_day).days + 1)
        over = pairs(self.study, self.start, max(last, 0))
        arms, doubts = self.arms(over)
        if over.asked > len(over.days):
            doubts.append(f"{count(over.asked - len(over.days), 'day')} is not covered in both weeks.")
        whole, blocks = len(over.days) == self.table.looks, self._blocks(over)
        told = recommend(self.table, self.alpha, len(over.days), arms, whole=whole, doubts=doubts, blocks=blocks)
        if over.asked == self.table.looks and not whole and told.recommendation == HOLD and not blocks:
            return told._replace(reason=f"{told.reason} The stage is over and cannot be promoted: begin it anew.")
        return told

    def course(self) -> pd.DataFrame:
        """Each day's look up to now. Columns: day, recommendation, reason."""
        days = [self.first_day + number * DAY for number in range(self.table.looks)]
        looks = [(day, *self.look(day)[:2]) for day in days if pd.Timestamp(day, tz=UTC) + DAY <= self.study.end]
        return pd.DataFrame(looks, columns=["day", "recommendation", "reason"])

    def arms(self, over: Pairs | None = None) -> tuple[dict[str, Arms], list[str]]:
        """By signal the changes of either arm, of the whole stage unless days are given; what is unknown, and why."""
        over = over or pairs(self.study, self.start, self.table.looks)
        arms, doubts, nothing = {}, list(self.doubts), np.zeros(0)
        for name, signal in self.table.signals.items():
            if not applies(self.study, signal):
                continue
            topic, _, known_by = signal.known_by.partition(".")
            blind = getattr(getattr(self.study, topic), known_by).blind(signal.title) if topic else ""
            doubts += [blind] if blind else []
            arms[name] = (nothing, nothing)
            if not blind and len(over.days):
                found = of_units(changes(self.study, signal, over), self.tenants).dropna()
                share = self.in_cohort.reindex(found.index)
                arms[name] = (found[share == 1].to_numpy(), found[share == 0].to_numpy())
        if not arms:
            doubts.append("No signal of the table names a tenant here.")
        return arms, doubts

    def _blocks(self, over: Pairs) -> list[str]:
        """Why the arms cannot be compared."""
        if not self.alpha:
            return ["Everybody has the new version: nobody is left to compare with. Watch the weekly report."]
        either = (self.in_cohort == 1, self.in_cohort == 0)
        cohort, rest = (int(own.sum()) for own in either)
        if min(cohort, rest) < self.table.least_units:
            torn = len(self.in_cohort) - cohort - rest
            few = f"{count(cohort, 'unit')} in the cohort and {rest} in the rest"
            few += f" ({torn} torn between both)" if torn else ""
            return [f"Too small to tell: {few}, and either needs {self.table.least_units}."]
        if not len(over.days):
            return []
        there = (2 * over.there.sum() >= len(over.days)).astype(float)
        left = of_units(there, self.tenants).fillna(0.0).reindex(self.in_cohort.index) > 0
        sizes = [(int(own.sum()), int((own & left).sum())) for own in either]
        return list(filter(None, [lost_unlike(sizes[0], sizes[1], self.table.loss_level)]))

    def plan(self) -> pd.DataFrame:
        """What the cohort will be able to show, told by what the units did in the two weeks before: see `power`."""
        over = pairs(self.study, self._known - WEEK, self.table.looks)
        signals = {name: one for name, one in self.table.signals.items() if self.alpha and applies(self.study, one)}
        found = {name: of_units(changes(self.study, one, over), self.tenants) for name, one in signals.items()}
        values = {name: own.dropna().to_numpy() for name, own in found.items()}
        return power(self.table, self.alpha, int((self.in_cohort == 1).sum()), values)

    def entry(self, day: date, *, by: str, **written: datetime) -> CanaryLook:
        """What the ledger keeps of a day's look."""
        look = self.look(day)._asdict()
        where = {"rollout": self.rollout, "stage": self.stage, "first_day": self.first_day, "attempt": self.attempt}
        return CanaryLook(**where, date=day, by=by, **look, **written)


def cohorts(ledger: Ledger, rollout: str = "") -> list[Cohort]:
    """The cohorts of a rollout, or of all, stage by stage in the order in which they began."""
    own = [one for one in ledger.standing().counting(Cohort) if rollout in ("", one.rollout)]
    return sorted(own, key=lambda one: (one.stage, one.date))


def cohort_of(ledger: Ledger, rollout: str, stage: int) -> Cohort:
    """The cohort with which a stage began last; a UsageError where none is written."""
    if own := [one for one in cohorts(ledger, rollout) if one.stage == stage]:
        return own[-1]
    raise UsageError(
        f"No cohort of stage {stage} of rollout '{rollout}' is in the ledger. `cloudxai canary draw` writes one."
    )


def trial_of(study: Study, table: Rollout, cohort: Cohort) -> Trial:
    """The trial of a cohort of the study's ledger, with what speaks against ever promoting it."""
    doubts = []
    trial = Trial(study, table, cohort.rollout, cohort.stage, cohort.date, frozenset(cohort.tenants))
    if cohort.written_at >= trial.start + DAY:
        doubts.append("The cohort was written down after the stage's first day: it may have been chosen afterwards.")
    if cohort.unit != table.cluster_label:
        doubts.append(f"The cohort's unit is '{cohort.unit or 'tenant'}', and the table's is another.")
    return replace(trial, doubts=tuple(doubts))


def trial_in(study: Study, table: Rollout, *, stage: int, seed: int = 1) -> tuple[Trial, str]:
    """The stage that began last in the study's window, and what it is; else a rehearsal by a cohort drawn now.

    Nothing is rolled out in a rehearsal: what it recommends is what a rollout without any effect would be told.
    """
    begun = [one for one in cohorts(study.ledger) if study.window.start.date() <= one.date < study.window.end.date()]
    cohort = max(begun, key=lambda one: one.date, default=None)
    first_day = cohort.date if cohort else study.window.start.date()
    window, clock = stage_window(first_day, table.looks), study.now
    own = Study(study.environment, window, study.store, ledger=study.ledger, now=clock, provenance=study.provenance)
    if cohort:
        return trial_of(own, table, cohort), f"{cohort.rollout}, stage {cohort.stage}, from {first_day}"
    trial = Trial(own, table, "rehearsal", stage, first_day).drawn(seed)
    return trial, f"a rehearsal of stage {stage} from {first_day}: nothing was rolled out, and the cohort is drawn now"


def stage_window(first_day: date, looks: int) -> Window:
    """A stage with the week before it."""
    start = midnight(first_day)
    return Window(start - WEEK, start + looks * DAY, f"the stage from {first_day}")
