"""Out of memory, survived rung by rung: make room, split the batch, offload, fail one job alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omnifex.engine.call import ComponentCall, Failure
from omnifex.engine.memory.residency import Residency
from omnifex.engine.memory.shortage import bytes_asked, ran_out
from omnifex.engine.scheduling.costs import CallKind
from omnifex.errors import OmnifexError
from omnifex.memory import shown

Attempt = Callable[[Sequence[ComponentCall]], list[Any]]
"""Runs calls of one component together; raises where it cannot."""


class NotEnoughMemory(OmnifexError):
    """A call that no device memory was found for, though it had the device for itself."""

    code = "out_of_memory"
    retryable = True  # other programs may have filled the device

    def __init__(self, call: ComponentCall, asked: str, residency: Residency) -> None:
        super().__init__(
            f"{call} ran out of memory on {residency.device}: it asked for {asked} beside "
            f"{shown(residency.taken)} of weights, and {shown(residency.budget)} may be used; "
            "ask for something smaller, or allow more with --memory."
        )


class Ladder:
    """Sees to it that memory running out costs time, or one job, and no other job anything."""

    def __init__(self, residency: Residency) -> None:
        self._residency = residency
        self._most: dict[CallKind, int] = {}  # calls at once, where more were once too many

    def run(self, calls: Sequence[ComponentCall], attempt: Attempt) -> list[Any]:
        """Each call's result or Failure, run together where memory and their errors allow that."""
        if len(calls) > self._most.get(calls[0].kind, len(calls)):
            return self._halves(calls, attempt)
        rungs = None
        while True:
            try:
                return attempt(calls)
            except BaseException as error:
                if not ran_out(error):
                    return self._failed(calls, attempt, error)
                asked = bytes_asked(error)
            # Only here is the error gone, and with it the frames that held the tensors.
            rungs = rungs or self._rungs(calls)
            if not next(rungs, False):
                break
        if len(calls) > 1:
            self._most[calls[0].kind] = half(calls)
            return self._halves(calls, attempt)
        return [Failure(NotEnoughMemory(calls[0], asked, self._residency))]

    def _rungs(self, calls: Sequence[ComponentCall]) -> Iterator[bool]:
        """Make way before each further attempt."""
        component = calls[0].component
        self._residency.empty(keep=component)
        yield True
        if len(calls) == 1 and self._residency.offload(component):
            yield True

    def _halves(self, calls: Sequence[ComponentCall], attempt: Attempt) -> list[Any]:
        first, second = calls[: half(calls)], calls[half(calls) :]
        return [*self.run(first, attempt), *self.run(second, attempt)]

    def _failed(
        self, calls: Sequence[ComponentCall], attempt: Attempt, error: BaseException
    ) -> list[Any]:
        """One of several may be to blame: each alone, and only that one fails."""
        if len(calls) == 1 or not isinstance(error, Exception):
            return [Failure(error) for _ in calls]
        return [outcome for call in calls for outcome in self.run([call], attempt)]


def half(calls: Sequence[ComponentCall]) -> int:
    return (len(calls) + 1) // 2
