"""The frames of a study by name: each is made of what is there, and is found, described and made anew."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.study.alerts import FOR_STATE
from cloudxai_analysis.study.catalogue import inputs_of, roots_of, values
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, value
from cloudxai_analysis.study.study import Study

SETTINGS = {
    *("bounds", "contract", "end", "environment", "history", "ledger", "reach", "rules", "seen", "study", "window"),
}


@pytest.fixture
def study(demo_study):
    return demo_study


def test_everything_is_made_of_frames_that_are_there_roles_of_the_contract_and_settings(study):
    for given in {given for name in values() for given in inputs_of(name)} - set(values()):
        if given.startswith("role "):
            assert given.removeprefix("role ") in {*study.contract.metrics, ANY_METRIC, FOR_STATE}
        else:
            first, *rest = given.split(".")
            assert first in SETTINGS
            held = getattr(study, first)
            for attribute in rest:
                held = getattr(held, attribute)
    assert [name for name in study.frames if not study.frames[name].says.endswith(".")] == []


def test_after_an_entry_only_what_reads_the_ledger_is_made_anew(study):
    stale = study.frames.made_of("ledger")
    assert {"alerts.incidents", "alerts.judged", "alerts.rule_overview", "alerts.weekly_pooled"} <= set(stale)
    assert not {"alerts.episodes", "alerts.storms"} & set(stale)
    assert all(name.startswith("alerts.") for name in stale)
    episodes, judged = study.alerts.episodes, study.alerts.judged
    study.reread()
    assert study.alerts.episodes is episodes
    assert study.alerts.judged is not judged
    pd.testing.assert_frame_equal(study.alerts.judged, judged)


def test_a_frame_knows_its_inputs_its_metrics_and_its_columns_with_units(study):
    outages = study.frames["outages"]
    assert (outages.name, outages.inputs) == ("readiness.outages", ("readiness.reaching", "seen"))
    assert set(outages.metrics) == {"up", study.contract["readiness"].name}
    assert outages.frame is study.readiness.outages
    assert "measures/readiness.py:" in outages.measure
    assert {"telemetry.up", "role up", "role readiness"} <= roots_of("readiness.outages")
    told = outages.columns.set_index("column")
    assert list(told.index) == ["start", "end", "minutes"]
    assert told.loc["minutes"].tolist() == ["number", "min", "seen not ready"]
    assert "cut_start" in repr(study.frames["alerts.episodes"])


def test_frames_are_found_by_a_word_and_by_their_names(study):
    assert {"readiness.outages", "readiness.tenant_outages"} <= set(study.frames.find("outage")["frame"])
    assert "readiness.outages" in set(study.frames.find("minutes [min]")["frame"])
    assert "alerts.month" not in list(study.frames)
    with pytest.raises(UsageError, match=r"no frame 'outage'\. Near are .*readiness\.outages"):
        study.frames["outage"]
    with pytest.raises(UsageError, match=r"several frames 'window_hours': cardinality.window_hours, cost.window_hours"):
        study.frames["window_hours"]


def test_an_error_in_a_measure_names_the_frames_on_the_way():
    class Broken(Topic):
        least = value(min, "nothing")
        twice = frame(lambda least: least * 2, "least")
        nothing = value(list)

    with pytest.raises(ValueError, match="empty") as raised:
        _ = Broken(None).twice
    assert raised.value.__notes__ == ["while making broken.least of nothing", "while making broken.twice of least"]


def test_a_frame_may_be_cut_to_a_window():
    class Days:
        seen = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
        within = staticmethod(lambda found, column, window: found[found[column] < window.end])

    class Cut(Topic):
        days = frame(lambda: pd.DataFrame({"day": pd.date_range("2026-11-01", periods=4, tz="UTC")}), within="day")

    assert len(Cut(Days()).days) == 2


def test_any_metric_of_the_source_can_be_asked_for(study):
    found = study.samples(study.contract["readiness"].name)
    assert {"series_id", "time", "value", "job", "instance"} <= set(found)
    own = found[found["job"].isin(study.contract.jobs)]
    assert len(own) == len(study.samples("readiness", study.seen, markers=True))
    with pytest.raises(UsageError, match=r"samples of no_such_metric over .* source demo.* has none.*Its roles are"):
        study.samples("no_such_metric")
    with pytest.raises(UsageError, match="PromQL needs a server"):
        study.promql("up")


def test_two_weeks_stand_side_by_side_and_what_cannot_be_compared_says_why(study):
    same = study.compare(study).set_index("number")
    assert same.loc["readiness.outages", "difference"] == 0
    assert same.loc["readiness.outages", "this"] == (study.readiness.outages["minutes"] > 1.1).sum()
    begun = Study(study.environment, study.window, study.store, ledger=study.ledger, now=study.seen.start + DAY)
    half = study.compare(begun).set_index("number")
    assert half.loc["readiness.outages", "why"] == "windows of different length"
    assert pd.isna(half.loc["cost.total", "difference"])
    assert half.loc["cardinality.headroom_least", "why"] == ""
