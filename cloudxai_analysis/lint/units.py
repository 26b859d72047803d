"""What the values of an expression are measured in, as far as it can be told, and whether a unit of Grafana fits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudxai_analysis.lint.expressions import COMPARISONS, Term
from cloudxai_analysis.lint.metrics import NAMES, Metrics

_BECOMES = {
    ("sum", "truth"): "count",
    ("avg", "truth"): "ratio",
    ("avg_over_time", "truth"): "ratio",
    ("sum", "ratio"): "",
}
_SCALED = {
    ("ratio", 100.0): "percent",
    ("truth", 100.0): "percent",
    ("seconds", 1000.0): "milliseconds",
    ("epoch", 1000.0): "epoch ms",
}
_BY_CONTRACT = {"1": "truth", "seconds": "seconds", "seconds since the epoch": "epoch"}
_DRAWN = {unit: kind for kind, units in NAMES["units"].items() for unit in units}
_OWN_UNITS = ("prefix:", "suffix:", "currency:")


@dataclass(frozen=True)
class Measured:
    """What values are measured in, and the metric that says so; `currency` where it is money."""

    what: str = ""
    metric: str = ""
    currency: str = ""


def measured(term: Term, metrics: Metrics) -> Measured:
    """What the values of a term are measured in; '' where it cannot be told."""
    if term.form == "number":
        return Measured("number")
    if term.form == "selector":
        return _of_series(term, metrics)
    if term.form == "operation":
        return _of_operation(term, metrics)
    if term.name in ("time", "timestamp"):
        return Measured("epoch")
    if not term.parts:
        return Measured()
    vector = next((part for part in term.parts if part.form not in ("number", "string")), term.parts[0])
    if term.name == "histogram_quantile":
        buckets = next(iter(vector.selectors), vector)
        return _of_series(replace(buckets, name=buckets.name.removesuffix("_bucket")), metrics)
    inside = measured(vector, metrics)
    if term.form in ("negation", "subquery") or term.name in NAMES["functions"]["same_unit"]:
        return replace(inside, what=_BECOMES.get((term.name, inside.what), inside.what))
    if term.name in NAMES["functions"]["changes"] and inside.what in ("currency", "seconds", "bytes"):
        return inside
    return Measured("count" if term.name in NAMES["functions"]["counts"] else "")


def _of_series(term: Term, metrics: Metrics) -> Measured:
    name = term.name
    metric = metrics.promised(name) or metrics.promised(f"{name}_bucket")
    if metric is None:
        return Measured(next((what for ending, what in NAMES["measured"].items() if name.endswith(ending)), ""), name)
    if metric.unit.startswith("currency"):
        stated = next((one.value for one in term.matchers if (one.name, one.operator) == ("currency", "=")), "")
        return Measured("currency", name, stated or metrics.contract.currency)
    counted = name.endswith(("_bucket", "_count")) and metric.kind == "histogram"
    return Measured("" if counted else _BY_CONTRACT.get(metric.unit, ""), name)


def _of_operation(term: Term, metrics: Metrics) -> Measured:
    left, right = (measured(part, metrics) for part in term.parts)
    numbers = [part.number for part in term.parts if part.form == "number"]
    other = right if left.what == "number" else left
    if term.name in ("and", "unless"):
        return left
    if term.name in COMPARISONS:
        return Measured("truth") if term.as_bool else other
    if term.name == "or" and "number" in (left.what, right.what):
        return other
    if term.name == "-" and left.what == right.what == "epoch":
        return Measured("seconds", right.metric or left.metric)
    if term.name == "*" and numbers:
        scaled = _SCALED.get((other.what, numbers[0]), "")
        return other if other.what in ("currency", "number") else replace(other, what=scaled)
    if term.name == "/":
        return left if (left.what, right.what) == ("currency", "number") else Measured()
    if term.name in ("+", "-") and numbers:
        # 1 - x turns a share of good into one of bad.
        keeps = other.what != "truth" and (other.what != "ratio" or numbers[0] == 1)
        return replace(other, what=other.what if keeps else "")
    alike = left.what == right.what != "truth" and term.name in ("+", "-", "or")
    return left if alike else Measured()


def misfit(unit: str, values: Measured) -> str:
    """What Grafana's unit makes of values measured like this, if it is wrong; '' where it fits or nobody can tell."""
    what = values.what
    if not unit or what in ("", "number"):
        return ""
    if what == "currency":
        return _currency_misfit(unit, values.currency)
    drawn = _DRAWN.get(unit, "")
    if unit.startswith(("dateTime", "time:")):
        drawn = "date"
    elif unit.startswith("currency"):
        drawn = "money"
    words = NAMES["words"]
    wrong = drawn and drawn not in NAMES["fitting"][what]
    return f"'{unit}' draws {words.get(drawn, drawn)}, and the values are {words.get(what, what)}" if wrong else ""


def _currency_misfit(unit: str, currency: str) -> str:
    if unit.startswith("currency") and not unit.startswith("currency:"):
        return "" if unit == f"currency{currency}" else f"'{unit}' is not {currency}"
    if not unit.startswith(_OWN_UNITS):
        return f"'{unit}' draws no money, and the values are {currency}"
    said = {code for code, sign in NAMES["signs"].items() if sign in unit or code in unit}
    return f"'{unit}' is not {currency}" if said and currency not in said and currency not in unit else ""
