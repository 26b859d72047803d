"""What a night asserts that is no PromQL: targets, types and rules, as the server's own API tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.lint.expressions import Unparsed, parse
from cloudxai_analysis.lint.rules import Rule
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.sources.answers import Declined, one_line
from cloudxai_analysis.sources.promql import promql, selector
from cloudxai_analysis.sources.rules import AlertingRule, loaded_rules, rule_rows
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.words.phrases import count

Holds = Literal["yes", "no", "unknown"]
_MOST_SHOWN = 3
_KINDS = {"counter": ("counter",), "gauge": ("gauge",), "histogram": ("histogram", "gaugehistogram")}


@dataclass(frozen=True)
class Seen:
    """Whether what is asserted `holds`, in the server's numbers; `soon` where it may be known after a next scrape.

    `left_out` says why nothing was asserted.
    """

    holds: Holds
    finding: str
    soon: bool = False
    left_out: str = ""


def shown(things: Iterable[str]) -> str:
    """The first of several things, each on one line, and how many more there are."""
    found = list(things)
    more = f" and {len(found) - _MOST_SHOWN:,} more" if len(found) > _MOST_SHOWN else ""
    return "; ".join(one_line(thing, most=160) for thing in found[:_MOST_SHOWN]) + more


def targets_up(source: ServerSource, environment: Environment) -> Seen:
    """Whether every job has a target and each is up, with the scrape's own error; by `up` where none is told of."""

    def read(data: Any) -> Iterator[tuple[str, str, str]]:
        for one in data["activeTargets"]:
            labels, error = one["labels"], one["lastError"] if one["health"] == "down" else ""
            if labels["job"] in jobs and one["health"] != "unknown" and labels.items() >= matchers.items():
                yield str(labels["job"]), str(labels.get("instance", "")), error

    jobs, matchers = environment.contract.jobs, environment.settings.matchers
    try:
        active = {"state": "active"}
        targets = source.session.ask("Asked for its targets", "targets", active, read=lambda data: [*read(data)])
    except Declined:
        targets = []
    # Another server may scrape, and this one only keep.
    told = {job for job, *_ in targets}
    for job in (job for job in jobs if job not in told):
        targets += _by_up(source, environment, job)
    missing = [job for job in jobs if job not in {job for job, *_ in targets}]
    if missing:
        return Seen("no" if targets else "unknown", f"no target of job {shown(missing)} is known", soon=True)
    down = [f"{instance} of job {job}: {error}" for job, instance, error in targets if error]
    if down:
        return Seen("no", f"{len(down):,} of {count(len(targets), 'target')} down: {shown(down)}")
    return Seen("yes", f"{count(len(targets), 'target')} up")


def _by_up(source: ServerSource, environment: Environment, job: str) -> list[tuple[str, str, str]]:
    expression = selector(environment.contract["up"].name, {**environment.settings.matchers, "job": job})
    rows = promql(source, expression, source.clock()).to_dict("records")
    return [(job, str(row.get("instance", "")), "" if row["value"] == 1 else "up is not 1") for row in rows]


def types_as_promised(source: ServerSource, environment: Environment) -> Seen:
    """Whether the server's metadata gives every promised metric the promised type."""
    told = source.session.ask("Asked for its metadata", "metadata", {"limit_per_metric": "5"}, read=_types)
    promised = [one for one in environment.contract.metrics.values() if one.scope == "target" and one.name in told]
    # A server that knows no type of any promised metric was filled by others, and cannot tell.
    if not promised:
        return Seen("unknown", "the server tells no type of any promised metric", soon=True)
    wrong = [
        f"{metric.name} is a {' and a '.join(sorted(told[metric.name]))}, promised as a {metric.kind}"
        for metric in promised
        if not told[metric.name] & {*_KINDS[metric.kind], "unknown", "untyped"}
    ]
    if wrong:
        return Seen("no", shown(wrong))
    return Seen("yes", f"{count(len(promised), 'metric')} as promised")


def _types(data: Any) -> dict[str, set[str]]:
    found = {name: {str(one["type"]) for one in told} for name, told in data.items()}
    # OpenMetrics names a counter's family without the suffix of its series.
    return found | {f"{name}_total": kinds for name, kinds in found.items() if kinds == {"counter"}}


