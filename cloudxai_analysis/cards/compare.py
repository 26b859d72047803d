"""What changed since the weeks before: new, worse, better, gone, and still there for how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

GROUPS = ("new", "worse", "better", "gone", "still")
_WEIGHT = {"pass": 0, "unknown": 1, "warn": 2, "fail": 3}


def since(summary: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The checks that changed against the newest of the `earlier` summaries, which stand newest first.

    Gives `before` (the window's name, None where there is no summary), `before_sha256` (of its file) and, for each
    group, items with check, status, was, finding, redefined (what the check means changed in between) and weeks (how
    many reports in a row it has stood in, this one included). What turned unknown after a finding is 'worse': nobody
    knows that it is gone.
    """
    found: dict[str, Any] = {
        "before": earlier[0]["window"]["name"] if earlier else None,
        "before_sha256": summary_sha256(earlier[0]) if earlier else None,
    }
    found.update({group: [] for group in GROUPS})
    if not earlier:
        return found
    was = {check["key"]: check["status"] for check in earlier[0]["checks"]}
    meant = {check["key"]: check.get("definition", 1) for check in earlier[0]["checks"]}
    for check in summary["checks"]:
        group = _group(was.get(check["key"], "pass"), check["status"])
        if group:
            found[group].append(
                {
                    "check": check["key"],
                    "status": check["status"],
                    "was": was.get(check["key"], ""),
                    "finding": check["finding"],
                    "redefined": meant.get(check["key"], 1) != check.get("definition", 1),
                    "weeks": _weeks(check["key"], earlier) if check["status"] != "pass" else 0,
                }
            )
    return found


def summary_text(summary: dict[str, Any]) -> str:
    """The text of `summary.json`: the same summary gives the same bytes."""
    return json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def summary_sha256(summary: dict[str, Any]) -> str:
    """The SHA-256 of the file `summary.json` with this content, as `sha256sum` tells it."""
    return hashlib.sha256(summary_text(summary).encode(errors="replace")).hexdigest()


def _group(was: str, now: str) -> str:
    if was == now:
        return "still" if now in ("warn", "fail") else ""
    if now == "pass":
        return "gone" if was in ("warn", "fail") else "better"
    if was in ("warn", "fail"):
        return "worse" if now == "unknown" or _WEIGHT[now] > _WEIGHT[was] else "better"
    return "new"


def _weeks(key: str, earlier: Sequence[dict[str, Any]]) -> int:
    weeks = 1
    for summary in earlier:
        status = next((check["status"] for check in summary["checks"] if check["key"] == key), "pass")
        if status == "pass":
            break
        weeks += 1
    return weeks
