"""The command that looks at a server before anything is pulled from it: `cloudxai connect`."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import replace_whole
from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.words.phrases import count, span

if TYPE_CHECKING:
    from cloudxai_analysis.platform.contract import Contract
    from cloudxai_analysis.platform.settings import Environment
    from cloudxai_analysis.sources.rules import AlertingRule
    from cloudxai_analysis.sources.server import ServerSource
    from cloudxai_analysis.study import Asked

SLO_DAYS = 30


@click.command()
@click.argument("url")
@click.option("--environment", default="", metavar="NAME", help="What to call it; default: made from the URL.")
@click.option("--rules", multiple=True, type=click.Path(path_type=Path), metavar="PATH", help="Your files of rules.")
@click.option("--write", is_flag=True, help="Add the environment to cloudxai.toml, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def connect(url: str, environment: str, rules: tuple[Path, ...], write: bool, yes: bool) -> int:
    """Look at the server at URL, say what a report will find there, and what its environment should say."""
    from cloudxai_analysis.sources.catalogue import exporting_jobs, labels_of, told_apart_by
    from cloudxai_analysis.study import settle

    asked = settle("current", source=url, environment=environment)
    settled, source = asked.environment, _server(asked)
    if source is None:
        raise UsageError("The demo needs no connection. Give the URL of a server, like http://host:9090.")
    contract, matchers = settled.contract, settled.settings.matchers
    # The clock stands at a whole minute, and a server may be younger than that.
    end = asked.now + timedelta(minutes=1)
    window = Window(end - _needed(settled), end)
    lines = [*_three_lines(source, settled, window)]
    labels = labels_of(source, contract, window, matchers)
    lines += [
        f"Label '{label}': the scraper's own '{label.removeprefix('exported_')}' took the place of the platform's. "
        "Set `honor_labels` at the scrape, or `tenant_label` if it holds the tenant."
        for label in labels
        if label.startswith("exported_")
    ]
    differing = told_apart_by(source, contract, end, matchers)
    lines += [
        f"Series of one target differ at the same time in the label '{label}': two replicas of one Prometheus need "
        "`replica_labels`, several processes behind one address need an address each."
        for label in differing
    ]
    if contract.tenant_label not in labels:
        lines.append(f"No series has the label '{contract.tenant_label}': name the right one in `tenant_label`.")
    lines += _rule_lines(source.rules(), rules, settled) if rules else []
    say(lines)
    jobs, exported = exporting_jobs(source, contract, window, matchers), f"exported_{contract.tenant_label}"
    proposed: dict[str, Any] = {"source": source.name}
    proposed |= {} if jobs.keys() & set(contract.jobs) else {"jobs": list(jobs)}
    proposed |= {"tenant_label": exported} if exported in labels else {}
    replicas = [label for label in differing if "replica" in label]
    proposed |= {"replica_labels": replicas} if replicas else {}
    text = _toml(settled.name, proposed)
    hand_over(f"\n{text}\n")
    if write:
        _write(text, settled.name, yes=yes)
    return 0


def first_look(asked: Asked) -> Iterator[str]:
    """Three lines on a server from which nothing was pulled yet; none on any other source.

    Raises NoData where it has nothing of the contract, and whatever the server raises.
    """
    from cloudxai_analysis.lake.tables import open_lake

    settled, end = asked.environment, min(asked.window.end, asked.now)
    source = None if open_lake(settled.lake).exists else _server(asked)
    yield from _three_lines(source, settled, Window(end - _needed(settled), end)) if source else ()


def _server(asked: Asked) -> ServerSource | None:
    from cloudxai_analysis.sources.open import source_of
    from cloudxai_analysis.sources.server import ServerSource

    settled = asked.environment
    source = source_of(settled)
    return source if isinstance(source, ServerSource) else None


def _needed(environment: Environment) -> timedelta:
    """How far back a report looks: the week, the weeks before it, and the objective's days."""
    return max(timedelta(weeks=environment.settings.history_weeks + 1), timedelta(days=SLO_DAYS))


def _three_lines(source: ServerSource, environment: Environment, window: Window) -> Iterator[str]:
    """What it is and since when, what of the contract it has, which rules; raises NoData where it has nothing."""
    from cloudxai_analysis.sources.catalogue import exporting_jobs, kind_of, nothing_of
    from cloudxai_analysis.sources.rules import rule_rows

    contract, matchers = environment.contract, environment.settings.matchers
    jobs = exporting_jobs(source, contract, window, matchers)
    if not jobs:
        raise nothing_of(source, contract, window)
    yield f"{source.name} is {kind_of(source)}: {', '.join(_seen(source, environment, window, jobs))}."
    has = "; ".join(f"job '{job}' exports {len(own)} series names of it" for job, own in jobs.items())
    none = f", and none is of job {', '.join(contract.jobs)}: they count"
    other = "" if jobs.keys() & set(contract.jobs) else none
    missing = ", ".join(_missing({name for own in jobs.values() for name in own}, contract)) or "nothing"
    yield f"Of the {contract.platform} contract {has}{other}. Missing (and what rests on it): {missing}."
    rules = source.rules()
    if rules is None:
        yield "Alerting rules: the server does not tell them; the contract's descriptions are used."
        return
    differences = "; ".join(contract.differences(rule_rows(rules) or []))
    said = f"; otherwise than the contract: {differences}" if differences else ", as the contract says"
    yield f"Alerting rules: {len(rules)} loaded{said}."


