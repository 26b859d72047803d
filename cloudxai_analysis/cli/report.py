"""The commands that make reports, and what they stand on: pull, report, run, params, status, evaluate, explain."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.connect import first_look
from cloudxai_analysis.cli.options import WEEK, in_environment, in_week, of_environment, say
from cloudxai_analysis.ground.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.ground.files import make_folder, written
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.cli.terminal import Steps
    from cloudxai_analysis.lake.pull import Plan
    from cloudxai_analysis.platform.settings import Environment
    from cloudxai_analysis.report.run import Kernel
    from cloudxai_analysis.study import Asked

# Everything that takes seconds to import is imported inside a command, so that help and mistakes answer at once.

_NOTEBOOK = "weekly_report"


@click.command()
@in_week
@click.option("--fail-on", type=click.Choice(["never", "fail", "warn"]), default="never", show_default=True)
def report(asked: Asked, fail_on: str) -> int:
    """Pull what is missing, run the weekly notebook, and publish the report."""
    from cloudxai_analysis.report.run import kernel_under_way

    with kernel_under_way() as kernel:
        from cloudxai_analysis.cli.terminal import show_progress
        from cloudxai_analysis.report.publish import mark_stale

        say(first_look(asked), err=True)
        target = asked.environment.reports / asked.window.name
        try:
            with show_progress() as steps:
                summary = _published(asked, target, steps, kernel)
        except CloudxaiError as error:
            # A disk that takes no note must not take the place of what went wrong.
            with suppress(OSError):
                mark_stale(target, str(error))
            raise
    grave = sorted(summary["checks"], key=lambda check: ("fail", "warn", "unknown", "pass").index(check["status"]))
    worst = {check["section"]: check for check in reversed(grave)}
    sections = dict.fromkeys(check["section"] for check in summary["checks"])
    lines = (f"  {name:<12} {worst[name]['status']:>7}  {worst[name]['finding']}" for name in sections)
    say([summary["headline"], *lines, f"Report: {target / _NOTEBOOK}.html"])
    failing = {"never": (), "fail": ("fail",), "warn": ("fail", "warn")}[fail_on]
    return 1 if summary["status"] in failing else 0


def _published(asked: Asked, target: Path, steps: Steps, kernel: Kernel) -> dict[str, Any]:
    """Pull, run the notebook, and publish its page; gives its summary. The last good report stays until then."""
    from cloudxai_analysis.platform.settings import find_notebook, load_settings
    from cloudxai_analysis.report.page import render
    from cloudxai_analysis.report.publish import building, publish
    from cloudxai_analysis.report.run import execute, keep_failed, prove_summary
    from cloudxai_analysis.study.opening import refresh

    notebook, seconds = find_notebook(load_settings(), _NOTEBOOK), asked.environment.limits.notebook_seconds
    run, (_, source) = uuid.uuid4().hex, refresh(asked, progress=steps.pull)
    with written(f"Report {target}"), building(target) as folder:
        executed = folder / f"{_NOTEBOOK}.ipynb"
        parameters: dict[str, Any] = {
            "week": asked.window.name,
            "source": source,
            "environment": asked.environment.name,
        }
        parameters |= {"pull_missing": False, "output": str(folder), "run": run}
        try:
            execute(notebook, parameters, executed, seconds=seconds, progress=steps.section, kernel=kernel)
        except NotebookFailed as error:
            kept = keep_failed(executed, target.with_name(f"{target.name}.failed.ipynb"))
            raise NotebookFailed(str(error).replace(str(executed), str(kept))) from None
        summary = prove_summary(folder, run)
        page = render(json.loads(executed.read_text(encoding="utf-8")))
        (folder / f"{_NOTEBOOK}.html").write_text(page, encoding="utf-8")
        publish(folder, target)
    return summary


@click.command()
@in_week
@click.option("--dry-run", is_flag=True, help="Say what it would bring and take, and pull nothing.")
def pull(asked: Asked, dry_run: bool) -> int:
    """Pull what the lake lacks of a window and the weeks before it."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.study.opening import preview, refresh

    name = asked.environment.name
    say(first_look(asked), err=True)
    if dry_run:
        say([f"{name}: {plan_line(preview(asked))}"])
        return 0
    with show_progress() as steps:
        pulled, _ = refresh(asked, progress=steps.pull)
    resumed = f" ({pulled.tiles_resumed} from an interrupted pull)" if pulled.tiles_resumed else ""
    done = f"{pulled.samples_pulled:,} samples in {pulled.tiles_pulled} of {pulled.tiles} tiles{resumed}"
    say([f"{name}: {done}, {pulled.seconds:.1f} s; the lake is at version {pulled.version}."])
    say((f"warning: {warning}" for warning in pulled.warnings), err=True)
    return 0


