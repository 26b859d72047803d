"""The commands that make reports, and what they stand on: pull, report, status, explain."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.connect import first_look
from cloudxai_analysis.cli.door import say
from cloudxai_analysis.cli.options import (
    EXECUTOR,
    FROM,
    NOW,
    WEEK,
    fail_on,
    in_environment,
    in_week,
    of_environment,
    one_at_a_time,
)
from cloudxai_analysis.ground.errors import CloudxaiError, NotebookFailed
from cloudxai_analysis.ground.files import written
from cloudxai_analysis.ground.secrets import hidden
from cloudxai_analysis.words.phrases import count

if TYPE_CHECKING:
    from cloudxai_analysis.cli.terminal import Steps
    from cloudxai_analysis.ground.window import Window
    from cloudxai_analysis.lake.pull import Plan
    from cloudxai_analysis.platform.settings import Environment
    from cloudxai_analysis.report.again import Made
    from cloudxai_analysis.report.run import Kernel
    from cloudxai_analysis.study import Asked

_NOTEBOOK = "weekly_report"


@click.command()
@in_week
@NOW
@FROM
@fail_on("fail", "warn")
@EXECUTOR
@click.option("--edition", type=click.Choice(["page", "analyst"]), default="page", help="'analyst' adds a file to it.")
@one_at_a_time
def report(asked: Asked, made: Made | None, failing: tuple[str, ...], executor: str, edition: str) -> int:
    """Pull what is missing, run the weekly notebook, and publish the report.

    The page is for those who decide. With `--edition analyst` a second file, analysts_edition.html,
    stands beside it: every card with its code, back-tests, method, glossary, bounds and provenance.

    With `--from .../summary.json` nothing is pulled or published: the report of that file is made
    again, from the same version of the lake and the same entries of the ledger, into
    outputs/ENVIRONMENT/again/WEEK, and held against it to the byte.
    """
    analyst = edition == "analyst"
    folder, summary = _again(asked, made) if made else _anew(asked, executor=executor, analyst=analyst)
    grave = sorted(summary["checks"], key=lambda check: ("fail", "warn", "unknown", "pass").index(check["status"]))
    worst = {check["section"]: check for check in reversed(grave)}
    sections = dict.fromkeys(check["section"] for check in summary["checks"])
    lines = (f"  {name:<12} {worst[name]['status']:>7}  {worst[name]['finding']}" for name in sections)
    say([f"{summary['window']['name']}: {summary['headline']}", *lines, f"Report: {folder / _NOTEBOOK}.html"])
    return int(summary["status"] in failing)


def _anew(asked: Asked, *, executor: str, analyst: bool) -> tuple[Path, dict[str, Any]]:
    """Pull, and publish the report; where it lies, and its summary. The last good report stays until then.

    Raises LakeDamaged where the ledger lacks entries that an earlier report was made from.
    """
    from cloudxai_analysis.report.run import kernel_under_way

    target = asked.environment.reports / asked.window.name
    # The kernel starts while samples are pulled; of a published report first is seen whether it is needed.
    with nullcontext() if target.exists() else kernel_under_way() as kernel:
        from cloudxai_analysis.report.publish import mark_stale
        from cloudxai_analysis.report.weeks import index_reports

        say(first_look(asked), err=True)
        try:
            summary = _pulled(asked, target, kernel, executor=executor, analyst=analyst)
        except Exception as error:
            expected = isinstance(error, CloudxaiError)
            # A disk that takes no note must not take the place of what went wrong.
            with suppress(OSError):
                mark_stale(target, str(error) if expected else hidden(f"unexpected {type(error).__name__}: {error}"))
            raise
    index_reports(target.parent, target.name)
    return target, summary


def _pulled(asked: Asked, target: Path, kernel: Kernel | None, *, executor: str, analyst: bool) -> dict[str, Any]:
    """Pull, and publish what is made of it, unless that would be what is published; gives its summary."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.ledger.ledger import Ledger, published_heads
    from cloudxai_analysis.platform.settings import load_settings
    from cloudxai_analysis.report.again import made_of, standing, tiles_of
    from cloudxai_analysis.report.parameters import find_notebook
    from cloudxai_analysis.report.publish import stale_file
    from cloudxai_analysis.study.opening import refresh

    settled = asked.environment
    with show_progress() as steps:
        # Told before minutes of pulling.
        notebook = find_notebook(load_settings(), _NOTEBOOK)
        pulled, source = refresh(asked, executor=executor, progress=steps.pull)
        head = Ledger.of(settled).verify(published_heads(settled.reports)[0])
        pinned: dict[str, Any] = {"source": source, "lake_version": pulled.version}
        of = made_of(settled, asked.window, notebook) | {"tiles": tiles_of(settled, pulled.version)}
        if (stands := standing(settled, target, pinned, head, of, analyst=analyst)) is None:
            return _published(notebook, settled, asked.window, target, steps, kernel, of, analyst=analyst, **pinned)
    stale_file(target).unlink(missing_ok=True)
    say(["Nothing that it is made of has changed: the published report stands."])
    return stands


