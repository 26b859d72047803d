"""Random integers that are the same on every machine: raw PCG64 output and integer arithmetic, nothing else.

A library's distributions and `exp` differ between its versions and between processors; the raw stream of PCG64 does not
(NumPy guarantees it), and neither do + − × ÷ of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
T = TypeVar("T")


class Draws:
    """Named streams of random integers under one seed; a stream's name is all that decides its numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def below(self, name: str, bound: int, count: int) -> Integers:
        """`count` integers from 0 to `bound` - 1, for a bound of at most 2**31."""
        key = int.from_bytes(sha256(f"{self.seed}/{name}".encode()).digest()[:16], "big")
        raw = np.random.PCG64(key).random_raw(count)
        return (((raw >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)

    def one(self, name: str, low: int, high: int) -> int:
        """One integer from `low` to `high`, both included."""
        return low + int(self.below(name, high - low + 1, 1)[0])

    def shuffled(self, name: str, items: Sequence[T]) -> list[T]:
        """The items in a random order."""
        return [items[index] for index in np.argsort(self.below(name, 2**31, len(items)), kind="stable")]

    def smooth(self, name: str, count: int, width: int, reach: int) -> Integers:
        """Noise around 0 that wanders over `width` steps: the mean of that many integers from -`reach` to `reach`."""
        total = np.cumsum(np.concatenate([[0], self.below(name, 2 * reach + 1, count + width) - reach]))
        return (total[width : width + count] - total[:count]) // width
