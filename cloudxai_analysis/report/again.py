"""Making a published report again: what it was made of, what of that is there no more, and whether both are the same.

`summary.json` names the lake's version and the ledger's head; `run.json` beside it has a hash of all else.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cloudxai_analysis.cards.notebook import earlier_summaries
from cloudxai_analysis.cards.summary import summary_sha256, summary_text
from cloudxai_analysis.ground.errors import CloudxaiError, LakeDamaged, NotebookFailed, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.lake.tiles import checked
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.ledger import Head
from cloudxai_analysis.platform.published import published_summaries
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.report.page import ANALYST_FILE, PAGE_FILE
from cloudxai_analysis.report.run import LIBRARIES
from cloudxai_analysis.words.phrases import count

_PACKAGE = Path(__file__).parents[1]
# These say how telemetry is brought, and nothing about what is made of it.
_BRINGING = "source way matchers rule_matchers rewind_minutes tenant http_config_file nightly canary rules"
_CHANGED = {
    "package": "the package has another version",
    "code": "the package's code has changed",
    "notebook": "the notebook has changed",
    "contract": "the contract has changed",
    "evaluation": "the evaluation of its own weeks has changed",
    "rules": "the rule and routing files have changed",
}


@dataclass(frozen=True)
class Made:
    """A report by its `summary.json`, and what it was made `of` by `run.json`, where that says so."""

    file: Path
    summary: dict[str, Any]
    window: Window
    source: str
    lake_version: int
    head: Head
    of: dict[str, Any]


def read_made(file: Path) -> Made:
    """The report of a `summary.json`; raises UsageError where the file is none."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        named, made, _ = said["window"], said["provenance"], said["environment"] + said["provenance"]["package"]
        start, end = (datetime.fromisoformat(named[edge]) for edge in ("start", "end"))
        head, of = Head(said["ledger"]["entries"], said["ledger"]["head"]), _recorded(file.with_name("run.json"))
        window, version_of = Window(start, end, named["name"]), int(made["lake"]["rollups"])
        return Made(file, said, window, made["source"]["source"], version_of, head, of)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise UsageError(f"File {file} is no summary.json of a report: {why}. Name one that a report left.") from None


