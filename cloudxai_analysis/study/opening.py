"""The door for notebooks and the command line: settle the environment, pull what is missing, open the study."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cloudxai_analysis.ground.errors import NoData, UsageError
from cloudxai_analysis.ground.window import Window, named_window
from cloudxai_analysis.lake.pull import Plan, Pulled, estimate, pull, wanted_tiles
from cloudxai_analysis.lake.read import Snapshot
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import Environment, load_settings, resolve_environment
from cloudxai_analysis.sources.catalogue import exporting_jobs, nothing_of
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.sources.series import SeededSource, Source
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.study import Asked, as_text, settle
from cloudxai_analysis.study.study import Study

_CLOCKS_MAY_DIFFER = timedelta(minutes=2)
_TOLD = 50  # times that a cell tells how far a pull has come
Progress = Callable[[int, int, int], None]


def earlier_clock(asked: Asked) -> datetime:
    """What time it is by the earlier of two clocks, ours and the source's; raises whatever the source raises."""
    settled = asked.environment
    return _judged(source_of(settled), asked.now)[0]


def _judged(origin: Source, now: datetime) -> tuple[datetime, timedelta]:
    """The time by which days are over, and how far our clock is ahead of a server's."""
    if not isinstance(origin, ServerSource):
        seeded = origin.extent()
        return (min(now, seeded.end) if seeded else now), timedelta()
    ahead = now - origin.clock()
    # A day is over once it is over here and there: one that still grows would be taken for whole.
    return (now - ahead if ahead > _CLOCKS_MAY_DIFFER else now), ahead


def refresh(asked: Asked, *, executor: str = "threads", progress: Progress | None = None) -> tuple[Pulled, str]:
    """Pull what the lake lacks of the window and of the weeks before; what was pulled, and the source's name.

    `executor` is as in `pull`. Raises whatever the source or the lake raises.
    """
    settled, settings, limits = asked.environment, asked.environment.settings, asked.environment.limits
    origin = source_of(settled)
    now, ahead = _judged(origin, asked.now)
    apart = abs(ahead) > _CLOCKS_MAY_DIFFER
    window = asked.window.reach(settings.history_weeks, now)
    pulled = pull(
        origin,
        open_lake(settled.lake),
        settled.contract,
        window,
        matchers=settings.matchers,
        rule_matchers=settings.rule_matchers,
        replica_labels=settings.replica_labels,
        now=now,
        rewind=timedelta(minutes=settings.rewind_minutes),
        concurrency=limits.concurrency,
        executor=executor,
        progress=progress,
        lock_seconds=limits.lock_seconds,
        noted={
            "found_jobs": _found_jobs(origin, settled, Window(window.start, min(window.end, now))),
            # A clock that was set is not one that is wrong.
            "clock_ahead_seconds": round(ahead.total_seconds()) if apart and not asked.set_clock else 0,
        },
    )
    ledger_of(settled, origin)
    return pulled, origin.name


def ledger_of(settled: Environment, origin: Source) -> Ledger:
    """The ledger of an environment; that of a source which makes entries up is written where there is none."""
    ledger = Ledger.of(settled)
    if isinstance(origin, SeededSource):
        ledger.seed(origin.ledger_entries())
    return ledger


def _found_jobs(origin: Source, settled: Environment, window: Window) -> list[str]:
    """The jobs that export the contract's metrics, where none of those that are meant does; else none."""
    if not isinstance(origin, ServerSource):
        return []
    lake, contract, jobs = open_lake(settled.lake), settled.contract, settled.settings.jobs
    exporting = exporting_jobs(origin, contract, window, settled.settings.matchers)
    if not exporting and not lake.exists:
        raise nothing_of(origin, contract, window)
    if not exporting:
        return lake.snapshot().provenance.get("found_jobs") or []
    if exporting.keys() & set(contract.jobs):
        return []
    if jobs and not lake.exists:
        raise UsageError(
            f"Environment '{settled.name}' has jobs {', '.join(jobs)}, and the contract's metrics "
            f"come from {', '.join(exporting)}. Correct `jobs`; `cloudxai connect` shows what the server has."
        )
    return [] if jobs else list(exporting)


