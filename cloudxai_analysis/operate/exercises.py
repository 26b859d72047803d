"""Exercises of a drill: the table of injects, which of them fits an incident, and what the telemetry showed of it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Incident
from cloudxai_analysis.ledger.jobs import Harness
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.sources.series import Source
from cloudxai_analysis.words.phrases import count, moment, several

SHIPPED = Path(__file__).with_name("drill.toml")
# An alert from 10 minutes before an incident until 30 after it tells of it; a sample holds 5 minutes.
_BEFORE, _AFTER, _HELD = timedelta(minutes=10), timedelta(minutes=30), timedelta(minutes=5)
_LABELS = ("alertname", "alertstate", "tenant", "instance")
_ROLES = ("alerts", "readiness", "tenant_readiness", "rejections")
_WORDS = ["time", "firing", "ready", "not_ready", "refused", "held", "newcomers", "rules", "tenant", "place"]
_PROMISES = ("within_cap", "only_at_cap", "counted_exactly")
_WORDS += ["most_tenants", "cap", "differing", "broken", *_PROMISES]
_WORD = re.compile(r"\{(\w+)\}")
_Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class Inject(Table):
    """What is shown and asked at a minute of an incident, how long an answer may take, and words of a good one."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")
    minute: Annotated[float, Field(ge=0, le=10_080, allow_inf_nan=False)]
    shows: _Text
    asks: _Text
    marks: Literal["", "detect", "decide"] = ""
    names: tuple[_Text, ...] = ()
    within: Annotated[float, Field(gt=0, le=1_440)] = 15
    practise: str = Field("", max_length=100)

    @model_validator(mode="after")
    def _can_be_said(self) -> Inject:
        used = {word for text in (self.shows, *self.names) for word in _WORD.findall(text)}
        if unknown := used - set(_WORDS):
            raise ValueError(f"there is no word {{{min(unknown)}}}; there are {', '.join(_WORDS)}")
        return self


