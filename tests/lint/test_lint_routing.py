"""Routings: matchers read as Alertmanager reads them, forms and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from audited_files import findings, written

from cloudxai_analysis.lint.matchers import Matcher, contradiction, read_matchers

HOOK = [{"url": "http://127.0.0.1"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  severity  !=  page  ", [("severity", "!=", "page")]),
        ('{a="b, c", d!~"e"}', [("a", "=", "b, c"), ("d", "!~", "e")]),
        ("a=b,c=d", [("a", "=", "b"), ("c", "=", "d")]),
        ('a="say \\"hi\\"\\n\\t\\\\"', [("a", "=", 'say "hi"\n\\t\\')]),
        ("a=", [("a", "=", "")]),
        ("a=b=c", [("a", "=", "b=c")]),
        ("", []),
        ('"a b"="c"', [("a b", "=", "c")]),
        ("severity", None),
        ("a-b=c", None),
    ],
)
def test_texts_of_matchers(text: str, expected: list[tuple[str, str, str]] | None) -> None:
    read = read_matchers(text)
    assert (None if read is None else [(one.name, one.operator, one.value) for one in read]) == expected


def test_a_pattern_is_anchored_and_a_missing_label_is_empty() -> None:
    matcher = Matcher("severity", "=~", "page|crit")
    assert [matcher.accepts(value) for value in ("crit", "critical", "")] == [True, False, False]
    assert Matcher("severity", "!~", "page").accepts("")
    assert Matcher("severity", "=~", "page|").accepts("")
    assert Matcher("severity", "=~", "(").accepts("page") is None


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ('a="b",a=~"c|d"', True),
        ('a=~"b.*",a=~"c.*"', True),
        ('a="b",a!="b"', True),
        ('a=~"b|c",a!~"b|c|d"', True),
        ('a=~"^(?:b|c)$",a=~"d|(e)"', True),
        ('a=~".*b",a=~"c.*"', False),
        ('a!="b",a!="c"', False),
        ('a=""', False),
    ],
)
def test_contradictions(text: str, nothing: bool) -> None:
    assert bool(contradiction(read_matchers(text))) is nothing


def configured(folder: Path, config: Any) -> Path:
    return written(folder, "alertmanager.yml", config if isinstance(config, str) else yaml.safe_dump(config))


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"route": {"receiver": "a", "continue": True}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "group_by": ["x", "x"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": ["a-b"]}}, "routing/bad-group-by"),
        ({"route": {"receiver": "a", "group_by": "x"}}, "routing/unreadable"),
        ({"route": {"receiver": "a", "group_interval": "0s"}}, "routing/bad-duration"),
        ({"route": {"receiver": "a", "mute_time_intervals": ["x"]}}, "routing/bad-root"),
        ({"route": {"receiver": "a", "routes": [{"matchers": ["x"]}]}}, "routing/bad-matcher"),
        ({"route": {"receiver": "a", "routes": [{"match_re": {"x": "("}}]}}, "routing/bad-matcher"),
        ({"inhibit_rules": [{"source_matcher": ["a=b"], "equal": ["x"]}]}, "routing/unknown-key"),
        ({"receivers": [{"name": "a", "slack_configs": [{"chanel": "#x"}]}]}, "routing/no-target"),
    ],
)
def test_small_refusals(change: dict[str, object], code: str, tmp_path: Path) -> None:
    config = {"route": {"receiver": "a"}, "receivers": [{"name": "a", "webhook_configs": HOOK}]} | change
    assert code in {fault.code for fault in findings(configured(tmp_path, config))}


@pytest.mark.needs("amtool")
def test_a_target_that_a_newer_key_of_global_may_give_is_no_error(tmp_path: Path) -> None:
    """As `telegram_bot_token` of Alertmanager's own test data, which amtool 0.25 does not know."""
    config = {"receivers": [{"name": "a", "telegram_configs": [{"chat_id": 1}]}], "route": {"receiver": "a"}}
    for more, is_error in (({}, True), ({"global": {"telegram_bot_token": "x"}}, False)):
        found = {one.code for one in findings(configured(tmp_path, config | more)) if one.severity == "error"}
        assert ("routing/no-target" in found) is is_error


SECRET = """\
apiVersion: v1
kind: Secret
stringData:
  alertmanager.yaml: |
    route:
      receiver: core
    receivers:
      - name: core
        webhook_configs: [{url: 'http://x'}]
      - name: old
        webhook_configs: [{url: 'http://x'}]
"""
THOUSAND = [{"matchers": [f'team=~"team-{number}|t{number}.*"'], "receiver": "a"} for number in range(1000)]


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("kind: AlertmanagerConfig\nspec: {route: {receiver: a}}\n", [(1, "files/not-audited")]),
        (SECRET, [(10, "routing/unused-receiver")]),
        # t1.* takes what t10 is asked for, but not team-10.
        ({"receivers": [{"name": "a", "webhook_configs": HOOK}], "route": {"receiver": "a", "routes": THOUSAND}}, []),
    ],
)
def test_resources_and_a_thousand_routes(config: Any, expected: list[tuple[int, str]], tmp_path: Path) -> None:
    file = configured(tmp_path, config)
    assert [(fault.line, fault.code) for fault in findings(file)] == expected
