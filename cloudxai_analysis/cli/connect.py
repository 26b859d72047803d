"""The command that looks at a server before anything is pulled from it: `cloudxai connect`."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import replace_whole
from cloudxai_analysis.words.phrases import count, plain, span

if TYPE_CHECKING:
    from cloudxai_analysis.platform.settings import Environment
    from cloudxai_analysis.sources.contact import Contact
    from cloudxai_analysis.sources.rules import AlertingRule
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
    from cloudxai_analysis.study import settle

    asked = settle("current", source=url, environment=environment)
    # The clock stands at a whole minute, and a server may be younger than that.
    found = _look(asked, asked.now + timedelta(minutes=1))
    if found is None:
        raise UsageError("The demo needs no connection. Give the URL of a server, like http://host:9090.")
    settled = asked.environment
    differing = _told_apart(found, settled)
    lines = [*_three_lines(found, settled), *_notes(found, settled.contract.tenant_label, differing)]
    lines += _rule_lines(found.rules, rules, settled) if rules else []
    for line in lines:
        click.echo(plain(line))
    text = _toml(settled.name, _proposed(found, settled, differing))
    click.echo(f"\n{text}")
    if write:
        _write(text, settled.name, yes=yes)
    return 0


def first_look(asked: Asked) -> Iterator[str]:
    """Three lines on a server from which nothing was pulled yet; none on any other source.

    Raises NoData where it has nothing of the contract, and whatever the server raises.
    """
    from cloudxai_analysis.lake.tables import open_lake

    if not open_lake(asked.environment.lake).exists:
        found = _look(asked, min(asked.window.end, asked.now))
        yield from _three_lines(found, asked.environment) if found else ()


def _look(asked: Asked, end: datetime) -> Contact | None:
    from cloudxai_analysis.ground.window import Window
    from cloudxai_analysis.sources.contact import look
    from cloudxai_analysis.sources.open import open_source
    from cloudxai_analysis.sources.server import ServerSource

    settled = asked.environment
    source = open_source(settled.source, limits=settled.limits, settings=settled.settings)
    window = Window(end - _needed(settled), end)
    matchers = settled.settings.matchers
    return look(source, settled.contract, window, matchers=matchers) if isinstance(source, ServerSource) else None


def _needed(environment: Environment) -> timedelta:
    """How far back a report looks: the week, the weeks before it, and the objective's days."""
    return max(timedelta(weeks=environment.settings.history_weeks + 1), timedelta(days=SLO_DAYS))


def _three_lines(found: Contact, environment: Environment) -> Iterator[str]:
    from cloudxai_analysis.checks.finding import ROWS
    from cloudxai_analysis.sources.contact import ANYBODYS
    from cloudxai_analysis.sources.rules import rule_rows

    contract, needed = environment.contract, _needed(environment)
    facts = ["no sample in the last hour"]
    if found.oldest and found.newest:
        held = found.newest - found.oldest
        short = f" of the {needed.days} days that a report compares" if held < needed - timedelta(hours=2) else ""
        facts = [f"telemetry since {found.oldest:%Y-%m-%d %H:%M} UTC, {span(held.total_seconds())}{short}"]
    facts += [f"kept for {found.retention}"] if found.retention else []
    facts += [count(found.targets, "target")]
    facts += [f"scraped every {' and '.join(f'{step:g} s' for step in found.steps)}"] if found.steps else []
    yield f"{found.name} is {found.kind}: {', '.join(facts)}."
    names, missing = {name for own in found.jobs.values() for name in own}, []
    for role, metric in contract.metrics.items():
        checks = [key for key, row in ROWS.items() if role in row.roles]
        if checks and metric.scope == "target" and role not in ANYBODYS and not names & set(metric.series_names):
            missing.append(f"{metric.name} ({', '.join(checks)})")
    has = "; ".join(f"job '{job}' exports {len(own)} series names of it" for job, own in found.jobs.items())
    none = f", and none is of job {', '.join(contract.jobs)}: they count"
    other = "" if set(found.jobs) & set(contract.jobs) else none
    rests = ", ".join(missing) or "nothing"
    yield f"Of the {contract.platform} contract {has}{other}. Missing (and what rests on it): {rests}."
    if found.rules is None:
        yield "Alerting rules: the server does not tell them; the contract's descriptions are used."
        return
    differences = "; ".join(contract.differences(rule_rows(found.rules) or []))
    said = f"; otherwise than the contract: {differences}" if differences else ", as the contract says"
    yield f"Alerting rules: {len(found.rules)} loaded{said}."


