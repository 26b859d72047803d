"""The commands of a rollout in stages: `cloudxai canary plan`, `draw` and `look`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import NOW, currently, fail_on
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.words.phrases import count, percent

if TYPE_CHECKING:
    from cloudxai_analysis.decide.stages import Rollout
    from cloudxai_analysis.decide.trial import Trial
    from cloudxai_analysis.study import Asked
    from cloudxai_analysis.study.study import Study

_MOST_NAMED = 20
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def canary() -> None:
    """Roll a version out in stages, and see each day whether its cohort is worse off. It recommends; people decide."""


def _of_stage(command: Callable[..., Any]) -> Callable[..., Any]:
    stage = click.option("--stage", type=int, required=True, help="Number of the stage; the first one is 0.")
    named = click.option("--rollout", required=True, metavar="NAME", help="What is rolled out, such as v1.0.0.")
    return named(stage(currently(NOW(command))))


def _before(command: Callable[..., Any]) -> Callable[..., Any]:
    given = click.option("--cohort", type=click.Path(path_type=Path), metavar="FILE", help="Tenants, one a line.")
    seed = click.option("--seed", type=int, default=1, show_default=True, help="The same seed draws the same cohort.")
    day = "The stage's first day (UTC), as 2026-11-16."
    start = click.option("--start", type=_DAY, required=True, metavar="DAY", help=day)
    return _of_stage(start(seed(given(command))))


@canary.command()
@_before
def plan(asked: Asked, **given: Any) -> int:
    """Say what a stage will be able to show before it begins: its cohort, and which harm that finds. Writes nothing."""
    _set_up(asked, **given)
    return 0


@canary.command()
@_before
@click.option("--by", required=True, metavar="NAME", help="Who stands for it.")
def draw(asked: Asked, by: str, **given: Any) -> int:
    """Draw a stage's cohort, one unit of each stratum of like load, or take one that is given, into the ledger.

    Do it before the stage's first day is over: a cohort that is written later is never promoted.
    """
    from cloudxai_analysis.ledger.jobs import Cohort

    trial = _set_up(asked, **given)
    entry = Cohort(
        rollout=trial.rollout,
        stage=trial.stage,
        date=trial.first_day,
        tenants=tuple(sorted(trial.cohort)),
        seed=None if given["cohort"] else given["seed"],
        unit=trial.table.cluster_label,
        by=by,
        **_written(asked),
    )
    kept = trial.study.ledger.append_all([entry], unless_current=True)
    say([f"{'Written to' if kept else 'Already in'} the ledger: {count(len(entry.tenants), 'tenant')}."])
    return 0


def _written(asked: Asked) -> dict[str, datetime]:
    """When an entry is written, by a clock that was set."""
    return {"written_at": asked.now} if asked.set_clock else {}


def _set_up(asked: Asked, rollout: str, stage: int, start: datetime, seed: int, cohort: Path | None) -> Trial:
    """The trial of a stage that is yet to begin, said."""
    from dataclasses import replace

    from cloudxai_analysis.decide.trial import Trial

    study, table = _opened(asked, start.date())
    trial = Trial(study, table, rollout, stage, start.date())
    trial = replace(trial, cohort=_listed(cohort, {*trial.tenants["tenant"]})) if cohort else trial.drawn(seed)
    units, chosen = int((trial.in_cohort == 1).sum()), sorted(trial.cohort)
    name = table.stage(stage).name
    say([f"Stage {stage}, {name}, from {trial.first_day}: {units} of {len(trial.in_cohort)} units."])
    say(f"  {name}" for name in chosen[:_MOST_NAMED])
    say([f"  and {len(chosen) - _MOST_NAMED:,} more"] if len(chosen) > _MOST_NAMED else [])
    say(_promises(trial, units))
    return trial


def _promises(trial: Trial, units: int) -> list[str]:
    signals, least = trial.table.signals, trial.table.least_units
    if not trial.alpha:
        return ["Everybody gets the new version: nobody is left to compare with."]
    if min(units, len(trial.in_cohort) - units) < least:
        return [f"Too small to tell: either arm needs {least} units. The answer will be hold."]
    told = [(signals[row.signal], row) for row in trial.plan().itertuples()]
    return [
        f"{one.title}: harm of {one.shown(row.detectable) if row.detectable > 0 else 'any size'} to each is found in "
        f"80 % of such stages, of {one.shown(row.tolerated)} (tolerated) in {percent(row.found, 0)}; without harm it "
        f"is shown not to be worse in {percent(row.shown, 0)}."
        for one, row in told
    ]


@canary.command()
@_of_stage
@click.option("--day", type=_DAY, metavar="DAY", help="The last day to look at; default: the last one that is over.")
@click.option("--by", default="cloudxai canary", show_default=True, metavar="NAME", help="Who looks.")
@fail_on("roll-back", "hold")
def look(asked: Asked, rollout: str, stage: int, day: datetime | None, by: str, failing: tuple[str, ...]) -> int:
    """Recommend on a stage as of a day: promote, hold or roll back, with the reason; kept in the ledger.

    One look a day is paid for; looking again on the same day changes nothing. What is not known is
    'hold'. With --fail-on it exits with 1 where the recommendation is so.
    """
    from cloudxai_analysis.decide.trial import cohort_of, trial_of
    from cloudxai_analysis.ledger import Ledger

    cohort = cohort_of(Ledger.of(asked.environment), rollout, stage)
    study, table = _opened(asked, cohort.date)
    last = (study.end.floor("D") - timedelta(days=1)).date()
    chosen = min(day.date() if day else last, cohort.date + timedelta(days=table.looks - 1))
    if chosen > last or chosen < cohort.date:
        raise UsageError(f"Day {chosen} is not one of the stage's days that are over: {cohort.date} to {last}.")
    told = trial_of(study, table, cohort).entry(chosen, by=by, **_written(asked))
    study.ledger.append_all([told], unless_current=True)
    where = f"{rollout}, stage {stage}, {table.stage(stage).name}, {chosen}"
    say([f"{told.recommendation.upper()} ({where}): {told.reason}"])
    say(f"  {table.signals[one.name].title}: {one.state} ({one.cohort} and {one.rest} units)" for one in told.signals)
    left_out = [one.title for name, one in table.signals.items() if name not in {seen.name for seen in told.signals}]
    say([f"  left out, since nothing here names a tenant: {', '.join(left_out)}"] if told.signals and left_out else [])
    return int(told.recommendation in failing)


def _opened(asked: Asked, first_day: date) -> tuple[Study, Rollout]:
    from dataclasses import replace

    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.decide.stages import rollout_of
    from cloudxai_analysis.decide.trial import stage_window
    from cloudxai_analysis.study.opening import study_at

    table = rollout_of(asked.environment)
    window = stage_window(first_day, table.looks)
    if window.start >= asked.now:
        raise UsageError(f"Day {first_day} is over a week ahead: nothing of the week before it can be seen yet.")
    with show_progress() as steps:
        return study_at(replace(asked, window=window), progress=steps.pull), table


def _listed(file: Path, known: set[str]) -> frozenset[str]:
    try:
        names = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Cohort {file} cannot be read: {error}. Give a file with one tenant a line.") from None
    chosen = frozenset(map(str.strip, names)) - {""}
    if strange := sorted(chosen - known):
        raise UsageError(
            f"Cohort {file}: {count(len(strange), 'tenant')} cannot be compared, such as {', '.join(strange[:3])}: not "
            "seen on 4 days of the week before, or served by an earlier stage. Take them out."
        )
    return chosen
