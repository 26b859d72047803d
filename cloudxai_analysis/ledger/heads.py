"""Where published reports saw the ledger stand: what they know finds a tail that was cut off and a rewritten whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudxai_analysis.ledger.chain import Chain, Head


@dataclass(frozen=True)
class KnownHead:
    """What a report's `summary.json` says of the ledger that it was made from."""

    report: str
    entries: int
    head: str


def published_heads(reports: Path) -> tuple[list[KnownHead], list[str]]:
    """What the reports in a folder know of the ledger, their earlier editions included, and which cannot be read."""
    known, unreadable = [], []
    for file, name in _summaries(reports):
        try:
            said = json.loads(file.read_text(encoding="utf-8"))["ledger"]
            found = KnownHead(name, said["entries"], said["head"])
            if not isinstance(found.entries, int) or not isinstance(found.head, str):
                raise TypeError(found)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            unreadable.append(str(file))
        else:
            known.append(found)
    return known, unreadable


def contradictions(chain: Chain, known: Iterable[Head | KnownHead]) -> Iterator[str]:
    """What is said by those who know better, a line each."""
    for one in known:
        name = getattr(one, "report", "") or "an earlier head"
        if one.entries > chain.head.entries:
            yield f"{name} was made from {one.entries:,} entries, of which {chain.head.entries:,} are left"
        elif not _agrees(chain, one):
            yield f"{name} was made from {one.entries:,} entries that were others than the first {one.entries:,} now"


def _agrees(chain: Chain, one: Head | KnownHead) -> bool:
    return one.entries >= 0 and one.head == ("", *chain.digests)[one.entries]


def _summaries(reports: Path) -> Iterator[tuple[Path, str]]:
    seen = set()
    for file in sorted(reports.glob("[!.]*/summary.json")):
        seen.add(file.resolve())
        yield file, f"report {file.parent.name}"
    for file in sorted(reports.glob(".published/*/summary.json")):
        if file.resolve() not in seen:
            yield file, f"report {file.parent.name.rsplit('-', 2)[0]} (an earlier edition)"
