"""The page and the analysts' edition: HTML files without a script or a request, each made of an executed notebook."""

from __future__ import annotations

import base64
import csv
import hashlib
import inspect
import json
import re
import shlex
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from cloudxai_analysis.cards.card import LOOK_MIME, NARROW_MIME, SVG_MIME
from cloudxai_analysis.cards.compose import PAGE, Section
from cloudxai_analysis.cards.summary import SUMMARY_MIME, summary_sha256
from cloudxai_analysis.checks import SEVERITY
from cloudxai_analysis.checks.finding import ROWS as CHECKS
from cloudxai_analysis.figures.svg import allowed_svg, sparkline
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.ground.secrets import bare
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Bounds
from cloudxai_analysis.words import phrases
from cloudxai_analysis.words.csv_cells import neutral
from cloudxai_analysis.words.markdown import markdown_text
from cloudxai_analysis.words.sentences import say

_HERE = Path(__file__).parent
_EVALUATION = _HERE.parent / "operate" / "evaluation.json"
_OF_THIS_RUN = ("output", "run")
_REORDERING = frozenset({"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"})
_UNIT = re.compile(r"(\d) (?=(?:%|[A-Z]{3}\b|h\b|min\b|ms\b|s\b))")
_NAME = re.compile(r"(?=.{4,24}$)[\w.]+(?:[-:][\w.]+)+\W?")
# No HTML document may hold these: C0 and C1 controls, and halves of surrogate pairs, which are no characters at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


PAGE_FILE, ANALYST_FILE = "weekly_report.html", "analysts_edition.html"
MOST_ROWS, MOST_COLUMNS = 12, 7  # of a table on the page
Anchor = Callable[[str], str]


def render(notebook: dict[str, Any], *, linked: str = "") -> str:
    """The page of an executed weekly notebook, given as the notebook file's JSON; `linked`: the other edition's file.

    Raises NotebookFailed where it holds no headline: it is no weekly report, or was not run.
    """
    return _rendered("page.html.jinja", notebook, linked)


def render_analyst(notebook: dict[str, Any]) -> str:
    """The analysts' edition: every card with its code, method, glossary, bounds and provenance."""
    return _rendered("analyst.html.jinja", notebook, PAGE_FILE)


def _rendered(template: str, notebook: dict[str, Any], linked: str) -> str:
    head, looks = _outputs(notebook)
    if head is None:
        raise NotebookFailed("The notebook holds no headline, so there is no page. Run weekly_report to its end.")
    summary = head["summary"]
    checks = {check["key"]: check for check in summary["checks"]}
    # A section that has no card still has its place, and so has one that is new to us.
    names = dict.fromkeys([*PAGE, *(look["section"] for look in looks)])
    start, end = (datetime.fromisoformat(summary["window"][edge]) for edge in ("start", "end"))
    period = Window(start, end, summary["window"]["name"]).period
    sections = [_section(name, checks, looks, period) for name in names]
    shown = looks if template.startswith("analyst") else [look for section in sections for look in section["evidence"]]
    page = template_of(template).render(
        summary=summary,
        period=period,
        since=head["since"],
        sections=sections,
        again=_again(summary),
        anchor=_anchors([section["name"] for section in sections], checks, looks, {look["key"] for look in shown}),
        checks=checks,
        unknown=sum(check["status"] == "unknown" for check in checks.values()),
        linked=linked,
        glossary=sorted({look["definition"].partition(": ")[::2] for look in looks if ": " in look["definition"]}),
        evaluation=json.loads(_EVALUATION.read_text(encoding="utf-8")),
        own=head.get("evaluation"),
        bounds={key: field.description for key, field in Bounds.model_fields.items()},
        **styled(),
        sparkline=lambda values: Markup(sparkline(values)),  # noqa: S704 - drawn of numbers alone
        run=_run(notebook["metadata"]),
        summary_sha256=summary_sha256(summary),
        most_rows=MOST_ROWS,
        most_columns=MOST_COLUMNS,
    )
    return readable(page)


