"""What the values of an expression are measured in, as far as it can be told, and whether a unit of Grafana fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cloudxai_analysis.lint.expressions import COMPARISONS, Term, Unparsed, parse
from cloudxai_analysis.lint.metrics import Metrics

Measure = Literal["", "number", "currency", "seconds", "milliseconds", "epoch", "epoch ms", "ratio", "percent", "truth",
                  "bytes", "count"]  # fmt: skip

_KEEP = frozenset(
    {"abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max", "sort", "sort_desc", "label_replace"}
    | {"label_join", "scalar", "vector", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"}
    | {"predict_linear", "holt_winters", "sort_by_label", "sort_by_label_desc"}
)
_KEEP_BY_AGGREGATION = frozenset({"min", "max", "topk", "bottomk", "quantile", "stddev", "limitk", "limit_ratio"})
_DEEPEST = 8
# Grafana's ids of units, by what they expect.
_TIMES = frozenset({"s", "dtdurations", "dthms", "dtdhms"})
_OTHER_TIMES = frozenset({"ns", "µs", "ms", "m", "h", "d", "dtdurationms", "clockms", "timeticks"})
_DATES = ("dateTime", "time:")
_SIZES = ("bytes", "decbytes", "kbytes", "mbytes", "gbytes", "bits", "decbits", "deckbytes", "decmbytes", "decgbytes")
_RATES_OF_SIZE = ("Bps", "binBps", "bps", "binbps", "KBs", "MBs")
_OWN_UNITS = ("prefix:", "suffix:", "si:", "count:", "bool:", "currency:", "time:")
_WORDS = {"truth": "0 or 1", "epoch": "a time", "epoch ms": "a time", "count": "a number", "ratio": "a share"}
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "CHF": "CHF", "PLN": "zł", "SEK": "kr"}


@dataclass(frozen=True)
class Measured:
    """What values are measured in, and the metric that says so; `currency` where it is money."""

    what: Measure = ""
    metric: str = ""
    currency: str = ""


def measured(term: Term, metrics: Metrics, depth: int = 0) -> Measured:
    """What the values of a term are measured in; '' where it cannot be told."""
    if depth > _DEEPEST * 4:
        return Measured()
    match term.form:
        case "number":
            return Measured("number")
        case "selector":
            return _of_series(term, metrics, depth)
        case "negation" | "subquery":
            return measured(term.parts[0], metrics, depth + 1)
        case "call":
            return _of_call(term, metrics, depth)
        case "aggregation":
            inside = measured(term.parts[0], metrics, depth + 1)
            if term.name in _KEEP_BY_AGGREGATION:
                return inside
            if term.name == "avg":
                return _averaged(inside)
            if term.name == "sum":
                return Measured("count") if inside.what == "truth" else inside if inside.what != "ratio" else Measured()
            return Measured("count") if term.name in ("count", "count_values", "group") else Measured()
        case "operation":
            return _of_operation(term, metrics, depth)
    return Measured()


def _of_series(term: Term, metrics: Metrics, depth: int) -> Measured:
    name = term.name
    if name in metrics.recorded and depth < _DEEPEST:
        found = {_recorded(rule.expr, metrics, depth + 1) for rule in metrics.recorded[name]}
        told = next(iter(found)) if len(found) == 1 else Measured()
        if told.what:
            return Measured(told.what, name, told.currency)
    metric = metrics.promised(name)
    if metric is not None:
        if metric.unit.startswith("currency"):
            stated = next((m.value for m in term.matchers if m.name == "currency" and m.operator == "="), "")
            return Measured("currency", name, stated or metrics.contract.currency)
        if metric.kind == "histogram":
            return Measured("seconds" if name.endswith("_sum") and metric.unit == "seconds" else "", name)
        known: dict[str, Measure] = {"1": "truth", "seconds": "seconds", "seconds since the epoch": "epoch"}
        return Measured(known.get(metric.unit, ""), name)
    if name.endswith(("_timestamp_seconds", "_start_time_seconds", "_boot_time_seconds")):
        return Measured("epoch", name)
    if name.endswith(("_time_seconds", "_per_second", "_per_seconds")):
        return Measured("", name)  # a moment or a length of time; a rate of something
    endings: dict[str, Measure] = {"_seconds": "seconds", "_bytes": "bytes", "_ratio": "ratio"}
    return Measured(next((what for ending, what in endings.items() if name.endswith(ending)), ""), name)


def _recorded(expr: str, metrics: Metrics, depth: int) -> Measured:
    try:
        found = measured(parse(expr), metrics, depth)
    except Unparsed:
        return Measured()
    return Measured(found.what, "", found.currency)


def _of_call(term: Term, metrics: Metrics, depth: int) -> Measured:
    name = term.name
    if name in ("time", "timestamp"):
        return Measured("epoch")
    if not term.parts:
        return Measured()
    vector = next((part for part in term.parts if part.form not in ("number", "string")), term.parts[0])
    if name == "histogram_quantile":
        buckets = next((part.name for part in vector.walk() if part.form == "selector"), "")
        metric = metrics.promised(buckets)
        base = buckets.removesuffix("_bucket")
        in_seconds = metric.unit == "seconds" if metric else base.endswith("_seconds")
        return Measured("seconds" if in_seconds else "bytes" if base.endswith("_bytes") else "", buckets)
    inside = measured(vector, metrics, depth + 1)
    if name in _KEEP:
        return inside
    if name == "avg_over_time":
        return _averaged(inside)
    if name in ("increase", "delta", "idelta", "sum_over_time", "rate", "irate", "deriv") and inside.what == "currency":
        return inside
    if name in ("increase", "delta", "idelta") and inside.what in ("seconds", "bytes"):
        return inside
    return Measured("count") if name in ("changes", "resets", "count_over_time") else Measured()


def _averaged(inside: Measured) -> Measured:
    return Measured("ratio", inside.metric) if inside.what == "truth" else inside


def _of_operation(term: Term, metrics: Metrics, depth: int) -> Measured:
    left, right = (measured(part, metrics, depth + 1) for part in term.parts)
    sign = term.name
    if sign in COMPARISONS:
        return Measured("truth") if term.as_bool else left if left.what != "number" else right
    if sign in ("and", "unless"):
        return left
    if sign == "or":
        told = [side for side in (left, right) if side.what != "number"]
        return told[0] if told and all(side.what == told[0].what for side in told) else Measured()
    if sign in ("+", "-"):
        return _of_sum(sign, left, right, term)
    if sign == "*":
        return _of_product(left, right, term)
    if sign == "/":
        return _of_quotient(left, right, term)
    return Measured()


def _of_sum(sign: str, left: Measured, right: Measured, term: Term) -> Measured:
    if sign == "-" and left.what == right.what == "epoch":
        return Measured("seconds", right.metric or left.metric)
    if left.what == right.what and left.what != "truth":
        return left
    if "number" in (left.what, right.what):
        other = right if left.what == "number" else left
        number = term.parts[0 if left.what == "number" else 1].number
        if other.what in ("truth", "ratio"):
            # 1 - x turns a share of good into one of bad.
            return Measured("ratio" if other.what == "ratio" and number == 1 else "", other.metric)
        return other
    return Measured()


def _of_product(left: Measured, right: Measured, term: Term) -> Measured:
    if "number" not in (left.what, right.what):
        return Measured()
    number_left = left.what == "number"
    other, number = (right, term.parts[0].number) if number_left else (left, term.parts[1].number)
    if other.what in ("currency", "number"):
        return other
    scaled: dict[tuple[str, float], Measure] = {
        ("ratio", 100.0): "percent",
        ("truth", 100.0): "percent",
        ("seconds", 1000.0): "milliseconds",
        ("epoch", 1000.0): "epoch ms",
    }
    return Measured(scaled.get((other.what, number), ""), other.metric)


def _of_quotient(left: Measured, right: Measured, term: Term) -> Measured:
    if right.what == "number":
        return left if left.what in ("currency", "number") else Measured()
    names = [{part.name for part in side.walk() if part.form == "selector"} for side in term.parts]
    alike = left.what == right.what and left.what not in ("", "number", "truth", "epoch")
    same = names[0] == names[1] and names[0] and "" not in names[0] and left.what == right.what
    factor = _factor(term.parts[0])
    if not (alike or same) or factor is None or _factor(term.parts[1]) != 1.0:
        return Measured()
    shares: dict[float, Measure] = {1.0: "ratio", 100.0: "percent"}
    return Measured(shares.get(factor, ""), left.metric or min(names[0], default=""))


def _factor(term: Term) -> float | None:
    """The number by which a term is multiplied as a whole; None where numbers come in otherwise."""
    factor = 1.0
    if term.form == "operation" and term.name == "*" and "number" in (term.parts[0].form, term.parts[1].form):
        number, term = term.parts if term.parts[0].form == "number" else term.parts[::-1]
        factor = number.number
    scaled = any(part.form == "operation" and part.name in ("*", "/", "+", "-") for part in term.walk())
    return None if scaled else factor


def misfit(unit: str, values: Measured) -> str:
    """What Grafana's unit makes of values measured like this, if it is wrong; '' where it fits or nobody can tell."""
    what = values.what
    if not unit or what in ("", "number"):
        return ""
    if what == "currency":
        return _currency_misfit(unit, values.currency)
    if unit.startswith("currency"):
        return f"'{unit}' draws what is no money"
    if unit.startswith(_OWN_UNITS) and not unit.startswith("time:"):
        return ""
    is_time, is_size = unit in _TIMES or unit in _OTHER_TIMES, unit in _SIZES or unit in _RATES_OF_SIZE
    is_share, is_date = unit in ("percent", "percentunit"), unit.startswith(_DATES)
    if what == "ratio" and unit == "percent":
        return "'percent' draws 0.5 as 0.5 %, and the values are shares of 1"
    if what == "percent" and unit == "percentunit":
        return "'percentunit' draws 50 as 5000 %, and the values are percent already"
    if what == "seconds" and unit in _OTHER_TIMES:
        return f"'{unit}' is another unit of time, and the values are seconds"
    if what == "milliseconds" and unit in _TIMES:
        return f"'{unit}' draws seconds, and the values are milliseconds"
    if what == "epoch" and is_date:
        return f"'{unit}' expects milliseconds, and the values are seconds: multiply by 1000"
    wrong = {
        "seconds": is_size or is_share or is_date,
        "milliseconds": is_size or is_share or is_date,
        "epoch": is_size or is_share,
        "epoch ms": is_size or is_share,
        "bytes": is_time or is_share or is_date,
        "ratio": is_time or is_size or is_date,
        "percent": is_time or is_size or is_date,
        "truth": is_time or is_size or is_date,
        "count": is_time or is_size or is_date,
    }
    return f"'{unit}' draws something else than {_WORDS.get(what, what)}" if wrong.get(what) else ""


def _currency_misfit(unit: str, currency: str) -> str:
    sign = _SIGNS.get(currency, currency)
    if unit.startswith("currency") and not unit.startswith("currency:"):
        return "" if unit == f"currency{currency}" else f"'{unit}' is not {currency}"
    if unit.startswith(_OWN_UNITS):
        others = [other for code, other in _SIGNS.items() if code != currency and (other in unit or code in unit)]
        own = sign in unit or currency in unit
        return f"'{unit}' is not {currency}" if others and not own else ""
    return f"'{unit}' draws no money, and the values are {currency}"
