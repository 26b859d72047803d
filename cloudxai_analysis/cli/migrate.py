"""The commands of a migration from one version of a platform's metrics to the next: `cloudxai migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.audit import as_sarif, exit_code, lines_by_code, sums
from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import of_environment, settled_environment
from cloudxai_analysis.words.phrases import count, moment, plain

if TYPE_CHECKING:
    from cloudxai_analysis.decide.rewriting import Plan
    from cloudxai_analysis.platform.contract import Contract

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
_MOST = 20  # episodes that are listed
_FAIL_ON = click.Choice(["never", "error", "warning", "info"])


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
@click.option("--fail-on", type=_FAIL_ON, default="error", show_default=True)
@click.option("--most", type=click.IntRange(min=0), default=20, show_default=True, help="Places of one code.")
def check(plan: Plan, was: Contract, now: Contract, paths: tuple[Path, ...], form: str, fail_on: str, most: int) -> int:
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
    return exit_code(findings, fail_on)


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
    return exit_code(left, "error")


@migrate.command()
@click.argument("before", type=click.Path(path_type=Path), metavar="OLD_RULES")
@click.argument("after", type=click.Path(path_type=Path), metavar="NEW_RULES")
@_of_changes
@of_environment
@click.option("--week", default="last", metavar="WEEK", help="The last of the weeks, as 2026-W46 or 'last'.")
@click.option("--weeks", type=click.IntRange(1, 52), default=6, show_default=True, help="How many weeks.")
@click.option("--fail-on", type=click.Choice(["never", "differs", "unknown"]), default="differs", show_default=True)
def prove(
    plan: Plan,
    was: Contract,
    now: Contract,
    before: Path,
    after: Path,
    source: str,
    environment: str,
    week: str,
    weeks: int,
    fail_on: str,
) -> int:
    """Replay OLD_RULES on the old names and NEW_RULES on the new ones over the same past, and compare episodes.

    Each is a file or a folder. Exit code 1 where an alert's episodes are what --fail-on says.
    """
    from cloudxai_analysis.decide.proof import proved
    from cloudxai_analysis.replay.rules import rules_in
    from cloudxai_analysis.study import settle

    asked = settle(week, source=source, environment=environment)
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
    worst = {"never": (), "differs": ("differs",), "unknown": ("differs", "unknown")}[fail_on]
    return int(found.rules["status"].isin(worst).any())
