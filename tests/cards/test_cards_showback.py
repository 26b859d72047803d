"""What a tenant's page tells: its own numbers, by hand and as planted; and nothing that any other tenant can move."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hostile_strings import STRINGS
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as some
from small_platform import study_of, study_over

from cloudxai_analysis.cards.showback import shared, tenants, told
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.lake.read import Frames
from cloudxai_analysis.lake.rollups import FIELDS
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.report.showback import page_of
from cloudxai_analysis.study.study import Study

WEEK = parse_window("2026-W46")
minutes = np.arange(WEEK.start_ms, WEEK.end_ms, 60_000)
OF = {"job": "cloudxai", "instance": "a"}


def pages(study: Study, names: Iterable[str] = ()) -> dict[str, str]:
    alike = shared(study)
    return {own["tenant"]: page_of(own, alike) for own in told(study, tenants(study, list(names)))}


def words(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).replace("\u00a0", " ").split())


def at(day: int, hour: int = 0, minute: int = 0) -> int:
    return WEEK.start_ms + ((day * 24 + hour) * 60 + minute) * 60_000


def platform(**series: list[tuple[dict[str, str], Any, Any]]) -> Mapping[str, Any]:
    """Series as their labels beside the process's own, times, and a value or one a time."""
    everywhere = {"up": [({}, minutes, 1.0)], "process_start_time_seconds": [({}, minutes, 1.0)], **series}
    return {
        name: [
            ({**OF, **labels}, times, np.broadcast_to(value, len(times)).astype(float)) for labels, times, value in own
        ]
        for name, own in everywhere.items()
    }


@pytest.mark.parametrize(("semantics", "factor"), [("rate", 1.0), ("cumulative", 1 / 60)])
def test_a_page_has_its_tenants_numbers_as_by_hand(tmp_path: Path, semantics: str, factor: float) -> None:
    """Two a hour, but for the six hours in which acme is not there; bolt has no cost, and no alert is on it."""
    there = minutes[(minutes < at(2, 6)) | (minutes >= at(2, 12))]
    value = 2.0 if semantics == "rate" else 2 * factor * np.arange(len(there))
    down = (there >= at(4, 10)) & (there < at(4, 10, 30))
    fires = minutes[(minutes >= at(4, 10, 5)) & (minutes < at(4, 10, 35))]
    alert = {"alertname": "TenantReadinessBreach", "alertstate": "firing", "severity": "page"}
    series = platform(
        tenant_cost_estimate=[({"tenant": "acme"}, there, value)],
        tenant_readiness_state=[({"tenant": "acme"}, there, np.where(down, 0, 1)), ({"tenant": "bolt"}, minutes, 1)],
        ALERTS=[({**alert, "tenant": "acme"}, fires, 1.0), ({**alert, "tenant": ""}, fires, 1.0)],
    )
    contract = load_contract()
    cost = contract["cost"].model_copy(update={"semantics": semantics})
    contract = contract.model_copy(update={"metrics": {**contract.metrics, "cost": cost}})
    study = study_of(series, tmp_path, WEEK, contract=contract)
    acme, bolt = told(study, tenants(study))
    assert (acme["tenant"], acme["known"]) == ("acme", 162)
    (course,) = acme["courses"]
    # An amount holds until the next scrape; a counter goes on from where it was.
    assert (course["currency"], course["total"]) == ("EUR", pytest.approx(162 * 2, abs=0.1))
    assert [day["hours"] for day in acme["days"]] == [24, 24, 18, 24, 24, 24, 24]
    assert acme["days"][2]["costs"]["EUR"] == pytest.approx(36, abs=0.1)
    assert acme["ready"] == pytest.approx(1 - 30 / (162 * 60))
    (outage,) = acme["outages"]
    assert (outage.minutes, f"{outage.start:%d %H:%M}", f"{outage.end:%d %H:%M}") == (30, "13 10:00", "13 10:30")
    assert [(row.alertname, f"{row.fired_at:%d %H:%M}") for row in acme["alerts"]] == [
        ("TenantReadinessBreach", "13 10:05")
    ]
    assert (bolt["known"], bolt["courses"], bolt["ready"], bolt["outages"], bolt["alerts"]) == (0, [], 1, [], [])
    said = {name: words(page) for name, page in pages(study).items()}
    assert "Cost, estimate 324 EUR 2026-W46; known for 162 of 168 hours" in said["acme"]
    assert "What it cost in 6 of 168 hours: they hold no amount of this tenant." in said["acme"]
    assert "Wed 11 Nov 36.03 EUR 18 of 24 100.00 %" in said["acme"].replace("36.00", "36.03")
    # Without the rules nobody can say that no alert was due.
    assert "Cost, estimate no data not known, which is not 0" in said["bolt"]
    assert "No data: none is stored, and which rules were loaded is not known." in said["bolt"]
    assert "bolt" not in said["acme"]
    with pytest.raises(UsageError, match=r"No tenant 'acne' up to the end of 2026-W46\. Did you mean 'acme'\?"):
        tenants(study, ["acne"])


