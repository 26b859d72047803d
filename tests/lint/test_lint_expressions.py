"""Which faults an alert's expression and its texts have, by hand; of one fault comes one finding."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from audited_files import corpus_in

from cloudxai_analysis.lint.audit import audit
from cloudxai_analysis.lint.expressions import LONGEST, Unparsed, parse

FIXTURES = Path(__file__).with_name("fixtures")
EXPRESSIONS = tomllib.loads((FIXTURES / "expressions.toml").read_text(encoding="utf-8"))
FAULTY = [(code, expr) for code, texts in EXPRESSIONS["faulty"].items() for expr in texts]


def codes(expr: str, *prefixes: str, **more: Any) -> list[str]:
    """The codes that are found in one alert."""
    one = {"alert": "A", "expr": expr, "for": "5m", "labels": {"severity": "page"}, **more}
    corpus = corpus_in(yaml.safe_dump({"groups": [{"name": "g", "rules": [one]}]}), scrape_seconds=30.0)
    found = [fault.code for fault in audit(corpus, ask_tools=False)]
    return [code.rpartition("/")[2] for code in found if code.startswith(prefixes)]


@pytest.mark.parametrize(("code", "expr"), FAULTY)
def test_the_fault_is_found_once(code: str, expr: str) -> None:
    assert codes(expr, "promql/") == [code]


@pytest.mark.parametrize("expr", EXPRESSIONS["sound"])
def test_nothing_is_found_where_nothing_is_wrong(expr: str) -> None:
    assert codes(expr, "promql/", "rules/") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ $labels.b }} {{ .Labels.b | toUpper }}", "lost-template-label"),
        ("{{ if $labels.b }}{{ $labels.b }}{{ end }}", ""),
        ("{{ with .Labels.b }}{{ . }}{{ end }}", ""),
        ("costs $5", ""),
        ("{{ $labels.a", ""),
        ('{{ printf "%.2f" .Value }} {{ printf "%.f" $value }} {{ printf "%s" $labels.a }}', ""),
        # What a text asks for itself has labels of its own.
        ('{{ range query "up" }}{{ .Labels.instance }} {{ .Value }}{{ end }}', ""),
        ('{{ range query "up" }}{{ .Labels.instance }}{{ $labels.b }}{{ end }}', "lost-template-label"),
    ],
)
def test_texts_of_an_alert(text: str, code: str) -> None:
    assert codes("sum by (a) (x) > 5", "rules/", annotations={"summary": text}) == [code] * bool(code)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sum(", "end of input|unclosed|unexpected"),
        ("up =< 1", "invalid"),
        ("(" * 10_000, "deeper"),
        ("up + " * 200 + "up", "operators"),
        ("x" * (LONGEST + 1), "longer"),
    ],
)
def test_what_is_not_read_says_why(text: str, why: str) -> None:
    with pytest.raises(Unparsed, match=why) as caught:
        parse(text)
    assert len(str(caught.value)) <= 300


def test_long_expressions_of_people_are_read() -> None:
    assert parse(" or ".join(f'absent(x{{job="j{number}"}})' for number in range(70)))
    assert parse('up{instance=~"' + "|".join(f"host-{number}-(a)" for number in range(2_000)) + '"}')
