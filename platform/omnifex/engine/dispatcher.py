"""The dispatcher: all component calls of one device pass through here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from omnifex.engine.batching.gathering import Gathering
from omnifex.engine.baton import Baton
from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.memo import Memo
from omnifex.engine.memory.residency import Residency
from omnifex.engine.runner import Runner
from omnifex.engine.scheduling.costs import CostModel
from omnifex.engine.scheduling.policy import Policy, Waiting
from omnifex.errors import Canceled
from omnifex_registry import Component


class Dispatcher:
    """Runs the calls of several jobs, joined where that is proved to give each the same.

    One job alone makes its calls in its own thread.
    """

    def __init__(self, residency: Residency, baton: Baton, costs: CostModel | None = None) -> None:
        self.costs = costs or CostModel()
        self.memo = Memo()
        self.runner = Runner(residency, self.costs, self.memo.purity)
        self._residency, self._baton = residency, baton
        self._policy = Policy(self.costs)
        self._gathering = Gathering(self.costs)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> list[ComponentCall]:
        """The calls that wait for the device."""
        return self._gathering.waiting

    @contextmanager
    def admitted(self, job: JobContext) -> Iterator[None]:
        """Run a job's Python, when it is its turn, until it ends."""
        with self._baton.held():
            try:
                yield
            finally:
                self._gathering.left(job)

    def call(self, call: ComponentCall) -> Any:
        """The result of the call, which its job's thread makes while it holds the baton."""
        job = call.job
        try:
            job.asks(call)
            with job.guard.making(alone=self._baton.alone):
                if job.paused:
                    self._rest(job)
                compute = partial(self._remember, call)
                answer = job.journal.answer(call, compute, self.runner.replayed)
                job.work.called(call.kind, call.rows)
            job.check()
        finally:
            job.is_answered()
        return job.guard.answered(call, answer)

    def finished(self, job: JobContext, components: Iterable[Component]) -> None:
        """The job goes on without these."""
        self._residency.finished(job.id, components)

    def dtype_of(self, component: Component) -> torch.dtype:
        """The floating type that the component computes in."""
        return self._residency.dtype_of(component)

    def close(self) -> None:
        """End the device's thread once the calls that wait are done; later ones are canceled."""
        self._gathering.close()
        if self._thread:
            self._thread.join()

    def _rest(self, job: JobContext) -> None:
        """While the job is paused, let others run."""
        while pause := job.paused:
            self._baton.give_away(until=pause)
            job.check()

    def _remember(self, call: ComponentCall) -> Any:
        """The result that such a call had before, where it is pure; else it is computed now."""
        return self.memo.answer(call, partial(self._compute, call), self.runner.remembered)

    def _compute(self, call: ComponentCall) -> Any:
        """In the job's thread: where it is alone it runs the call itself, else it waits for it."""
        if self._baton.alone:
            return self.runner.run_alone(call)
        self._start()
        future = call.future
        call.job.check()  # a cancel before this line found nothing to end
        self._gathering.add(call)
        self._baton.give_away(until=future)
        try:
            return future.result()
        except CancelledError:
            self._gathering.drop(call)
            raise Canceled from None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        """The device's thread: choose the calls that run next, run them, hand the results back."""
        with torch.inference_mode():  # which each job's own thread is in
            while batch := self._choose():
                for call, outcome in zip(batch, self.runner.run(batch), strict=True):
                    self._gathering.expect(call.job)
                    call.settle(outcome)

    def _choose(self) -> list[ComponentCall]:
        """Calls of one component to run now; none once the dispatcher is closed."""
        while waiting := self._gathering.gathered():
            views = [self._view(call) for call in waiting]
            chosen = self._policy.choose(views, time.monotonic())
            if batch := self._gathering.taken([view.call for view in chosen]):
                return batch
        return []

    def _view(self, call: ComponentCall) -> Waiting:
        """The call as the policy sees it."""
        job, amount = call.job, call.job.work.amount
        return Waiting(
            kind=call.kind,
            signature=call.signature if self.runner.joinable(call) else None,
            rows=call.rows,
            arrived=job.arrived,
            since=call.asked_at,
            priority=job.priority,
            deadline=job.deadline,
            expected=amount.expected,
            remaining=amount.remaining,
            load_seconds=self._residency.seconds_to_bring(call.component),
            call=call,
        )
