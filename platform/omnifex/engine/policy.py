"""Which calls run next, and which of them together: pure code, without threads, tensors or a clock.

Priority comes first. Among equals, as many jobs as possible are to be on time: a job without a
deadline is given one, a multiple of the time that it would take alone. Of those that can be on time
the shortest goes on, as long as that makes none of the others late; those that are late go on as
the shortest remaining one, behind.

Nobody waits for ever. A job is aged once it is PATIENCE times as old as it would take alone (and at
least AGED_S seconds). The job that aged first has a claim on the share SHARE of the device, whatever
comes in and however urgent that is: a call of it that takes c seconds starts at the latest when it
has waited c·(1/SHARE - 1) seconds and the call that is running then has ended. So an aged job is
done within

    R/SHARE + n·m  seconds,

where R is the device seconds that it and those that aged before it still need, n the number of
their calls, and m the seconds of the longest call. Nothing that arrives later is part of R.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from omnifex.engine.costs import CallKind, CostModel

SLO = 3.0  # the deadline of a job that has none, in multiples of its time alone
PATIENCE = 6.0
AGED_S = 10.0
SHARE = 0.2
PAYS = 0.02  # the least share of a row's seconds that a row more in the batch must save


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A call that waits; its times are all of one clock, in seconds.

    `expected` is what its whole job costs the device, `remaining` what the job still needs with this
    call; both 0 while nothing is known. `since` is when it was called, `arrived` when its job came.
    """

    kind: CallKind
    signature: Hashable | None  # equal ones can be joined; None never
    rows: int
    arrived: float
    since: float
    priority: int = 0
    deadline: float | None = None
    expected: float = 0.0
    remaining: float = 0.0
    load_seconds: float = 0.0  # what bringing its component in takes; 0 where it is resident
    call: Any = None  # for whoever asks


@dataclass(slots=True)
class Place:
    """A waiting call's place in the plan; `slack` is by how much it may be put off, in seconds."""

    waiting: Waiting
    due: float
    work: float  # what its job still needs
    call: float  # what the call itself takes
    slack: float = math.inf  # a late job has nothing to lose


class Policy:
    """Chooses among the calls that wait; equal questions have equal answers."""

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs

    def choose(self, waiting: Sequence[Waiting], now: float) -> list[Waiting]:
        """The calls to run next, together; the first is the one whose turn it is."""
        if len(waiting) < 2:
            return list(waiting)
        order = planned([self._place(one, now) for one in waiting], now)
        first = self._aged(order, now) or shortest(order)
        return self._filled(first, order)

    def _place(self, one: Waiting, now: float) -> Place:
        seconds = self._costs.seconds(one.kind, one.rows) or 0.0
        work = max(one.remaining, seconds) + one.load_seconds
        return Place(one, due(one, now), work, seconds + one.load_seconds)

    def _aged(self, order: Sequence[Place], now: float) -> Place | None:
        """The job that aged first, where its share of the device is due."""
        aged = [place for place in order if aged_at(place.waiting) <= now]
        if not aged:
            return None
        first = min(aged, key=lambda place: aged_at(place.waiting))
        waits = first.call * (1 / SHARE - 1)
        return first if now - first.waiting.since >= waits else None

    def _filled(self, first: Place, order: Sequence[Place]) -> list[Waiting]:
        """The first call and those of its signature that join it, in the order of the plan."""
        one = first.waiting
        batch, rows, slack = [one], one.rows, math.inf
        alone = self._costs.seconds(one.kind, rows)
        if one.signature is None or alone is None:
            return batch
        for place in order:
            other = place.waiting
            if place is not first and other.signature == one.signature:
                together = self._costs.seconds(one.kind, rows + other.rows) or 0.0
                if together - alone > slack or not self._pays(one.kind, rows, other.rows):
                    break
                batch.append(other)
                rows += other.rows
            slack = min(slack, place.slack)
        return batch

    def _pays(self, kind: CallKind, rows: int, more: int) -> bool:
        """Whether each row costs less with `more` rows; what was hardly tried is tried again."""
        if rows + more > 2 * self._costs.most_rows(kind):
            return False
        if rows + more > self._costs.most_rows(kind, times=2):
            return True
        before, after = (self._costs.seconds(kind, n) or 0.0 for n in (rows, rows + more))
        return after / (rows + more) <= before / rows * (1 - PAYS * more / rows)


def due(one: Waiting, now: float) -> float:
    """When the job should be done; at once where nothing is known of it, for a call tells more."""
    if one.deadline is not None:
        return one.deadline
    return one.arrived + SLO * one.expected if one.expected else now


def aged_at(one: Waiting) -> float:
    return one.arrived + max(AGED_S, PATIENCE * one.expected)


def planned(places: Sequence[Place], now: float) -> list[Place]:
    """All by priority, and in each priority those that can be on time before those that are late."""
    order: list[Place] = []
    end = now
    for priority in sorted({place.waiting.priority for place in places}, reverse=True):
        equals = [place for place in places if place.waiting.priority == priority]
        order += in_time(equals, end)
        end += sum(place.work for place in equals)
    return order


def in_time(places: Sequence[Place], now: float) -> list[Place]:
    """Moore and Hodgson (1968): as many as possible on time, by their deadlines; then the late ones.

    Wherever the jobs up to one deadline are too much for it, the longest of them is given up.
    """
    end, kept = now, []
    longest: list[tuple[float, int]] = []
    by_due = sorted(places, key=lambda place: (place.due, place.waiting.arrived))
    given_up = set()
    for index, place in enumerate(by_due):
        heapq.heappush(longest, (-place.work, index))
        end += place.work
        while longest and end > place.due:
            work, late = heapq.heappop(longest)
            given_up.add(late)
            end += work
    end = now
    for index, place in enumerate(by_due):
        if index not in given_up:
            end += place.work
            place.slack = place.due - end
            kept.append(place)
    late_ones = [by_due[index] for index in given_up]
    return kept + sorted(late_ones, key=lambda place: (place.work, place.waiting.arrived))


def shortest(order: Sequence[Place]) -> Place:
    """The shortest of the most urgent jobs that none of those before it must be late for."""
    best, slack = order[0], order[0].slack
    for place in order[1:]:
        if place.waiting.priority < best.waiting.priority:
            break
        if place.work < best.work and place.work <= slack:
            best = place
        slack = min(slack, place.slack)
    return best
