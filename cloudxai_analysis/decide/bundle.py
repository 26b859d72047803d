"""The evidence for v1.0 as a bundle that strangers' tools check: a BagIt bag of in-toto statements on files.

Each piece of evidence is a file, and a statement on it in a DSSE envelope, whose list of signatures is empty: people
sign `tagmanifest-sha256.txt`, which covers every byte, with keys of their own. No clock is in it but that of the bag.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import rfc8785

from cloudxai_analysis.decide.signoff import WORDS, Signoff
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.files import private, written
from cloudxai_analysis.report.publish import write_folder

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:cloudxai:signoff-evidence:v1"
PAYLOAD = "application/vnd.in-toto+json"


def write_bundle(signoff: Signoff, folder: Path, *, bagged_on: date) -> None:
    """Write the bag, whole and for its owner alone, in the place of nothing.

    Raises UsageError (there is something at `folder`), LakeUnwritable (the disk is full, read-only
    or failing; nothing is left).
    """
    if os.path.lexists(folder):
        raise UsageError(f"Bundle {folder} is there already, and none is overwritten. Name another folder.")
    files = _bag(_payload(signoff), bagged_on)
    with private(), written(f"Bundle {folder}"):
        write_folder(files, folder)


def _payload(signoff: Signoff) -> dict[str, bytes]:
    """What is in the bag, by names that are all of our own making."""
    files = {"data/READ-ME.txt": WORDS["check"].encode(), "data/signoff.json": rfc8785.dumps(_told(signoff))}
    for place, _, asked, found in signoff.found:
        for one in found.evidence:
            name = f"{one.kind}-{one.sha256[:16]}.json"
            statement: dict[str, Any] = {
                "_type": STATEMENT,
                "subject": [{"name": f"data/evidence/{name}", "digest": {"sha256": one.sha256}}],
                "predicateType": PREDICATE,
                "predicate": {
                    **{"criterion": place, "part": asked.key, "status": found.status, "missing": found.missing},
                    **{"kind": one.kind, "name": one.name, "link": one.link, "at": _plain(one.at)},
                },
            }
            files[f"data/evidence/{name}"] = one.content
            files[f"data/statements/{place}-{asked.key}-{name}"] = _enveloped(rfc8785.dumps(statement))
    return files


def _told(signoff: Signoff) -> dict[str, Any]:
    """The criteria, their parts and the risks, and what they are from."""
    study = signoff.study
    return {
        "headline": signoff.headline,
        "notes": signoff.notes,
        "environment": study.environment.name,
        "window": str(study.seen),
        "ledger": study.ledger.provenance(),
        "lake": study.provenance.get("lake", {}),
        "criteria": _rows(signoff.criteria),
        "parts": _rows(signoff.parts),
        "evidence": _rows(signoff.evidence),
        "risks": _rows(signoff.risks),
    }


def _enveloped(payload: bytes) -> bytes:
    body = base64.b64encode(payload).decode()
    return rfc8785.dumps({"payload": body, "payloadType": PAYLOAD, "signatures": []})


def _bag(payload: Mapping[str, bytes], bagged_on: date) -> dict[str, bytes]:
    """The payload with BagIt's own files (RFC 8493), each in the order of names: the same bytes wherever it is made."""
    size = sum(map(len, payload.values()))
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Bagging-Date: {bagged_on}\nPayload-Oxum: {size}.{len(payload)}\n".encode(),
        "manifest-sha256.txt": _manifest(payload),
    }
    return {**payload, **tags, "tagmanifest-sha256.txt": _manifest(tags)}


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    """A cell as JSON has it: a moment as text, nothing as null."""
    if value is None or value is pd.NaT:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
