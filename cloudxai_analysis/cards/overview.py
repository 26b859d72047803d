"""Cards of the whole week: its events on one timeline, its incidents, the rules as one table, tenants to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from cloudxai_analysis.cards.compose import Words, card
from cloudxai_analysis.checks.alerts import rule_verdicts
from cloudxai_analysis.measures.judgement import first_catches
from cloudxai_analysis.measures.readiness import TENANT_MINUTES
from cloudxai_analysis.study.cost import GENERATED
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import count, moment, money, percent, span

MOST_TENANTS = 5
_JUDGED = {
    "true": "alerts, true",
    "standing": "alerts, true",
    "false": "alerts, false",
    "unjudged": "alerts, not judged",
}
_SAID = {
    "outages": ("outage",),
    "refusals": ("period of refusals", "periods of refusals"),
    "restarts": ("restart",),
    "cost spikes": ("cost spike",),
    "gaps": ("gap",),
}
_COLUMNS = ["lane", "what", "start", "end"]


@card("week-timeline")
def timeline(study: Study, _: pd.DataFrame) -> Words:
    """What happened when: a lane a kind of event, as far as it lies in the window."""
    seen = study.seen
    frame = pd.DataFrame(_events(study), columns=_COLUMNS)
    frame = frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in ("start", "end")})
    inside = (frame["start"] < seen.end) & ((frame["end"] > seen.start) | frame["end"].isna())
    frame = frame[inside].reset_index(drop=True)
    numbers = frame["lane"].value_counts(sort=False)
    said = ", ".join(count(numbers[lane], *words) for lane, words in _SAID.items() if lane in numbers)
    return {"table": frame, "said": said or "nothing", "week": seen}


def _events(study: Study) -> Iterator[tuple[str, str, Any, Any]]:
    """Lane, what, start and end of each event; those that last no time end as they begin."""
    for row in study.readiness.outages.itertuples():
        yield "outages", "the platform", row.start, row.end
    for row in study.cardinality.refusals.itertuples():
        yield "refusals", f"{row.instance}: {row.rejections:,.0f} requests", row.start, row.end
    for row in study.telemetry.restarts.itertuples():
        yield "restarts", str(row.instance), row.started_at, row.started_at
    for row in study.ledger.stretches().itertuples():
        yield "deploys and maintenance", str(row.summary), row.start, row.end
    for row in study.alerts.week_episodes.sort_values("judgement", ascending=False).itertuples():
        whose = f" of {row.tenant}" if row.tenant else ""
        yield _JUDGED[row.judgement], f"{row.alertname}{whose}", row.fired_at, row.resolved_at
    for row in study.cost.cost_stretches.itertuples():
        yield "cost spikes", f"{row.tenant or 'all together'}: {money(row.excess, row.currency)}", row.start, row.end
    for row in study.telemetry.gaps.itertuples():
        yield "gaps", str(row.instance or row.job), row.start, row.end


@card("incidents-week")
def incidents(study: Study, frame: pd.DataFrame) -> Words:
    """The ledger's incidents: for how long, how soon which alert told, and why they came about."""
    caught = first_catches(study.alerts.judged, frame).sort_values("fired_at").drop_duplicates("id").set_index("id")
    first = caught.reindex(frame["id"].astype("str"))
    after = first["fired_at"].reset_index(drop=True) - frame["start"]
    table = pd.DataFrame(
        {
            "incident": frame["id"].astype("str"),
            "effect": frame["summary"].astype("str"),
            "began (UTC)": frame["start"].dt.strftime("%a %d %b %H:%M"),
            "lasted": [span(one.total_seconds()) for one in frame["end"] - frame["start"]],
            "told after": [span(one.total_seconds()) if pd.notna(one) else "by no alert" for one in after],
            "by alert": first["alertname"].fillna("–").astype("str").to_numpy(),
        }
    )
    if frame["root_cause"].isna().all():
        return {"table": table, "untold": "; no cause is written down" if len(frame) else ""}
    return {"table": table.assign(cause=frame["root_cause"].fillna("not written down").astype("str")), "untold": ""}


@card("alerts-by-rule")
def by_rule(study: Study, frame: pd.DataFrame) -> Words:
    """What each rule cost and caught, in one table."""
    verdict = rule_verdicts(frame, bound=study.bounds.false_positive_rate)
    table = pd.DataFrame(
        {
            "rule": frame["alertname"].astype("str"),
            "wakes": ["yes" if paging else "no" for paging in frame["paging"]],
            "fired": frame["episodes"],
            "at night": frame["at_night"],
            "false groups": [f"{row.false_positives} of {row.trials}{_interval(row)}" for row in frame.itertuples()],
            "incidents missed": [
                f"{row.incidents - row.caught:.0f} of {row.incidents:.0f}" for row in frame.itertuples()
            ],
            "verdict": verdict,
        }
    )
    return {"table": table}


def _interval(row: Any) -> str:
    return f" ({percent(row.low, 0)} to {percent(row.high, 0)})" if row.trials else ""


@card("tenants-attention")
def attention(study: Study, _: pd.DataFrame) -> Words:
    """The tenants to look at, one reason each, those whose customers were hit first."""
    frame = pd.DataFrame(_reasons(study), columns=["tenant", "why"])
    names = set(study.cardinality.generated_names["tenant"].astype("str")) | {GENERATED, ""}
    frame = frame[~frame["tenant"].isin(names)].drop_duplicates("tenant").head(MOST_TENANTS).reset_index(drop=True)
    return {"table": frame, "empty": "seen" if len(study.cardinality.tenant_sets) else "none"}


def _reasons(study: Study) -> Iterator[tuple[str, str]]:
    """Tenants and why to look at them, the gravest subject first and in it the largest."""
    dips = study.readiness.tenant_outages.sort_values("minutes", ascending=False, kind="stable")
    for row in dips[dips["minutes"] > TENANT_MINUTES].itertuples():
        yield str(row.tenant), f"not ready for {span(row.minutes * 60)} from {moment(row.start)}"
    for row in study.within(study.alerts.flapping_tenants, "start").itertuples():
        yield str(row.tenant), f"flipped {count(row.transitions, 'time')} from {moment(row.start)}"
    for row in study.cost.cost_stretches.sort_values("excess", ascending=False, kind="stable").itertuples():
        yield str(row.tenant), f"cost {money(row.excess, row.currency)} more than expected from {moment(row.start)}"
    for row in study.cost.semantics_breaks.itertuples():
        yield str(row.tenant), "its cost gauge is not what it is declared to be"
    wrong = study.alerts.week_episodes.query("judgement == 'false'")["tenant"].astype("str").value_counts()
    for tenant, number in wrong.items():
        yield str(tenant), f"{count(number, 'alert')} on it that called for nothing"
