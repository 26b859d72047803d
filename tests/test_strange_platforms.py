"""Platforms that nobody here made, in a real Prometheus: the interval changes, all is down, pods come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest
import servers
from platforms import Pod, batches

from cloudxai_analysis.checks import Check, judge
from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits, Settings, resolve_environment
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.study.study import Study

pytestmark = pytest.mark.server
W46 = parse_window("2026-W46")
BEGIN, END = W46.start - timedelta(weeks=1), W46.end + timedelta(days=1)
MINUTES = ((BEGIN, 60),)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


def pod(instance: str, **how: object) -> Pod:
    return replace(Pod(instance, BEGIN, END, MINUTES), **how)


OUT = ((at("12T10:00"), at("12T11:00")),)
EVERY_DAY = tuple((at(f"{day:02}T02:00"), at(f"{day:02}T03:00")) for day in range(9, 16))
PLATFORMS = {
    "slower": [pod("a:80", steps=((BEGIN, 15), (at("11T00:00"), 60)), not_ready=OUT)],
    "uneven": [pod("a:80", steps=((BEGIN, 15),)), pod("b:80", not_ready=OUT)],
    "down": [pod("a:80", down=EVERY_DAY), pod("b:80", down=EVERY_DAY)],
    "renamed": [pod("a:80", end=at("11T00:10")), pod("c:80", start=at("11T23:50"))],
    "gone": [pod("a:80", end=at("11T12:00")), pod("b:80", down=((at("11T12:00"), END),))],
    "brief": [
        pod("a:80"),
        pod("b:80", start=at("11T12:00"), end=at("11T12:05"), down=((at("11T12:02"), at("11T12:03")),)),
    ],
    "edge": [pod("a:80", not_ready=((at("15T23:40"), at("16T00:25")),))],
}


@pytest.fixture(scope="module")
def server(start_prometheus: Callable[..., servers.Server]) -> servers.Server:
    """One server of all platforms, each series with the name of the cluster that it runs in."""
    rows: dict[str, list] = {}
    for name, pods in PLATFORMS.items():
        for batch in batches("cloudxai", pods):
            parts = (np.split(part, batch.offsets[1:-1]) for part in (batch.times, batch.values))
            for labels, times, values in zip(batch.labels, *parts, strict=True):
                rows.setdefault(batch.metric, []).append(({**labels, "cluster": name}, times, values))
    return start_prometheus([SeriesBatch.of(metric, series) for metric, series in rows.items()])


@pytest.fixture(scope="module")
def opened(server: servers.Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Study]:
    """The study of a platform's week, as pulled from the server after the week."""

    @cache
    def of(name: str, week: str = "2026-W46") -> Study:
        folder, window = tmp_path_factory.mktemp(name), parse_window(week)
        own = EnvironmentSettings(source=server.url, matchers={"cluster": name})
        settings = Settings.model_construct(outputs=folder, environments={name: own})
        settled = resolve_environment(settings, source=None, name=name)
        reach, lake = window.reach(settled.settings.history_weeks, END), open_lake(settled.lake)
        source = open_source(server.url, limits=Limits(), settings=own)
        pull(source, lake, settled.contract, reach, now=END, matchers=own.matchers)
        ledger = Ledger(folder / "ledger.jsonl")
        ledger.seed([{"kind": "deploy", "by": "ada", "start": at("10T01:55"), "end": at("10T03:05")}])
        return Study(settled, window, open_lake(settled.lake).snapshot(), ledger=ledger, now=END)

    return of


def minutes(study: Study) -> list[float]:
    return study.readiness.outages["minutes"].round(1).tolist()


def check(study: Study, key: str) -> Check:
    return judge.check(study, key)


@pytest.mark.parametrize("name", ["slower", "uneven"])
def test_an_hour_not_ready_is_an_hour_whatever_the_scrape_interval(opened: Callable[..., Study], name: str) -> None:
    study = opened(name)
    assert minutes(study) == [60.0]
    # Of the fourteen days seen: 1 - 60 / 20,160.
    availability = check(study, "availability")
    assert availability.status == "fail"
    assert availability.value == pytest.approx(0.997024, abs=5e-6)
    assert study.telemetry.covered.set_index("day")["covered"].loc[W46.start :].all()
    assert check(study, "coverage").status == check(study, "gaps").status == "pass"


def test_all_targets_down_is_not_ready_and_a_noted_deploy_excuses_nothing(opened: Callable[..., Study]) -> None:
    study = opened("down")
    assert minutes(study) == [60.0] * 7
    assert check(study, "availability").status == "fail"
    assert check(study, "burn").status == "warn"
    assert "used up" in check(study, "burn").finding
    assert "not ready 7 times, longest for 60 minutes" in check(study, "outages").finding


def test_a_day_without_any_pod_is_a_gap_of_the_job(opened: Callable[..., Study]) -> None:
    study = opened("renamed")
    gaps = check(study, "gaps")
    assert gaps.status == "warn"
    assert gaps.finding.startswith("No target of cloudxai was scraped for 23.6 hours from Wed 11 Nov, 00:11 UTC")
    covered = study.telemetry.covered.set_index("day")["covered"].loc[W46.start :]
    assert covered.tolist() == [True, True, False, True, True, True, True]
    # What nobody saw is neither up nor down, and decides here.
    assert minutes(study) == []
    assert check(study, "availability").status == "unknown"
    assert "between 92.964 % and 100" in check(study, "availability").finding
    assert check(study, "outages").status == "unknown"


def test_down_to_the_end_is_no_whole_budget_and_no_labels_left(opened: Callable[..., Study]) -> None:
    study = opened("gone")
    # From Wednesday noon to the end of the day after the week, as far as was read.
    assert minutes(study) == [pytest.approx(5.5 * 1440, abs=3)]
    assert check(study, "availability").status == "fail"
    assert study.readiness.error_budget["remaining_share"].iloc[0] < 0
    assert check(study, "coverage").status == "warn"
    assert check(study, "burn").finding.startswith("The error budget burns 1,000.0 times faster than allowed")
    told = [one.finding for one in judge.checks(study)]
    assert not [finding for finding in told if "100 %" in finding and "too fast" not in finding]


def test_a_failed_scrape_of_a_pod_that_lived_for_minutes_uncovers_no_day(opened: Callable[..., Study]) -> None:
    study = opened("brief")
    assert study.telemetry.covered["covered"].all()
    assert minutes(study) == []
    assert {check(study, key).status for key in ("coverage", "gaps", "outages", "availability")} == {"pass"}


def test_an_outage_over_the_weeks_end_is_whole_in_its_week_and_named_by_the_next(
    opened: Callable[..., Study],
) -> None:
    assert minutes(opened("edge")) == [45.0]
    following = opened("edge", "2026-W47")
    assert minutes(following) == []
    assert check(following, "outages").finding == (
        "The platform was not ready for the first 25 minutes, in an outage of 45 minutes that began Sun 15 Nov, "
        "23:40 UTC."
    )
    # 45 of 43.2 minutes: the budget is used up, which is no pass, and nobody says that it was ready all the time.
    assert "used up: 45 minutes of 43 minutes" in check(following, "burn").finding
    assert "all the time" not in str([one.finding for one in judge.checks(following)])