def elements(page: str) -> list[str]:
    """The tags of a page, but for those that keep a name from moving its neighbours."""
    return [tag for tag in re.findall(r"<[a-z][^>]*>", page.partition("</style>")[2]) if tag[1:4] not in ("bdi", "spa")]


def test_a_hostile_name_is_its_own_text_and_names_nobody_else(tmp_path: Path) -> None:
    names = [*STRINGS, "acme"]
    series = platform(tenant_cost_estimate=[({"tenant": name}, minutes[::60], 2.0) for name in names])
    made = pages(study_of(series, tmp_path, WEEK))
    assert set(made) == set(names)
    for name, page in made.items():
        assert elements(page) == elements(made["acme"]), name
        assert f"<bdi>{html.escape(name, quote=False)}</bdi>" in page.replace("&#34;", '"').replace("&#39;", "'"), name
        assert not [
            other for other in names if len(other) > 9 and other not in name and other in html.unescape(words(page))
        ]


@dataclass(frozen=True)
class Change:
    """Something done to every metric of one tenant: to its rows from a moment on, for so many hours."""

    kind: str
    tenant: str
    start: int
    hours: int
    size: float

    def made(self, table: pa.Table) -> pa.Table:
        labels = table["labels"].combine_chunks()
        texts = labels.dictionary.to_pylist()
        own = np.array([json.loads(text).get("tenant") == self.tenant for text in texts], dtype=bool)
        rows = own[labels.indices.to_numpy()] if len(texts) else np.zeros(0, dtype=bool)
        when = "hour" if "hour" in table.column_names else "time"
        times = table[when].cast(pa.int64()).to_numpy() // 1000
        inside = rows & (times >= self.start) & (times < self.start + self.hours * 3_600_000)
        if self.kind == "removed":
            return table.filter(~rows)
        if self.kind == "gap":
            return table.filter(~inside)
        if self.kind == "copied":
            name = json.dumps(f"{self.tenant}-{self.size:.0f}")
            new = [re.sub(r'(?<="tenant":)"[^"]*"', name, text) for text in texts]
            renamed = pa.DictionaryArray.from_arrays(labels.indices, pa.array(new, pa.string()))
            twin = table.set_column(table.column_names.index("labels"), "labels", renamed).filter(rows)
            return pa.concat_tables([table, twin]).unify_dictionaries()
        if self.kind == "late":
            inside &= when == "time"
            return self._with(table, when, np.where(inside, times + 17_000, times) * 1000, table[when].type)
        for name in {"value", "first", "last", "min", "max", "sum", "integral", "increase"} & {*table.column_names}:
            values = table[name].to_numpy()
            table = self._with(table, name, np.where(inside, values * self.size, values), table[name].type)
        return table

    @staticmethod
    def _with(table: pa.Table, name: str, values: Any, kind: pa.DataType) -> pa.Table:
        column = pa.array(values).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)
        return table.set_column(table.column_names.index(name), name, column)