def _anchors(sections: list[str], checks: dict[str, Any], looks: list[dict[str, Any]], shown: set[str]) -> Anchor:
    """Where a link leads: to the card of that key, or of that check, where it is `shown`; else to its section."""
    led = {name: name for name in sections}
    led |= {look["key"]: look["key"] if look["key"] in shown else look["section"] for look in looks}
    led |= {key: led.get(CHECKS[key].card, check["section"]) for key, check in checks.items() if key in CHECKS}

    def anchor(link: str) -> str:
        key = link.removeprefix("#")
        return led.get(key) or led.get(key.split("-", 1)[0], "main")

    return anchor


@cache
def styled() -> dict[str, Any]:
    """The style of a page, and the hash by which its content-security policy lets it in."""
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {"style": Markup(style), "style_hash": hashed}  # noqa: S704 - our own file


@cache
def template_of(name: str) -> Any:
    """A template of this folder, which escapes whatever it is given, and spells as all rooms do."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: spelt for name, spelt in vars(phrases).items() if inspect.isfunction(spelt)}
    environment.filters |= {"said": said, "named": named, "number": "{:,}".format, "date": phrases.day}
    environment.filters["md"] = lambda text: Markup(markdown_text(text, most=1_000))  # noqa: S704 - it escapes
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ")
    return environment.get_template(name)


def _outputs(notebook: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The headline's bundle, and each look once, with its figure."""
    head: dict[str, Any] | None = None
    looks: dict[str, dict[str, Any]] = {}
    outputs = ((cell, output) for cell in notebook["cells"] for output in cell.get("outputs", []))
    for cell, output in outputs:
        data, code = output.get("data", {}), "".join(cell.get("source", ""))
        if SUMMARY_MIME in data:
            head = data[SUMMARY_MIME]
        elif LOOK_MIME in data:
            look = data[LOOK_MIME]
            looks.setdefault(look["key"], {**look, "figure": "", "narrow": "", "data": _csv(look), "code": code})
        elif SVG_MIME in data and looks:
            newest = next(reversed(looks.values()))
            figure = allowed_svg("".join(data[SVG_MIME]), newest["key"])
            newest["figure"] = Markup(figure)  # noqa: S704 - checked just above
            narrow = allowed_svg("".join(data.get(NARROW_MIME, "")), f"{newest['key']}-n")
            newest["narrow"] = Markup(narrow)  # noqa: S704 - checked just above
    return head, list(looks.values())


def _section(name: str, checks: dict[str, Any], looks: list[dict[str, Any]], period: str) -> dict[str, Any]:
    """What a section shows: its answer, what was found by cause, two figures, and the evidence behind them, folded."""
    row = PAGE.get(name) or Section(title=name.capitalize(), notebook="weekly_report")
    of_it, own = ([one for one in some if one["section"] == name] for some in (checks.values(), looks))
    by_key = {look["key"]: look for look in own}
    # Of a section that no check judges there is no verdict.
    no_check = "unknown" if any(check.section == name for check in CHECKS.values()) else ""
    told = set(by_key.get(row.answer, {"checks": []})["checks"])
    found = [check for check in of_it if check["status"] in ("fail", "warn")]
    figures = [by_key[key] for key in row.figures if key in by_key and by_key[key]["figure"]]
    asking = {
        look for look in by_key for key in by_key[look]["checks"] if key in checks and checks[key]["status"] != "pass"
    }
    kept = {row.answer, *row.figures, *row.tables, *row.evidence, *asking}
    return {
        "name": name,
        "title": say(row.title, {"period": period}),
        "notebook": row.notebook,
        "status": min((check["status"] for check in of_it), key=SEVERITY.__getitem__, default=no_check),
        "checks": of_it,
        "looks": own,
        "answer": by_key.get(row.answer),
        "asking": next(
            (checks[key]["status"] for key in told if key in checks and checks[key]["status"] != "pass"), ""
        ),
        "found": _by_cause([check for check in found if check["key"] not in told], checks, name),
        "unknown": [check for check in of_it if check["status"] == "unknown" and check["key"] not in told],
        "passing": [check["title"] for check in of_it if check["status"] == "pass" and check["key"] not in told],
        "nothing": " ".join(
            f"{look['empty'][:1].upper()}{look['empty'][1:]}."
            for look in own
            if look["empty"] and look["key"] in (*row.figures, *row.tables) and not row.answer
        ),
        "figures": figures if name in PAGE else [look for look in own if look["figure"]],
        "tables": [by_key[key] for key in row.tables if key in by_key],
        "evidence": [look for look in own if look["key"] in kept or name not in PAGE],
    }


