"""A store held against what was scraped: every planted difference is found, and none without; real servers and a road
that loses a batch."""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import servers
import yaml
from clean_command import Done
from hostile_server import loopback_proxy
from hypothesis import given
from hypothesis import strategies as st
from remote_write import remote_write
from remote_write import series as written
from scraped import exporter
from small_platform import Platform

from cloudxai_analysis.cli.compare import lines
from cloudxai_analysis.cli.main import main
from cloudxai_analysis.ground.errors import NoData, SourceAnswerError
from cloudxai_analysis.ground.window import HOUR, Window
from cloudxai_analysis.operate.compare import LOST, OWN, SAME, UNKNOWN, WRONG, Side, compare
from cloudxai_analysis.operate.differences import KINDS, Likeness, differences
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.promql import NORMAL_NAN_BITS
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, SeriesBatch

START = datetime(2026, 11, 9, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=30))
LATER = WINDOW.end + timedelta(days=3)
STEP = 15_000
MARKER, NAN = np.array([STALENESS_MARKER_BITS, NORMAL_NAN_BITS]).view(np.float64)
DRAW = np.random.default_rng(17)
Series = tuple[dict[str, str], np.ndarray, np.ndarray]
World = dict[str, list[Series]]


def world() -> World:
    """Thirty hours of three metrics of two targets: a gauge of 0 and 1, counters, and long decimals."""
    times = np.arange(WINDOW.start_ms, WINDOW.end_ms, STEP) + 321
    targets = [{"job": "cloudxai", "instance": f"cloudxai-{number}:8080"} for number in (0, 1)]
    tenants = [{**target, "tenant": tenant} for target in targets for tenant in ("acme", "bolt", "7", "é {x}")]
    return {
        "up": [(own, times, np.ones(len(times))) for own in targets],
        "requests_total": [(own, times, DRAW.integers(0, 9, len(times)).cumsum().astype(float)) for own in tenants],
        "cost": [(own, times, DRAW.random(len(times)) * 100) for own in tenants],
    }


SCRAPED = world()


class Held(Platform):
    """A source of samples in memory, which says of itself what a test wants."""

    def __init__(self, series: World, **described: Any) -> None:
        super().__init__(series, WINDOW.end + timedelta(days=30))
        self._described = described

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), **self._described}


def compared(a: Any, b: Any, *, now: datetime = LATER, window: Window = WINDOW, **how: Any) -> dict[str, Any]:
    sides = [
        Side(name, source, {metric: {} for metric in SCRAPED}, source.describe())
        for name, source in zip("AB", (a, b), strict=True)
    ]
    return compare(*sides, window, now, **how)


def counted(found: Mapping[str, Any]) -> dict[str, int]:
    """Samples by kind; and no kind that is not known."""
    assert [row["kind"] for row in found["kinds"]] == [
        kind for kind in KINDS if kind in {r["kind"] for r in found["kinds"]}
    ]
    return {row["kind"]: row["samples"] for row in found["kinds"]}


def at(number: int) -> str:
    """The time of a sample as the result says it."""
    moment = START + timedelta(milliseconds=STEP * number + 321)
    return moment.isoformat(timespec="milliseconds")


