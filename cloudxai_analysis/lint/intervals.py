"""The values that a part of an expression can have at all: an interval, perhaps of whole numbers only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, inf, isnan


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from `low` to `high`; an open end is not one of them, and NaN is never one."""

    low: float = -inf
    high: float = inf
    low_open: bool = False
    high_open: bool = False
    whole: bool = False

    @property
    def bounded(self) -> bool:
        """Whether anything at all is known."""
        return self.low > -inf or self.high < inf

    @property
    def point(self) -> float | None:
        """The only number in it, if it is one."""
        return self.low if self.low == self.high else None

    @property
    def empty(self) -> bool:
        """Whether there is no number in it."""
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def holds(self, number: float) -> bool:
        """Whether the number is in it."""
        if isnan(number) or (self.whole and abs(number) < inf and number != round(number)):
            return False
        above = number > self.low or (number == self.low and not self.low_open)
        return above and (number < self.high or (number == self.high and not self.high_open))

    def where(self, sign: str, number: float) -> Interval:
        """What is left of it where `value sign number` is true."""
        if isnan(number):
            return self if sign == "!=" else EMPTY
        match sign:
            case "==":
                return point(number) if self.holds(number) else EMPTY
            case "!=":
                return self._except(number)
            case ">" | ">=":
                return self.meet(Interval(low=number, low_open=sign == ">"))
            case _:
                return self.meet(Interval(high=number, high_open=sign == "<"))

    def meet(self, other: Interval) -> Interval:
        """The numbers that both hold."""
        low, low_open = max((self.low, self.low_open), (other.low, other.low_open))
        high, high_shut = min((self.high, not self.high_open), (other.high, not other.high_open))
        both = Interval(low, high, low_open, not high_shut, self.whole or other.whole)
        return both._tight()

    def hull(self, other: Interval) -> Interval:
        """The least interval that holds both."""
        if self.empty or other.empty:
            return other if self.empty else self
        low, high = min(self.low, other.low), max(self.high, other.high)
        low_open = all(one.low > low or one.low_open for one in (self, other))
        high_open = all(one.high < high or one.high_open for one in (self, other))
        return Interval(low, high, low_open, high_open, self.whole and other.whole)

    def plus(self, other: Interval) -> Interval:
        """All sums of a number of it and one of the other."""
        low, high = _sum(self.low, other.low, -inf), _sum(self.high, other.high, inf)
        return Interval(
            low, high, self.low_open or other.low_open, self.high_open or other.high_open, self.whole and other.whole
        )

    def negative(self) -> Interval:
        """All its numbers with the other sign."""
        # Without + 0.0, none of it is -0.
        return Interval(-self.high + 0.0, -self.low + 0.0, self.high_open, self.low_open, self.whole)

    def times(self, factor: float) -> Interval:
        """All its numbers, multiplied."""
        if factor == 0 or isnan(factor) or abs(factor) == inf:
            return Interval()
        whole = self.whole and factor == round(factor)
        if factor < 0:
            return replace(self.negative().times(-factor), whole=whole)
        return Interval(self.low * factor, self.high * factor, self.low_open, self.high_open, whole)

    def _except(self, number: float) -> Interval:
        """What is left without that number, where it is at an end."""
        if self.point == number:
            return EMPTY
        if number == self.low:
            return replace(self, low_open=True)._tight()
        if number == self.high:
            return replace(self, high_open=True)._tight()
        return self

    def _tight(self) -> Interval:
        """The same whole numbers, without open ends."""
        if not self.whole or self.low > self.high:
            return self
        low = self.low if abs(self.low) == inf else float(ceil(self.low))
        high = self.high if abs(self.high) == inf else float(floor(self.high))
        low += 1.0 if self.low_open and low == self.low else 0.0
        high -= 1.0 if self.high_open and high == self.high else 0.0
        return Interval(low, high, whole=True)

    def __str__(self) -> str:
        if self.point is not None:
            return f"{self.low:g}"
        if self.whole and self.low > -inf and self.high - self.low == 1:
            return f"{self.low:g} or {self.high:g}"
        if self.high == inf:
            return f"{'above' if self.low_open else 'at least'} {self.low:g}"
        if self.low == -inf:
            return f"{'below' if self.high_open else 'at most'} {self.high:g}"
        return f"from {self.low:g} to {self.high:g}"


def point(number: float) -> Interval:
    """The interval that holds one number."""
    if isnan(number):
        return Interval()
    return Interval(number, number, whole=abs(number) < inf and number == round(number))


def _sum(one: float, other: float, unknown: float) -> float:
    return unknown if unknown in (one, other) or abs(one) == inf or abs(other) == inf else one + other


ANY = Interval()
EMPTY = Interval(1.0, 0.0)
NOT_NEGATIVE = Interval(low=0.0)
TRUTH = Interval(0.0, 1.0, whole=True)
ONE = point(1.0)
COUNT = Interval(low=1.0, whole=True)
EVENTS = Interval(low=0.0, whole=True)
