"""What the evidence for v1.0 shows: a finder a kind, over telemetry, ledger and files; none knows what is too old."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import pandas as pd
import rfc8785

from cloudxai_analysis.cards.log import Log
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, WEEK, midnight
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.entries import Attestation, Entry
from cloudxai_analysis.ledger.jobs import Harness
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.measures.rates import further_needed
from cloudxai_analysis.measures.telemetry import LEAST_DAYS
from cloudxai_analysis.operate.nights import GREEN_NIGHTS, green_run, kept_in, nights
from cloudxai_analysis.platform.published import published_summaries
from cloudxai_analysis.platform.settings import project_folder
from cloudxai_analysis.study.numbers import rounded
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, percent, several

MET, NOT_MET, NOT_KNOWN = "met", "not met", "not known"
_PROMISES = {"within_cap": "I1", "only_at_cap": "I2", "counted_exactly": "I3"}
_PAGE = ("alertname", "tenant", "fired_at", "judgement")
_POOLED = ("trials", "false_positives", "rate", "low", "high", "design_effect")


@dataclass(frozen=True)
class Evidence:
    """One thing that can be looked at and checked: its kind, name and time, its bytes, and where the original is."""

    kind: str
    name: str
    at: datetime | None
    content: bytes
    link: str = ""

    @property
    def sha256(self) -> str:
        """Of its bytes; of an entry of the ledger it is what the line after it holds as `previous`."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Found:
    """What the evidence shows, what is missing, since when, how new it is; what has no `newest` does not age."""

    status: str
    missing: str = ""
    since: datetime | None = None
    newest: datetime | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Case:
    """What a finder is given: study, clock, the ledger of observed days, what is asked for, and how long it holds."""

    study: Study
    at: datetime
    days: Ledger
    key: str
    holds: timedelta


Finder = Callable[[Case], Found]
FINDERS: dict[str, Finder] = {}


def finds(kind: str) -> Callable[[Finder], Finder]:
    """Make a function the one that finds evidence of a kind."""

    def keep(finder: Finder) -> Finder:
        FINDERS[kind] = finder
        return finder

    return keep


def _entries(ledger: Ledger, entries: Iterable[Entry]) -> tuple[Evidence, ...]:
    """Entries of a ledger, each by its line as it stands in the file."""
    lines = ledger.lines()
    return tuple(
        Evidence(one.kind, str(one.id), one.time, lines[str(one.id)], getattr(one, "link", "")) for one in entries
    )


@finds("days")
def _days(case: Case) -> Found:
    """The covered days in a row up to the last that was observed."""
    log = Log(case.study, case.days, at=case.at)
    if not log.days:
        return Found(NOT_KNOWN, f"{count(LEAST_DAYS, 'covered day')}; no day was observed")
    (status, why), end, run = log.days_met(), log.window.end, log.run
    shown = _entries(case.days, log.days[-max(run, 1) :])
    if status == MET:
        return Found(MET, "", end - (run - LEAST_DAYS) * DAY, end, shown)
    return Found(status, f"{count(LEAST_DAYS - run, 'more covered day')} ({why})", end - run * DAY, end, shown)


@finds("incidents")
def _incidents(case: Case) -> Found:
    """Whether a cardinality incident is unresolved; one that is open does not age."""
    log = Log(case.study, case.days, at=case.at)
    status, why = log.settled()
    last = log.window.end if log.days else None
    own = [one for one in case.study.ledger.standing().incidents() if one.id in log.unresolved[0]]
    shown = _entries(case.study.ledger, own) + _entries(case.days, log.days[-1:])
    since = min((one.start for one in own), default=last)
    return Found(status, "" if status == MET else why, since, None if own else last, shown)


@finds("nights")
def _nights(case: Case) -> Found:
    """The run of green nights up to the last that ran."""
    ledger = kept_in(case.study.environment, case.at.date() + DAY)
    known = [night for night in nights(ledger) if night.at <= case.at]
    if not known:
        return Found(NOT_KNOWN, f"{count(GREEN_NIGHTS, 'green night')}; no night is known")
    run, last = green_run(known), known[-1]
    own = known[-max(run.nights, 1) :]
    if run.state == MET:
        return Found(MET, "", own[GREEN_NIGHTS - 1].at, last.at, _entries(ledger, own))
    why = f" ({run.broken_by})" if run.broken_by else ""
    missing = f"{count(GREEN_NIGHTS - run.nights, 'more green night')}{why}"
    return Found(run.state, missing, midnight(last.date - run.nights * DAY), last.at, _entries(ledger, own))


@finds("routing")
def _routing(case: Case) -> Found:
    """Whether the environment's routing files pass the audits; what they hold, secrets perhaps, is no evidence."""
    settled, root = case.study.environment, project_folder()
    if not settled.rules:
        return Found(NOT_KNOWN, "routing that can be audited: the settings name no `rules` for the environment")
    try:
        corpus = read_corpus(settled.rules, contract=settled.contract, root=root)
        routed = sorted({one.file for one in corpus.routings})
        digests = {one: hashlib.sha256((root / one).read_bytes()).hexdigest() for one in routed}
    except (UsageError, OSError) as error:
        return Found(NOT_KNOWN, f"routing that can be audited, in `rules` of the environment: {error}")
    if not routed:
        return Found(NOT_KNOWN, "routing that can be audited: the files in `rules` of the environment hold none")
    faults = [one for one in audit(corpus) if one.file in routed and one.severity == "error"]
    said = rfc8785.dumps({"files": digests, "errors": [asdict(one) for one in faults]})
    shown = (Evidence("audit", ", ".join(routed), None, said),)
    if faults:
        codes = several(one.code for one in faults)
        return Found(NOT_MET, f"routing without {count(len(faults), 'error')}: {codes}", evidence=shown)
    return Found(MET, evidence=shown)


