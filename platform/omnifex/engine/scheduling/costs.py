"""What calls cost, learned from the calls themselves: seconds, loads, peaks of memory."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from omnifex_jobs import CallCost, ComponentCost

OUTLIER = 0.5  # no single call moves an estimate as if it were further off than this share of it
ENOUGH = 1000  # calls are counted so far
MEMORY = 0.1  # the weight of the latest call, once there were enough


class CallKind(NamedTuple):
    """Calls that take equally long for equally many rows; `shape` leaves out the batch axis."""

    component: str
    method: str
    shape: str


@dataclass(slots=True)
class Estimate:
    """A running estimate of seconds that follows a drift and shrugs off single slow calls."""

    seconds: float
    count: int = 1
    peak_bytes: int = 0

    def observe(self, seconds: float, peak_bytes: int = 0) -> None:
        self.count = min(self.count + 1, ENOUGH)
        self.peak_bytes = max(self.peak_bytes, peak_bytes)
        if self.count == 2:  # the first call may have compiled, tuned and allocated as well
            self.seconds = min(self.seconds, seconds)
            return
        most = OUTLIER * self.seconds
        off = max(-most, min(most, seconds - self.seconds))
        self.seconds += max(MEMORY, 1 / self.count) * off


class CostModel:
    """Estimates of one device, safe to share between threads."""

    def __init__(self) -> None:
        self._calls: dict[CallKind, dict[int, Estimate]] = {}
        self._loads: dict[str, Estimate] = {}
        self._changed_calls: set[tuple[CallKind, int]] = set()
        self._changed_loads: set[str] = set()
        self._lock = threading.Lock()

    # What is asked

    def seconds(self, kind: CallKind, rows: int) -> float | None:
        """What a call of so many rows takes; None where no call of this kind was ever seen."""
        known = self._calls.get(kind)
        if known is None:
            return None
        if one := known.get(rows):  # needs no lock, and is asked for at every step
            return one.seconds
        with self._lock:
            return curve(known, rows)

    def peak_bytes(self, kind: CallKind, rows: int) -> int:
        """The memory that such a call needs beside the weights, rather too much than too little."""
        known = self._calls.get(kind, {})
        if one := known.get(rows):  # needs no lock, and is asked for at every call
            return one.peak_bytes
        with self._lock:
            known = self._calls.get(kind, {})
            enough = [rows_seen for rows_seen in known if rows_seen > rows]
            if enough:
                return known[min(enough)].peak_bytes
            return max((one.peak_bytes * rows // seen for seen, one in known.items()), default=0)

    def load_seconds(self, component_id: str) -> float | None:
        """What bringing the component in takes; None where it was never brought in."""
        with self._lock:
            known = self._loads.get(component_id)
            return known.seconds if known else None

    def most_rows(self, kind: CallKind, times: int = 1) -> int:
        """The most rows of one call that were seen at least so many times; 0 for none."""
        with self._lock:
            known = self._calls.get(kind, {})
            return max((rows for rows, one in known.items() if one.count >= times), default=0)

    def times(self, kind: CallKind, rows: int) -> int:
        """How often a call of just so many rows was seen, counted up to ENOUGH."""
        with self._lock:
            known = self._calls.get(kind, {}).get(rows)
            return known.count if known else 0

    # What is told

    def observe(self, kind: CallKind, rows: int, seconds: float, peak_bytes: int = 0) -> None:
        """A call of so many rows took so long."""
        with self._lock:
            known = self._calls.get(kind, {})
            if one := known.get(rows):
                one.observe(seconds, peak_bytes)
            else:
                first = Estimate(seconds, peak_bytes=peak_bytes)
                self._calls[kind] = {**known, rows: first}
            self._changed_calls.add((kind, rows))

    def observe_load(self, component_id: str, seconds: float) -> None:
        """Bringing the component in took so long."""
        with self._lock:
            if component_id in self._loads:
                self._loads[component_id].observe(seconds)
            else:
                self._loads[component_id] = Estimate(seconds)
            self._changed_loads.add(component_id)

    # What is kept

    def dump(self) -> tuple[list[CallCost], list[ComponentCost]]:
        """All that is known."""
        with self._lock:
            every = [(kind, rows) for kind, known in self._calls.items() for rows in known]
            return self._rows(every, self._loads)

    def changes(self) -> tuple[list[CallCost], list[ComponentCost]]:
        """What was learned since this was last asked."""
        with self._lock:
            changed = self._rows(self._changed_calls, self._changed_loads)
            self._changed_calls.clear()
            self._changed_loads.clear()
            return changed

    def restore(self, calls: Iterable[CallCost], loads: Iterable[ComponentCost] = ()) -> None:
        """Begin with what an earlier process learned; what is known here already stays."""
        with self._lock:
            for row in calls:
                kind = CallKind(row.component, row.method, row.shape)
                estimate = Estimate(row.seconds, row.count, row.peak_bytes)
                self._calls.setdefault(kind, {}).setdefault(row.rows, estimate)
            for load in loads:
                self._loads.setdefault(load.component, Estimate(load.load_seconds, count=2))

    def _rows(
        self, calls: Iterable[tuple[CallKind, int]], loads: Iterable[str]
    ) -> tuple[list[CallCost], list[ComponentCost]]:
        return (
            [as_row(kind, rows, self._calls[kind][rows]) for kind, rows in calls],
            [ComponentCost(component, self._loads[component].seconds) for component in loads],
        )


def as_row(kind: CallKind, rows: int, known: Estimate) -> CallCost:
    place = (kind.component, kind.method, kind.shape, rows)
    return CallCost(*place, known.seconds, known.peak_bytes, known.count)


def curve(known: Mapping[int, Estimate], rows: int) -> float:
    """Seconds over rows: straight between what was seen, carefully guessed beyond it.

    More rows than were ever seen go on as the last two did, and in proportion where only one number
    was seen: rather too long, so that no deadline is broken by a guess. Of fewer rows than were
    ever seen, half the time is taken to be fixed.
    """
    if rows in known:
        return known[rows].seconds
    seen = sorted(known)
    place = bisect_left(seen, rows)
    if place == 0:
        return known[seen[0]].seconds * (1 + rows / seen[0]) / 2
    if place < len(seen):
        return line(known, seen[place - 1], seen[place], rows)
    last = known[seen[-1]].seconds
    proportional = last * rows / seen[-1]
    if len(seen) == 1:
        return proportional
    return max(last, min(proportional, line(known, seen[-2], seen[-1], rows)))


def line(known: Mapping[int, Estimate], first: int, second: int, rows: int) -> float:
    """Through two numbers of rows that were seen."""
    began, ended = known[first].seconds, known[second].seconds
    return began + (ended - began) * (rows - first) / (second - first)
