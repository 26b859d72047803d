"""The first day of a suite: a real server, an empty ledger, and rates that move as people judge what they are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import servers
from small_platform import pulled
from statsmodels.stats.proportion import proportion_confint

from cloudxai_analysis.cards import labelling
from cloudxai_analysis.checks import judge
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.study.study import Study

pytestmark = pytest.mark.server

DAYS = Window(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 12, tzinfo=UTC), "three days")
INSTANCE = {"job": "cloudxai", "instance": "cloudxai-0:8080"}
# Rule, tenant, first firing minute, minutes; whether readiness dips from the pending minutes on.
PLAYED = [
    ("TenantReadinessBreach", "a", "11-09T10:02", 8, True),
    ("TenantReadinessBreach", "b", "11-09T15:02", 4, True),
    ("ServiceNotReady", "", "11-10T12:05", 15, True),
    ("TenantReadinessBreach", "c", "11-11T03:00", 5, False),
    ("TenantReadinessBreach", "a", "11-11T09:00", 5, False),
]
PENDING = {"TenantReadinessBreach": 2, "ServiceNotReady": 5}
SEVERITY = {"TenantReadinessBreach": "page", "ServiceNotReady": "critical"}


def minute(text: str) -> int:
    moment = datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)
    return (moment - DAYS.start) // timedelta(minutes=1)


def gauge(dips: list[tuple[int, int]]) -> tuple[list[int], list[float]]:
    minutes = DAYS.duration // timedelta(minutes=1)
    low = {at for first, last in dips for at in range(first, last)}
    return [DAYS.start_ms + 60_000 * at for at in range(minutes)], [float(at not in low) for at in range(minutes)]


def world() -> Iterator[SeriesBatch]:
    dips: dict[str, list[tuple[int, int]]] = {"a": [], "b": [], "c": [], "": []}
    fired: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for rule, tenant, first, length, dipped in PLAYED:
        at, wait = minute(first), PENDING[rule]
        dips[tenant] += [(at - wait, at + length)] * dipped
        labels = {"alertname": rule, "severity": SEVERITY[rule], "job": "cloudxai"}
        labels |= {"tenant": tenant, "instance": INSTANCE["instance"]} if tenant else {}
        for state, begin, end in (("pending", at - wait, at), ("firing", at, at + length)):
            own = fired[tuple(sorted({**labels, "alertstate": state}.items()))]
            own += [DAYS.start_ms + 60_000 * place for place in range(begin, end)]
    yield SeriesBatch.of("ALERTS", [servers.series(dict(of), at, [1.0] * len(at)) for of, at in fired.items()])
    tenants = [servers.series(INSTANCE | {"tenant": name}, *gauge(dips[name])) for name in ("a", "b", "c")]
    yield SeriesBatch.of("tenant_readiness_state", tenants)
    yield SeriesBatch.of("readiness_state", [servers.series(INSTANCE, *gauge(dips[""]))])
    yield SeriesBatch.of("up", [servers.series(INSTANCE, *gauge([]))])


@pytest.fixture
def study(start_prometheus: Callable[..., servers.Server], tmp_path: Path) -> Study:
    """A study of what was pulled from the server, with a ledger in which nothing stands."""
    return pulled(start_prometheus(world()).url, tmp_path, DAYS)


def rates(study: Study) -> dict[str, tuple[int, int, int]]:
    """Trials, true and false positives by rule."""
    frame = study.alerts.false_positives
    counts = frame[["trials", "true_positives", "false_positives"]].itertuples(index=False, name=None)
    return dict(zip(frame["alertname"], counts, strict=True))


def test_from_an_empty_ledger_to_the_rates_of_a_table(study: Study) -> None:
    # Nothing is judged, so nothing is known.
    assert study.ledger.entries() == []
    assert rates(study) == {"ServiceNotReady": (0, 0, 0), "TenantReadinessBreach": (0, 0, 0)}
    assert judge.check(study, "false_positives").status == "unknown"
    assert labelling.unjudged(study).table["fired_at"].dt.strftime("%dT%H:%M").tolist() == [
        *("11T09:00", "11T03:00", "10T12:05", "09T15:02", "09T10:02")
    ]

    # What the readiness shows is proposed, and nothing of it counts.
    proposed = labelling.proposed(study).table
    assert proposed[["tenant", "evidence"]].values.tolist() == [
        ["a", "1 period, 10 min"],
        ["b", "1 period, 6 min"],
        ["", "1 period, 20 min"],
    ]
    assert rates(study)["TenantReadinessBreach"] == (0, 0, 0)
    assert study.ledger.entries() == []

    # One is confirmed, one in bulk with it, one rejected: two trials are true.
    mine, theirs, global_one = proposed["id"]
    labelling.confirm(study, [mine, global_one], by="ada")
    labelling.reject(study, theirs, by="ada")
    assert rates(study) == {"TenantReadinessBreach": (1, 1, 0), "ServiceNotReady": (1, 1, 0)}
    assert labelling.proposed(study).table.empty
    assert study.ledger.incidents()["id"].tolist() == [mine, global_one]

    # The rest is labelled, each with its picture.
    left = study.alerts.unjudged.set_index("tenant")["episode"]
    assert sorted(left.index) == ["a", "b", "c"]
    last = study.alerts.unjudged["episode"].iloc[-1]
    shown = labelling.picture(study, last)
    assert shown.key == f"alerts-episode-{last}"
    assert shown.svg().startswith("<svg")
    labelling.label(study, [left["b"], left["c"]], "noise", by="ada", why="a test of theirs")
    shown = labelling.label(study, left["a"], "actionable", by="ada")

    # By hand: a on the 9th and on the 11th are true, b and c false; the platform's alert is true.
    assert rates(study) == {"TenantReadinessBreach": (4, 2, 2), "ServiceNotReady": (1, 1, 0)}
    row = study.alerts.false_positives.set_index("alertname").loc["TenantReadinessBreach"]
    assert (row["rate"], row["judged_share"]) == (0.5, 1.0)
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(2, 4, method="wilson"), abs=1e-12)
    pooled = study.alerts.pooled_false_positives.iloc[0]
    assert (pooled["trials"], pooled["rate"]) == (5, 0.4)
    assert (pooled["low"], pooled["high"]) == pytest.approx(proportion_confint(2, 5, method="wilson"), abs=1e-12)
    # 12 to 77 %: neither over 25 % nor within it; and of three days, not of 28.
    assert judge.check(study, "false_positives").status == "unknown"
    assert shown.heading.startswith("2 of 5 alert groups of rules that wake someone in the 3 days seen of the 28 days")
    assert labelling.unjudged(study).empty == "every episode of the 28 days is judged"

    # A study opened afterwards says the same, and the chain holds.
    again = Study(study.environment, DAYS, study.store, ledger=Ledger(study.ledger.path), now=DAYS.end)
    pd.testing.assert_frame_equal(again.alerts.false_positives, study.alerts.false_positives)
    again.ledger.verify()


def test_what_is_wrong_leaves_the_ledger_as_it_was(study: Study) -> None:
    number = int(study.alerts.unjudged["episode"].iloc[0])
    with pytest.raises(UsageError, match=r"Judgement 'false' is none of actionable, noise, unknown"):
        labelling.label(study, number, "false", by="ada")
    with pytest.raises(UsageError, match=r"The 28 days have no episode 99"):
        labelling.label(study, [number, 99], "noise", by="ada")
    with pytest.raises(UsageError, match=r"Nothing was written"):
        labelling.label(study, number, "noise", by="")
    with pytest.raises(UsageError, match=r"There is no open proposal 'proposed-x'"):
        labelling.confirm(study, "proposed-x", by="ada")
    assert study.ledger.entries() == []
