"""From a finding to the samples behind it, in two steps: which events a section found, and what was stored there."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from cloudxai_analysis.cards.card import Card
from cloudxai_analysis.cards.compose import compose
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import near_miss
from cloudxai_analysis.study.asked import as_text
from cloudxai_analysis.study.study import Study
from cloudxai_analysis.words.phrases import moment

_EVENTS = ["check", "kind", "place", "start", "end", "size", "unit"]
_MARGIN = timedelta(hours=3)
# Which metric shows an event best, by its kind; of the others that of the section.
_ROLES = {"rejections": "rejections", "readiness_incident": "readiness"}
_SECTIONS = {"telemetry": "up", "cost": "cost", "alerts": "alerts"}


def events(study: Study, section: str) -> pd.DataFrame:
    """The places and times that a section's verdicts found, the first step.

    Columns: check, kind, place (tenant, instance, rule or stem), start, end (UTC; missing where it is not over), size,
    unit. The row's label is what `samples_behind` asks for.
    """
    own = [check for check in judge.checks(study) if check.section == section]
    frame = pd.DataFrame([{"check": check.key, **event} for check in own for event in check.events], columns=_EVENTS)
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in ("start", "end")})


def samples_behind(study: Study, section: str, event: int = 0, *, tenant: str = "", metric: str = "") -> Card:
    """The raw samples behind one event of a section, or of one tenant: the second step.

    `event` is its row in `events`; with `tenant` the whole window of that tenant is shown. `metric` is a role of the
    contract, as 'cost' or 'tenant_readiness'; by default the one that the section judges.

    Raises
    ------
    UsageError
        The section has no such event, the contract no such role, or the history no such tenant: near ones are named.
    """
    tenant, metric = as_text("tenant", tenant), as_text("metric", metric)
    found = events(study, section)
    role = metric or _SECTIONS.get(section, "tenant_readiness")
    described = study.contract[role]
    window, marked = study.seen, None
    if tenant:
        own, said = _of_tenant(study, role, tenant), f"{tenant} in {study.window.name}."
    elif found.empty:
        own, said = study.samples(role, window)[:0], f"Nothing was found in the section {section}."
    elif not 0 <= event < len(found):
        raise UsageError(f"Section '{section}' has no event {event}. It has 0 to {len(found) - 1}; see events().")
    else:
        row = found.iloc[event]
        role = metric or _ROLES.get(row["kind"], role)
        described = study.contract[role]
        place, end = str(row["place"]), study.seen.end if pd.isna(row["end"]) else row["end"].to_pydatetime()
        marked = (row["start"].to_pydatetime(), end)
        window = Window(marked[0] - _MARGIN, max(end, marked[0]) + _MARGIN)
        samples = study.samples(role, window)
        some = is_of(samples, place, stem=row["kind"] == "generated_names")
        own = samples[some] if some.any() else samples
        said = f"{row['kind']} of {place}, {moment(row['start'])} to {moment(end)}: {row['size']:g} {row['unit']}."
    return compose(
        study,
        f"{section}-samples",
        of="samples",
        frame=own.reset_index(drop=True),
        said=said,
        metric=described.name,
        unit=described.unit.replace("currency", study.contract.currency),
        around=window,
        marked=marked,
    )


def _of_tenant(study: Study, role: str, tenant: str) -> pd.DataFrame:
    """A tenant's samples; a name that only begins like one is another's, and refused."""
    samples = study.samples(role, study.seen)
    tenants = samples["tenant"].astype("str") if "tenant" in samples else pd.Series("", index=samples.index)
    known = {*study.cardinality.tenant_hours["tenant"].astype("str"), *tenants} - {""}
    if tenant not in known:
        near = near_miss(tenant, sorted(known), most=3)
        raise UsageError(f"No tenant '{tenant}' up to the end of {study.window.name}.{near}")
    return samples[tenants == tenant]


def is_of(samples: pd.DataFrame, place: str, *, stem: bool = False) -> pd.Series:
    """The samples whose rule, tenant or instance is `place`, or, of a stem, whose tenant begins with it."""
    found = pd.Series(False, index=samples.index)
    for label in {"instance", "alertname", "tenant"} & set(samples):
        found |= samples[label].astype("str") == place
    if stem and "tenant" in samples:
        found |= samples["tenant"].astype("str").str.startswith(place)
    return found
