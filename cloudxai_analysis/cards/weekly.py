"""What a notebook begins and ends with: the week's headline, and the files that its report is published from."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Each topic has written its makers into the list of all when it was imported.
from cloudxai_analysis.cards import alerts, cardinality, cost, drivers, readiness, telemetry  # noqa: F401
from cloudxai_analysis.cards.card import SHAPES
from cloudxai_analysis.cards.compose import MAKERS, ROWS
from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.window import WEEK, week_of
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.csv_cells import write_csv

SUMMARY_MIME = "application/vnd.cloudxai.summary+json"
WEEKS_BACK = 13
GROUPS = ("new", "worse", "better", "gone", "still")
# Every card of the page, in its order; each leaves its whole table as a CSV beside the report.
CARDS = tuple(MAKERS[key] for key, row in ROWS.items() if row.page)


@dataclass(frozen=True)
class Headline:
    """The week's verdict with its summary, the run that made it, and what changed since the week before.

    `evaluation` is what `cloudxai evaluate` found out in the environment's own weeks, None where it was not run.
    """

    summary: dict[str, Any]
    run: str
    since: dict[str, Any]
    evaluation: dict[str, Any] | None = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        said, paragraph = self.summary["headline"], self.summary["paragraph"]
        tiles = [f"{tile['label']}: {tile['text']}" for tile in self.summary["tiles"]]
        shown = f"<strong>{SHAPES[self.summary['status']]} {html.escape(said)}</strong>"
        listed = "".join(f"<li>{html.escape(line)}</li>" for line in tiles)
        evaluation = {"evaluation": self.evaluation} if self.evaluation else {}
        return {
            SUMMARY_MIME: {"summary": self.summary, "run": self.run, "since": self.since, **evaluation},
            "text/html": f"<p>{shown}</p><p>{html.escape(paragraph)}</p><ul>{listed}</ul>",
            "text/plain": "\n".join([said, paragraph, *tiles]),
        }


def headline(study: Study, *, run: str = "") -> Headline:
    """The week's verdict, tiles and checks, with what changed since the report published for the window before."""
    summary = summarise(study)
    return Headline(summary, run, since(summary, list(_earlier(study))), _plain(study.environment.evaluation))


def since(summary: dict[str, Any], earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The checks that changed against the newest of the `earlier` summaries, which stand newest first.

    Gives `before` (the window's name, None where there is no summary), `before_sha256` (of its file) and, for each
    group, items with check, status, was, finding, redefined (what the check means changed in between) and weeks (how
    many reports in a row it has stood in, this one included). What turned unknown after a finding is 'worse': nobody
    knows that it is gone.
    """
    found: dict[str, Any] = {"before": None, "before_sha256": None, **{group: [] for group in GROUPS}}
    if not earlier:
        return found
    found |= {"before": earlier[0]["window"]["name"], "before_sha256": summary_sha256(earlier[0])}
    weeks = [{check["key"]: check for check in summary["checks"]} for summary in earlier]
    for check in summary["checks"]:
        key, status = check["key"], check["status"]
        was = weeks[0].get(key, {"status": "pass", "definition": 1})
        group = _group(was["status"], status)
        if not group:
            continue
        stood = 0
        while status != "pass" and stood < len(weeks) and weeks[stood].get(key, {}).get("status", "pass") != "pass":
            stood += 1
        found[group].append(
            {
                "check": key,
                "status": status,
                "was": was["status"] if key in weeks[0] else "",
                "finding": check["finding"],
                "redefined": was.get("definition", 1) != check.get("definition", 1),
                "weeks": stood + 1 if status != "pass" else 0,
            }
        )
    return found


def _group(was: str, now: str) -> str:
    found = was in ("warn", "fail")
    if was == now:
        return "still" if found else ""
    if now == "pass":
        return "gone" if found else "better"
    if not found:
        return "new"
    return "better" if (was, now) == ("fail", "warn") else "worse"


def summary_text(summary: dict[str, Any]) -> str:
    """The text of `summary.json`: the same summary gives the same bytes."""
    return json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def summary_sha256(summary: dict[str, Any]) -> str:
    """The SHA-256 of the file `summary.json` with this content, as `sha256sum` tells it."""
    return hashlib.sha256(summary_text(summary).encode(errors="replace")).hexdigest()


def _earlier(study: Study) -> Iterator[dict[str, Any]]:
    """The summaries published for the weeks before, newest first; a missing or damaged one ends the chain."""
    week = week_of(study.window.start)
    for _ in range(WEEKS_BACK):
        week = week_of(week.start - WEEK)
        published = _plain(study.environment.reports / week.name / "summary.json")
        if published is None:
            return
        yield published


def _plain(file: Path) -> dict[str, Any] | None:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_summary(study: Study, *, output: str = "", run: str = "") -> str:
    """Write `summary.json`, `run.json` and `data/*.csv` into the folder `output`, and say so; '' writes nothing."""
    if not output:
        return "Nothing written: no output folder was given."
    folder = Path(output)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for card in (make(study) for make in CARDS):
        write_csv(card.table, folder / "data" / f"{card.key}.csv")
    (folder / "summary.json").write_text(summary_text(summarise(study)), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"run": run}) + "\n", encoding="utf-8")
    return f"Written: summary.json and {len(CARDS)} tables."
