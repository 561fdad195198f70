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

from omnifex.engine.scheduling.batch import Batch
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.scheduling.plan import Place, planned

SLO = 3.0
PATIENCE = 10.0
AGED_S = 10.0
SHARE = 0.15


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
        if one.signature is None or self._costs.seconds(one.kind, one.rows) is None:
            return [one]
        batch = Batch(self._costs, one, rows_like(one, order))
        spared, room = 0.0, math.inf
        for place in order:
            if place is first:
                spared += place.call
            elif place.waiting.signature == one.signature:
                together = batch.seconds_with(place.waiting)
                if one.load_seconds + together > room or not batch.pays_with(place.waiting):
                    break
                batch.add(place.waiting)
                spared += place.call
            room = min(room, place.slack + spared)
        return batch.members


def rows_like(one: Waiting, order: Sequence[Place]) -> int:
    """The rows of all that could be joined with one, itself included."""
    return sum(place.waiting.rows for place in order if place.waiting.signature == one.signature)


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