def _recorded(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))["of"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def made_of(environment: Environment, window: Window, notebook: Path) -> dict[str, Any]:
    """All that a report is made of beside lake and ledger: a hash of each, settings and libraries one by one."""
    settings = environment.settings.model_dump(mode="json", exclude=set(_BRINGING.split()))
    settings |= {f"bounds.{key}": float(bound) for key, bound in environment.bounds.model_dump().items()}
    settings["table_rows"] = environment.limits.table_rows
    return {
        "package": version("cloudxai-analysis"),
        "code": _tree([_PACKAGE]),
        "notebook": _sha256(notebook.read_bytes()),
        "contract": _sha256(environment.contract.model_dump(mode="json")),
        "evaluation": _sha256(environment.evaluation.read_bytes() if environment.evaluation.is_file() else b""),
        "rules": _tree([project_folder() / path for path in environment.rules]),
        "settings": {key: _sha256(value) for key, value in settings.items()},
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        "earlier": _before(environment, window),
    }


def _before(environment: Environment, window: Window) -> dict[str, str]:
    return {said["window"]["name"]: summary_sha256(said) for said in earlier_summaries(environment.reports, window)}


def _tree(places: Sequence[Path]) -> str:
    """A hash of files, and of all that lie below folders, by their names and contents."""
    files = {(place, file) for place in places for file in (place, *place.rglob("*")) if file.is_file()}
    of = [(place, file) for place, file in files if file.suffix != ".pyc"]
    return _sha256(sorted((str(file.relative_to(place)), _sha256(file.read_bytes())) for place, file in of))


def _sha256(content: Any) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


def files_of(folder: Path) -> dict[str, str]:
    """A hash of each file that a report's readers open."""
    return {file.name: _sha256(file.read_bytes()) for file in sorted(folder.glob("*.*")) if file.name != "run.json"}


def standing(
    environment: Environment, target: Path, pinned: dict[str, Any], head: Head, of: dict[str, Any], *, analyst: bool
) -> dict[str, Any] | None:
    """The summary of the report published at `target`, where one made now, of all this, would be the same.

    `pinned` is the source with the version of the lake. None is it also where a file that readers
    open, or a tile that it was made of, is not as it was written.
    """
    try:
        made, recorded = read_made(target / "summary.json"), json.loads((target / "run.json").read_bytes())
        then = {"source": made.source, "lake_version": made.lake_version}, made.head, made.of, recorded["files"]
    except (UsageError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if then != (pinned, head, of, files_of(target)) or (ANALYST_FILE in recorded["files"]) != analyst:
        return None
    lake = open_lake(environment.lake)
    whole = not any(checked(file.path(lake.path))[1] for file in lake.snapshot(made.lake_version).files)
    return made.summary if whole else None


def staged(made: Made, environment: Environment, notebook: Path, folder: Path) -> Environment:
    """The environment as the report found it, in `folder`: the same lake, ledger and reports before it.

    Raises LakeDamaged (what it was made from is gone) or UsageError (something has changed); the one
    line names all that stands in the way.
    """
    there = environment.model_copy(update={"outputs": folder})
    for place in (there.ledger.parent, there.reports):
        place.mkdir(parents=True)
    there.lake.symlink_to(environment.lake.absolute(), target_is_directory=True)
    if environment.evaluation.is_file():
        there.evaluation.write_bytes(environment.evaluation.read_bytes())
    gone = [*_lake_gone(made, environment), *_ledger_gone(made, environment, there)]
    gone += _reports_gone(made, environment, there)
    changed = list(_changed(made, there, notebook))
    if gone or changed:
        kind = LakeDamaged if gone else UsageError
        raise kind(f"Report {made.file} cannot be made again: {'; '.join([*gone, *changed])}. Bring that back first.")
    return there


def tiles_of(environment: Environment, lake_version: int) -> str:
    """A hash of the files of a version of the lake, by their names, which hold those of their contents."""
    return _sha256(sorted(file.name for file in open_lake(environment.lake).snapshot(lake_version).files))


def _lake_gone(made: Made, environment: Environment) -> Iterator[str]:
    try:
        if lost := open_lake(environment.lake).snapshot(made.lake_version).lost():
            yield f"lake version {made.lake_version} has lost {count(len(lost), 'tile')}, by a vacuum or a fault"
        if "tiles" in made.of and made.of["tiles"] != tiles_of(environment, made.lake_version):
            yield f"the lake was filled anew, and its version {made.lake_version} is another"
    except CloudxaiError as error:
        yield f"lake version {made.lake_version} cannot be read ({str(error).rstrip('.')})"


def _ledger_gone(made: Made, environment: Environment, there: Environment) -> Iterator[str]:
    try:
        if Ledger.of(environment).verify([("it", made.head)]).entries:
            lines = environment.ledger.read_bytes().splitlines(keepends=True)
            there.ledger.write_bytes(b"".join(lines[: made.head.entries]))
    except LakeDamaged as error:
        yield f"the ledger has diverged ({str(error).rstrip('.')})"


def _reports_gone(made: Made, environment: Environment, there: Environment) -> Iterator[str]:
    """What it was compared with may have been published anew since; earlier editions are kept for a while."""
    wanted = made.of.get("earlier", _before(environment, made.window))
    for one in published_summaries(environment.reports):
        week = str(((one.said or {}).get("window") or {}).get("name"))
        if one.said and week in wanted and summary_sha256(one.said) == wanted[week]:
            (there.reports / week).mkdir(exist_ok=True)
            (there.reports / week / "summary.json").write_text(summary_text(one.said), encoding="utf-8")
    left = [week for week in wanted if not (there.reports / week).exists()]
    yield from (f"no edition of report {week} that it was compared with is left" for week in left)


def _changed(made: Made, there: Environment, notebook: Path) -> Iterator[str]:
    was, now = {"package": made.summary["provenance"]["package"], **made.of}, made_of(there, made.window, notebook)
    yield from (said for key, said in _CHANGED.items() if key in was and was[key] != now[key])
    for group in ("settings", "libraries"):
        if keys := [key for key in now[group] if group in was and was[group].get(key) != now[group][key]]:
            yield f"{group} have changed: {', '.join(keys)}"


def hold(made: Made, folder: Path) -> list[str]:
    """Hold the report in `folder` to the published one; which files are the same, to the byte.

    Raises NotebookFailed where one is not.
    """
    both = {made.file: folder / "summary.json", made.file.with_name(PAGE_FILE): folder / PAGE_FILE}
    both = {file: again for file, again in both.items() if file.is_file()}
    apart = [file.name for file, again in both.items() if file.read_bytes() != again.read_bytes()]
    if apart:
        raise NotebookFailed(
            f"Report {made.file} was made again in {folder}, and is not the same in {' and '.join(apart)}, though "
            "nothing that is recorded has changed. Look at both."
        )
    return [file.name for file in both]
