"""The command that holds a store against what was scraped: `cloudxai compare`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cloudxai_analysis.cli.door import hand_over, say
from cloudxai_analysis.cli.options import WEEK, fail_on, moment, settled_environment
from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.words.phrases import count, several, short

if TYPE_CHECKING:
    from cloudxai_analysis.operate.compare import Side
    from cloudxai_analysis.platform.settings import Environment

_MOST_SAID = 7


@click.command()
@click.argument("source_a", metavar="SOURCE_A")
@click.argument("source_b", metavar="SOURCE_B")
@WEEK
@click.option("--from", "since", default="", metavar="TIME", help="In place of a week, such as 2026-11-12T06:00Z.")
@click.option("--to", "until", default="", metavar="TIME", help="The end of that; default: now.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--ignore-label", "ignored", multiple=True, metavar="NAME", help="A label that does not count.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@fail_on("wrong", "lost", default="lost")
def compare(
    source_a: str,
    source_b: str,
    week: str,
    since: str,
    until: str,
    metrics: tuple[str, ...],
    ignored: tuple[str, ...],
    as_json: bool,
    failing: tuple[str, ...],
) -> int:
    """Say whether SOURCE_B, a store, holds what SOURCE_A scraped: URLs, or names of environments.

    Exit code 1 where it is as bad as --fail-on says, 4 where it cannot be told.
    """
    from cloudxai_analysis.cli.terminal import show_progress
    from cloudxai_analysis.operate.compare import UNKNOWN
    from cloudxai_analysis.operate.compare import compare as compared
    from cloudxai_analysis.sources.server import ServerSource
    from cloudxai_analysis.study import settle

    (named_a, environment_a), (named_b, environment_b) = (
        (one, "") if "://" in one else ("", one) for one in (source_a, source_b)
    )
    asked = settle("current" if since or until else week, source=named_a, environment=environment_a)
    metrics = tuple(dict.fromkeys(metrics)) or asked.environment.contract.series_names()
    a = _side("A", asked.environment, metrics)
    b = _side("B", settled_environment(named_b, environment_b), metrics)
    # Of a server that scrapes, whose clock made the samples' times.
    now = a.source.clock() if isinstance(a.source, ServerSource) else asked.now
    window = _between(since, until, now) if since or until else asked.window
    with show_progress() as steps:
        found = compared(a, b, window, now, ignored=ignored, progress=steps.metrics)
    if as_json:
        hand_over(json.dumps(found, indent=1) + "\n")
    else:
        say(lines(found))
    if found["verdict"] == UNKNOWN:
        raise SourceAnswerError(f"Cannot tell whether B holds what A has: {found['doubts'][0]}.")
    return int(any(word in found["verdict"] for word in failing))


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What `operate.compare` found, the worst first."""
    since, compared, window = found["since"], found["compared"], found["window"]
    start, end = (datetime.fromisoformat(compared[edge]).timestamp() for edge in ("start", "end"))
    hours = f"{compared['hours']:,} of {count(-(-end // 3600) - start // 3600, 'hour')}"
    rest = f" in {hours}, where A has samples" if found["verdict"] == "same" else ""
    rest = ": no loss in what could be compared" if found["verdict"] == "cannot tell" else rest
    yield f"{found['verdict'].capitalize()}{f', since {_moment(since)} UTC' if since else rest}."
    told = [*_kinds(found), *found["notes"], *(f"not certain: {doubt}" for doubt in found["doubts"])]
    yield from (f"  {line}" for line in told[:_MOST_SAID])
    if len(told) > _MOST_SAID:
        yield f"  and {len(told) - _MOST_SAID} more; --json tells all"
    yield (
        f"Compared: {count(compared['samples'], 'sample')} of {compared['series']:,} series of "
        f"{count(compared['metrics'], 'metric')}, {_moment(compared['start'])} to {_moment(compared['end'])} UTC, in "
        f"{hours}."
    )
    if found["absent"]:
        yield f"In neither: {several(found['absent'], most=5)}."
    for name, one in zip("AB", found["sources"], strict=True):
        earlier = " or earlier" if one["start"][:13] == window["start"][:13] else ""
        adds = f", adds {short(json.dumps(one['adds']))} to all series" if one["adds"] else ""
        edges = f"samples from {_moment(one['start'])}{earlier} to {_moment(one['end'])} UTC"
        yield f"{name}: {one['source']}, {one['way']}{adds}; {edges}."


def _kinds(found: dict[str, Any]) -> Iterator[str]:
    from cloudxai_analysis.operate.differences import KINDS

    for row in found["kinds"]:
        most = next(one for one in found["series"] if one["kind"] == row["kind"])
        parts = f" in {len(row['stretches'])} stretches" if len(row["stretches"]) > 1 else ""
        yield (
            f"{row['kind']}: {count(row['samples'], 'sample')} of {row['series']:,} series "
            f"({several(row['metrics'])}), {KINDS[row['kind']]}; {_moment(row['start'])} to {_moment(row['end'])}"
            f"{parts}, most of {short(most['metric'] + ' ' + json.dumps(most['series'], ensure_ascii=False))}"
        )


def _side(name: str, settled: Environment, metrics: tuple[str, ...]) -> Side:
    from cloudxai_analysis.operate.compare import Side
    from cloudxai_analysis.sources.open import source_of

    source = source_of(settled)
    own = {"target": settled.settings.matchers, "rules": settled.settings.rule_matchers}
    matchers = {metric: own[settled.contract.scope_of(metric)] for metric in metrics}
    return Side(name, source, matchers, source.describe())


def _between(since: str, until: str, now: datetime) -> Window:
    """The window of `--from` and `--to`; raises UsageError."""
    if not since:
        raise UsageError("--to needs a --from, the beginning of what is compared.")
    start, end = moment(since, "--from"), moment(until, "--to") if until else now
    if start >= min(end, now):
        last = f"{min(end, now):%Y-%m-%d %H:%M} UTC"
        raise UsageError(f"--from {since} is not before the end, {last}. Give an earlier one.")
    return Window(start, end)


def _moment(iso: str) -> str:
    return iso[:19].replace("T", " ")