class Exercise(Table):
    """The injects of one kind of incident, in their order."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")
    about: _Text
    alerts: tuple[_Text, ...] = ()
    injects: Annotated[tuple[Inject, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _in_order(self) -> Exercise:
        ids, minutes = [one.id for one in self.injects], [one.minute for one in self.injects]
        if len(set(ids)) < len(ids) or minutes != sorted(minutes):
            raise ValueError("each inject has an id of its own, and they stand in the order of their minutes")
        return self


class _Exercises(Table):
    exercises: Annotated[tuple[Exercise, ...], Field(min_length=1)]


def read_exercises(file: Path = SHIPPED) -> tuple[Exercise, ...]:
    """The exercises of a TOML file; raises UsageError, which names the key."""
    otherwise = "See docs/howto/hold-a-drill.md."
    return read_table(file, _Exercises, of="Exercises", otherwise=otherwise, rows={"exercises": Exercise}).exercises


def fitting(exercises: tuple[Exercise, ...], played: Incident | Harness) -> Exercise | None:
    """The first exercise that fits an incident, by its alerts, or a run of the harness, by its name."""
    if isinstance(played, Harness):
        return next((one for one in exercises if one.name == "harness"), None)
    return next((one for one in exercises if set(one.alerts) & set(played.alerts)), None)


class Scene:
    """What can be told of an incident at any moment of it: by its telemetry, and as it was written down."""

    def __init__(self, environment: Environment, source: Source, played: Incident | Harness, minutes: float) -> None:
        self.played, self.cap = played, environment.contract.tenant_cap
        self._samples: dict[str, pd.DataFrame] = {}
        fired = None
        if isinstance(played, Incident):
            window = Window(played.start - _BEFORE, (played.end or played.start) + timedelta(minutes=minutes + 1))
            self._samples = {role: _read(environment, source, role, window) for role in _ROLES}
            fired = self._fired(played)
        self.alerted = None if fired is None else round((fired - played.time).total_seconds() / 60, 1)
        self.page = fired or played.time

    def _fired(self, incident: Incident) -> datetime | None:
        """When the first of the incident's alerts fired, if one did from 10 minutes before it until 30 after it."""
        alerts = self._samples["alerts"]
        own = alerts["alertname"].isin(incident.alerts) & (alerts["alertstate"] == "firing")
        own &= alerts["time"] <= (incident.end or incident.start) + _AFTER
        if incident.tenant:
            own &= alerts["tenant"] == incident.tenant
        return alerts.loc[own, "time"].min().to_pydatetime() if own.any() else None

    def said(self, text: str, minute: float) -> str:
        """A text with its words as they were so many minutes after the page."""
        words = self._words(self.page + timedelta(minutes=minute))
        return _WORD.sub(lambda word: words.get(word[1], ""), text)

    def _words(self, at: datetime) -> dict[str, str]:
        if isinstance(self.played, Harness):
            held = {name: str(getattr(self.played, name)) for name in ("cap", "differing", *_PROMISES)}
            broken = [name.replace("_", " ") for name in _PROMISES if held[name] == "fail"]
            tenants = count(self.played.most_tenants, "tenant")
            return {**held, "most_tenants": tenants, "broken": several(broken) or "none", "time": moment(at)}
        told = self._tenants(at) | self._processes(at) | self._alerts(at)
        return {**told, "rules": " ".join(self.played.alerts), "tenant": self.played.tenant, "time": moment(at)}

    def _now(self, role: str, at: datetime) -> pd.DataFrame:
        """The last sample of each series of a role that has one in the last five minutes."""
        known = self._samples[role]
        last = known[known["time"] <= at].drop_duplicates("series", keep="last")
        return last[(last["time"] > at - _HELD) & last["value"].notna()]

    def _alerts(self, at: datetime) -> dict[str, str]:
        now = self._now("alerts", at)
        firing = Counter(now.loc[now["alertstate"] == "firing", "alertname"])
        told = [name if number == 1 else f"{name} ({number})" for name, number in firing.most_common()]
        return {"firing": f"Firing: {several(told, most=5)}" if told else "No alert is seen to fire"}

    def _tenants(self, at: datetime) -> dict[str, str]:
        now, known = self._now("tenant_readiness", at), self._samples["tenant_readiness"]
        down = sorted(set(now.loc[now["value"] == 0, "tenant"]))
        began = known.drop_duplicates("series")
        new = began.loc[began["time"].between(self.played.time, at), "tenant"]
        held = Counter(now["instance"]).most_common()
        most = [f"{place or 'a process'} shows {count(number, 'tenant')}" for place, number in held]
        told = f"{count(len(down), 'tenant')} not ready: {several(down, most=5)}"
        return {
            "not_ready": told if down else "No tenant is seen not ready",
            "held": f"{several(most) or 'No process shows a tenant'}; the cap is {self.cap}",
            "newcomers": several(sorted(new), most=5) or "none",
        }

    def _processes(self, at: datetime) -> dict[str, str]:
        states = self._now("readiness", at).groupby("instance")["value"].last()
        ready = f"{(states == 1).sum()} of {count(len(states), 'process', 'processes')} ready"
        known = self._samples["rejections"].dropna(subset="value")
        known = known[known["time"] <= at]
        steps = known.groupby("series")["value"].diff().clip(lower=0)
        refused = steps.groupby(known["instance"]).sum().sort_values(ascending=False, kind="stable")
        places = [*refused.index[refused > 0], *states.index[states == 0]]
        return {
            "ready": ready if len(states) else "No process tells whether it is ready",
            "refused": f"{count(refused.sum(), 'request')} refused since shortly before it began",
            "place": places[0] if places else "",
        }


def _read(environment: Environment, source: Source, role: str, window: Window) -> pd.DataFrame:
    """The samples of a role in a window. Columns: series, time, value, and labels, '' where a series has them not."""
    metric, settings = environment.contract[role], environment.settings
    matchers = settings.rule_matchers if metric.scope == "rules" else settings.matchers
    batch = source.read(metric.name, matchers, window)
    series = np.repeat(np.arange(len(batch.labels)), np.diff(batch.offsets))
    sets = [environment.contract.named(labels) for labels in batch.labels]
    named = pd.DataFrame({name: [labels.get(name, "") for labels in sets] for name in _LABELS}, dtype="str")
    times = pd.to_datetime(batch.times, unit="ms", utc=True)
    return named.loc[series].assign(series=series, time=times, value=batch.values)
