"""A batch: calls that run together, and whether one more pays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from omnifex.engine.scheduling.costs import CostModel

if TYPE_CHECKING:
    from omnifex.engine.scheduling.policy import Waiting

PAYS = 0.1  # the least part of a row's seconds that twice as many rows must save
DOUBT = 100  # a number of rows is tried once for so many times that fewer were


class Batch:
    """Grows as long as that pays, which is judged by what was measured.

    What was not measured is tried, up to twice the rows that are known to pay. What did not pay
    when it was measured once is tried once more: the first call of a shape may be a slow one.
    """

    def __init__(self, costs: CostModel, first: Waiting, like: int) -> None:
        """`like` are the rows of all that wait and could be joined, the first call's included."""
        self._costs, self._kind = costs, first.kind
        self.members = [first]
        self._rows = self._paying = first.rows
        self._left = like - first.rows
        times = costs.times(first.kind, first.rows) // DOUBT
        self._seen = costs.most_rows(first.kind)
        self._sure = costs.most_rows(first.kind, max(2, times))

    def seconds_with(self, other: Waiting) -> float:
        """What it takes with one more."""
        return self._seconds(self._rows + other.rows)

    def pays_with(self, other: Waiting) -> bool:
        """Whether one more is worth the longer wait."""
        rows = self._rows + other.rows
        on_trial = self._sure < rows <= 2 * self._paying
        return self._known_to_pay(rows) or on_trial or self._leaves_too_little()

    def add(self, other: Waiting) -> None:
        rows = self._rows + other.rows
        if self._known_to_pay(rows):
            self._paying = rows
        self.members.append(other)
        self._rows, self._left = rows, self._left - other.rows

    def _known_to_pay(self, rows: int) -> bool:
        """Whether each of so many rows costs so much less than each of those it has."""
        if rows > self._seen:
            return False
        saving = math.pow(1 - PAYS, rows / self._rows - 1)
        return self._seconds(rows) / rows <= saving * self._seconds(self._rows) / self._rows

    def _leaves_too_little(self) -> bool:
        """Whether the rows that would be left take longer in a call of their own than in this."""
        whole = self._rows + self._left
        apart = self._seconds(self._rows) + self._seconds(self._left)
        return whole <= self._seen and self._seconds(whole) <= (1 - PAYS) * apart

    def _seconds(self, rows: int) -> float:
        return self._costs.seconds(self._kind, rows) or 0.0
