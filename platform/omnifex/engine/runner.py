"""Runs calls on the device: one alone or several joined, each to an outcome of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from omnifex.engine.adapters.fitting import fit
from omnifex.engine.batching.joining import NotSplit, Plan, joined, split
from omnifex.engine.batching.proof import Proofs
from omnifex.engine.batching.steadiness import states
from omnifex.engine.call import ComponentCall, Failure
from omnifex.engine.memo import Purity
from omnifex.engine.memory.ladder import Ladder
from omnifex.engine.memory.peaks import beside_weights
from omnifex.engine.memory.residency import Residency
from omnifex.engine.scheduling.costs import CostModel
from omnifex.engine.watching.record import CallRecord, How, Observer
from omnifex.engine.watching.stopwatch import Stopwatch


class Runner:
    """Makes components resident, calls them, and tells what that cost."""

    def __init__(
        self, residency: Residency, costs: CostModel, purity: Purity | None = None
    ) -> None:
        self.observers: list[Observer] = []
        self._residency, self._costs = residency, costs
        self._ladder = Ladder(residency)
        self._proofs, self._purity = Proofs(), purity or Purity()
        self._device = threading.RLock()
        self._stopwatch = Stopwatch(residency.device)
        self._name = str(residency.device)
        self._alone = partial(self._attempt, None)

    def joinable(self, call: ComponentCall) -> bool:
        """Whether the call may share a batch with others of its signature."""
        return self._proofs.promising(call)

    def run(self, batch: Sequence[ComponentCall]) -> list[Any]:
        """Each call's result or Failure; joined where that is proved to give the same."""
        try:
            return self._run(batch)
        except BaseException as error:  # the jobs that wait must hear of it, whatever it is
            return [Failure(error) for _ in batch]

    def _run(self, batch: Sequence[ComponentCall]) -> list[Any]:
        if len(batch) == 1:
            return [self._outcome(batch[0])]
        outcomes: dict[ComponentCall, Any] = {}
        for group in self._proofs.groups(batch):
            outcomes.update(zip(group, self._run_group(group), strict=True))
        return [outcomes[call] for call in batch]

    def run_alone(self, call: ComponentCall) -> Any:
        """The call's result, or whatever it raises."""
        (outcome,) = self._ladder.run([call], self._alone)
        if type(outcome) is Failure:
            raise outcome.error
        return outcome

    def remembered(self, call: ComponentCall) -> None:
        """Say that the call was answered without running."""
        self._tell([call], time.time(), how="remembered")

    def replayed(self, call: ComponentCall) -> None:
        """Say that the call was answered from the job's journal."""
        self._tell([call], time.time(), how="replayed")

    def _run_group(self, group: Sequence[ComponentCall]) -> list[Any]:
        if len(group) == 1:
            return [self._outcome(group[0])]
        plan = self._proofs.plan(group)
        if plan is None:
            return self._prove(group)
        return self._ladder.run(group, partial(self._attempt, plan))

    def _outcome(self, call: ComponentCall) -> Any:
        return self._ladder.run([call], self._alone)[0]

    def _prove(self, group: Sequence[ComponentCall]) -> list[Any]:
        """Each alone, and joined beside that; what stops the proof stops no call."""
        jobs = [call.job.id for call in group]
        try:
            with self._residency.using(group[0].component, jobs=jobs) as module:
                together = partial(self._alone_on_device, module)
                return self._proofs.prove(group, module, self._outcome, together)
        except Exception:
            return [self._outcome(call) for call in group]

    def _attempt(self, plan: Plan | None, calls: Sequence[ComponentCall]) -> list[Any]:
        """One call of the device, for one job or, by the plan, for several."""
        first, jobs = calls[0], [call.job.id for call in calls]
        need = self._costs.peak_bytes(first.kind, rows_of(calls))
        began = loaded = time.time()
        try:
            with self._device, self._residency.using(first.component, need, jobs) as module:
                loaded = time.time()
                if plan is None or len(calls) == 1:
                    results = [self._timed(module, None, calls)]
                else:
                    results = split(plan, self._timed(module, plan, calls), len(calls))
        except Exception as error:
            if isinstance(error, NotSplit):
                self._proofs.withdraw(first)
            self._tell(calls, began, loaded - began, time.time() - loaded, how="failed")
            raise
        for call in calls:
            call.job.account(len(jobs), loaded - began)
        self._tell(calls, began, loaded - began, time.time() - loaded, need)
        return results

    def _alone_on_device(
        self, module: Any, plan: Plan | None, calls: Sequence[ComponentCall]
    ) -> Any:
        with self._device:
            return self._timed(module, plan, calls)

    def _timed(self, module: Any, plan: Plan | None, calls: Sequence[ComponentCall]) -> Any:
        """The output, joined where there is a plan."""
        if fit(module, calls[0].component, calls[0].adapters):
            self._residency.grown(calls[0].component)
        measured = self._by_events if self._stopwatch.events else self._by_clock
        if not self._purity.asked(calls[0]):
            return measured(module, plan, calls)
        with self._purity.watched(calls[0], module):
            return measured(module, plan, calls)

    def _by_clock(self, module: Any, plan: Plan | None, calls: Sequence[ComponentCall]) -> Any:
        began = self._stopwatch.clock()
        output = run_joined(module, plan, calls)
        self._costs.observe(calls[0].kind, rows_of(calls), self._stopwatch.clock() - began)
        return output

    def _by_events(self, module: Any, plan: Plan | None, calls: Sequence[ComponentCall]) -> Any:
        """On a device that goes on by itself: what it took is told later."""
        kind, rows = calls[0].kind, rows_of(calls)
        known = self._costs.peak_bytes(kind, rows)
        with (
            beside_weights(self._residency.device, known) as peak,
            self._stopwatch.timing(
                lambda seconds: self._costs.observe(kind, rows, seconds, peak.bytes)
            ),
        ):
            return run_joined(module, plan, calls)

    def _tell(
        self,
        calls: Sequence[ComponentCall],
        began: float,
        load: float = 0.0,
        run: float = 0.0,
        peak_bytes: int = 0,
        how: How = "ran",
    ) -> None:
        """Say what happened to whoever watches."""
        if not self.observers:
            return
        first = calls[0]
        left_queue = time.monotonic() - (time.time() - began)
        record = CallRecord(
            component=first.component.id,
            role=first.component.role,
            class_name=first.component.class_name,
            method=first.method,
            jobs=tuple(call.job.id for call in calls),
            rows=rows_of(calls),
            began=began,
            device=self._name,
            queued={call.job.id: max(0.0, left_queue - call.asked_at) for call in calls},
            load=load,
            run=run,
            how=how,
            peak_bytes=peak_bytes,
        )
        for observer in self.observers:
            observer(record)


def run_joined(module: Any, plan: Plan | None, calls: Sequence[ComponentCall]) -> Any:
    """The output of one call, or by the plan of several as one."""
    if plan is None:
        return calls[0].run(module)
    args, kwargs = joined(plan, calls)
    with undrawn(calls[0].reading.generators):
        return calls[0].on(module)(*args, **kwargs)


@contextmanager
def undrawn(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """A batch has one generator, of one job's: NotSplit where it is drawn from, and put back."""
    before = states(generators)
    yield
    if states(generators) != before:
        for generator, state in zip(generators, before, strict=True):
            generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))
        raise NotSplit


def rows_of(calls: Sequence[ComponentCall]) -> int:
    """The rows of all of them, which have one signature."""
    return calls[0].rows * len(calls)
