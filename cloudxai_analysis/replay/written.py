"""What a replay found of a rule: a draft of a better one with its reason, and all of it as Markdown or plain data."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lint.documents import read_text
from cloudxai_analysis.lint.rules import duration_text
from cloudxai_analysis.lint.tools import rule_form, version_of
from cloudxai_analysis.replay.candidates import Variant
from cloudxai_analysis.replay.rules import split
from cloudxai_analysis.sources.rules import AlertingRule
from cloudxai_analysis.words.markdown import markdown_code, markdown_table, markdown_text
from cloudxai_analysis.words.phrases import NO_DATA, count, plain

PRESENT = "present"
_NUMBERS = {
    **{"false_positives": "false positives", "trials": "of judged", "unjudged": "not judged", "misses": "missed"},
    **{"incidents": "of incidents", "detection_seconds": "detection", "pages_a_week": "pages a week"},
}
_MOST_SENTENCES = 2_000
Variants = tuple[tuple[str, AlertingRule], ...]


class Draft(NamedTuple):
    """A proposed rule as the text of a rule file; `lint` is 'passed', 'failed' or 'not linted', `said` the reason."""

    text: str
    lint: str
    said: str


@dataclass(frozen=True)
class RuleReplay:
    """One rule over the window beside its variants, the present one first: a row of `quality` for each in `table`.

    `unknown` is why the rule could not be replayed, and then all else is empty.
    """

    variants: Variants
    unknown: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    episodes: pd.DataFrame = field(default_factory=pd.DataFrame)
    agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    candidates: pd.DataFrame = field(default_factory=pd.DataFrame)
    reason: str = ""
    draft: Draft | None = None
    notes: tuple[str, ...] = ()

    @property
    def rule(self) -> AlertingRule:
        """The present rule, or the proposed one that stands alone."""
        return self.variants[0][1]

    @property
    def name(self) -> str:
        """Its name."""
        return self.rule.name


def drafted(rule: AlertingRule, variant: Variant, reason: str) -> Draft:
    """The rule with a variant's threshold, `for` and `keep_firing_for`, as a linted rule file.

    An unchanged threshold leaves the expression as people wrote it. What changed stands in an
    annotation `proposed`, since those that people wrote may tell the numbers of before.
    """
    parts, (threshold, waits, keeps) = split(rule.expr), variant
    varied = parts is not None and threshold is not None and threshold != parts.threshold
    expr = parts.at(threshold) if varied else rule.expr  # type: ignore[union-attr, arg-type]
    changes = {
        "threshold": (f"{parts.threshold:g}" if parts else "", f"{threshold:g}" if varied else ""),
        "for": (duration_text(rule.for_seconds), duration_text(waits)),
        "keep_firing_for": (duration_text(rule.keep_firing_for_seconds), duration_text(keeps)),
    }
    said = ", ".join(f"{name} {was} → {now}" for name, (was, now) in changes.items() if now and was != now)
    annotations = rule.annotations | ({"proposed": said} if said else {})
    better = replace(rule, expr=expr, for_seconds=waits, keep_firing_for_seconds=keeps, annotations=annotations)
    text = rule_file(better, reason)
    return Draft(text, *linted(text))


def reason(candidates: pd.DataFrame, best: int, window: Window) -> str:
    """Why the candidate in that row is proposed, or why none is, in numbers."""
    present, chosen = candidates.iloc[0], candidates.iloc[best]
    span = f"{window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
    if not present["incidents"]:
        return f"No incident of {span} names the rule: nothing would show what a stricter one misses."
    if best == 0:
        return (
            f"Of {count(candidates['judged'].sum(), 'candidate')} over {span} none misses as few incidents "
            f"({present['misses']:.0f} of {present['incidents']:.0f}) with fewer false positives "
            f"({present['false_positives']:.0f})."
        )
    changes = [
        f"{name} {present[key]:.0f} → {chosen[key]:.0f}"
        for name, key in (("false positives", "false_positives"), ("missed incidents", "misses"))
    ]
    times = [seconds_text(row["detection_seconds"], none="unknown") for row in (present, chosen)]
    changes.append(f"median detection {' → '.join(times)}")
    return (
        f"Over {span}: {', '.join(changes)}, of {count(chosen['trials'], 'alert group')} and "
        f"{count(present['incidents'], 'incident')}. It was chosen on the weeks that it is judged by."
    )


def rule_file(rule: AlertingRule, reason: str) -> str:
    """A rule as the YAML of a Prometheus rule file, the reason as comment before it."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks, which people can read."""

    kind = "tag:yaml.org,2002:str"
    Dumper.add_representer(str, lambda to, text: to.represent_scalar(kind, text, style="|" if "\n" in text else None))
    written = {
        "alert": rule.name,
        "expr": rule.expr,
        "for": rule.for_seconds and duration_text(rule.for_seconds),
        "keep_firing_for": rule.keep_firing_for_seconds and duration_text(rule.keep_firing_for_seconds),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
    }
    group: dict[str, Any] = {"name": rule.group or "proposed"}
    if rule.interval_seconds:
        group["interval"] = duration_text(rule.interval_seconds)
    group["rules"] = [{key: value for key, value in written.items() if value}]
    said = textwrap.wrap(plain(" ".join(reason.split())), 100, break_long_words=False)
    comment = "".join(f"# {line}\n" for line in said)
    return comment + yaml.dump({"groups": [group]}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


def linted(text: str) -> tuple[str, str]:
    """What promtool says of a rule file: 'passed', 'failed' or 'not linted', and its words."""
    if not version_of("promtool"):
        return "not linted", "promtool is not installed (Debian package prometheus)"
    documents, wrong = read_text(text, "draft")
    found = [*wrong, *rule_form([("draft", one) for one in documents])]
    return ("failed" if found else "passed"), plain(" ".join(one.message for one in found))


def seconds_text(seconds: float, *, none: str) -> str:
    """'1m30s', '−2m' before zero, and `none` where it is not known."""
    if pd.isna(seconds):
        return none
    return f"{'−' if seconds < 0 else ''}{duration_text(abs(round(float(seconds))))}"


def as_markdown(replays: Sequence[RuleReplay], window: Window) -> str:
    """Markdown; whatever a label, a rule or the ledger holds comes out as its own text."""
    columns = {"rule": False, "variant": False, **dict.fromkeys(_NUMBERS.values(), True)}
    lines = [
        f"## Replay of {count(len(replays), 'rule')}, {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}",
        "",
        *markdown_table(columns, (row for replay in replays for row in _rows(replay))),
    ]
    for replay in replays:
        said = [f"Unknown: {replay.unknown}"] if replay.unknown else [_agreed(replay), replay.reason, *replay.notes]
        lines += ["", f"### {markdown_text(replay.name)}"]
        for sentence in filter(None, said):
            lines += ["", markdown_text(sentence, most=_MOST_SENTENCES)]
        if replay.draft is not None:
            lint = replay.draft.lint if replay.draft.lint == "passed" else f"{replay.draft.lint}: {replay.draft.said}"
            lines += ["", f"A draft to decide on (promtool: {markdown_text(lint)}):", ""]
            lines += markdown_code(replay.draft.text, "yaml")
    return "\n".join(lines) + "\n"


def as_data(replays: Sequence[RuleReplay], window: Window) -> dict[str, Any]:
    """Plain data: `window` and a list `rules`."""
    return {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "rules": [_data(replay) for replay in replays],
    }


def _rows(replay: RuleReplay) -> Iterator[list[object]]:
    name = markdown_text(replay.name)
    if replay.unknown:
        yield [name, "unknown", *[""] * len(_NUMBERS)]
    for row in replay.table.to_dict("records"):
        row["detection_seconds"] = seconds_text(row["detection_seconds"], none=NO_DATA)
        row["pages_a_week"] = f"{row['pages_a_week']:.1f}"
        yield [name, row["name"], *(row[key] for key in _NUMBERS)]


def _data(replay: RuleReplay) -> dict[str, Any]:
    rule, draft = replay.rule, replay.draft
    rows = zip(replay.table.to_dict("records"), replay.variants, strict=not replay.unknown)
    return {
        "name": replay.name,
        "file": rule.file,
        "group": rule.group,
        "expr": rule.expr,
        "unknown": replay.unknown or None,
        "notes": list(replay.notes),
        "variants": [{**_plain(row), "expr": own.expr, "for_seconds": own.for_seconds} for row, (_, own) in rows],
        "agreement": next(map(_plain, replay.agreement.to_dict("records")), None),
        "candidates": [_plain(row) for row in replay.candidates.to_dict("records") if row["frontier"]],
        "reason": replay.reason,
        "draft": draft and {"yaml": draft.text, "lint": draft.lint, "said": draft.said},
    }


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """A row whose values JSON can hold."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}


def _agreed(replay: RuleReplay) -> str:
    """How far the replay of the present rule is what the server itself fired."""
    if not len(replay.agreement):
        return "" if replay.variants[0][0] != PRESENT else "The server has fired none of it, nor has the replay."
    row = replay.agreement.iloc[0]
    extra = f"; the replay fired {row['extra']} at other evaluations" if row["extra"] else ""
    told = f", {row['apart']} set apart" if row["apart"] else ""
    return f"{row['same']} of {count(row['fired'], 'episode')} as the server fired them{extra}{told}."
