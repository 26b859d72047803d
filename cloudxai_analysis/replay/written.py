"""A replay as text for a terminal, as Markdown for a pull request, and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.replay.draft import seconds_text
from cloudxai_analysis.replay.session import PRESENT, RuleReplay
from cloudxai_analysis.words.markdown import markdown_code, markdown_table, markdown_text
from cloudxai_analysis.words.phrases import NO_DATA, count, percent, plain

_MOST_SENTENCES = 2_000


def as_text(replays: Sequence[RuleReplay], window: Window) -> str:
    """Lines for a terminal."""
    lines = [f"Replay over {window}"]
    for replay in replays:
        said = [*_sentences(replay), *(f"{row['name']}: {_quality(row)}" for row in replay.table.to_dict("records"))]
        if replay.draft is not None:
            said += [f"draft ({replay.draft.verdict}):", *(f"  {line}" for line in replay.draft.text.splitlines())]
        lines += ["", replay.name, *(f"  {line}" for line in said)]
    return "\n".join(map(plain, lines)) + "\n"


def as_markdown(replays: Sequence[RuleReplay], window: Window) -> str:
    """Markdown for a pull request; whatever a label, a rule or the ledger holds comes out as its own text."""
    numbers = ["false positives", "of judged", "missed", "of incidents", "detection", "pages a week"]
    columns = {"rule": False, "variant": False, **dict.fromkeys(numbers, True)}
    lines = [
        f"## Replay of {count(len(replays), 'rule')}, {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}",
        "",
        *markdown_table(columns, (row for replay in replays for row in _rows(replay))),
    ]
    for replay in replays:
        lines += ["", f"### {markdown_text(replay.name)}"]
        for sentence in _sentences(replay):
            lines += ["", markdown_text(sentence, most=_MOST_SENTENCES)]
        if replay.draft is not None:
            said = markdown_text(replay.draft.verdict)
            lines += ["", f"A draft to decide on (promtool: {said}):", "", *markdown_code(replay.draft.text, "yaml")]
    return "\n".join(lines) + "\n"


def as_data(replays: Sequence[RuleReplay], window: Window) -> dict[str, Any]:
    """Plain data: `window` and a list `rules`."""
    return {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "rules": [_data(replay) for replay in replays],
    }


def _sentences(replay: RuleReplay) -> list[str]:
    if replay.unknown:
        return [f"Unknown: {replay.unknown}"]
    return [said for said in (_agreed(replay), replay.reason, *replay.notes) if said]


def _rows(replay: RuleReplay) -> Iterator[list[object]]:
    name = markdown_text(replay.name)
    if replay.unknown:
        yield [name, "unknown", *[""] * 6]
    for row in replay.table.to_dict("records"):
        cells = [row[key] for key in ("name", "false_positives", "trials", "misses", "incidents")]
        yield [name, *cells, seconds_text(row["detection_seconds"], none=NO_DATA), f"{row['pages_a_week']:.1f}"]


def _data(replay: RuleReplay) -> dict[str, Any]:
    rule, draft = replay.rule, replay.draft
    rows = replay.table.to_dict("records")
    return {
        "name": replay.name,
        "file": rule.file,
        "group": rule.group,
        "expr": rule.expr,
        "unknown": replay.unknown or None,
        "notes": list(replay.notes),
        "variants": [
            {**_plain(row), "expr": own.expr, "for_seconds": own.for_seconds}
            for row, (_, own) in zip(rows, replay.variants, strict=not replay.unknown)
        ],
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
    extra = f", and {row['extra']} that it did not fire" if row["extra"] else ""
    told = f", {row['apart']} set apart" if row["apart"] else ""
    return f"{row['same']} of {count(row['fired'], 'episode')} as the server fired them{extra}{told}."


def _quality(row: dict[Any, Any]) -> str:
    rate = f" ({percent(row['low'], 0)} to {percent(row['high'], 0)})" if row["trials"] else ""
    return (
        f"{row['false_positives']} false of {count(row['trials'], 'alert group')}{rate}, "
        f"{row['misses']} of {count(row['incidents'], 'incident')} missed, "
        f"detection {seconds_text(row['detection_seconds'], none=NO_DATA)}, {row['pages_a_week']:.1f} pages a week, "
        f"{row['unjudged']} not judged"
    )