def only(name: str, number: int, change: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Any:
    """A plant that changes times and values of one series of B."""

    def plant(b: World) -> None:
        labels, times, values = b[name][number]
        b[name][number] = (labels, *change(times.copy(), values.copy()))

    return plant


def without(first: int, last: int) -> Any:
    """A change that leaves samples out."""
    return lambda times, values: (np.delete(times, slice(first, last)), np.delete(values, slice(first, last)))


def valued(first: int, last: int, value: float) -> Any:
    def change(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values[first:last] = value
        return times, values

    return change


def moved(first: int, last: int, by: int) -> Any:
    def change(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        times[first:last] += by
        return times, values

    return change


def with_sample(number: int, value: float) -> Any:
    """A change that puts a sample between two."""
    return lambda times, values: (
        np.insert(times, number, times[number] - 5_000),
        np.insert(values, number, value),
    )


def batch_refused(b: World) -> None:
    for own in b.values():
        for number, (labels, times, values) in enumerate(own):
            own[number] = (labels, *without(2_000, 2_040)(times, values))


def swapped(b: World) -> None:
    """What Prometheus once did on retries: values under the labels of another series."""
    (one, times, values), (other, _, others) = b["requests_total"][:2]
    own = values.copy(), others.copy()
    own[0][500:510], own[1][500:510] = others[500:510], values[500:510]
    b["requests_total"][:2] = [(one, times, own[0]), (other, times, own[1])]


def second_labels(b: World) -> None:
    labels, times, values = b["cost"][3]
    b["cost"].append(({**labels, "pod": "cloudxai-0"}, times[100:160], values[100:160]))


def foreign(b: World) -> None:
    labels, times, values = b["cost"][3]
    b["cost"].append(({**labels, "tenant": "nobody"}, times[100:160], values[100:160]))


def one_bit(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return times, np.nextafter(values, np.inf)


def gone(name: str) -> Any:
    return lambda b: b.pop(name)


COUNT = len(SCRAPED["up"][0][1])
# What is planted into B, the samples found of each kind, the verdict, and the first and last sample of the worst kind.
PLANTED: dict[str, tuple[Any, dict[str, int], str, int, int]] = {
    "one sample": (only("up", 0, without(700, 701)), {"missing": 1}, LOST, 700, 700),
    "an hour of one series": (only("cost", 2, without(100, 340)), {"missing": 240}, LOST, 100, 339),
    "a batch of every series": (batch_refused, {"missing": 18 * 40}, LOST, 2_000, 2_039),
    "a whole metric": (gone("cost"), {"missing": 8 * COUNT}, LOST, 0, COUNT - 1),
    "the first samples": (only("up", 1, without(0, 3)), {"missing": 3}, LOST, 0, 2),
    "the last samples": (only("up", 1, without(COUNT - 3, COUNT)), {"missing": 3}, LOST, COUNT - 3, COUNT - 1),
    "another value": (only("requests_total", 5, valued(9, 10, -1)), {"different": 1}, WRONG, 9, 9),
    "one bit of each value": (only("cost", 5, one_bit), {"different": COUNT}, WRONG, 0, COUNT - 1),
    "values of another series": (swapped, {"different": 20}, WRONG, 500, 509),
    "a sample between": (only("requests_total", 1, with_sample(50, 3.0)), {"extra": 1}, WRONG, -1, -1),
    "a series that nobody scraped": (foreign, {"extra": 60}, WRONG, 100, 159),
    "a second label set": (second_labels, {"doubled": 60}, WRONG, 100, 159),
    "times moved": (only("requests_total", 4, moved(30, 33, 900)), {"late": 3}, WRONG, 30, 32),
    "a time moved into the part before": (only("up", 0, moved(240, 241, -400)), {"late": 1}, WRONG, 240, 240),
    "times moved too far": (only("cost", 4, moved(30, 31, 1_001)), {"missing": 1, "extra": 1}, WRONG, -1, -1),
    "a marker in place of a value": (only("cost", 0, valued(8, 9, MARKER)), {"different": 1}, WRONG, 8, 8),
}  # fmt: skip


@pytest.mark.parametrize("what", PLANTED)
def test_each_planted_difference_is_found_and_nothing_else(what: str) -> None:
    plant, expected, verdict, first, last = PLANTED[what]
    b = copy.deepcopy(SCRAPED)
    plant(b)
    found = compared(Held(SCRAPED), Held(b), at_once=20_000)
    assert (counted(found), found["verdict"]) == (expected, verdict)
    if first >= 0:
        assert (found["since"], found["kinds"][0]["end"]) == (at(first), at(last))
    assert sum(row["samples"] for row in found["series"]) == sum(expected.values())


def test_losses_at_several_times_are_several_stretches() -> None:
    b = planted(lambda world: [batch_refused(world), only("up", 0, without(4_000, 4_002))(world)])
    (row,) = compared(Held(SCRAPED), Held(b))["kinds"]
    day = "2026-11-09T"
    assert [(one["start"][:16], one["end"][:16]) for one in row["stretches"]] == [
        (f"{day}08:20", f"{day}08:30"),
        (f"{day}16:50", f"{day}16:51"),
    ]


def test_the_same_samples_are_the_same_however_they_are_cut_and_ordered() -> None:
    b = {name: series[::-1] for name, series in SCRAPED.items()}
    for at_once in (5_000, 2_000_000):
        found = compared(Held(SCRAPED), Held(b), at_once=at_once)
        assert (found["verdict"], found["kinds"], found["since"]) == (SAME, [], None)
        assert found["compared"]["samples"] == 18 * COUNT
        assert [found["compared"][key] for key in ("series", "metrics", "hours")] == [18, 3, 30]


def planted(plant: Callable[[World], Any], into: World = SCRAPED) -> World:
    made = copy.deepcopy(into)
    plant(made)
    return made


def ending(world: World) -> None:
    """A series that ends with a marker, and goes on later; and one with values that are no number."""
    only("cost", 1, lambda t, v: (np.delete(t, slice(101, 200)), np.delete(v, slice(101, 200))))(world)
    only("cost", 1, valued(100, 101, MARKER))(world)
    only("cost", 2, valued(50, 55, NAN))(world)


ENDING = planted(ending)
STORES_DECIMALS = {"precision": "as VictoriaMetrics"}
TWELVE_DIGITS = planted(lambda b: [only("cost", n, lambda t, v: (t, v * (1 + 1e-12)))(b) for n in range(8)])
LARGE = planted(only("cost", 0, lambda t, v: (t, np.floor(v) + 4e12)))
UNEVEN = planted(lambda b: [only("cost", 0, valued(0, COUNT, 0.123456789))(b), only("cost", 0, valued(7, 8, 1e12))(b)])
ROUNDED = planted(lambda b: [only("cost", 0, valued(0, COUNT, 0.123457))(b), only("cost", 0, valued(7, 8, 1e12))(b)])
OTHER_NAN = planted(only("cost", 2, valued(50, 55, np.nan)), ENDING)
# A, B, how B says it stores and is read, what is found, and the verdict.
OF_STORAGE: dict[str, tuple[World, World, dict[str, Any], dict[str, int], str]] = {
    "markers and NaN are there": (ENDING, ENDING, {}, {}, SAME),
    "a marker is lost": (
        *(ENDING, planted(only("cost", 1, without(100, 101)), ENDING), {}),
        *({"staleness": 1}, LOST),
    ),
    "a marker is hidden by the way of reading": (
        *(ENDING, planted(only("cost", 1, without(100, 101)), ENDING), {"hides_markers": True}),
        *({"hidden": 1}, UNKNOWN),
    ),
    "hidden markers, and none to be seen": (SCRAPED, SCRAPED, {"hides_markers": True}, {}, UNKNOWN),
    "hidden markers do not hide a loss": (
        *(SCRAPED, planted(only("up", 0, without(7, 8))), {"hides_markers": True}),
        *({"missing": 1}, LOST),
    ),
    "decimals round": (SCRAPED, TWELVE_DIGITS, STORES_DECIMALS, {"rounded": 8 * COUNT}, OWN),
    "what stores doubles does not round": (SCRAPED, TWELVE_DIGITS, {}, {"different": 8 * COUNT}, WRONG),
    "decimals round no count": (
        *(SCRAPED, planted(only("requests_total", 0, lambda t, v: (t, v + (v > 1e4)))), STORES_DECIMALS),
        *({"different": int((SCRAPED["requests_total"][0][2] > 1e4).sum())}, WRONG),
    ),
    "decimals round no large count": (
        *(LARGE, planted(only("cost", 0, lambda t, v: (t, v + 1)), LARGE), STORES_DECIMALS),
        *({"different": COUNT}, WRONG),
    ),
    "decimals keep eighteen digits of the largest": (UNEVEN, ROUNDED, STORES_DECIMALS, {"rounded": COUNT - 1}, OWN),
    "a NaN is a NaN": (ENDING, OTHER_NAN, {}, {}, SAME),
    "a NaN is a NaN, also beside decimals": (ENDING, OTHER_NAN, STORES_DECIMALS, {}, SAME),
    "NaN is dropped": (
        *(ENDING, planted(only("cost", 2, without(50, 55)), ENDING), STORES_DECIMALS),
        *({"no number": 5}, OWN),
    ),
    "NaN is lost": (ENDING, planted(only("cost", 2, without(50, 55)), ENDING), {}, {"missing": 5}, LOST),
}


@pytest.mark.parametrize("what", OF_STORAGE)
def test_what_storage_and_reading_do_is_told_from_what_the_road_lost(what: str) -> None:
    a, b, how, expected, verdict = OF_STORAGE[what]
    found = compared(Held(a), Held(b, **how))
    assert (counted(found), found["verdict"]) == (expected, verdict)
    assert bool(found["doubts"]) == how.get("hides_markers", False)


def labelled(world: World, **more: str) -> World:
    return {name: [({**own, **more}, *rest) for own, *rest in series] for name, series in world.items()}


def test_labels_that_one_side_adds_to_every_series_do_not_count_and_are_said() -> None:
    external = {"cluster": "beta-1", "region": ""}
    for a, b, adds in ((SCRAPED, labelled(SCRAPED, **external), 1), (labelled(SCRAPED, **external), SCRAPED, 0)):
        found = compared(Held(a), Held(b))
        assert found["verdict"] == SAME
        assert [one["adds"] for one in found["sources"]] == [{"cluster": "beta-1"} if n == adds else {} for n in (0, 1)]
    # A series with a label of that name of its own keeps it, and then the settings of A tell.
    more = [({"job": job, "cluster": job}, *SCRAPED["up"][0][1:]) for job in ("west", "beta-1")]
    own = planted(lambda b: b["up"].extend(more))
    sent = {
        name: [({"cluster": "beta-1", **labels}, *rest) for labels, *rest in series] for name, series in own.items()
    }
    a = Held(own, external_labels_left_out={"cluster": "beta-1"})
    assert compared(a, Held(sent))["verdict"] == SAME
    assert compared(Held(own), Held(sent))["verdict"] == WRONG


def test_an_ignored_label_does_not_count_and_a_second_replica_is_told_as_doubled() -> None:
    renamed = planted(lambda b: b.update(up=[({**own, "job": "other"}, *rest) for own, *rest in b["up"]]))
    assert compared(Held(SCRAPED), Held(renamed))["verdict"] == WRONG
    assert compared(Held(SCRAPED), Held(renamed), ignored=["job"])["verdict"] == SAME
    first, second = (labelled(SCRAPED, replica=name)["up"] for name in "ab")
    found = compared(Held(SCRAPED), Held({**labelled(SCRAPED, replica="a"), "up": first + second}), ignored=["replica"])
    assert (counted(found), found["verdict"]) == ({"doubled": 2 * COUNT}, WRONG)


def test_one_time_twice_in_the_store_is_doubled() -> None:
    twice = planted(only("up", 0, lambda t, v: (np.insert(t, 9, t[9]), np.insert(v, 9, 0.0))))
    assert counted(compared(Held(SCRAPED), Held(twice))) == {"different": 1, "doubled": 1}
    # Readers keep the first of two and say so.
    said = "up: 2 samples stood beside another one of the same time with another value; the first was kept."
    found = compared(Held(SCRAPED), Held(SCRAPED, warnings=[said]))
    assert (found["verdict"], found["doubts"]) == (WRONG, [f"B, {said.replace('2 ', '')}"])
    assert compared(Held(SCRAPED, warnings=[said]), Held(SCRAPED))["verdict"] == UNKNOWN


def cut(world: World, since: datetime, until: datetime) -> World:
    edges = Window(since, until)
    kept = {}
    for name, series in world.items():
        inside = [(times >= edges.start_ms) & (times < edges.end_ms) for _, times, _ in series]
        kept[name] = [(own, t[i], v[i]) for (own, t, v), i in zip(series, inside, strict=True)]
    return kept


def test_what_is_not_kept_any_more_is_not_lost() -> None:
    recent = cut(SCRAPED, START + 9 * HOUR, WINDOW.end)
    for a, b, younger in ((SCRAPED, recent, "B"), (recent, SCRAPED, "A")):
        found = compared(Held(a), Held(b))
        assert found["verdict"] == SAME
        assert found["compared"]["samples"] == 18 * COUNT * 21 // 30
        assert found["notes"] == [
            f"{younger} keeps nothing older than 2026-11-09 09:00 UTC: 9 hours of the window are not compared."
        ]
    # Where the store has something from before, it has lost the hours between.
    earlier = 40 * 3_600_000
    merged = {
        name: [(own, np.concatenate([t - earlier, t]), np.concatenate([v, v])) for own, t, v in series]
        for name, series in recent.items()
    }
    found = compared(Held(SCRAPED), Held(merged))
    assert (counted(found), found["verdict"]) == ({"missing": 18 * COUNT * 9 // 30}, LOST)


def test_a_queue_that_lags_is_behind_and_only_after_two_hours_has_lost() -> None:
    now = WINDOW.end + timedelta(minutes=1)
    for minutes, lost in ((10, 0), (119, 0), (180, 61)):
        b = cut(SCRAPED, START, WINDOW.end - timedelta(minutes=minutes))
        found = compared(Held(SCRAPED), Held(b), now=now)
        assert counted(found) == ({"missing": 18 * 4 * lost} if lost else {}), minutes
        assert found["verdict"] == (LOST if lost else SAME)
        (note,) = found["notes"]
        assert note.startswith(f"B is {'3 hours' if lost else '2 hours' if minutes > 90 else '10 minutes'} behind")
        # Days later nothing is under way any more.
        assert counted(compared(Held(SCRAPED), Held(b))) == {"missing": 18 * 4 * minutes}


class Failing(Held):
    """A source that cannot read one metric in one hour."""

    def read(self, metric: str, matchers: Any, window: Window) -> SeriesBatch:
        if metric == "cost" and window.start > START + 3 * HOUR and window.duration > 2 * HOUR:
            raise SourceAnswerError("Asked for cost: Source memory:// answered HTTP 503.")
        return super().read(metric, matchers, window)


def test_what_cannot_be_read_is_never_the_same() -> None:
    found = compared(Held(SCRAPED), Failing(SCRAPED))
    assert found["verdict"] == UNKNOWN
    assert "HTTP 503" in found["doubts"][0]
    assert found["compared"]["samples"] < 18 * COUNT
    lost = planted(only("up", 0, without(7, 8)))
    assert compared(Held(SCRAPED), Failing(lost))["verdict"] == LOST
    with pytest.raises(NoData, match=r"B, memory://platform, has no sample of up, requests_total, cost in 2026-11-09"):
        compared(Held(SCRAPED), Held({}))
    with pytest.raises(NoData, match="A, memory"):
        compared(Held({}), Held(SCRAPED))
    early, late = cut(SCRAPED, START, START + 9 * HOUR), cut(SCRAPED, START + 12 * HOUR, WINDOW.end)
    with pytest.raises(NoData, match="no settled time in common"):
        compared(Held(early), Held(late), now=START + 13 * HOUR)
    young = cut(SCRAPED, START + 9 * HOUR, START + 9 * HOUR + timedelta(seconds=10))
    with pytest.raises(NoData, match="Nothing settled was there"):
        compared(Held(young), Held(young), now=START + 9 * HOUR + timedelta(seconds=10))


def test_the_lines_say_the_worst_first_and_are_few() -> None:
    b = copy.deepcopy(ENDING)
    for plant, *_ in PLANTED.values():
        if plant not in (PLANTED["a whole metric"][0], swapped):
            plant(b)
    found = compared(Held(ENDING), Held(b, hides_markers=True))
    said = list(lines(found))
    assert len(said) <= 12
    assert said[0] == "Wrong samples, since 2026-11-09 00:00:00 UTC."
    kinds = ["different", "extra", "doubled", "late", "missing"]
    assert [line.split(":")[0].strip() for line in said[1:7]] == [*kinds, "not certain"]
    clean = list(lines(compared(Held(SCRAPED), Held(SCRAPED))))
    assert clean[0] == "Same in 30 of 30 hours, where A has samples."
    assert clean[1] == (
        f"Compared: {18 * COUNT:,} samples of 18 series of 3 metrics, 2026-11-09 00:00:00 to 2026-11-10 06:00:00 UTC, "
        "in 30 of 30 hours."
    )


HELD = st.dictionaries(
    st.sampled_from([(), (("a", "1"),), (("a", "2"),), (("a", "1"), ("b", "1"))]),
    st.dictionaries(st.integers(0, 9), st.sampled_from([0.0, 1.0, 2.5, MARKER, NAN]), min_size=1),
    max_size=4,
)


@given(ours=HELD, theirs=HELD)
def test_small_batches_differ_as_one_by_one(ours: Any, theirs: Any) -> None:
    """Held against a comparison of single samples, in ten milliseconds in which no time may have moved."""

    def batch(held: Any) -> SeriesBatch:
        series = [(dict(labels), sorted(samples)) for labels, samples in held.items()]
        made = [(own, np.array(t), np.array([held[tuple(own.items())][one] for one in t])) for own, t in series]
        return SeriesBatch.of("m", [(own, t + WINDOW.start_ms, v) for own, t, v in made])

    def bits(value: float) -> bytes:
        return np.float64(value).tobytes()

    expected = []
    for labels in ours.keys() | theirs.keys():
        a, b = ours.get(labels, {}), theirs.get(labels, {})
        above = [ours[rest] for one in labels if (rest := tuple(each for each in labels if each != one)) in ours]
        for step in range(10):
            if step in a and step not in b:
                expected.append((labels, "staleness" if bits(a[step]) == bits(MARKER) else "missing", step))
            elif step in a and bits(a[step]) != bits(b[step]):
                expected.append((labels, "different", step))
            elif step in b and step not in a:
                same = labels not in ours and any(bits(own.get(step, -1.0)) == bits(b[step]) for own in above[:1])
                expected.append((labels, "doubled" if same else "extra", step))
    window = Window(START, START + timedelta(milliseconds=10))
    found = differences(batch(ours), batch(theirs), window, Likeness(late_ms=0))
    rows = zip(found["series"], found["kind"], found["time"] - WINDOW.start_ms, strict=True)
    told = sorted((tuple(json.loads(own).items()), kind, int(step)) for own, kind, step in rows)
    assert told == sorted(expected)


PAGE = Path(__file__).parents[2] / "docs" / "howto" / "remote-storage.md"
METRICS = ("up", "requests_total", "cost", "tenant_readiness_state", "quantile")


def settings_of_the_page(store: str, target: str, proxy: str) -> dict[str, Any]:
    """What the page tells to put into prometheus.yml, with this machine's addresses, and faster."""
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    config: dict[str, Any] = yaml.safe_load(block)
    config["global"]["scrape_interval"] = "1s"
    (write,) = config["remote_write"]
    write["url"] = write["url"].replace("http://victoriametrics:8428", store)
    write["proxy_url"] = proxy
    write["queue_config"]["batch_send_deadline"] = "200ms"
    config["scrape_configs"] = [{"job_name": "cloudxai", "static_configs": [{"targets": [target]}]}]
    return config


class Target:
    """What a process exports: decimals that go on for ever, a count, a tenant that leaves, and no number at all."""

    def __init__(self) -> None:
        self.scrapes = 0

    def __call__(self) -> str:
        self.scrapes += 1
        tenants = ["acme", "bolt"] if self.scrapes < 4 else ["acme"]
        lines = [f'tenant_readiness_state{{tenant="{tenant}"}} 1' for tenant in tenants]
        lines += [f'cost{{tenant="acme"}} {self.scrapes / 7!r}', f"requests_total {self.scrapes}", "quantile NaN"]
        return "\n".join([*lines, ""])

    def after(self, scrapes: int) -> None:
        """Wait for so many more."""
        until = time.monotonic() + 60
        while self.scrapes < scrapes and time.monotonic() < until:
            time.sleep(0.05)
        assert self.scrapes >= scrapes


@contextmanager
def sent(folder: Path, *, refusing: Sequence[int] = ()) -> Iterator[tuple[Any, Any, Window]]:
    """A Prometheus that scraped and sent, and the VictoriaMetrics that it sent to; the way between may refuse."""
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    target, began = Target(), datetime.now(UTC)
    with servers.victoria_metrics(folder / "b") as store, loopback_proxy() as proxy, exporter(target) as address:
        config = settings_of_the_page(store.url, address, proxy.url)
        with servers.prometheus(folder / "a", config=json.dumps(config)):
            scripts = [lambda handler, _: handler.say(b"no", 400), proxy.script]
            for scrapes, script in zip(refusing, scripts, strict=False):
                target.after(scrapes)
                proxy.script = script
            target.after(10)
            ended = datetime.now(UTC)
            # A scrape that the server's own end cuts off is kept there, and may not be sent.
            target.after(11)
        urlopen(f"{store.url}/internal/force_flush").close()
        del config["scrape_configs"]
        with servers.prometheus(folder / "a", config=json.dumps(config)) as scraper:
            yield scraper, store, Window(began, ended)


def between(scraper: servers.Server, store: servers.Server, window: Window) -> dict[str, Any]:
    sources = [open_source(server.url, limits=Limits(), settings=EnvironmentSettings()) for server in (scraper, store)]
    a, b = (
        Side(name, one, {metric: {} for metric in METRICS}, one.describe())
        for name, one in zip("AB", sources, strict=True)
    )
    return compare(a, b, window, window.end + timedelta(days=1))


@pytest.mark.server
@pytest.mark.needs("victoria-metrics")
def test_a_store_that_is_written_to_as_the_page_says_loses_what_decimals_lose_and_nothing_else(
    tmp_path: Path,
) -> None:
    with sent(tmp_path) as (scraper, store, window):
        found = between(scraper, store, window)
    assert found["verdict"] == OWN, found
    assert set(counted(found)) == {"rounded", "no number"}
    assert [one["adds"] for one in found["sources"]] == [{}, {"cluster": "beta-1"}]
    assert (found["absent"], found["doubts"]) == ([], [])
    assert found["compared"]["samples"] >= 5 * 9 + 4  # the marker of the tenant that left, too


@pytest.mark.server
@pytest.mark.needs("victoria-metrics")
def test_a_batch_that_is_refused_on_the_way_is_lost_with_its_stretch(tmp_path: Path) -> None:
    with sent(tmp_path, refusing=(4, 7)) as (scraper, store, window):
        found = between(scraper, store, window)
    assert found["verdict"] == LOST, found
    (missing,) = (row for row in found["kinds"] if row["kind"] == "missing")
    assert len(missing["stretches"]) == 1
    assert set(missing["metrics"]) >= {"up", "requests_total", "cost", "tenant_readiness_state"}
    lasted = datetime.fromisoformat(missing["end"]) - datetime.fromisoformat(missing["start"])
    assert lasted <= timedelta(seconds=6)
    assert 1 <= missing["metrics"]["requests_total"] <= 6
    assert found["since"] <= missing["start"]


def of_many_magnitudes(least: int, most: int) -> np.ndarray:
    return DRAW.random(COUNT) * 10.0 ** DRAW.integers(least, most, COUNT)


@pytest.mark.needs("victoria-metrics")
def test_whatever_a_real_store_makes_of_decimals_is_rounded_and_its_integers_are_the_same(tmp_path: Path) -> None:
    drawn = {
        "counts": np.floor(of_many_magnitudes(0, 15)),
        "seconds": DRAW.random(COUNT).cumsum(),
        "since the epoch": 1.79e9 + DRAW.random(COUNT),
        "shares": DRAW.random(COUNT),
        "of many magnitudes": of_many_magnitudes(-12, 15),
        "small beside large": np.where(DRAW.random(COUNT) < 0.01, 1e12, DRAW.random(COUNT)),
        "small, then large": np.where(np.arange(COUNT) < 7_000, DRAW.random(COUNT), 1e12),
        "beyond all integers": of_many_magnitudes(15, 30),
    }
    times = SCRAPED["up"][0][1]
    held = {"cost": [({"drawn": name}, times, values) for name, values in drawn.items()]}
    with servers.victoria_metrics(tmp_path) as store:
        for labels, _, values in held["cost"]:
            bits = list(zip(times.tolist(), values.view(np.uint64).tolist(), strict=True))
            remote_write(store.url, [written({"__name__": "cost", **labels}, bits)])
        urlopen(f"{store.url}/internal/force_flush").close()
        source = open_source(store.url, limits=Limits(), settings=EnvironmentSettings())
        found = compared(Held(held), source, at_once=5_000)
    assert (found["verdict"], set(counted(found))) == (OWN, {"rounded"}), found
    assert {row["series"]["drawn"] for row in found["series"]} == drawn.keys() - {"counts"}


@pytest.mark.server
@pytest.mark.needs("victoria-metrics")
def test_the_command_compares_two_servers_and_its_exit_code_says_how_it_went(
    start_prometheus: Callable[..., servers.Server],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*words: str) -> tuple[int, list[str], str]:
        with pytest.raises(SystemExit) as ended:
            main(["compare", scraper.url, *words])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out.splitlines(), said.err

    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    held = cut({name: SCRAPED[name] for name in ("up", "requests_total")}, START, START + 2 * HOUR)
    scraper = start_prometheus([SeriesBatch.of(name, series) for name, series in held.items()])
    only("up", 1, without(100, 103))(held)
    with servers.victoria_metrics(tmp_path) as store:
        for name, series in held.items():
            for labels, times, values in series:
                bits = zip(times.tolist(), values.view(np.uint64).tolist(), strict=True)
                remote_write(store.url, [written({"__name__": name, "cluster": "beta-1", **labels}, bits)])
        urlopen(f"{store.url}/internal/force_flush").close()
        week = (store.url, "--week", "2026-W46")
        assert run(*week, "--metric", "requests_total")[:2] == (
            0,
            [
                "Same in 2 of 168 hours, where A has samples.",
                "Compared: 3,840 samples of 8 series of 1 metric, 2026-11-09 00:00:00 to 2026-11-16 00:00:00 UTC, in "
                "2 of 168 hours.",
                f"A: {scraper.url}, streamed remote read over POST /api/v1/read; samples from 2026-11-09 00:00:00 or "
                "earlier to 2026-11-09 01:59:45 UTC.",
                f'B: {store.url}, export over POST /api/v1/export, adds {{"cluster": "beta-1"}} to all series; '
                "samples from 2026-11-09 00:00:00 or earlier to 2026-11-09 01:59:45 UTC.",
            ],
        )
        code, said, _ = run(*week)
        assert (code, said[0]) == (1, "Samples lost, since 2026-11-09 00:25:00 UTC.")
        assert said[1] == (
            "  missing: 3 samples of 1 series (up), not in B; 2026-11-09 00:25:00 to 2026-11-09 00:25:30, most of "
            'up {"instance": "cloudxai-1:8080", "job": "cloudxai"}'
        )
        assert said[3].startswith("In neither: ")
        up = (*week, "--metric", "up")
        assert [run(*up, "--fail-on", how)[0] for how in ("never", "wrong", "lost")] == [0, 0, 1]
        code, said, _ = run(*up, "--json")
        told = json.loads("\n".join(said))
        assert (code, told["verdict"], told["series"][0]["samples"]) == (1, LOST, 3)
        assert run(*week, "--metric", "cost")[0] == 4
    code, said, error = run(*up)
    assert (code, said) == (3, [])
    assert store.url in error


def test_the_command_tells_what_it_cannot_tell(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "demo://", "demo", "--week", "2026-W46", "--metric", "readiness_state"])
    said = capsys.readouterr()
    assert ended.value.code == 4
    both = "A (by generated from a seed) and B (by generated from a seed) can be read only without staleness markers"
    assert said.out.startswith(f"Cannot tell: no loss in what could be compared.\n  not certain: {both}")
    assert said.err.startswith(f"cloudxai: Cannot tell whether B holds what A has: {both}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--from", "2026-11-09T06:00Z", "--to", "2026-11-09T12:00+02:00"], 4, "2026-11-09 06:00:00 to 2026-11-09 10:"),
        (["--from", "2026-11-15T20:00Z"], 4, "2026-11-15 20:00:00 to 2026-11-15 23:58:45"),
        (["--to", "2026-11-09T12:00Z"], 2, "--to needs a --from"),
        (["--from", "2026-11-09T06:00"], 2, "Invalid --from '2026-11-09T06:00'. Give a time with its zone"),
        (["--from", "2026-11-09T06:00Z", "--to", "2026-11-09T06:00Z"], 2, "is not before the end, 2026-11-09 06:00"),
        (["--from", "2027-11-09T06:00Z"], 2, "is not before the end, 2026-11-16 00:00"),
    ],
)
def test_any_stretch_can_be_compared(command: Callable[..., Done], words: list[str], code: int, told: str) -> None:
    done = command("compare", "demo://", "demo", "--metric", "up", *words)
    assert done.code == code
    assert told in "\n".join([*done.out, *done.err])
