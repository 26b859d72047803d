"""Files as they come: what can be read of them, on which lines, and what hostile ones do to the audits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from audited_files import corpus_in, corpus_of, findings, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.corpus import read_corpus
from cloudxai_analysis.lint.documents import read_text, read_tree
from cloudxai_analysis.platform.contract import load_contract
from cloudxai_analysis.sources.rules import AlertingRule

FIXTURES = Path(__file__).with_name("fixtures") / "rules"
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
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)
HOSTILE = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)


def found_in(text: str) -> list[Finding]:
    return audit(corpus_in(text), ask_tools=False)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", "files/duplicate-key", 2),
        ("a:\n  b: 1\n  b: 2\n", "files/duplicate-key", 3),
        ("a: 1\n---\nb: 1\nb: 1\n", "files/duplicate-key", 4),
        ("a: *x\n", "files/broken", 1),
        ("a: &x [*x]\n", "files/broken", 1),
        ("a: b: c\n", "files/broken", 1),
        ("a: 1\n\tb: 2\n", "files/broken", 1),
        ("- a\n- 'open\n- c\n", "files/broken", 2),
        ("- a\n- [open\n- c\n", "files/broken", 2),
        ("a: 1\nb: \x01\n", "files/broken", 2),
        ("a: {{ x }}\n", "files/templated", 1),
        ("x: 1\n{{- if a }}\nb: 1\n{{- end }}\n", "files/templated", 2),
        ("[" * 100 + "]" * 100, "files/broken", 1),
        ("{ " * 5_000, "files/broken", 1),
        ("- " * 200_000 + "x", "files/broken", 1),
        (BOMB + GROUP, "files/broken", 1),
        (GROUP + "      - alert: Bad\n        for: [x\n", "files/broken", 14),
        ("groups:\n  - name: g\n    rules:\n" + "      - alert: A\n        expr: x: y\n" * 10_000, "files/broken", 5),
        ('JSON{"a": 1,\n "a": 2}', "files/duplicate-key", 2),
        ('JSON{"a": 1,\n "b": }', "files/broken", 2),
        ("JSON" + "[" * 5_000, "files/broken", 1),
        *((f"JSON{text}", "files/broken", 1) for text in ("", '{"a": 1,}', "{'a': 1}", '{"a": tru}', "{} {}", "[1, 2")),
    ],
)
def test_what_is_wrong_with_a_file_is_one_finding_with_its_line(text: str, code: str, line: int) -> None:
    faults = read_text(text.removeprefix("JSON"), "f", as_json=text.startswith("JSON"))[1]
    assert [(fault.code, fault.line) for fault in faults] == [(code, line)]


def test_what_is_no_file_or_no_text(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yml"
    latin.write_bytes(b"a: 1\nb: \xe9\n")
    for path, place in (
        (tmp_path / "none", ("files/unreadable", 1)),
        (tmp_path, ("files/unreadable", 1)),
        (latin, ("files/broken", 2)),
    ):
        trees, faults = read_tree(path)
        assert (trees, [(fault.code, fault.line) for fault in faults]) == ([], [place])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    for name, text in (("r.yml", GROUP), ("r.json", json.dumps(yaml.safe_load(GROUP)))):
        (tmp_path / name).write_bytes(text.encode(encoding))
        corpus = read_corpus([tmp_path / name], contract=load_contract())
        assert ([rule.name for rule in corpus.rules], corpus.findings) == (["Down", "job:up:min"], [])


def test_lines_of_keys_and_values_and_of_what_another_tool_is_given() -> None:
    text = "# a\nb:\n  - x: '1'\n\n    y: [2, null]\nc: true\n"
    (tree,), _ = read_text(text, "f", first_line=10)
    assert (tree.key_lines, [node.line for node in tree.get("b").items()]) == ({"b": 11, "c": 15}, [12])
    assert (tree.get("b", "nothing").value, tree.get("x").line) == (None, 11)
    (tree,), _ = read_text(text, "f")
    assert yaml.safe_load(tree.in_place()) == yaml.safe_load(text)
    (again,), _ = read_text(tree.in_place(), "f")
    assert [node.line for node in again.walk()][1:] == [node.line for node in tree.walk()][1:]


SCALARS = st.none() | st.booleans() | st.integers(-(10**17), 10**17)


def values(texts: st.SearchStrategy[str], keys: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    """Anything that a file can hold, of these texts and keys."""
    return st.recursive(
        SCALARS | texts,
        lambda inside: st.lists(inside, max_size=4) | st.dictionaries(keys, inside, max_size=4),
        max_leaves=20,
    )


@settings(deadline=None)
@given(values(st.text("abc :'\"{}-#\n\u00e9", max_size=8), st.text("abc", min_size=1)), st.booleans())
def test_a_sound_file_is_read_as_yaml_reads_it(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    documents, faults = read_text(text, "f")
    assert ([node.plain() for node in documents], faults) == (list(yaml.safe_load_all(text)), [])


@settings(deadline=None)
@given(values(st.text(max_size=8), st.text(max_size=3)), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_sound_json_is_read_as_json_reads_it(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    text = re.sub("[\x7f-\x84\x86-\x9f\ufeff-\uffff]", "x", text)  # what a file is not read with
    (document,), faults = read_text(text, "f", as_json=True)
    assert [fault for fault in faults if fault.code != "files/duplicate-key"] == []
    if '"<<"' not in text:
        assert document.plain() == json.loads(text)


def test_a_group_and_its_labels() -> None:
    down, lowest = corpus_in(GROUP).rules
    assert (down.name, down.kind, down.line, down.expr_line, down.for_seconds) == ("Down", "alert", 6, 7, 60.0)
    assert (down.group, down.interval_seconds, down.labels) == ("g", 30.0, {"team": "core", "severity": "page"})
    assert (lowest.kind, lowest.line, lowest.labels) == ("record", 10, {"team": "web"})
    assert (down.line_of("labels", "severity"), down.line_of("for"), down.line_of("annotations", "x")) == (9, 8, 6)
    chart = "alerting:\n  extra:\n    groups:\n      - name: g\n        rules:\n          - {alert: A, expr: up == 0}\n"
    assert [(rule.name, rule.line) for rule in corpus_in(chart).rules] == [("A", 6)]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("groups:\n  - name: g\n    rules:\n      - {uid: a, title: A, data: [], for: 5m}\n", ["files/not-audited"]),
        ("groups:\n  - {name: g, concurrency: 2, rules: [{record: a:b, expr: up, debug: true}]}\n", []),
        (
            GROUP + "      - alert: A\n        expr: up == 0\n{{- if .x }}\n        labels: {}\n{{- end }}\n",
            ["files/templated"],
        ),
    ],
)
def test_what_others_take_or_templates_make_is_not_missed(text: str, codes: list[str]) -> None:
    assert [finding.code for finding in found_in(text)] == codes


EXPRESSIONS = [
    *("(" * 10_000 + "up" + ")" * 10_000, "up + " * 50_000 + "up", "-" * 10_000 + "up", "sum(" * 10_000, "'" * 9_999),
    *("up{a=~'" + "(" * 5_000 + "'}", "{" * 10_000, '{"' * 40_000, "x" * 1_000_000, "up == 0 # " + "((" * 10_000),
    *("\\" * 5_000, "up[5m" * 999, "up offset 9999999999999999999d", "1e999999", "up @ 1e99", "up[0s]"),
    *("up{a='\ud800'}", "\x00", "#"),
]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_a_hostile_expression_is_a_finding_at_most(expression: str) -> None:
    corpus = corpus_in(GROUP)
    corpus.rules[0] = replace(corpus.rules[0], expr=expression)
    assert all(len(finding.message) < 3_000 for finding in audit(corpus, ask_tools=False))


def test_thousands_of_rules_that_record_each_other() -> None:
    rules = [{"alert": f"A{number}", "expr": f"a:{number} > 1"} for number in range(1_000)]
    rules += [{"record": f"a:{number}", "expr": f"sum(a:{number + 1}) + 1"} for number in range(1_000)]
    assert found_in(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]})) == []


TEXTS = [path.read_text(encoding="utf-8") for path in sorted(FIXTURES.glob("*.repaired.yml"))[::6]]
PIECES = ["\n", "\t", "---\n", "&a ", "*a", "<<: ", "!!x ", "{{", "\u2028", "0x", "- ", *":{}[]\"'|%@#?="]
CHANGES = st.tuples(st.integers(0, 10_000), st.integers(0, 30), st.sampled_from(PIECES))


@HOSTILE
@given(text=st.sampled_from(TEXTS), changes=st.lists(CHANGES, max_size=6))
def test_a_mutilated_file_never_stops_the_audit(text: str, changes: list[tuple[int, int, str]]) -> None:
    for place, cut, piece in changes:
        start = place % (len(text) + 1)
        text = text[:start] + piece + text[start + cut :]
    lines = text.count("\n") + 1
    for finding in found_in(text):
        assert 1 <= finding.line <= lines + 1


KEYS = "groups rules name alert record expr for labels annotations interval spec items kind data route receivers panels"
JUNK = values(st.sampled_from(["up > 1", "5m", "{{ $labels.x }}", "", "sum("]), st.sampled_from(KEYS.split()))


@HOSTILE
@given(JUNK)
def test_junk_of_the_right_words_never_stops_the_audit(junk: object) -> None:
    rules = [junk, {"alert": junk, "expr": junk}]
    found_in(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}, junk], "route": junk, "panels": [junk]}))


@HOSTILE
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_bytes(content)
    read_corpus([file], contract=load_contract())


def test_what_a_server_has_loaded_and_has_no_series_of(tmp_path: Path) -> None:
    file = written(tmp_path, "rules.yml", GROUP.replace("up == 0", "up == 0 and queue_length > 5"))
    labels = {"severity": "page", "team": "core"}
    for loaded, said in [
        (AlertingRule("Down", "up==0 and queue_length>5", 60.0, labels=labels), ""),
        (AlertingRule("Down", "up == 0", 60.0, labels=labels), "another expression."),
        (AlertingRule("Down", "up == 0 and queue_length > 5", 300.0, labels={}), "another `for` and labels."),
        (AlertingRule("Other", "up == 0", 60.0, labels=labels), "no alert of this name"),
    ]:
        found = {one.code: one for one in findings(file, known_metrics=["up"], loaded_alerts=[loaded])}
        assert found["promql/not-on-server"].line == 7
        assert said in (found["rules/differs-from-server"].message if said else "")
        assert ("rules/differs-from-server" in found) is bool(said)


def test_copies_are_told_once_a_pair_of_files(tmp_path: Path) -> None:
    files = [written(tmp_path, name, GROUP) for name in ("a.yml", "b.yml")]
    assert [one.file for one in findings(*files) if one.code == "rules/copied"] == ["b.yml"]


def test_what_another_file_records_may_come_from_another_server_with_labels_of_its_place(tmp_path: Path) -> None:
    record = "groups:\n- name: g\n  rules:\n  - {record: a:b:sum, expr: sum by (job) (x)}\n"
    use = "  - {record: c:d:sum, expr: sum by (region) (a:b:sum)}\n"
    one = written(tmp_path, "one.yml", record + use)
    assert [fault.code for fault in findings(one)] == ["promql/lost-label"]
    files = [written(tmp_path, "a.yml", record), written(tmp_path, "b.yml", record[: record.index("  - ")] + use)]
    assert findings(*files) == []


def test_a_metric_that_v1_calls_otherwise_is_named_with_its_new_name(tmp_path: Path) -> None:
    """The beta's contract renames none; another's can."""
    rules = "groups:\n- name: g\n  rules:\n  - {record: a:b, expr: max(readiness_state)}\n"
    corpus = corpus_of(written(tmp_path, "rules.yml", rules))
    corpus.contract = load_contract().model_copy(update={"renames": {"readiness_state": "platform_ready"}})
    (found,) = audit(corpus)
    assert (found.code, found.line) == ("promql/renamed-metric", 4)
    assert "platform_ready" in found.message
