"""Exercises of a drill: the table of injects, which of them fits an incident, and what the telemetry showed of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Incident
from cloudxai_analysis.ledger.entries import Harness
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.platform.tables import Table, read_table
from cloudxai_analysis.sources.series import Source
from cloudxai_analysis.words.phrases import count, moment, several

SHIPPED = Path(__file__).with_name("drill.toml")
# An alert from 10 minutes before an incident until 30 after it tells of it; a sample holds 5 minutes.
_BEFORE, _AFTER, _HELD = timedelta(minutes=10), timedelta(minutes=30), timedelta(minutes=5)
_ROLES = ("alerts", "readiness", "tenant_readiness", "rejections")
_WORDS = ["time", "firing", "ready", "not_ready", "refused", "held", "newcomers", "rules", "tenant", "place"]
_PROMISES = ("within_cap", "only_at_cap", "counted_exactly")
_WORDS += ["most_tenants", "cap", "differing", "broken", *_PROMISES]
_WORD = re.compile(r"\{(\w+)\}")
Series = tuple[dict[str, str], Any, Any]
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
        self._series: dict[str, list[Series]] = {}
        if isinstance(played, Incident):
            window = Window(played.start - _BEFORE, (played.end or played.start) + timedelta(minutes=minutes + 1))
            self._series = {role: list(_read(environment, source, role, window)) for role in _ROLES}
        fired = self._fired(played) if isinstance(played, Incident) else None
        self.alerted = None if fired is None else round((fired - played.time).total_seconds() / 60, 1)
        self.page = fired or played.time

    def _fired(self, incident: Incident) -> datetime | None:
        """When the first of the incident's alerts fired, if one did from 10 minutes before it until 30 after it."""
        last = ((incident.end or incident.start) + _AFTER).timestamp() * 1000
        begun = [
            int(times[0])
            for labels, times, _ in self._series["alerts"]
            if labels.get("alertstate") == "firing" and labels["alertname"] in incident.alerts
            if incident.tenant in ("", labels.get("tenant", "")) and times[0] <= last
        ]
        return datetime.fromtimestamp(min(begun) / 1000, UTC) if begun else None

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

    def _now(self, role: str, at: datetime) -> Iterator[tuple[dict[str, str], float]]:
        """The value of each series of a role that has one in the last five minutes."""
        end, oldest = at.timestamp() * 1000, (at - _HELD).timestamp() * 1000
        for labels, times, values in self._series[role]:
            last = int(np.searchsorted(times, end, side="right")) - 1
            if last >= 0 and times[last] > oldest and not np.isnan(values[last]):
                yield labels, float(values[last])

    def _alerts(self, at: datetime) -> dict[str, Any]:
        firing = Counter(one["alertname"] for one, _ in self._now("alerts", at) if one.get("alertstate") == "firing")
        told = [name if number == 1 else f"{name} ({number})" for name, number in firing.most_common()]
        return {"firing": f"Firing: {several(told, most=5)}" if told else "No alert is seen to fire"}

    def _tenants(self, at: datetime) -> dict[str, Any]:
        now = list(self._now("tenant_readiness", at))
        down = sorted({labels["tenant"] for labels, value in now if value == 0})
        held = Counter(labels.get("instance", "") for labels, _ in now)
        begun = self.played.time.timestamp() * 1000
        came = ((labels["tenant"], times[0]) for labels, times, _ in self._series["tenant_readiness"])
        new = [tenant for tenant, first in came if begun <= first <= at.timestamp() * 1000]
        most = [f"{place or 'a process'} shows {count(number, 'tenant')}" for place, number in held.most_common()]
        told = f"{count(len(down), 'tenant')} not ready: {several(down, most=5)}"
        return {
            "not_ready": told if down else "No tenant is seen not ready",
            "held": f"{several(most) or 'No process shows a tenant'}; the cap is {self.cap}",
            "newcomers": several(sorted(new), most=5) or "none",
        }

    def _processes(self, at: datetime) -> dict[str, Any]:
        states = {labels.get("instance", ""): value for labels, value in self._now("readiness", at)}
        ready = f"{sum(value == 1 for value in states.values())} of {count(len(states), 'process', 'processes')} ready"
        refused: Counter[str] = Counter()
        for labels, times, values in self._series["rejections"]:
            known = values[(times <= at.timestamp() * 1000) & ~np.isnan(values)]
            refused[labels.get("instance", "")] += int(np.diff(known).clip(min=0).sum())
        down = [place for place, value in states.items() if value == 0]
        return {
            "ready": ready if states else "No process tells whether it is ready",
            "refused": f"{count(refused.total(), 'request')} refused since shortly before it began",
            "place": next((place for place, number in refused.most_common() if number), "".join(down[:1])),
        }


def _read(environment: Environment, source: Source, role: str, window: Window) -> Iterator[Series]:
    """Labels, times and values of the series of a role in a window."""
    metric, settings = environment.contract[role], environment.settings
    matchers = settings.rule_matchers if metric.scope == "rules" else settings.matchers
    batch = source.read(metric.name, matchers, window)
    for labels, first, last in zip(batch.labels, batch.offsets[:-1], batch.offsets[1:], strict=True):
        yield environment.contract.named(labels), batch.times[first:last], batch.values[first:last]
