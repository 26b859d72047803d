"""The entries that count, as frames: one row a thing, whatever was written of it before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cloudxai_analysis.ledger.entries import (
    Attestation,
    Complete,
    Decision,
    Deploy,
    Entry,
    Label,
    Maintenance,
    Observation,
)

if TYPE_CHECKING:
    import pandas as pd

    from cloudxai_analysis.ledger.standing import Standing

_TIME = "datetime64[us, UTC]"
_TROUBLE = {
    "id": "str",
    "start": _TIME,
    "end": _TIME,
    "tenant": "str",
    "alerts": "object",
    "severity": "str",
    "summary": "str",
    "source": "str",
}
_INCIDENTS = {**_TROUBLE, "acknowledged_at": _TIME}
_PROPOSALS = {**_TROUBLE, "evidence": "str", "state": "str", "decided_by": "str"}
_LABELS = {"alertname": "str", "tenant": "str", "fired_at": _TIME, "judgement": "str", "by": "str", "written_at": _TIME}
_COMPLETE = {"start": _TIME, "end": _TIME, "by": "str"}
_STRETCHES = {"kind": "str", "start": _TIME, "end": _TIME, "tenant": "str", "summary": "str"}
_ATTESTATIONS = {"name": "str", "role": "str", "date": _TIME, "link": "str", "summary": "str", "by": "str"}
_OBSERVATIONS = {"at": _TIME, "tenant": "str", "summary": "str", "link": "str", "by": "str"}
_DECISIONS = {"at": _TIME, "summary": "str", "reason": "str", "link": "str", "by": "str"}


def incidents(standing: Standing) -> pd.DataFrame:
    """As `Ledger.incidents` says."""
    return _by_start(_frame(_rows(standing.incidents(), _INCIDENTS), _INCIDENTS))


def proposals(standing: Standing) -> pd.DataFrame:
    """As `Ledger.proposals` says."""
    own = [name for name in _PROPOSALS if name not in ("state", "decided_by")]
    found = standing.proposed()
    rows = [[*_row(one.proposal, own), one.state, one.decided_by] for one in found]
    return _by_start(_frame(rows, _PROPOSALS))


def labels(standing: Standing) -> pd.DataFrame:
    """As `Ledger.labels` says."""
    return _frame(_rows(standing.counting(Label), _LABELS), _LABELS)


def complete(standing: Standing) -> pd.DataFrame:
    """As `Ledger.complete` says."""
    return _frame(_rows(standing.counting(Complete), _COMPLETE), _COMPLETE)


def stretches(standing: Standing) -> pd.DataFrame:
    """As `Ledger.stretches` says."""
    planned = (entry for entry in standing.counting(Entry) if isinstance(entry, Maintenance | Deploy))
    return _frame(_rows(planned, _STRETCHES), _STRETCHES)


def attestations(standing: Standing) -> pd.DataFrame:
    """As `Ledger.attestations` says."""
    return _frame(_rows(standing.counting(Attestation), _ATTESTATIONS), _ATTESTATIONS)


def observations(standing: Standing) -> pd.DataFrame:
    """As `Ledger.observations` says."""
    return _frame(_rows(standing.counting(Observation), _OBSERVATIONS), _OBSERVATIONS)


def decisions(standing: Standing) -> pd.DataFrame:
    """As `Ledger.decisions` says."""
    return _frame(_rows(standing.counting(Decision), _DECISIONS), _DECISIONS)


def _rows(entries: Iterable[Entry], columns: Iterable[str]) -> list[list[Any]]:
    return [_row(entry, columns) for entry in entries]


def _row(entry: Entry, columns: Iterable[str]) -> list[Any]:
    return [getattr(entry, column) for column in columns]


def _frame(rows: Sequence[Sequence[Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))


def _by_start(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["start", "id"], ignore_index=True)
