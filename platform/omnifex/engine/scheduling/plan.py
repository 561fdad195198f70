"""The plan: in what order the jobs that wait for a device would best be finished."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnifex.engine.scheduling.policy import Waiting


@dataclass(slots=True, eq=False)
class Place:
    """A job's place in the plan, by the call of it that waits; all in seconds."""

    waiting: Waiting
    due: float  # when the job should be done
    work: float  # what the job still needs
    call: float  # what the call that waits needs
    slack: float = math.inf  # by how much it may be put off; a late one has nothing to lose


def planned(places: Sequence[Place], now: float) -> list[Place]:
    """All by priority, and of equal ones those that can be on time before those that are late."""
    order: list[Place] = []
    by_priority = sorted(places, key=lambda place: (-place.waiting.priority, place.due))
    for _, equals in groupby(by_priority, key=lambda place: place.waiting.priority):
        group = list(equals)
        order += in_time(group, now)
        now += sum(place.work for place in group)
    return order


def in_time(by_due: Sequence[Place], now: float) -> list[Place]:
    """Those that can be on time by their deadlines, then the late ones, the shortest first.

    A deadline that was asked for is given up only for another one of its kind.
    """
    promised = [place for place in by_due if place.waiting.deadline is not None]
    broken = given_up(promised, promised, now)
    kept = [place for place in by_due if place not in broken]
    late = broken | given_up(kept, [place for place in kept if place.waiting.deadline is None], now)
    on_time = [place for place in by_due if place not in late]
    for place in on_time:
        now += place.work
        place.slack = place.due - now
    given_up_ones = [place for place in by_due if place in late]
    return on_time + sorted(given_up_ones, key=lambda place: (place.work, place.waiting.arrived))


def given_up(by_due: Sequence[Place], dispensable: Sequence[Place], now: float) -> set[Place]:
    """Moore and Hodgson (1968): the fewest jobs without which all others can be on time.

    Wherever the jobs up to one deadline are too much for it, the longest of them is given up.
    """
    longest: list[tuple[float, int, Place]] = []
    late: set[Place] = set()
    may_go = set(dispensable)
    for number, place in enumerate(by_due):
        now += place.work
        if place in may_go:
            heapq.heappush(longest, (-place.work, -number, place))
        while longest and now > place.due:
            _, _, longest_one = heapq.heappop(longest)
            late.add(longest_one)
            now -= longest_one.work
    return late
