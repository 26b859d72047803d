"""A ledger's entries for other tools: JSON Lines, or CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from cloudxai_analysis.ledger.cells import with_apostrophe
from cloudxai_analysis.ledger.entries import COLUMNS, Entry


def exported(entries: Iterable[Entry], form: str) -> str:
    """The entries, superseded ones included, in a form that `cloudxai ledger import` takes back as they were."""
    if form == "csv":
        return _csv(entries)
    return "".join(json.dumps(entry.model_dump(mode="json"), ensure_ascii=False) + "\n" for entry in entries)


def _csv(entries: Iterable[Entry]) -> str:
    text = io.StringIO()
    # All in quotes: the writer would leave a lone carriage return without, and break the row.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        said = entry.model_dump(mode="json")
        writer.writerow([_cell(said.get(name)) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        plain = all(name == name.strip() and ";" not in name and not name.startswith("[") for name in value)
        value = "; ".join(value) if plain else json.dumps(value)
    return "" if value is None else with_apostrophe(str(value))