def preview(asked: Asked) -> Plan:
    """What `refresh` would bring, as the source counts it; raises as it does."""
    settled, settings = asked.environment, asked.environment.settings
    window, rewind = asked.window.reach(settings.history_weeks, asked.now), timedelta(minutes=settings.rewind_minutes)
    return estimate(
        source_of(settled),
        open_lake(settled.lake),
        settled.contract,
        wanted_tiles(settled.contract, window, asked.now, rewind),
        {"target": settings.matchers, "rules": settings.rule_matchers},
    )


def open_study(
    week: str = "last",
    *,
    source: str = "",
    environment: str = "",
    pull_missing: bool = True,
    lake_version: int = 0,
) -> Study:
    """The study of one window, on one pinned version of the environment's lake.

    `pull_missing` first asks the source for what the lake lacks; `lake_version` 0 means the newest,
    another re-opens the version that an older summary names, and asks no source. Raises a
    UsageError where a word or a setting is wrong, NoData where the lake holds no sample of the
    window, and whatever the source or the lake raises.
    """
    for name, value in (("week", week), ("source", source), ("environment", environment)):
        as_text(name, value)
    if not isinstance(pull_missing, bool) or not isinstance(lake_version, int):
        raise UsageError("Parameter 'pull_missing' is True or False, and 'lake_version' a whole number.")
    if pull_missing and not lake_version:
        refresh(settle(week, source=source, environment=environment), progress=_told_in_a_cell())
    settled = resolve_environment(load_settings(), source=source or None, name=environment or None)
    snapshot = open_lake(settled.lake).snapshot(lake_version or None)
    # What was seen ends where the pull ended, whatever time it is now: the same version gives the same report.
    now = datetime.fromisoformat(snapshot.provenance["now"])
    return _with_data(study_on(snapshot, settled, named_window(week, now), now=now))


def _told_in_a_cell() -> Progress | None:
    """A pull's progress as one line under a notebook's cell, written over; None where no notebook looks on."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    line: list[Any] = []

    def tell(done: int, total: int, samples: int) -> None:
        if done < total and done * _TOLD // total == (done - 1) * _TOLD // total:
            return
        said = {"text/plain": f"Pulled {done:,} of {total:,} tiles of metric and day: {samples:,} samples."}
        if line:
            line[0].update(said, raw=True)
        else:
            line.append(display(said, raw=True, display_id=True))

    return tell


def study_at(asked: Asked, *, progress: Progress | None = None) -> Study:
    """The study of a window as it is by the clock of `asked`, which may be a set one; raises as `open_study`."""
    refresh(asked, progress=progress)
    snapshot = open_lake(asked.environment.lake).snapshot()
    # A lake that was pulled later than a clock that was set knows more than that clock.
    now = min(asked.now, datetime.fromisoformat(snapshot.provenance["now"]))
    return _with_data(study_on(snapshot, asked.environment, asked.window, now=now))


def _with_data(study: Study) -> Study:
    settled = study.environment
    if not study.telemetry.inventory["samples"].sum():
        raise NoData(
            f"Window {study.window} of environment '{settled.name}' holds no sample of the {settled.contract.platform} "
            f"contract. Choose another week (see `{settled.command('status')}`) or check the matchers."
        )
    return study


def study_on(snapshot: Snapshot, settled: Environment, window: Window, *, now: datetime) -> Study:
    """The study of a window, as it was seen at `now`, on one version of the environment's lake."""
    provenance = {
        "source": snapshot.provenance["source"],
        "lake": {"rollups": snapshot.version, "samples": snapshot.samples_version},
        "warnings": snapshot.warnings(window.reach(settled.settings.history_weeks, window.end)),
    }
    if ahead := snapshot.provenance.get("clock_ahead_seconds"):
        provenance["clock_ahead_seconds"] = ahead
    if jobs := snapshot.provenance.get("found_jobs"):
        provenance["found_jobs"] = jobs
        if not settled.settings.jobs:
            contract = settled.contract.model_copy(update={"jobs": tuple(jobs)})
            settled = settled.model_copy(update={"contract": contract})
    return Study(settled, window, snapshot, ledger=Ledger.of(settled), now=now, provenance=provenance)
