"""Which calls run next, and which of them together: pure code, without threads, tensors or a clock.

Priority comes first. Among equals, as many jobs as possible are to be on time (plan.py); a job
without a deadline has one that is SLO times as long as it would take alone. Of all, the shortest
goes on as long as that makes none late that need not be; the late ones stand behind.

Nobody waits for ever. A job is aged when it is PATIENCE times as old as it would take alone, and at
least AGED_S seconds. The one that aged first has a claim on the share SHARE of the device, however
urgent all others are: its next call, of c seconds, is the next to start once it has waited
c·(1/SHARE - 1) seconds. With R the device seconds that this job and those that aged before it still
need at that time, n the number of their calls, and m the seconds of the longest choice, it is done

    R/SHARE + 2·n·m seconds after it aged,

for each of the n calls waits for its turn, then for the choice that is running, and may be joined
by others. Nothing that comes or ages later is part of R.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from omnifex.engine.costs import CallKind, CostModel
from omnifex.engine.plan import Place, planned

SLO = 3.0
PATIENCE = 10.0
AGED_S = 10.0
SHARE = 0.15
PAYS = 0.1  # the least part of a row's seconds that twice as many rows must save
DOUBT = 100  # a number of rows is tried once for so many times that fewer were


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A call that waits; its times are all of one clock, in seconds.

    `expected` is what its whole job costs the device; None until the job has told enough.
    """

    kind: CallKind
    signature: Hashable | None  # equal ones can be joined; None never
    rows: int
    arrived: float  # when its job came
    since: float  # when it was called
    priority: int = 0
    deadline: float | None = None
    expected: float | None = None
    remaining: float = 0.0  # what its job still needs, with this call
    load_seconds: float = 0.0  # what bringing its component in takes; 0 where it is resident
    call: Any = None  # for whoever asks

    @property
    def aged_at(self) -> float:
        """When its job begins to have a claim on the device."""
        return self.arrived + max(AGED_S, PATIENCE * (self.expected or 0.0))


class Policy:
    """Chooses among the calls that wait; equal questions have equal answers."""

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs

    def choose(self, waiting: Sequence[Waiting], now: float) -> list[Waiting]:
        """The calls to run next, together; the first is the one whose turn it is."""
        if len(waiting) < 2:
            return list(waiting)
        order = planned([self._place(one, now) for one in waiting], now)
        return self._joined(aged(order, now) or shortest(order), order)

    def _place(self, one: Waiting, now: float) -> Place:
        call = one.load_seconds + (self._costs.seconds(one.kind, one.rows) or 0.0)
        work = max(one.remaining + one.load_seconds, call)
        return Place(one, due(one, work, now), work, call)

    def _joined(self, first: Place, order: Sequence[Place]) -> list[Waiting]:
        """The first call and those that may join it, in the order of the plan.

        A batch takes longer than its first call, but also spares its members a call each: who is
        behind them in the plan may lose the one and gains the other.
        """
        one = first.waiting
        batch, rows, seconds = [one], one.rows, self._costs.seconds(one.kind, one.rows)
        if one.signature is None or seconds is None:
            return batch
        tried = self._tried(one)
        spared, room, left = 0.0, math.inf, rows_like(one, order) - rows
        for place in order:
            if place is first:
                spared += place.call
            elif place.waiting.signature == one.signature:
                many = rows + place.waiting.rows
                together = self._costs.seconds(one.kind, many) or 0.0
                paying = pays(rows, seconds, many, together) if many <= tried else many <= 2 * tried
                paying = paying or self._leaves_too_little(one.kind, rows, left)
                if not paying or one.load_seconds + together > room:
                    break
                batch.append(place.waiting)
                rows, seconds, spared = many, together, spared + place.call
                left -= place.waiting.rows
            room = min(room, place.slack + spared)
        return batch

    def _leaves_too_little(self, kind: CallKind, rows: int, left: int) -> bool:
        """Whether the rows that would be left take longer in a call of their own than in this."""
        whole, part, rest = (self._costs.seconds(kind, n) or 0.0 for n in (rows + left, rows, left))
        return whole <= (1 - PAYS) * (part + rest)

    def _tried(self, one: Waiting) -> int:
        """The most rows that are known well enough to judge; up to twice as many may be tried."""
        times = max(2, self._costs.times(one.kind, one.rows) // DOUBT)
        return max(one.rows, self._costs.most_rows(one.kind, times))


def rows_like(one: Waiting, order: Sequence[Place]) -> int:
    """The rows of all that could be joined with one, itself included."""
    return sum(place.waiting.rows for place in order if place.waiting.signature == one.signature)


def pays(few: int, seconds: float, many: int, together: float) -> bool:
    """Whether each of many rows costs so much less than each of few that it is worth the wait."""
    return together / many <= seconds / few * math.pow(1 - PAYS, many / few - 1)


def due(one: Waiting, work: float, now: float) -> float:
    """When its job should be done.

    A job that nothing is known of is taken for one that has just come: as long as it has had little
    of the device it goes before most, and the more it has had the further it falls behind.
    """
    if one.deadline is not None:
        return one.deadline
    if one.expected is None:
        return now + SLO * work
    return one.arrived + SLO * (one.expected + one.load_seconds)


def aged(order: Sequence[Place], now: float) -> Place | None:
    """The job that aged first, where its share of the device is due."""
    old = [place for place in order if place.waiting.aged_at <= now]
    if not old:
        return None
    first = min(old, key=lambda place: place.waiting.aged_at)
    return first if now - first.waiting.since >= first.call * (1 / SHARE - 1) else None


def shortest(order: Sequence[Place]) -> Place:
    """The shortest of the most urgent jobs, unless one before it in the plan would be late."""
    best, room = order[0], math.inf
    for place in order:
        if place.waiting.priority < best.waiting.priority:
            break
        if place.work < best.work and place.work <= room:
            best = place
        room = min(room, place.slack)
    return best
