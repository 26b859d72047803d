"""What the values of an expression are measured in, as far as it can be told, and whether a unit of Grafana fits."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudxai_analysis.lint.expressions import Term
from cloudxai_analysis.lint.metrics import NAMES, Metrics

_BECOMES = {
    ("sum", "truth"): "count",
    ("avg", "truth"): "ratio",
    ("avg_over_time", "truth"): "ratio",
    ("sum", "ratio"): "",
}
_SCALED = {
    ("truth", 100.0): "percent",
    ("ratio", 100.0): "percent",
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
    """What the values of a term are measured in; '' where it cannot be told, as of two vectors put together."""
    if term.form == "selector":
        return _of_series(term, metrics)
    vectors = [part for part in term.parts if part.form not in ("number", "string")]
    if len(vectors) != 1:
        return Measured()
    if term.name == "histogram_quantile":
        buckets = next(iter(vectors[0].selectors), vectors[0])
        return _of_series(replace(buckets, name=buckets.name.removesuffix("_bucket")), metrics)
    inside, functions = measured(vectors[0], metrics), NAMES["functions"]
    if term.form == "operation":
        return replace(inside, what=_beside_number(term, inside.what))
    if term.form in ("negation", "subquery") or term.name in functions["same_unit"]:
        return replace(inside, what=_BECOMES.get((term.name, inside.what), inside.what))
    if term.name in functions["changes"] and inside.what in ("currency", "seconds", "bytes"):
        return inside
    return Measured("count" if term.name in functions["counts"] else "")


def _beside_number(term: Term, what: str) -> str:
    """What values are after they are compared with a number, or a number was added or multiplied."""
    number = next(part.number for part in term.parts if part.form == "number")
    if term.as_bool:
        return "truth"
    # 1 - x turns a share of good into one of bad.
    keeps = term.compares or (term.name in "*/" and what == "currency") or (term.name == "-" and number == 1)
    return what if keeps else _SCALED.get((what, number), "") if term.name == "*" else ""


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


def misfit(unit: str, values: Measured) -> str:
    """What Grafana's unit makes of values measured like this, if it is wrong; '' where it fits or nobody can tell."""
    what = values.what
    if not unit or not what:
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
