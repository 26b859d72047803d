"""From each planted event to its samples in two steps, and tables that only JupyterLab makes interactive."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from cloudxai_analysis.cards.explore import asked_by_jupyterlab, explore
from cloudxai_analysis.cards.follow import events, samples_behind
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.operate import evaluate
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.study.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return evaluate.study_of(DemoSource(), tmp_path_factory.mktemp("follow"))


@pytest.mark.parametrize("section", ["cardinality", "cost", "alerts", "readiness"])
def test_every_event_is_followed_to_samples_of_its_time(study: Study, section: str) -> None:
    found = events(study, section)
    assert len(found)
    for number, row in enumerate(found.to_dict("records")):
        look = samples_behind(study, section, number)
        assert len(look.table), row
        inside = look.table["time"].between(row["start"], row["end"])
        assert inside.any(), row
        assert row["place"] in look.heading
        assert look.svg().startswith("<svg")


def test_the_planted_spike_shows_in_the_samples_behind_it(study: Study) -> None:
    found = events(study, "cost").query("kind == 'cost_spike'")
    look = samples_behind(study, "cost", int(found.index[0]))
    assert set(look.table["tenant"]) == {found["place"].iloc[0]}
    during = look.table["time"].between(found["start"].iloc[0], found["end"].iloc[0], inclusive="left")
    assert look.table.loc[during, "value"].median() > 2 * look.table.loc[~during, "value"].median()


def test_one_tenants_samples_of_the_whole_window_by_any_metric(study: Study) -> None:
    tenant = study.cost.costs["tenant"].iloc[0]
    look = samples_behind(study, "cost", tenant=tenant, metric="tenant_readiness")
    assert set(look.table["tenant"]) == {tenant}
    assert look.table["value"].isin([0.0, 1.0]).all()


def test_what_does_not_exist_is_named(study: Study) -> None:
    with pytest.raises(UsageError, match=r"no event 99. It has 0 to 1"):
        samples_behind(study, "cardinality", 99)
    with pytest.raises(UsageError, match="no role 'costs'"):
        samples_behind(study, "cost", metric="costs")
    assert samples_behind(study, "incidents").empty


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    running = InteractiveShell()
    monkeypatch.setattr("IPython.get_ipython", lambda: running)
    monkeypatch.setattr(running, "get_parent", lambda: running.asked, raising=False)
    running.asked = {"metadata": {"cellId": "a"}}
    return running


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list:
    found: list = []
    monkeypatch.setattr("IPython.display.display", lambda *some, **_: found.extend(some))
    return found


HOSTILE = pd.DataFrame({"tenant": ["<script>alert(1)</script>", "b"], "cost": [2.5, 10.0]})


def test_jupyterlab_gets_a_table_to_sort_and_nothing_of_a_label_runs(shell: InteractiveShell, shown: list) -> None:
    assert asked_by_jupyterlab() is shell
    explore(HOSTILE)._ipython_display_()
    text = shown[-1].data
    assert "10.0" in text
    assert "<script>alert" not in text


def test_elsewhere_a_table_is_plain(shell: InteractiveShell, shown: list) -> None:
    shell.asked = {"metadata": {}}
    explore(HOSTILE)._ipython_display_()
    assert isinstance(shown[-1], pd.DataFrame)
    assert shown[-1]["tenant"].tolist() == HOSTILE["tenant"].tolist()
    assert shown[-1]["cost"].tolist() == [2.5, 10.0]


def test_a_tenant_is_its_whole_name(study: Study) -> None:
    known = sorted(study.cardinality.tenant_samples["tenant"].unique())
    name = next(name for name in known if name[:-1] not in known)
    assert set(samples_behind(study, "cardinality", tenant=name).table["tenant"]) == {name}
    with pytest.raises(UsageError, match=rf"No tenant '{name[:-1]}' up to .* Did you mean .*'{name}'"):
        samples_behind(study, "cardinality", tenant=name[:-1])
    with pytest.raises(UsageError, match=r"No tenant 'zzzzzz' .* Known: .*, …\."):
        samples_behind(study, "cardinality", tenant="zzzzzz")


@pytest.mark.parametrize("value", [7, 1e5, True, None])
def test_a_name_that_came_as_a_number_is_told_how_to_come_as_text(study: Study, value: object) -> None:
    with pytest.raises(UsageError, match=r"'tenant' came as .*-r tenant 007"):
        samples_behind(study, "cardinality", tenant=value)  # type: ignore[arg-type]