def _again(asked: Asked, made: Made) -> tuple[Path, dict[str, Any]]:
    """Make a published report again, beside it; where it lies, and its summary. Raises as `staged` and `hold`."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.platform.settings import load_settings
    from cloudxai_analysis.report.again import hold, made_of, staged, tiles_of
    from cloudxai_analysis.report.page import ANALYST_FILE
    from cloudxai_analysis.report.parameters import find_notebook
    from cloudxai_analysis.report.run import kernel_under_way

    target = asked.environment.folder / "again" / asked.window.name
    analyst = made.file.with_name(ANALYST_FILE).is_file()
    pinned: dict[str, Any] = {"source": made.source, "lake_version": made.lake_version}
    with TemporaryDirectory(prefix="cloudxai-") as scratch, show_progress() as steps:
        notebook = find_notebook(load_settings(), _NOTEBOOK)
        there = staged(made, asked.environment, notebook, Path(scratch))
        with kernel_under_way(outputs=Path(scratch)) as kernel:
            of = made_of(there, asked.window, notebook) | {"tiles": tiles_of(there, made.lake_version)}
            summary = _published(notebook, there, asked.window, target, steps, kernel, of, analyst=analyst, **pinned)
    say([f"The same, to the byte: {', '.join(hold(made, target))}."])
    return target, summary


def _published(
    notebook: Path,
    settled: Environment,
    window: Window,
    target: Path,
    steps: Steps,
    kernel: Kernel | None,
    of: dict[str, Any],
    *,
    analyst: bool,
    **pinned: Any,
) -> dict[str, Any]:
    """Run the notebook on a version of the lake, and publish its page with what it was made of; gives its summary."""
    from cloudxai_analysis.report.again import files_of
    from cloudxai_analysis.report.page import ANALYST_FILE, render, render_analyst
    from cloudxai_analysis.report.publish import building, publish
    from cloudxai_analysis.report.run import execute, keep_failed, prove_summary

    seconds = settled.limits.notebook_seconds
    run = uuid.uuid4().hex
    with written(f"Report {target}"), building(target) as folder:
        executed = folder / f"{_NOTEBOOK}.ipynb"
        parameters: dict[str, Any] = {"week": window.name, "environment": settled.name, **pinned}
        parameters |= {"pull_missing": False, "output": str(folder), "run": run}
        try:
            execute(notebook, parameters, executed, seconds=seconds, progress=steps.section, kernel=kernel)
        except NotebookFailed as error:
            kept = keep_failed(executed, target.with_name(f"{target.name}.failed.ipynb"))
            raise NotebookFailed(str(error).replace(str(executed), str(kept))) from None
        summary = prove_summary(folder, run)
        content = json.loads(executed.read_text(encoding="utf-8"))
        page = render(content, linked=ANALYST_FILE if analyst else "")
        (folder / f"{_NOTEBOOK}.html").write_text(page, encoding="utf-8")
        if analyst:
            (folder / ANALYST_FILE).write_text(render_analyst(content), encoding="utf-8")
        said = {"run": run, "of": of, "files": files_of(folder)}
        (folder / "run.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        publish(folder, target)
    return summary


@click.command()
@in_week
@click.option("--dry-run", is_flag=True, help="Say what it would bring and take, and pull nothing.")
@EXECUTOR
def pull(asked: Asked, dry_run: bool, executor: str) -> int:
    """Pull what the lake lacks of a window and the weeks before it."""
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.study.opening import preview, refresh

    name = asked.environment.name
    say(first_look(asked), err=True)
    if dry_run:
        say([f"{name}: {plan_line(preview(asked))}"])
        return 0
    with show_progress() as steps:
        pulled, _ = refresh(asked, executor=executor, progress=steps.pull)
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
    """Say what the lake holds, which reports are published, and how the last runs ended; no source is asked."""
    from cloudxai_analysis.lake.tables import open_lake
    from cloudxai_analysis.ledger.ledger import Ledger, published_heads
    from cloudxai_analysis.operate.runs import run_lines
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
    entries = count(Ledger.of(settled).verify(published_heads(settled.reports)[0]).entries, "entry", "entries")
    file = settings_file()
    used = file if file.is_file() else f"none at {file}; defaults"
    say(
        [f"Environment {settled.name}, in {settled.folder}", f"Settings: {used}", f"Lake: {said}", f"Ledger: {entries}"]
    )
    say(_report_lines(settled))
    say(run_lines(settled.folder))
    return 0


def _report_lines(settled: Environment) -> Iterator[str]:
    from cloudxai_analysis.report.publish import stale_file

    found = sorted(settled.reports.glob("[!.]*/summary.json"))
    if not found:
        yield f"Reports: none; `{settled.command('report')}` makes one"
    for file in found:
        week, stale = file.parent.name, stale_file(file.parent)
        try:
            yield f"Report {week}: {json.loads(file.read_text(encoding='utf-8'))['headline']}"
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            anew = settled.command("report", "--week", week)
            yield f"Report {week}: its summary.json cannot be read; `{anew}` makes it anew"
        if stale.is_file():
            yield f"  stale: {(stale.read_text(encoding='utf-8', errors='replace').splitlines() or [''])[0]}"


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
