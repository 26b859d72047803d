"""A replay as text for a terminal, as Markdown for a pull request, and as plain data."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.replay.compared import RuleReplay
from cloudxai_analysis.replay.draft import Draft
from cloudxai_analysis.words.phrases import NO_DATA, count, percent, plain

_MARKS = re.compile(r"([\\`*_\[\]!~$^])")
# What a code host would make a link, a mention, a symbol or an issue of.
_LINKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;", "|": "&#124;"}
_COLON = re.compile(r":(?!\s|$)")
_WWW = re.compile(r"(?i)www\.")
_MOST_TEXT, _MOST_SENTENCES = 200, 2_000


def as_text(replays: Sequence[RuleReplay], window: Window) -> str:
    """Lines for a terminal."""
    return "\n".join(plain(line) for line in _lines(replays, window)) + "\n"


def as_markdown(replays: Sequence[RuleReplay], window: Window) -> str:
    """Markdown for a pull request; whatever a label, a rule or the ledger holds comes out as its own text."""
    return "\n".join(_paragraphs(replays, window)) + "\n"


def as_data(replays: Sequence[RuleReplay], window: Window) -> dict[str, Any]:
    """Plain data: `window` and a list `rules`."""
    return {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "rules": [_data(replay) for replay in replays],
    }


def markdown_text(text: object, *, most: int = _MOST_TEXT) -> str:
    """Foreign text as Markdown that shows it: on one line, no markup, no link, no mention; a long one is cut."""
    line = plain(" ".join(str(text).split()))
    line = line if len(line) <= most else f"{line[:most]}…"
    escaped = "".join(_LINKS.get(sign) or _MARKS.sub(r"\\\1", sign) for sign in line)
    return _WWW.sub(lambda match: f"{match[0][:3]}&#46;", _COLON.sub("&#58;", escaped))


def _lines(replays: Sequence[RuleReplay], window: Window) -> Iterator[str]:
    yield f"Replay over {window}"
    for replay in replays:
        yield ""
        yield replay.name
        if replay.unknown:
            yield f"  unknown: {replay.unknown}"
            continue
        if said := _agreed(replay):
            yield f"  {said}"
        for row in replay.table.to_dict("records"):
            yield f"  {row['name']}: {_quality(row)}"
        if replay.reason:
            yield f"  {'better' if replay.draft else 'as it is'}: {replay.reason}"
        if replay.draft is not None:
            yield f"  draft ({_lint(replay.draft)}):"
            for line in replay.draft.text.splitlines():
                yield f"    {line}"
        for note in replay.notes:
            yield f"  note: {note}"


def _paragraphs(replays: Sequence[RuleReplay], window: Window) -> Iterator[str]:
    yield f"## Replay of {count(len(replays), 'rule')}, {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d}"
    yield ""
    yield "| rule | variant | false positives | of judged | missed | of incidents | detection | pages a week |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for replay in replays:
        if replay.unknown:
            yield f"| {markdown_text(replay.name)} | unknown | | | | | | |"
        for row in replay.table.to_dict("records") if not replay.unknown else ():
            cells = [
                markdown_text(replay.name),
                row["name"],
                row["false_positives"],
                row["trials"],
                row["misses"],
                row["incidents"],
                _seconds(row["detection_seconds"]),
                f"{row['pages_a_week']:.1f}",
            ]
            yield f"| {' | '.join(str(cell) for cell in cells)} |"
    for replay in replays:
        yield ""
        yield f"### {markdown_text(replay.name)}"
        yield ""
        if replay.unknown:
            yield f"Unknown: {markdown_text(replay.unknown)}"
            continue
        yield from _section(replay)


def _section(replay: RuleReplay) -> Iterator[str]:
    if said := _agreed(replay):
        yield f"{said}."
        yield ""
    if len(replay.incidents):
        names = [name for name, _ in replay.variants]
        yield f"| incident | began | tenant | {' | '.join(f'{name} fired after' for name in names)} |"
        yield f"| --- | --- | --- | {' | '.join('---:' for _ in names)} |"
        for _, rows in replay.incidents.groupby("id", sort=False):
            first = rows.iloc[0]
            after = [_seconds(row, none="missed") for row in rows["detection_seconds"]]
            began = f"{first['start']:%Y-%m-%d %H:%M}"
            whom = markdown_text(first["tenant"] or "all")
            yield f"| {markdown_text(first['id'])} | {began} | {whom} | {' | '.join(after)} |"
        yield ""
    if replay.reason:
        yield markdown_text(replay.reason, most=_MOST_SENTENCES)
    if replay.draft is not None:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", replay.draft.text)), default=0))
        yield ""
        yield f"A draft to decide on (promtool: {markdown_text(_lint(replay.draft))}):"
        yield ""
        yield f"{fence}yaml"
        yield from (plain(line) for line in replay.draft.text.splitlines())
        yield fence
    for note in replay.notes:
        yield ""
        yield f"*{markdown_text(note, most=_MOST_SENTENCES)}*"


def _data(replay: RuleReplay) -> dict[str, Any]:
    rule = replay.rule
    data: dict[str, Any] = {
        "name": replay.name,
        "file": rule.file,
        "group": rule.group,
        "expr": rule.expr,
        "unknown": replay.unknown or None,
        "notes": list(replay.notes),
        "variants": [],
        "agreement": None,
        "candidates": [],
        "reason": replay.reason,
        "draft": None,
    }
    if replay.unknown:
        return data
    data["variants"] = [
        {**_plain(row), "expr": own.expr, "for_seconds": own.for_seconds}
        for row, (_, own) in zip(replay.table.to_dict("records"), replay.variants, strict=True)
    ]
    if len(replay.agreement):
        data["agreement"] = _plain(replay.agreement.iloc[0].to_dict())
    if len(replay.candidates):
        shown = replay.candidates[replay.candidates["frontier"]]
        data["candidates"] = [_plain(row) for row in shown.to_dict("records")]
    if replay.draft is not None:
        data["draft"] = {"yaml": replay.draft.text, "lint": replay.draft.lint, "said": replay.draft.said}
    return data


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    plain_row: dict[str, Any] = {}
    for key, value in row.items():
        missing = value is None or (isinstance(value, float) and math.isnan(value))
        plain_row[str(key)] = None if missing else value.item() if hasattr(value, "item") else value
    return plain_row


def _agreed(replay: RuleReplay) -> str:
    """How far the replay of the present rule is what the server itself fired."""
    if not len(replay.agreement):
        return "" if replay.variants[0][0] != "present" else "The server has fired none of it, nor has the replay"
    row = replay.agreement.iloc[0]
    told = f", {row['apart']} set apart" if row["apart"] else ""
    extra = f", and {row['extra']} that it did not fire" if row["extra"] else ""
    return f"{row['same']} of {count(row['fired'], 'episode')} as the server fired them{extra}{told}"


def _quality(row: dict[Any, Any]) -> str:
    rate = f" ({percent(row['low'], 0)} to {percent(row['high'], 0)})" if row["trials"] else ""
    return (
        f"{row['false_positives']} false of {count(row['trials'], 'alert group')}{rate}, "
        f"{row['misses']} of {count(row['incidents'], 'incident')} missed, "
        f"detection {_seconds(row['detection_seconds'])}, {row['pages_a_week']:.1f} pages a week, "
        f"{row['unjudged']} not judged"
    )


def _lint(draft: Draft) -> str:
    return f"{draft.lint}: {draft.said}" if draft.lint != "passed" else "passed"


def _seconds(seconds: float, *, none: str = NO_DATA) -> str:
    if pd.isna(seconds):
        return none
    whole = duration_text(abs(round(float(seconds)))) if round(float(seconds)) else "0s"
    return f"−{whole}" if seconds < 0 else whole