def _told_apart(found: Contact, environment: Environment) -> list[str]:
    """The labels outside of the contract by which series differ at the same time, as the report will find them."""
    import numpy as np
    import pandas as pd

    from cloudxai_analysis.measures.labels import alike, unexpected_labels
    from cloudxai_analysis.sources.series import canonical_labels

    contract = environment.contract
    named = (label for metric in contract.metrics.values() for label in metric.labels + metric.optional_labels)
    known = {"le", contract.tenant_label, *contract.process_labels, *named}
    differing: set[str] = set()
    for batch in found.scrapes:
        series = pd.DataFrame({"labels": [canonical_labels(labels) for labels in batch.labels]}, dtype="str")
        series = series.reset_index(names="series_id")
        each = np.repeat(series.index, np.diff(batch.offsets))
        samples = pd.DataFrame({"series_id": each, "time": pd.to_datetime(batch.times, unit="ms", utc=True)})
        hours = pd.DataFrame({"hour": samples["time"].dt.floor("h").unique()})
        crowd = alike(series, known=known).merge(hours, how="cross")
        differing |= set(unexpected_labels(crowd, samples, metric=batch.metric, known=known)["label"])
    return sorted(differing)


def _notes(found: Contact, tenant_label: str, differing: list[str]) -> Iterator[str]:
    for label in differing:
        yield (
            f"Series of one target differ at the same time in the label '{label}': two replicas of one Prometheus need "
            f"`replica_labels`, several processes behind one address need an address each."
        )
    if tenant_label not in found.labels:
        yield f"No series of the contract has the label '{tenant_label}': name the right one in `tenant_label`."
    for label in found.labels:
        if label.startswith("exported_"):
            yield (
                f"Label '{label}': the scraper's own '{label.removeprefix('exported_')}' took the place of the "
                f"platform's. Set `honor_labels` at the scrape, or `tenant_label` if it holds the tenant."
            )


def _rule_lines(loaded: list[AlertingRule] | None, files: tuple[Path, ...], settled: Environment) -> list[str]:
    """How the loaded rules differ from those of files, as an audit says it."""
    from cloudxai_analysis.cli.audit import loaded_alerts
    from cloudxai_analysis.lint.audit import audit
    from cloudxai_analysis.lint.corpus import read_corpus

    corpus = read_corpus(files, contract=settled.contract, loaded_alerts=loaded_alerts(loaded))
    found = [one for one in audit(corpus, ask_tools=False) if one.code in ("rules/differs-from-server", "files/broken")]
    lines = [f"{one.file}:{one.line}: {one.subject}: {one.message}" for one in found]
    others = {rule.name for rule in loaded or ()} - {rule.name for rule in corpus.rules}
    lines += [f"{name} is loaded, and in none of the files." for name in sorted(others)]
    alerts = sum(rule.kind == "alert" for rule in corpus.rules)
    same = f"The server has loaded the {count(alerts, 'alerting rule')} of the files, as they are."
    return lines or ([] if loaded is None else [same])


def _proposed(found: Contact, environment: Environment, differing: list[str]) -> dict[str, Any]:
    """What the settings should say of this server: what is told apart from the contract, and nothing else."""
    contract, exported = environment.contract, f"exported_{environment.contract.tenant_label}"
    proposed = {
        "source": found.name,
        "jobs": [] if set(found.jobs) & set(contract.jobs) else list(found.jobs),
        "tenant_label": exported if exported in found.labels else "",
        "replica_labels": [label for label in differing if "replica" in label],
    }
    return {key: value for key, value in proposed.items() if value}


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
    click.echo(plain(f"Written to {file}. Next: cloudxai report --environment {name}"))
