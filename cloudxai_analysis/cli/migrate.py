"""The commands of a migration from one version of a platform's metrics to the next: `cloudxai migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.audit import as_sarif, exit_code, lines_by_code, sums
from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import NOW, fail_on, in_week, settled_environment, write_export
from cloudxai_analysis.cli.options import moment as moment_of
from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.words.phrases import count, moment, plain, short

if TYPE_CHECKING:
    import pandas as pd

    from cloudxai_analysis.decide.rewriting import Plan
    from cloudxai_analysis.ground.window import Window
    from cloudxai_analysis.platform.contract import Contract
    from cloudxai_analysis.study import Asked

_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
_MOST, _MOST_CHANGES = 20, 60  # episodes, and changes, that are listed


@click.group()
def migrate() -> None:
    """What a release changes, and what rules, routes, dashboards and notebooks must change with it."""


def _of_changes(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what changes, of a command whose first arguments are the `Plan` and both contracts."""

    @wraps(command)
    def planned(old: str, new: str, changes: Path | None, back: bool, **given: Any) -> Any:
        from cloudxai_analysis.decide.changes import between, read_changes
        from cloudxai_analysis.decide.rewriting import Plan

        was, now = (_contract(old) if old else settled_environment("", "").contract), _contract(new)
        plan = Plan(read_changes(changes) if changes else between(was, now))
        return command(*(plan.back(), now, was) if back else (plan, was, now), **given)

    for option in (
        click.option("--back", is_flag=True, help="The other way: from the new version to the old one."),
        click.option("--changes", type=click.Path(path_type=Path), metavar="FILE", help="A file of changes instead."),
        click.option("--to", "new", default="1.0", show_default=True, metavar="CONTRACT", help="0.9, 1.0 or a file."),
        click.option("--from", "old", default="", metavar="CONTRACT", help="0.9, 1.0 or a file [the settings']."),
    ):
        planned = option(planned)
    return planned


def _contract(named: str) -> Contract:
    from cloudxai_analysis.platform.contract import DEFAULT_CONTRACT, NEXT_CONTRACT, load_contract

    return load_contract({"0.9": DEFAULT_CONTRACT, "1.0": NEXT_CONTRACT}.get(named, Path(named)))


@migrate.command()
@_PATHS
@_of_changes
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@fail_on("error", "warning", "info", default="error")
@click.option("--most", type=click.IntRange(min=0), default=20, show_default=True, help="Places of one code.")
def check(
    plan: Plan, was: Contract, now: Contract, paths: tuple[Path, ...], form: str, failing: tuple[str, ...], most: int
) -> int:
    """Find what rules, routes, dashboards and notebooks in files and folders must change.

    Exit code 1 where a finding is as grave as --fail-on says.
    """
    from cloudxai_analysis.decide.migration import migrated

    files = migrated(paths, plan)
    findings = [one for file in files for one in file.findings]
    if form == "text":
        versions = f"{was.platform_version} → {now.platform_version}"
        about = f"{count(len(files), 'file')}, {count(len(plan.changes), 'change')} of {versions}"
        say([*lines_by_code(findings, most), f"{about}: {sums(findings)}. See docs/migration.md"])
    else:
        changes = [row.model_dump(mode="json", exclude_defaults=True) for row in plan.changes]
        data = {"changes": changes, "findings": [asdict(one) for one in findings], "files": len(files)}
        hand_over(f"{json.dumps(data if form == 'json' else as_sarif(findings), indent=1)}\n")
    return exit_code(findings, failing)


