"""What a run of the harness gave: where it is kept, as sentences, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cloudxai_analysis.operate.harness.load import lines as growth_lines
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.words.phrases import several

REFERENCE = Path(__file__).with_name("reference.json")  # `cloudxai harness` with its defaults, on two cores


def last_run(settled: Environment) -> tuple[dict[str, Any], str]:
    """The environment's last run, else the one that comes with the suite; and which of them it is."""
    try:
        found = json.loads(settled.harness.read_text(encoding="utf-8"))
        worst(found), [*lines(found)]
        return found, f"the last run of environment {settled.name}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        return json.loads(REFERENCE.read_text(encoding="utf-8")), "a run that comes with the suite"


def verdicts(result: Mapping[str, Any]) -> str:
    """The guard's promises, a line each."""
    return "\n".join(f"{row['invariant']} {row['status']}: {row['said']}." for row in result["verdicts"])


def agreement(result: Mapping[str, Any]) -> pd.DataFrame:
    """What the harness knows beside what the suite says. Columns: what, known, said, agrees."""
    rows = pd.DataFrame(result["agreement"])[["what", "known", "said", "agrees"]]
    return rows.assign(**{name: rows[name].map("{:,.10g}".format) for name in ("known", "said")})


def growth(result: Mapping[str, Any]) -> pd.DataFrame:
    """What scrapes cost by size. Columns: arm, tenants, milliseconds, samples, scrape_bytes, server_series, knee."""
    steps = pd.DataFrame(result["growth"]["steps"]).sort_values(["arm", "tenants"], ignore_index=True)
    steps = steps.assign(milliseconds=(1000 * steps["seconds"]).round(1))
    return steps[["arm", "tenants", "milliseconds", "samples", "scrape_bytes", "server_series", "knee"]]


def worst(result: Mapping[str, Any]) -> str:
    """The worst of a run's verdicts; 'fail' as well where the suite says another number than the harness knows."""
    found = {row["status"] for row in result["verdicts"]}
    if not all(row["agrees"] for row in result["agreement"]):
        found.add("fail")
    return next(status for status in ("fail", "unknown", "pass") if status in found)


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """What a run gave, as sentences."""
    counts, rows = result["counts"], result["agreement"]
    yield from verdicts(result).split("\n")
    yield (
        f"{counts['attempts']:,} attempts, {counts['refused']:,} of them over the cap by "
        f"{counts['refused_names']:,} names; "
        f"{counts['refused_after_the_last_scrape']:,} refused after the last scrape of a process that was then killed."
    )
    for row in rows:
        if not row["agrees"]:
            names = f" ({several(row['differing'])})" if row.get("differing") else ""
            yield f"Differs: {row['what']}: the harness knows {row['known']:,}, the suite says {row['said']:,}{names}."
    yield f"{sum(row['agrees'] for row in rows)} of {len(rows)} numbers of the suite are what the harness knows."
    yield from growth_lines(result["growth"], counts["refused_names"])
    yield from (f"Left out: {said}" for said in result["left_out"])
