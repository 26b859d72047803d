"""The page: one HTML file without a script or a request, made from an executed notebook and from nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from cloudxai_analysis.cards.card import LOOK_MIME, SVG_MIME
from cloudxai_analysis.cards.summary import SUMMARY_MIME, summary_sha256
from cloudxai_analysis.checks import SECTIONS, SEVERITY
from cloudxai_analysis.figures.svg import allowed_svg, sparkline
from cloudxai_analysis.ground.errors import NotebookFailed
from cloudxai_analysis.platform.settings import Bounds

_HERE = Path(__file__).parent
_EVALUATION = _HERE.parent / "operate" / "evaluation.json"
_OF_THIS_RUN = ("output", "run")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
_REORDERING = frozenset({"R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"})
_UNIT = re.compile(r"(\d) (?=(?:%|[A-Z]{3}\b|h\b|min\b|ms\b|s\b))")
_NAME = re.compile(r"(?=.{4,24}$)[\w.]+(?:[-:][\w.]+)+\W?")
# No HTML document may hold these: C0 and C1 controls, and halves of surrogate pairs, which are no characters at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render(notebook: dict[str, Any]) -> str:
    """The page of an executed weekly notebook, given as the notebook file's JSON.

    Raises NotebookFailed where it holds no headline: it is no weekly report, or was not run.
    """
    head, looks = _outputs(notebook)
    if head is None:
        raise NotebookFailed("The notebook holds no headline, so there is no page. Run weekly_report to its end.")
    summary = head["summary"]
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    # A section that has no look still has its place, and so has one that is new to us.
    sections: list[str] = list(dict.fromkeys([*SECTIONS, *(look["section"] for look in looks)]))
    # Where links lead: a look by its key, a check to the look that shows it, or else to its section.
    anchors = {name: name for name in sections} | {check["key"]: check["section"] for check in summary["checks"]}
    anchors |= {check: look["key"] for look in looks for check in look["checks"]}
    anchors |= {look["key"]: look["key"] for look in looks}

    def anchor(link: str) -> str:
        key = link.removeprefix("#")
        return anchors.get(key) or anchors.get(key.split("-", 1)[0], "main")

    page = _template().render(
        summary=summary,
        since=head["since"],
        sections=[_section(name, summary["checks"], looks) for name in sections],
        again=_again(summary),
        anchor=anchor,
        checks={check["key"]: check for check in summary["checks"]},
        glossary=sorted({look["definition"].partition(": ")[::2] for look in looks if ": " in look["definition"]}),
        evaluation=json.loads(_EVALUATION.read_text(encoding="utf-8")),
        own=head.get("evaluation"),
        bounds={key: field.description for key, field in Bounds.model_fields.items()},
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        sparkline=lambda values: Markup(sparkline(values)),  # noqa: S704 - drawn of numbers alone
        run=_run(notebook["metadata"]),
        summary_sha256=summary_sha256(summary),
    )
    return readable(page)


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=select_autoescape(["html", "jinja"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"said": said, "named": named, "number": "{:,}".format}
    environment.filters["day"] = lambda moment: str(moment)[:16].replace("T", " ")
    return environment.get_template("report.html.jinja")


def _outputs(notebook: dict[str, Any]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The headline's bundle, and each look once, with its figure."""
    head: dict[str, Any] | None = None
    looks: dict[str, dict[str, Any]] = {}
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if SUMMARY_MIME in data:
            head = data[SUMMARY_MIME]
        elif LOOK_MIME in data:
            look = data[LOOK_MIME]
            looks.setdefault(look["key"], {**look, "figure": ""})
        elif SVG_MIME in data and looks:
            newest = next(reversed(looks.values()))
            figure = allowed_svg("".join(data[SVG_MIME]), newest["key"])
            newest["figure"] = Markup(figure)  # noqa: S704 - checked just above
    return head, list(looks.values())


def _section(name: str, checks: list[dict[str, Any]], looks: list[dict[str, Any]]) -> dict[str, Any]:
    of_it, own = ([one for one in some if one["section"] == name] for some in (checks, looks))
    status = min((check["status"] for check in of_it), key=SEVERITY.__getitem__, default="unknown")
    return {"name": name, "status": status, "checks": of_it, "looks": own}


def _again(summary: dict[str, Any]) -> str:
    """What a command needs to show a section's numbers again, from the lake as it was; it asks no source."""
    given = {
        "week": summary["window"]["name"],
        "environment": summary["environment"],
        "source": summary["provenance"]["source"]["source"],
        "lake_version": str(summary["provenance"]["lake"]["rollups"]),
    }
    return shlex.join(word for name, value in given.items() for word in ("-p", name, value))


def _run(metadata: dict[str, Any]) -> dict[str, Any]:
    """How the notebook was run: its file's hash, versions, seconds, and the parameters but those of this run alone."""
    papermill = metadata.get("papermill", {})
    given = sorted((name, value) for name, value in papermill.get("parameters", {}).items() if name not in _OF_THIS_RUN)
    parameters = {name: _CREDENTIALS.sub("", value) if isinstance(value, str) else value for name, value in given}
    return {"stamp": metadata.get("cloudxai", {}), "seconds": papermill.get("duration"), "parameters": parameters}


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