@migrate.command()
@_PATHS
@_of_changes
@click.option("--output", "folder", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new one.")
def write(plan: Plan, was: Contract, now: Contract, paths: tuple[Path, ...], folder: Path) -> int:
    """Write patched copies, bridging rules and an OpenTelemetry schema file to a new folder; the originals stay.

    Comments and layout of the copies are those of the originals. All is written, or nothing. Exit
    code 1 where something is left to be done by hand, as `migrate check` tells it.
    """
    from cloudxai_analysis.decide.migration import migrated
    from cloudxai_analysis.decide.written import write as written

    files = migrated(paths, plan)
    names = written(files, paths, plan, folder, old=was, new=now)
    done = ("migration/renamed", "migration/text")
    left = [one for file in files for one in file.findings if one.code not in done]
    told = f"{count(len(names), 'file')} written to {folder}; left to be done by hand: {sums(left)}."
    say([*(f"{folder / name}" for name in names), *lines_by_code(left, 20), f"{told} See docs/migration.md"])
    return exit_code(left, ["error"])


@migrate.command()
@click.argument("before", type=click.Path(path_type=Path), metavar="OLD_RULES")
@click.argument("after", type=click.Path(path_type=Path), metavar="NEW_RULES")
@_of_changes
@in_week
@click.option("--weeks", type=click.IntRange(1, 52), default=6, show_default=True, help="How many, up to this one.")
@fail_on("differs", "unknown", default="differs")
def prove(
    plan: Plan,
    was: Contract,
    now: Contract,
    asked: Asked,
    before: Path,
    after: Path,
    weeks: int,
    failing: tuple[str, ...],
) -> int:
    """Replay OLD_RULES on the old names and NEW_RULES on the new ones over the same past, and compare episodes.

    Each is a file or a folder. Exit code 1 where an alert's episodes are what --fail-on says.
    """
    from cloudxai_analysis.decide.proof import proved
    from cloudxai_analysis.replay.rules import rules_in

    (old, _), (new, _) = rules_in([before]), rules_in([after])
    found = proved(asked.environment, asked.window, asked.now, plan, old, new, weeks=weeks)
    for row in found.rules.itertuples():
        episodes = f"{count(row.old, 'episode')} before, {row.new:,} after"
        say([f"{row.status:<8} {plain(row.alertname)}: {episodes}{f'; {plain(row.note)}' if row.note else ''}"])
    for row in found.differences.head(_MOST).itertuples():
        whom = " ".join(plain(text) for text in (row.tenant, row.instance) if text)
        say([f"  only {row.only}: {plain(row.alertname)} {whom}, fired {moment(row.fired_at)}"])
    if len(found.differences) > _MOST:
        say([f"  and {len(found.differences) - _MOST:,} more"])
    many = found.rules["status"].value_counts()
    told = ", ".join(f"{many.get(status, 0):,} {status}" for status in ("same", "differs", "unknown"))
    versions = f"{was.platform_version} → {now.platform_version}"
    say([f"{count(len(found.rules), 'alert')} over {count(weeks, 'week')}, {versions}: {told}. See docs/migration.md"])
    return int(found.rules["status"].isin(failing).any())


@migrate.command()
@in_week
@NOW
@click.option("--against", default="", metavar="WEEK", help="The week before the release. [default: the week before]")
@click.option("--at", default="", metavar="TIME", help="When the new build began, as 2026-11-12T14:00Z.")
@click.option("--hours", default=168.0, show_default=True, help="With --at: so long before and after it.")
@click.option("--job", "jobs", multiple=True, metavar="JOB", help="Metrics of this job; may be repeated.")
@click.option("--write", "file", default="", metavar="FILE", help="Write what is known for `migrate check --changes`.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@fail_on("locked", "any", default="locked")
def drift(
    asked: Asked,
    against: str,
    at: str,
    hours: float,
    jobs: tuple[str, ...],
    file: str,
    as_json: bool,
    failing: tuple[str, ...],
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
    bad = ~unknown & (rows["locked"] | ("any" in failing))
    open_ = rows[unknown & rows["locked"]]
    if failing and not bad.any() and len(open_):
        raise SourceAnswerError(
            f"Cannot tell whether {open_['old'].iloc[0]}, which is never to change, means what it did: see above."
        )
    return int(bool(failing) and bad.any())


def _said(side: pd.DataFrame) -> str:
    span = f"{side['time'].min():%Y-%m-%d %H:%M} to {side['time'].max():%Y-%m-%d %H:%M} UTC" if len(side) else "nothing"
    return f"{count(side['metric'].nunique(), 'metric')}, {span}"


def _lines(rows: pd.DataFrame) -> Iterator[str]:
    """What changed, the broken promises first; then what is not known."""
    ranked = rows.assign(rank=(rows["sure"] == "not known") - 2 * rows["locked"]).sort_values("rank", kind="stable")
    if ranked.empty:
        yield "Nothing changed: every metric and label goes on as it was."
    for row in ranked.head(_MOST_CHANGES).itertuples():
        name = " → ".join(short(one) for one in dict.fromkeys((row.old, row.new)) if one)
        fail = "FAIL, this was never to change: " if row.locked and row.sure != "not known" else ""
        yield f"{fail}{row.kind} ({row.sure}): {name}: {row.evidence}."
    if len(ranked) > _MOST_CHANGES:
        yield f"and {len(ranked) - _MOST_CHANGES} more; --json tells all"


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
