"""What a notebook calls beside the cards: headline, checks, the samples behind an event, the files."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel

# Each topic has written its makers into the list of all when it was imported.
from cloudxai_analysis.cards import alerts, cardinality, cost, drivers, overview, readiness, telemetry  # noqa: F401
from cloudxai_analysis.cards.card import SHAPES, Card, html_table, table_cells
from cloudxai_analysis.cards.compose import PAGE, ROWS, compose, maker
from cloudxai_analysis.cards.summary import SUMMARY_MIME, since, summarise, summary_text
from cloudxai_analysis.checks import Check, judge
from cloudxai_analysis.checks.finding import ROWS as JUDGED
from cloudxai_analysis.checks.finding import SECTIONS, when
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.contract import Metric
from cloudxai_analysis.study import as_text
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.csv_cells import write_csv
from cloudxai_analysis.words.phrases import moment, near_miss

WEEKS_BACK = 13
# Every card of the page, in its order; each leaves its whole table as a CSV beside the report.
CARDS = tuple(maker(key) for key, row in ROWS.items() if row.page)
_EVENTS = ["check", "kind", "place", "start", "end", "size", "unit"]
_MARGIN = timedelta(hours=3)
# Which metric shows an event best, by its kind; of the others that of the section.
_ROLES = {"rejections": "rejections", "readiness_incident": "readiness"}
_SECTIONS = {"telemetry": "up", "cost": "cost", "alerts": "alerts"}


@dataclass(frozen=True)
class Headline:
    """The week's verdict with its summary, the run that made it, and what changed since the week before.

    `evaluation` is what `make evaluate ENVIRONMENT=…` found out in the environment's own weeks, None where it
    was not run.
    """

    summary: dict[str, Any]
    run: str
    since: dict[str, Any]
    evaluation: dict[str, Any] | None = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        said, paragraph = self.summary["headline"], self.summary["paragraph"]
        tiles = [f"{tile['label']}: {tile['text']}" for tile in self.summary["tiles"]]
        tiles += [self.summary["signoff"]["text"]] if "signoff" in self.summary else []
        listed = "".join(f"<li>{html.escape(line)}</li>" for line in tiles)
        title = f"<p><strong>{SHAPES[self.summary['status']]} {html.escape(said)}</strong></p>"
        evaluation = {"evaluation": self.evaluation} if self.evaluation else {}
        return {
            SUMMARY_MIME: {"summary": self.summary, "run": self.run, "since": self.since, **evaluation},
            "text/html": f"{title}<p>{html.escape(paragraph)}</p><ul>{listed}</ul>",
            "text/plain": "\n".join([said, paragraph, *tiles]),
        }


def headline(study: Study, *, signoff: dict[str, Any] | None = None, run: str = "") -> Headline:
    """The week's verdict, tiles and checks, with what changed since the report published for the window before.

    `signoff` is where the criteria of v1.0 stand, `Signoff(study).summary`.
    """
    summary = summarise(study, signoff=signoff)
    earlier = list(earlier_summaries(study.environment.reports, study.window))
    return Headline(summary, run, since(summary, earlier), own_evaluation(study.environment.evaluation))


def section(study: Study, name: str) -> None:
    """Show every card of a section of the page; figures that stand on the page are drawn a second time, for it.

    Raises a UsageError where the page has no such section; near ones are named.
    """
    own = [key for key, row in ROWS.items() if row.page and key.partition("-")[0] == name]
    if not own:
        raise UsageError(f"The page has no section '{name}'.{near_miss(name, list(PAGE))}")
    for key in own:
        replace(maker(key)(study), narrow=name in PAGE and key in PAGE[name].figures)._ipython_display_()


def earlier_summaries(reports: Path, window: Window) -> Iterator[dict[str, Any]]:
    """The summaries published for the windows before, newest first; a missing or damaged one ends the chain."""
    for _ in range(WEEKS_BACK):
        window = window.before
        published = earlier_summary(reports / window.name / "summary.json")
        if published is None:
            return
        yield published


class _Size(BaseModel):
    size: float
    found: int
    runs: int


class _Curve(BaseModel):
    kind: str
    unit: str
    smallest: float | None
    sizes: list[_Size]


class _Week(BaseModel):
    week: str
    findings: list[Any]


class _Evaluation(BaseModel):
    """What the page needs of an evaluation; another may have been written by hand, or by another version."""

    weeks: list[_Week]
    curves: list[_Curve]


class _Named(BaseModel):
    name: str


class _Judged(BaseModel):
    key: str
    status: Literal["pass", "warn", "fail", "unknown"]
    definition: int = 1


class _Earlier(BaseModel):
    """What a comparison needs of an earlier summary."""

    window: _Named
    checks: list[_Judged]


def own_evaluation(file: Path) -> dict[str, Any] | None:
    """What an evaluation kept in the file; None where that is nothing the page can show."""
    return _of_shape(_Evaluation, file)


def earlier_summary(file: Path) -> dict[str, Any] | None:
    """The summary of a week before; None where that is nothing to compare with."""
    return _of_shape(_Earlier, file)


def _of_shape(shape: type[BaseModel], file: Path) -> dict[str, Any] | None:
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        shape.model_validate(said)
    except (OSError, ValueError, RecursionError):
        return None
    return said


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


@dataclass(frozen=True, repr=False)
class Verdicts:
    """Checks, each with its status by shape and word, and its whole finding."""

    checks: tuple[Check, ...]

    def _repr_html_(self) -> str:
        rows = [(f"{SHAPES[check.status]} {check.status}", check.key, check.finding) for check in self.checks]
        return html_table(table_cells(pd.DataFrame(rows, columns=["status", "check", "finding"])))

    def __repr__(self) -> str:
        return "\n".join(f"{SHAPES[check.status]} {check.status:<7} {check.finding}" for check in self.checks)


def verdicts(study: Study, section: str = "") -> Verdicts:
    """The checks of one section, or of all; a UsageError names the near ones where there is no such section."""
    return Verdicts(_checks(study, section))


def _checks(study: Study, section: str) -> tuple[Check, ...]:
    if section and section not in SECTIONS:
        raise UsageError(f"No check is in a section '{section}'.{near_miss(section, list(SECTIONS))}")
    return tuple(check for check in judge.checks(study) if section in ("", check.section))


@dataclass(frozen=True, repr=False)
class WhatToDo:
    """What the checks that do not pass ask for, the most harmful first: what, who decides, what for."""

    rows: tuple[tuple[str, str, str], ...]

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{self!r}</p>"
        return html_table(table_cells(pd.DataFrame(self.rows, columns=["what to do", "who decides", "what for"])))

    def __repr__(self) -> str:
        beside = [", ".join(filter(None, [who, gain and f"for {gain}"])) for _, who, gain in self.rows]
        lines = [f"{row[0]} ({more})" if more else row[0] for row, more in zip(self.rows, beside, strict=True)]
        return "\n".join(lines) or "Nothing: every check passes."


def closing(study: Study, section: str = "", *, output: str = "", run: str = "") -> WhatToDo:
    """What to do given what a section's checks found, or all; the report's files go into `output`, if that is given.

    What a check cannot tell is listed with what would have to be known.
    """
    if output:
        write_summary(study, output=output, run=run)
    asking = sorted(_checks(study, section), key=lambda check: JUDGED[check.key].harm)
    known_once = "Have this known: {}."
    rows = [
        (check.action or known_once.format(JUDGED[check.key].known_once), check.decides, check.gain)
        for check in asking
        if check.action or check.status == "unknown"
    ]
    return WhatToDo(tuple(rows))


def events(study: Study, section: str) -> pd.DataFrame:
    """The places and times that a section's checks found, the first step from a finding to its samples.

    Columns: check, kind, place (tenant, instance, rule or stem), start, end (UTC; missing where it
    is not over), size, unit. The row's label is what `samples_behind` asks for.
    """
    own = _checks(study, section)
    frame = pd.DataFrame([{"check": check.key, **event} for check in own for event in check.events], columns=_EVENTS)
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in ("start", "end")})


def samples_behind(
    study: Study, section: str, event: int = 0, *, tenant: str = "", metric: str = "", rule: str = ""
) -> Card:
    """The raw samples behind one event of a section, or of one tenant or rule: the second step.

    `event` is its row in `events`; with `tenant` the whole window of that tenant is shown, with
    `rule` the alerts of that rule. `metric` is a role of the contract, as 'cost' or
    'tenant_readiness'; by default the one that the section judges. A UsageError where the section
    has no such event, the contract no such role, or the history no such tenant: near ones are
    named.
    """
    tenant, metric = as_text("tenant", tenant), as_text("metric", metric)
    role, found = metric or _SECTIONS.get(section, "tenant_readiness"), events(study, section)
    described, window, marked = study.contract[role], study.seen, None
    if tenant:
        own, said = _of_tenant(study, role, study.tenant(tenant)), f"{tenant} in {study.window.name}."
    elif rule:
        described, fired = study.contract["alerts"], study.samples("alerts", window)
        own, said = fired[fired["alertname"].astype("str") == rule], f"{rule} in {study.window.name}."
    elif found.empty:
        own, said = study.samples(role, window)[:0], f"Nothing was found in the section {section}."
    elif not 0 <= event < len(found):
        raise UsageError(f"Section '{section}' has no event {event}. It has 0 to {len(found) - 1}; see events().")
    else:
        row = found.iloc[event]
        role = metric or _ROLES.get(row["kind"], role)
        described, start = study.contract[role], row["start"].to_pydatetime()
        end = when(row["end"]) or study.seen.end
        marked, window = (start, end), Window(start - _MARGIN, max(end, start) + _MARGIN)
        own = of_place(study.samples(role, window), row["place"], stem=row["kind"] == "generated_names")
        lasting = f"{moment(start)} to {moment(end)}: {row['size']:g} {row['unit']}"
        said = f"{row['kind']} of {row['place']}, {lasting}."
    shown: dict[str, Any] = {"window": window, "marked": marked, "said": said}
    return shown_samples(study, f"{section}-samples", "samples", own, described, **shown)


def shown_samples(
    study: Study, key: str, of: str, samples: pd.DataFrame, metric: Metric, *, window: Window, marked: Any, **words: Any
) -> Card:
    """A card of raw samples of a metric, with a period in it marked."""
    unit = metric.unit.replace("currency", study.contract.currency)
    words |= {"metric": metric.name, "unit": unit, "around": window, "marked": marked}
    return compose(study, key, of=of, frame=samples.reset_index(drop=True), **words)


def _of_tenant(study: Study, role: str, tenant: str) -> pd.DataFrame:
    samples = study.samples(role, study.seen)
    tenants = samples["tenant"].astype("str") if "tenant" in samples else pd.Series("", index=samples.index)
    return samples[tenants == tenant]


def of_place(samples: pd.DataFrame, place: str, *, stem: bool = False) -> pd.DataFrame:
    """The samples whose rule, tenant or instance is `place`, or, of a stem, whose tenant begins with it; else all."""
    found = pd.Series(False, index=samples.index)
    for label in {"instance", "alertname", "tenant"} & set(samples):
        found |= (samples[label].astype("str") == place) & (place != "")
    if stem and "tenant" in samples:
        found |= samples["tenant"].astype("str").str.startswith(place)
    return samples[found] if found.any() else samples
