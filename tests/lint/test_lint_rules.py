"""Rules as they stand in files: where they are found, on which lines, and what hostile files do to the audits."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from audited_files import findings, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import Corpus, read_corpus
from cloudxai_analysis.lint.reading import read_text, read_tree
from cloudxai_analysis.lint.rules import load_rules
from cloudxai_analysis.platform.contract import load_contract

FAULTY = Path(__file__).with_name("fixtures") / "rules"
GROUP = """\
groups:
  - name: g
    interval: 30s
    labels: {team: core}
    rules:
      - alert: Down
        expr: up == 0
        for: 1m
        labels: {severity: page}
      - record: job:up:min
        expr: min by (job) (up)
        labels: {team: web}
"""


def corpus_of(text: str) -> Corpus:
    corpus = Corpus(load_contract())
    trees, faults = read_text(text, "f.yml")
    corpus.note(faults)
    for tree in trees:
        corpus.add(tree, "f.yml")
    return corpus


def found_in(text: str) -> list[Finding]:
    return audit(corpus_of(text), ask_tools=False)


def test_a_group_and_its_labels() -> None:
    down, lowest = corpus_of(GROUP).rules
    assert (down.name, down.kind, down.line, down.expr_line, down.for_seconds) == ("Down", "alert", 6, 7, 60.0)
    assert (down.group, down.interval_seconds, down.labels) == ("g", 30.0, {"team": "core", "severity": "page"})
    assert (lowest.kind, lowest.line, lowest.labels) == ("record", 10, {"team": "web"})
    assert (down.line_of("labels", "severity"), down.line_of("for"), down.line_of("annotations", "x")) == (9, 8, 6)


def test_values_of_a_chart_and_rules_of_grafana() -> None:
    chart = "alerting:\n  extra:\n    groups:\n      - name: g\n        rules:\n          - {alert: A, expr: up == 0}\n"
    assert [(rule.name, rule.line) for rule in corpus_of(chart).rules] == [("A", 6)]
    grafana = "groups:\n  - name: g\n    rules:\n      - {uid: a, title: A, data: [], for: 5m}\n"
    assert corpus_of(grafana).rules == []


def test_others_keys_are_known() -> None:
    rule = "{record: a:b, expr: up, debug: true}"
    text = f"groups:\n  - {{name: g, concurrency: 2, partial_response_strategy: warn, rules: [{rule}]}}\n"
    assert found_in(text) == []


def test_of_a_broken_file_one_finding_is_told() -> None:
    assert [finding.code for finding in found_in(GROUP + "      - alert: Bad\n        for: [x\n")] == ["files/broken"]


def test_what_templates_may_have_put_in_is_not_missed() -> None:
    text = GROUP + "      - alert: A\n        expr: up == 0\n{{- if .x }}\n        labels: {severity: x}\n{{- end }}\n"
    assert {finding.code for finding in found_in(text)} == {"files/templated"}


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 10_000 + "up" + ")" * 10_000,
        "up + " * 50_000 + "up",
        "-" * 10_000 + "up",
        "up{a=~'" + "(" * 5_000 + "'}",
        "sum(" * 10_000,
        "'" * 9_999,
        "{" * 10_000,
        "x" * 1_000_000,
        "up == 0 # " + "((" * 10_000,
        "\\" * 5_000,
        "up[5m" * 999,
        "up offset 9999999999999999999d",
        "1e999999",
        "up @ 1e99",
        "up[0s]",
        "up{a='\ud800'}",
        "\x00",
        "",
        " ",
        "#",
    ],
    ids=range(20),
)
def test_a_hostile_expression_is_a_finding_at_most(expression: str) -> None:
    corpus = corpus_of(GROUP)
    rule = corpus.rules[0]
    object.__setattr__(rule, "expr", expression)
    for finding in audit(corpus, ask_tools=False):
        assert len(finding.message) < 3_000


def test_thousands_of_rules() -> None:
    rules = "".join(
        f"      - {{alert: A{number}, expr: 'rate(x{number}_total[5m]) > {number}', labels: {{severity: page}}}}\n"
        for number in range(2_000)
    )
    corpus = corpus_of(f"groups:\n  - name: g\n    rules:\n{rules}")
    assert len(corpus.rules) == 2_000
    codes = [finding.code for finding in audit(corpus, ask_tools=False)]
    # Once a file that no alert has a summary, a runbook, an owner.
    assert sorted(codes) == ["rules/no-owner", "rules/no-runbook", "rules/no-summary"]


def test_ten_thousand_broken_rules_end() -> None:
    text = "groups:\n  - name: g\n    rules:\n" + "      - alert: A\n        expr: x: y\n" * 10_000
    assert [finding.code for finding in found_in(text)] == ["files/broken"]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)


def test_an_alias_bomb_stays_small() -> None:
    assert [finding.code for finding in found_in(BOMB + GROUP)] == ["files/broken"]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_json_with_and_without_a_byte_order_mark(mark: bytes, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(mark + b'{"groups": [{"name": "g",\n "rules": [{"alert": "A",\n "expr": "up > 1"}]}]}')
    corpus = read_corpus([file], contract=load_contract())
    found = {(finding.code, finding.line) for finding in audit(corpus, ask_tools=False)}
    assert corpus.findings == []
    assert ("promql/never-true", 3) in found


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_yaml_with_a_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_bytes(GROUP.encode(encoding))
    trees, faults = read_tree(file)
    assert (len(load_rules(trees[0], "f")), faults) == (2, [])


TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FAULTY.glob("*.repaired.yml"))[::6]]
PIECES = [
    "\n",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "&a ",
    "*a",
    "<<: ",
    "|",
    "%",
    "@",
    "\t",
    "!!x ",
    "{{",
    "---\n",
    "#",
    "\u2028",
    "?",
    "0x",
    "=",
]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    text=st.sampled_from(TEXTS),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 30), st.sampled_from(PIECES)), max_size=6),
)
def test_a_mutilated_file_never_stops_the_audit(text: str, changes: list[tuple[int, int, str]]) -> None:
    for place, cut, piece in changes:
        start = place % (len(text) + 1)
        text = text[:start] + piece + text[start + cut :]
    lines = text.count("\n") + 1
    for finding in found_in(text):
        assert 1 <= finding.line <= lines + 1


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["up > 1", "5m", "{{ $labels.x }}", "", "sum("]),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "groups",
                    "rules",
                    "name",
                    "alert",
                    "record",
                    "expr",
                    "for",
                    "labels",
                    "annotations",
                    "interval",
                    "spec",
                    "items",
                    "kind",
                    "data",
                ]
            ),
            inside,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(JUNK)
def test_junk_of_the_right_words_never_stops_the_audit(junk: object) -> None:
    found_in(
        yaml.safe_dump({"groups": [{"name": "g", "rules": [junk, {"alert": junk, "expr": junk}]}, junk], "x": junk})
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_bytes(content)
    trees, _ = read_tree(file)
    for tree in trees:
        load_rules(tree, "any.yml")
    written(tmp_path_factory.getbasetemp(), "any.json", "{}")


def test_a_metric_that_v1_calls_otherwise_is_named_with_its_new_name(tmp_path):
    """The beta's contract renames none; another's can."""
    contract = load_contract().model_copy(update={"renames": {"readiness_state": "platform_ready"}})
    file = tmp_path / "rules.yml"
    file.write_text("groups:\n- name: g\n  rules:\n  - {record: a:b, expr: max(readiness_state)}\n", encoding="utf-8")
    (found,) = audit(read_corpus([file], contract=contract))
    assert (found.code, found.line) == ("promql/renamed-metric", 4)
    assert "platform_ready" in found.message


def test_what_a_server_has_loaded_and_has_no_series_of(tmp_path: Path) -> None:
    file = written(tmp_path, "rules.yml", GROUP.replace("up == 0", "up == 0 and queue_length > 5"))
    loaded = [("Down", 300.0, {"severity": "page", "team": "core"})]
    found = findings(file, known_metrics=["up"], loaded_alerts=loaded)
    told = {(one.code, one.line) for one in found}
    assert {("rules/differs-from-server", 6), ("promql/not-on-server", 7)} <= told
    assert "files/broken" not in {one.code for one in found}


def test_copies_are_told_once_a_pair_of_files(tmp_path: Path) -> None:
    files = [written(tmp_path, name, GROUP) for name in ("a.yml", "b.yml")]
    assert [one.file for one in findings(*files) if one.code == "rules/copied"] == ["b.yml"]