def plan_line(plan: Plan) -> str:
    """What a pull would bring and take, in one line."""
    from rich.filesize import decimal

    if not plan.missing:
        return f"the lake has all {plan.tiles} tiles; nothing would be pulled."
    return (
        f"{plan.missing} of {plan.tiles} tiles would be pulled: {plan.series:,} series, {plan.samples:,} samples as "
        f"the source counts them, at most {decimal(plan.disk_bytes)} on a disk that has {decimal(plan.free_bytes)} "
        "free. Nothing was pulled."
    )


@click.command()
@in_environment
def status(settled: Environment) -> int:
    """Say what the lake holds and which reports are published; no source is asked."""
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.ledger import Ledger
    from cloudxai_analysis.platform.settings import settings_file

    said = f"empty; `{settled.command('pull')}` fills it"
    lake = open_lake(settled.lake)
    if lake.exists:
        snapshot = lake.snapshot()
        tiles = snapshot.tiles()
        said = (
            f"version {snapshot.version}, {tiles['samples'].sum():,} samples of {tiles['metric'].nunique()} metrics, "
            f"{tiles['date'].min()} to {tiles['date'].max()}, from {snapshot.provenance['source']['source']}"
        )
    entries = count(Ledger(settled.ledger).verify().entries, "entry", "entries")
    file = settings_file()
    used = file if file.is_file() else f"none at {file}; defaults"
    say(
        [f"Environment {settled.name}, in {settled.folder}", f"Settings: {used}", f"Lake: {said}", f"Ledger: {entries}"]
    )
    say(_report_lines(settled))
    return 0


def _report_lines(settled: Environment) -> Iterator[str]:
    from cloudxai_analysis.report.publish import stale_file

    found = sorted(settled.reports.glob("[!.]*/summary.json"))
    if not found:
        yield f"Reports: none; `{settled.command('report')}` makes one"
    for file in found:
        week, stale = file.parent.name, stale_file(file.parent)
        try:
            yield f"Report {json.loads(file.read_text(encoding='utf-8'))['headline']}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            anew = settled.command("report", "--week", week)
            yield f"Report {week}: its summary.json cannot be read; `{anew}` makes it anew"
        if stale.is_file():
            yield f"  stale: {(stale.read_text(encoding='utf-8', errors='replace').splitlines() or [''])[0]}"


@click.command()
@click.argument("notebook")
def params(notebook: str) -> int:
    """Show the typed parameters of NOTEBOOK, a name like weekly_report or a path."""
    from cloudxai_analysis.platform.settings import find_notebook, load_settings
    from cloudxai_analysis.report.parameters import parameter_lines

    say(parameter_lines(find_notebook(load_settings(), notebook)))
    return 0


@click.command()
@click.argument("notebook")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
@click.option("--output", default="", metavar="FILE", help="Where it is kept; default: outputs/runs/NOTEBOOK.ipynb.")
def run(notebook: str, parameters: tuple[tuple[str, str], ...], output: str) -> int:
    """Run NOTEBOOK with checked parameters, and keep it executed."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.platform.settings import find_notebook, load_settings
    from cloudxai_analysis.report.run import execute

    settings = load_settings()
    found = find_notebook(settings, notebook)
    target = Path(output) if output else settings.outputs / "runs" / found.name
    make_folder(target.parent)
    with show_progress() as steps:
        execute(found, dict(parameters), target, seconds=settings.limits.notebook_seconds, progress=steps.section)
    say([f"Executed: {target}"])
    return 0


@click.command()
@in_week
@click.option("--weeks", type=click.IntRange(1), default=3, show_default=True, help="So many, ending with WEEK.")
@click.option("--copies", type=click.IntRange(1), default=2, show_default=True, help="Of each week, for each size.")
def evaluate(asked: Asked, weeks: int, copies: int) -> int:
    """Plant known events into copies of your own last weeks, and say which would have been found.

    Only the copies, in memory, are changed. The result is kept beside the environment's reports,
    and the next report's method section says it.
    """
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.operate.evaluate import lines, own_weeks, pull_weeks, write_result

    with show_progress() as steps:
        pull_weeks(asked, weeks=weeks, progress=steps.pull)
        result = own_weeks(asked, copies=copies, weeks=weeks, progress=steps.seed)
    say(lines(result))
    write_result(result, asked.environment.evaluation)
    say([f"Kept: {asked.environment.evaluation}"])
    return 0


@click.command()
@click.argument("name", default="", metavar="[NAME]")
@of_environment
@WEEK
def explain(name: str, source: str, environment: str, week: str) -> int:
    """Say where NAME of summary.json comes from; without NAME list all numbers.

    NAME is a number, as 'churn', 'tiles.headroom', 'numbers.cost.total'. The lake is read as it is,
    and no source is asked.
    """
    from cloudxai_analysis.cards.explain import KNOWN, explained

    if not name:
        say(KNOWN)
        return 0
    from cloudxai_analysis.study.opening import open_study

    say(explained(open_study(week, source=source, environment=environment, pull_missing=False), name))
    return 0