def rules_healthy(source: ServerSource, environment: Environment) -> Seen:
    """Whether each loaded rule's last evaluation went well."""
    del environment
    rules = _loaded(source)
    waiting = [rule for rule in rules if rule.health not in ("ok", "err")]
    ill = [rule for rule in rules if rule.health == "err"]
    if ill:
        why = shown(f"{rule.name} (group {rule.group}): {rule.error or 'no reason given'}" for rule in ill)
        return Seen("no", f"{len(ill):,} of {count(len(rules), 'rule')} failed: {why}")
    if waiting or not rules:
        said = f"{shown(rule.name for rule in waiting)} not evaluated yet" if rules else "the server has no rules"
        return Seen("unknown", said, soon=bool(rules))
    return Seen("yes", f"{count(len(rules), 'rule')} evaluated without an error")


def rules_as_written(source: ServerSource, environment: Environment) -> Seen:
    """Whether the loaded rules are those of the files in the settings, group by group.

    Without such files the reference ones are taken, as far as groups of their names are loaded; and
    else the contract's descriptions of its alerts.
    """
    named, folder = environment.settings.rules, project_folder()
    files = [folder / path for path in named] if named else [folder / "reference" / "rules"]
    loaded = _loaded(source)
    written = _written(files, environment) if named or files[0].is_dir() else []
    if not named:
        groups = {rule.group for rule in loaded}
        written = [rule for rule in written if rule.group in groups]
    if not written:
        differences = environment.contract.differences(rule_rows(loaded) or [])
        if differences:
            return Seen("no", f"otherwise than the contract: {shown(differences)}")
        return Seen("yes", f"{count(len(environment.contract.alerts), 'alert')} as the contract describes them")
    differences = list(_differences(written, loaded))
    if differences:
        return Seen("no", f"otherwise than the files: {shown(differences)}")
    told = (str(file.relative_to(folder) if file.is_relative_to(folder) else file) for file in files)
    return Seen("yes", f"{count(len(written), 'rule')} as in {shown(told)}")


def _loaded(source: ServerSource) -> list[AlertingRule]:
    rules = loaded_rules(source) + loaded_rules(source, kind="record")
    if not rules and source.exports:
        raise Declined(f"Source {source.name} leaves rules to a vmalert that it was not told of.")
    return rules


def _written(files: list[Path], environment: Environment) -> list[Rule]:
    from cloudxai_analysis.lint.corpus import read_corpus

    found = [rule for rule in read_corpus(files, contract=environment.contract).rules if rule.name]
    if not found:
        raise UsageError("No file that `rules` names holds a rule. Correct the paths in the settings.")
    return found


def _differences(written: list[Rule], loaded: list[AlertingRule]) -> Iterator[str]:
    """Each rule of the files that is not loaded as it stands there, and each that their groups have too many."""
    left = list(loaded)
    for rule in written:
        own = [one for one in left if (one.group, one.name) == (rule.group, rule.name)]
        if not own:
            yield f"{rule.name} (group {rule.group}) is not loaded"
            continue
        best = min(own, key=lambda one: len(list(_changes(rule, one))))
        left.remove(best)
        if changes := list(_changes(rule, best)):
            yield f"{rule.name} (group {rule.group}) has another {' and '.join(changes)}"
    groups = {rule.group for rule in written}
    yield from (f"{one.name} (group {one.group}) is in no file" for one in left if one.group in groups)


def _changes(rule: Rule, loaded: AlertingRule) -> Iterator[str]:
    if not _same(rule.expr, loaded.expr):
        yield f"expression, {one_line(loaded.expr, most=80)}"
    if (rule.for_seconds, rule.keep_firing_for_seconds) != (loaded.for_seconds, loaded.keep_firing_for_seconds):
        yield f"duration, {loaded.for_seconds:g} s in place of {rule.for_seconds:g} s"
    if dict(rule.labels) != loaded.labels:
        yield "set of labels"
    if dict(rule.annotations) != loaded.annotations:
        yield "text"


def _same(one: str, other: str) -> bool:
    """Whether two expressions are one, however they are written; what the parser does not know is held as text."""
    try:
        return parse(one) == parse(other)
    except Unparsed:
        return "".join(one.split()) == "".join(other.split())


PROBES: dict[str, Callable[[ServerSource, Environment], Seen]] = {
    probe.__name__: probe for probe in (targets_up, types_as_promised, rules_healthy, rules_as_written)
}
