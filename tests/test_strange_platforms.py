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
from small_platform import pulled, says

from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.window import DAY, parse_window
from cloudxai_analysis.platform.settings import EnvironmentSettings
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
    "vanished": [pod("a:80", end=at("15T01:00")), pod("b:80", end=at("15T01:00"))],
    "halved": [pod("a:80"), pod("b:80", end=at("13T12:00"))],
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
        reach = window.reach(EnvironmentSettings().history_weeks, END)
        study = pulled(server.url, folder, window, now=END, reach=reach, matchers={"cluster": name})
        study.ledger.seed([{"kind": "deploy", "by": "ada", "start": at("10T01:55"), "end": at("10T03:05")}])
        return study

    return of


# Minutes of each outage, which days of the week are covered, and what is said by which check.
SAID: dict[str, tuple[list[float], str, list[str]]] = {
    # An hour is an hour whatever the scrape interval: of the fourteen days seen 1 - 60 / 20,160.
    **{
        name: ([60.0], "1111111", ["availability fail 99.702 % of the 14 days seen", "coverage,gaps pass"])
        for name in ("slower", "uneven")
    },
    # A deploy that is noted excuses nothing. Each scrape was tried: that is no gap; 72 minutes uncover a day.
    "down": (
        *([60.0] * 7, "1111111"),
        [
            *("availability fail", "burn warn used up", "gaps,coverage pass"),
            "outages warn not ready 7 times, longest for 60 minutes",
        ],
    ),
    # What nobody saw is neither up nor down, and decides here.
    "renamed": (
        *([], "1101111"),
        [
            "gaps warn No target of cloudxai was scraped for 23.6 hours from Wed 11 Nov, 00:11 UTC",
            *("availability unknown between 92.964 % and 100", "outages unknown"),
        ],
    ),
    # From Wednesday noon to the end of the day after the week, as far as was read.
    "gone": (
        *([5.5 * 1440], "1100000"),
        ["availability fail", "coverage warn", "burn warn The error budget burns 1,000.0 times faster than allowed"],
    ),
    # Of the week's last 23 hours nobody knows anything; nothing of the whole week is said of them.
    "vanished": (
        *([], "1111110"),
        [
            "coverage warn 1 of 7 days",
            "gaps warn No target of cloudxai was scraped for 47 hours from Sun 15 Nov, 01:01 UTC",
            *("availability unknown between", "outages unknown"),
        ],
    ),
    "halved": (
        [],
        "1111111",
        ["coverage,availability,outages pass", "gaps pass b:80 is no target any more from Fri 13 Nov, 12:0"],
    ),
    # A failed scrape of a pod that lived for minutes uncovers no day.
    "brief": ([], "1111111", ["coverage,gaps,outages,availability pass"]),
    "edge": ([45.0], "1111111", []),
}


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_is_said_as_it_was(opened: Callable[..., Study], name: str) -> None:
    (minutes, covered, expected), study = SAID[name], opened(name)
    assert study.readiness.outages["minutes"].tolist() == pytest.approx(minutes, rel=4e-4)
    days = study.telemetry.covered.set_index("day")["covered"].loc[W46.start : W46.end - DAY]
    assert "".join(map(str, days.astype(int))) == covered
    says(study, expected)


def test_down_to_the_end_is_no_whole_budget_and_no_labels_left(opened: Callable[..., Study]) -> None:
    study = opened("gone")
    assert study.readiness.error_budget["remaining_share"].iloc[0] < 0
    told = [one.finding for one in judge.checks(study)]
    assert not [finding for finding in told if "100 %" in finding and "too fast" not in finding]


def test_an_outage_over_the_weeks_end_is_named_by_the_next(opened: Callable[..., Study]) -> None:
    following = opened("edge", "2026-W47")
    assert following.readiness.outages.empty
    assert judge.check(following, "outages").finding == (
        "The platform was not ready for the first 25 minutes, in an outage of 45 minutes that began Sun 15 Nov, "
        "23:40 UTC."
    )
    # 45 of 43.2 minutes: the budget is used up, which is no pass, and nobody says that it was ready all the time.
    assert "used up: 45 minutes of 43 minutes" in judge.check(following, "burn").finding
    assert "all the time" not in str([one.finding for one in judge.checks(following)])