def _seen(source: ServerSource, environment: Environment, window: Window, jobs: dict[str, list[str]]) -> Iterator[str]:
    """Since when and how often the jobs' targets were scraped, by the samples of the last hour and by one question."""
    import numpy as np

    from cloudxai_analysis.sources.catalogue import oldest, status
    from cloudxai_analysis.sources.promql import selector

    contract, targets, steps, edges = environment.contract, set(), set(), []
    for job, names in jobs.items():
        own = {**environment.settings.matchers, "job": job}
        hour = Window(window.end - HOUR, window.end)
        # Where samples are pushed there is no `up`.
        batches = (source.read(name, own, hour) for name in (contract["up"].name, names[0]))
        batch = next((one for one in batches if one.samples), None)
        if batch is None:
            continue
        targets |= {tuple(map(labels.get, contract.process_labels)) for labels in batch.labels}
        for times in np.split(batch.times / 1000, batch.offsets[1:-1]):
            steps |= {round(float(np.median(np.diff(times))), 1)} if len(times) > 1 else set()
        first = oldest(source, selector(batch.metric, own), window)
        edges += [batch.times.min() / 1000, batch.times.max() / 1000, first.timestamp() if first else np.inf]
    if not edges:
        yield "no sample in the last hour"
        return
    begin, held, needed = min(edges), max(filter(np.isfinite, edges)) - min(edges), _needed(environment)
    short = f" of the {needed.days} days that a report compares" if held < (needed - 2 * HOUR).total_seconds() else ""
    yield f"telemetry since {datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M} UTC, {span(held)}{short}"
    if retention := status(source, "runtimeinfo").get("storageRetention"):
        yield f"kept for {retention}"
    yield count(len(targets), "target")
    if steps:
        yield f"scraped every {' and '.join(f'{step:g} s' for step in sorted(steps))}"


def _missing(exported: set[str], contract: Contract) -> Iterator[str]:
    """The contract's metrics that no job exports, each with the keys of the checks that rest on it."""
    from cloudxai_analysis.checks.finding import ROWS
    from cloudxai_analysis.sources.catalogue import ANYBODYS

    for role, metric in contract.metrics.items():
        checks = [key for key, row in ROWS.items() if role in row.roles]
        if checks and metric.scope == "target" and role not in ANYBODYS and not exported & set(metric.series_names):
            yield f"{metric.name} ({', '.join(checks)})"


def _rule_lines(loaded: list[AlertingRule] | None, files: tuple[Path, ...], settled: Environment) -> list[str]:
    """How the loaded rules differ from those of files, as an audit says it."""
    from cloudxai_analysis.lint.audit import audit
    from cloudxai_analysis.lint.corpus import read_corpus

    corpus = read_corpus(files, contract=settled.contract, loaded_alerts=loaded)
    found = [one for one in audit(corpus, ask_tools=False) if one.code in ("rules/differs-from-server", "files/broken")]
    lines = [f"{one.file}:{one.line}: {one.subject}: {one.message}" for one in found]
    others = {rule.name for rule in loaded or ()} - {rule.name for rule in corpus.rules}
    lines += [f"{name} is loaded, and in none of the files." for name in sorted(others)]
    return lines or ([] if loaded is None else ["The server has loaded the alerting rules of the files, as they are."])


def _toml(name: str, values: dict[str, Any]) -> str:
    """A table of settings as TOML, whose strings are escaped as PromQL's are."""
    from cloudxai_analysis.sources.promql import quoted

    lines = [f"[environments.{quoted(name)}]"]
    for key, value in values.items():
        text = quoted(value) if isinstance(value, str) else f"[{', '.join(map(quoted, value))}]"
        lines.append(f"{key} = {text}")
    return "\n".join(lines)


def _write(text: str, name: str, *, yes: bool) -> None:
    """Add the environment to the settings' file, which stays as it is where it could not be read again with it.

    Raises UsageError then, and where nobody is there to be asked.
    """
    from cloudxai_analysis.platform.settings import settings_file

    file = settings_file().resolve()
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        after = f"{before.rstrip()}\n\n{text}\n".lstrip()
        tomllib.loads(after)  # an environment of this name would be there twice, which TOML refuses
        if not yes and not sys.stdin.isatty():
            raise UsageError("Nobody is there to be asked before cloudxai.toml is written. Give --yes.")
        if not yes:
            click.confirm(f"Add it to {file}?", abort=True)
        replace_whole(file, after)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file} was left as it is, for it cannot be extended: {error}. Give another --environment, or add the "
            "lines above yourself."
        ) from None
    say([f"Written to {file}. Next: cloudxai report --environment {name}"])
