"""The command that says what a release changed in the metrics: `cloudxai migrate drift`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import NOW, in_week, write_export
from cloudxai_analysis.cli.options import moment as moment_of
from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.words.phrases import count, short

if TYPE_CHECKING:
    import pandas as pd

    from cloudxai_analysis.ground.window import Window
    from cloudxai_analysis.study import Asked

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_MOST_SAID = 60


@click.command()
@in_week
@NOW
@click.option("--against", default="", metavar="WEEK", help="The week before the release. [default: the week before]")
@click.option("--at", default="", metavar="TIME", help="When the new build began, as 2026-11-12T14:00Z.")
@click.option("--hours", default=168.0, show_default=True, help="With --at: so long before and after it.")
@click.option("--job", "jobs", multiple=True, metavar="JOB", help="Metrics of this job; may be repeated.")
@click.option("--write", "file", default="", metavar="FILE", help="Write what is known for `migrate check --changes`.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@click.option("--fail-on", type=click.Choice(["never", "locked", "any"]), default="locked", show_default=True)
def drift(
    asked: Asked, against: str, at: str, hours: float, jobs: tuple[str, ...], file: str, as_json: bool, fail_on: str
) -> int:
    """Say which metrics and labels came, went, or changed name, type, unit or meaning, as telemetry shows it.

    A week is held against the one before, at the moment of the release where a build label or --at
    tells it. Exit code 1 where it is as bad as --fail-on says (locked: the meaning of a metric that
    was promised never to change, as readiness), 4 where of such a metric it cannot be told.
    """
    from cloudxai_analysis.decide.changes import written_changes
    from cloudxai_analysis.decide.drift import UNKNOWN, changes_of
    from cloudxai_analysis.decide.drift import drift as found_between
    from cloudxai_analysis.decide.sides import read_samples, released, split

    settled, contract = asked.environment, asked.environment.contract
    window, times, why = _times(asked, against, at, hours)
    samples, left_out = read_samples(settled, window, jobs or settled.settings.jobs or contract.jobs)
    if not at and times[1] == times[2]:
        why, times = released(samples) or (why, times)
    before, after = split(samples, times)
    locked = {name for metric in contract.metrics.values() if metric.locked for name in metric.series_names}
    rows = found_between(before, after, process_labels=contract.process_labels, locked=locked)
    if file:
        write_export(Path(file), written_changes(changes_of(rows)))
    sides = {"before": _said(before), "after": _said(after), "because": why}
    if as_json:
        hand_over(json.dumps({**sides, "left_out": left_out, "changes": rows.to_dict("records")}, indent=1) + "\n")
    else:
        say([*_lines(rows), *(f"{name}: {told}" for name, told in sides.items()), *left_out])
    unknown = rows["sure"] == UNKNOWN
    bad = {"never": unknown & False, "locked": ~unknown & rows["locked"], "any": ~unknown}[fail_on]
    if fail_on != "never" and not bad.any() and (unknown & rows["locked"]).any():
        name = rows.loc[unknown & rows["locked"], "old"].iloc[0]
        raise SourceAnswerError(f"Cannot tell whether {name}, which is never to change, means what it did: see above.")
    return int(bad.any())


def _said(side: pd.DataFrame) -> str:
    span = f"{side['time'].min():%Y-%m-%d %H:%M} to {side['time'].max():%Y-%m-%d %H:%M} UTC" if len(side) else "nothing"
    return f"{count(side['metric'].nunique(), 'metric')}, {span}"


def _lines(rows: pd.DataFrame) -> Iterator[str]:
    """What changed, the broken promises first; then what is not known."""
    ranked = rows.assign(rank=(rows["sure"] == "not known") - 2 * rows["locked"]).sort_values("rank", kind="stable")
    if ranked.empty:
        yield "Nothing changed: every metric and label goes on as it was."
    for row in ranked.head(_MOST_SAID).itertuples():
        name = " → ".join(short(one) for one in dict.fromkeys((row.old, row.new)) if one)
        fail = "FAIL, this was never to change: " if row.locked and row.sure != "not known" else ""
        yield f"{fail}{row.kind} ({row.sure}): {name}: {row.evidence}."
    if len(ranked) > _MOST_SAID:
        yield f"and {len(ranked) - _MOST_SAID} more; --json tells all"


def _times(asked: Asked, against: str, at: str, hours: float) -> tuple[Window, list[datetime], str]:
    """What is read; since when the old build was there, when it ended, when the new one began; and why so."""
    from cloudxai_analysis.ground.window import Window, named_window, week_of

    if (against and at) or not 0 < hours <= 24 * 366:
        raise UsageError("Give one of --against and --at; --hours lies above 0 and within a year.")
    if at:
        began, width = moment_of(at, "--at"), timedelta(hours=hours)
        window = Window(began - width, min(began + width, max(asked.now, began)))
        return window, [window.start, began, began], f"The release was said to be at {at}."
    start, end = asked.window.start, min(asked.window.end, asked.now)
    earlier = named_window(against, asked.now) if against else week_of(start - timedelta(hours=1))
    if earlier.end > start:
        raise UsageError(f"--against {earlier.name} does not end before {asked.window.name}. Give an earlier week.")
    why = "Two weeks are held against each other: no build label says when a release was."
    return Window(earlier.start, end), [earlier.start, earlier.end, start], why