def _by_cause(found: list[dict[str, Any]], checks: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """What was found, a group a cause: what hurt most, the others, and the cause where it is of another section."""
    causes: dict[str, list[dict[str, Any]]] = {}
    for check in found:
        causes.setdefault(check["cause"], []).append(check)
    heads = ((checks.get(cause), own) for cause, own in causes.items())
    return [
        {"first": own[0], "others": own[1:], "elsewhere": head if head and head["section"] != section else None}
        for head, own in heads
    ]


def _again(summary: dict[str, Any]) -> dict[str, str]:
    """What commands need to show or explain a number again, from the lake as it was; they ask no source."""
    window, environment = summary["window"]["name"], summary["environment"]
    given = {
        "week": window,
        "environment": environment,
        "source": summary["provenance"]["source"]["source"],
        "lake_version": str(summary["provenance"]["lake"]["rollups"]),
    }
    run = shlex.join(word for name, value in given.items() for word in ("-p", name, value))
    return {"run": run, "explain": shlex.join(["--week", window, "--environment", environment])}


def _csv(look: dict[str, Any]) -> str:
    """The card's whole table as a link that holds it; '' where the card has only the first of its rows."""
    if look["total_rows"] != len(look["rows"]) or not look["rows"]:
        return ""
    written = StringIO()
    rows = [[column["label"] for column in look["columns"]], *look["rows"]]
    csv.writer(written, lineterminator="\n").writerows([neutral(cell) for cell in row] for row in rows)
    return f"data:text/csv;base64,{base64.b64encode(written.getvalue().encode(errors='replace')).decode()}"


def _run(metadata: dict[str, Any]) -> dict[str, Any]:
    """How the notebook was run: its file's hash, versions, seconds, and the parameters but those of this run alone."""
    papermill = metadata.get("papermill", {})
    given = sorted((name, value) for name, value in papermill.get("parameters", {}).items() if name not in _OF_THIS_RUN)
    parameters = {name: bare(value) if isinstance(value, str) else value for name, value in given}
    return {"stamp": metadata.get("cloudxai", {}), "seconds": papermill.get("duration"), "parameters": parameters}


@lru_cache(maxsize=4096)  # a page over years says each label and most numbers many times
def said(text: object) -> Markup:
    """A sentence: a number stays on its unit's line, and a word that could reorder its neighbours is isolated."""
    return Markup("").join(_word(word) for word in re.split(r"(\s+)", _UNIT.sub("\\1\u00a0", str(text))))


def named(text: object) -> Markup:
    """A name or a table's cell, exactly as it is, isolated from what stands beside it."""
    return Markup("<bdi>{}</bdi>").format(str(text))


def readable(page: str) -> str:
    """`page` with a replacement character for each one that no HTML document may hold."""
    return _NO_TEXT.sub("\ufffd", page)


def _word(word: str) -> Markup:
    if not word.isascii() and any(unicodedata.bidirectional(letter) in _REORDERING for letter in word):
        return named(word)
    return Markup('<span class="whole">{}</span>').format(word) if _NAME.fullmatch(word) else escape(word)