class Changed(Frames):
    """The demo's tables of some of its tenants, with what was done to them."""

    def __init__(self, store: Frames, kept: Sequence[str]) -> None:
        self._store, self._kept = store, {*kept, ""}
        self._tables: dict[Any, tuple[pa.Table, int | None]] = {}
        self.changes: Sequence[Change] = ()

    @property
    def rules(self) -> list[dict[str, Any]] | None:
        return self._store.rules

    def _table(self, kind: str, metric: str, window: Window, columns: Sequence[str]) -> tuple[pa.Table, int | None]:
        key = kind, metric, window.start, window.end
        if key not in self._tables:
            every = ("labels", "time", "value") if kind == "samples" else ("labels", "hour", *FIELDS)
            table, until = self._store._table(kind, metric, window, every)
            labels = table["labels"].combine_chunks()
            own = [json.loads(text).get("tenant", "") in self._kept for text in labels.dictionary.to_pylist()]
            rows = np.array(own, dtype=bool)[labels.indices.to_numpy()] if own else np.zeros(0, dtype=bool)
            self._tables[key] = table.filter(rows), until
        table, until = self._tables[key]
        for change in self.changes:
            table = change.made(table)
        return table.select(columns), until


@pytest.fixture(scope="module")
def changed(demo_study: Study) -> tuple[Changed, list[str]]:
    """Three tenants of whom there is much to say, and others."""
    found = {own["tenant"]: own for own in told(demo_study, tenants(demo_study))}
    busy = sorted(found, key=lambda name: -len(found[name]["alerts"]) * 9 - len(found[name]["outages"]))[:3]
    broken = [name for name, own in found.items() if own["breaks"]][:1]
    names = list(dict.fromkeys([*busy, *broken, *list(found)[:2], *[name for name in found if name[:4] == "req-"][:2]]))
    assert len(names) >= 7
    assert broken
    return Changed(demo_study.store, names), names


CHANGES = some.builds(
    Change,
    kind=some.sampled_from(["removed", "gap", "copied", "late", "scaled"]),
    tenant=some.integers(0, 9).map(str),
    start=some.integers(-14, 6).map(lambda day: at(day, 5)),
    hours=some.integers(1, 400),
    size=some.sampled_from([0.0, -1.0, 3.0, 1e6]),
)


@settings(
    max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(whose=0, done=[Change("removed", str(other), 0, 0, 0) for other in range(1, 8)])
@example(whose=1, done=[Change("gap", "0", at(-14), 600, 0), Change("late", "2", at(0), 168, 0)])
@given(whose=some.integers(0, 3), done=some.lists(CHANGES, min_size=1, max_size=5))
def test_whatever_becomes_of_others_a_tenants_page_stays_the_same_to_the_byte(
    changed: tuple[Changed, list[str]], tmp_path_factory: pytest.TempPathFactory, whose: int, done: list[Change]
) -> None:
    store, names = changed
    one = names[whose]
    others = [name for name in names if name != one]
    folder = tmp_path_factory.mktemp("showback")
    store.changes = []
    before = pages(study_over(store, folder, WEEK, now=WEEK.end), [one])[one]
    store.changes = [
        Change(own.kind, others[int(own.tenant) % len(others)], own.start, own.hours, own.size) for own in done
    ]
    study = study_over(store, folder, WEEK, now=WEEK.end)
    study.ledger.append(
        {"kind": "incident", "id": "INC-1", "by": "tests", "tenant": others[0], "summary": "of another"}
        | {"start": WEEK.start, "end": WEEK.start + timedelta(1), "severity": "minor", "source": "tests"}
    )
    after = pages(study)
    assert after[one] == before
    assert not [name for name in others if name in words(before)]