@finds("pages")
def _pages(case: Case) -> Found:
    """Whether the upper end of the paging rules' pooled rate is within the bound."""
    study, bound, end = case.study, case.study.bounds.false_positive_rate, case.study.seen.end
    pooled, weeks = study.alerts.pooled_false_positives, study.alerts.weekly_pooled
    row, more = pooled.iloc[0], further_needed(pooled, share=bound).iloc[0]
    missing = f"{count(more, 'more alert group')}, all true, for an upper end of {percent(bound, 0)} at most"
    shown = (_counted(study, bound), *_reports(study))
    if not row["trials"]:
        return Found(NOT_KNOWN, f"{missing}; no page of 28 days was judged", newest=end, evidence=shown)
    met = bool(row["high"] <= bound)
    alike = weeks["high"].notna() & ((weeks["high"] <= bound) == met)
    run = weeks[alike[::-1].cumprod()[::-1].astype(bool)]
    since = (run["start"].iloc[0] + WEEK).to_pydatetime() if len(run) else None
    said = f"{row['false_positives']:.0f} of {row['trials']:.0f} were false, {percent(row['high'], 0)} at most"
    return Found(MET if met else NOT_MET, "" if met else f"{missing}; {said}", since, end, shown)


def _counted(study: Study, bound: float) -> Evidence:
    """The pooled rate with each page that it counts, and the version of the lake that both are from."""
    alerts = study.alerts
    judged = alerts.judged[alerts.judged["alertname"].isin(list(alerts.paging_rules))]
    pooled = alerts.pooled_false_positives.iloc[0]
    said = {
        "window": str(alerts.alert_window),
        "bound": bound,
        "pooled": {name: rounded(float(pooled[name])) for name in _POOLED},
        "pages": judged[list(_PAGE)].astype("str").to_dict("records"),
        "lake": study.provenance.get("lake", {}),
    }
    return Evidence("pages", f"pages of {alerts.alert_window.name}", study.seen.end, rfc8785.dumps(said))


def _reports(study: Study) -> Iterator[Evidence]:
    """The summaries of the published reports that end within the 28 days."""
    reports, window = study.environment.reports, study.alerts.alert_window
    for one in published_summaries(reports):
        said, name = (one.said or {}).get("window"), one.file.parent.name
        end = pd.to_datetime(said.get("end") if isinstance(said, dict) else None, utc=True, errors="coerce")
        if one.file.parent.parent == reports and name[0] != "." and window.start < end <= window.end:
            link = f"reports/{name}/weekly_report.html"
            yield Evidence("report", name, end.to_pydatetime(), one.file.read_bytes(), link)


@finds("harness")
def _harness(case: Case) -> Found:
    """Whether the last run of the harness saw each promise kept; one of a guard that was broken on purpose is none."""
    known = case.study.ledger.standing().counting(Harness)
    runs = sorted((one for one in known if not one.fault and one.at <= case.at), key=lambda one: one.at)
    if not runs:
        return Found(NOT_KNOWN, "a run of `cloudxai harness` that shows I1, I2 and I3")
    last, (status, missing) = runs[-1], _promised(runs[-1])
    alike = takewhile(lambda one: _promised(one)[0] == status, reversed(runs))
    file = case.study.environment.harness
    content = file.read_bytes() if file.is_file() else b""
    result = Evidence("harness-result", file.name, last.at, content)
    shown = _entries(case.study.ledger, [last]) + ((result,) if result.sha256 == last.result else ())
    return Found(status, missing, min(one.at for one in alike), last.at, shown)


def _promised(run: Harness) -> tuple[str, str]:
    """What a run says of the guard, and what is missing."""
    verdicts = {name: getattr(run, field) for field, name in _PROMISES.items()}
    if broken := [name for name, verdict in verdicts.items() if verdict == "fail"]:
        return NOT_MET, f"a run that shows {several(broken)}"
    if unknown := [name for name, verdict in verdicts.items() if verdict == "unknown"]:
        return NOT_KNOWN, f"a run that can tell {several(unknown)}"
    if run.most_tenants <= run.cap:
        return NOT_KNOWN, f"a run with more than {count(run.cap, 'tenant')}, which is the cap"
    if run.differing:
        return NOT_KNOWN, f"a run that the suite counts right: of the last one {count(run.differing, 'number')} differ"
    return MET, ""


@finds("attested")
def _attested(case: Case) -> Found:
    """Whether a person has attested it, without a break since."""
    own = [one for one in attestations(case.study.ledger, case.at) if case.key in one.attests]
    if not own:
        return Found(NOT_MET, f"an attestation of '{case.key}'")
    since = own[-1].date
    for one in reversed(own):
        since = one.date if since - one.date <= case.holds else since
    return Found(MET, "", midnight(since), midnight(own[-1].date), _entries(case.study.ledger, own[-1:]))


def attestations(ledger: Ledger, at: datetime) -> list[Attestation]:
    """What people have attested by now, in its order."""
    known = ledger.standing().counting(Attestation)
    return sorted((one for one in known if one.date <= at.date()), key=lambda one: one.date)
