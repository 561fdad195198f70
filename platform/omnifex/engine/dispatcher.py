"""The dispatcher: all component calls of one device pass through here."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import CancelledError
from typing import Any

import torch

from omnifex.engine.baton import Baton
from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.residency import Residency
from omnifex.errors import Canceled
from omnifex_registry import Component


class Dispatcher:
    """Runs the calls of several jobs by turns; one job alone makes its calls in its own thread."""

    def __init__(self, residency: Residency, baton: Baton) -> None:
        self._residency = residency
        self._baton = baton
        self._device = threading.Lock()
        self.waiting: deque[ComponentCall] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def call(self, call: ComponentCall) -> Any:
        """The result of the call, which its job's thread makes while it holds the baton."""
        with call.job.waiting_for(call):
            return self._run(call) if self._baton.alone else self._await(call)

    def bring(self, component: Component, job: JobContext) -> Any:
        """The component's module, made resident in the time of the job that asks for it."""
        began = time.perf_counter()
        module = self._residency.bring(component)
        job.load_seconds += time.perf_counter() - began
        return module

    def close(self) -> None:
        """End the device's thread once the calls that wait are done; later ones are canceled."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread:
            self._thread.join()

    def _await(self, call: ComponentCall) -> Any:
        self._enqueue(call)
        with self._baton.given_away():
            try:
                return call.future.result()
            except CancelledError:
                raise Canceled from None

    def _enqueue(self, call: ComponentCall) -> None:
        with self._changed:
            if self._closed:
                raise Canceled
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
                self._thread.start()
            self.waiting.append(call)
            self._changed.notify()

    def _serve(self) -> None:
        """The device's thread: pick the next call, run it, hand its result back."""
        while call := self._pick():
            try:
                result = self._run(call)
            except BaseException as error:
                call.future.set_exception(error)
            else:
                call.future.set_result(result)

    def _pick(self) -> ComponentCall | None:
        """The call that has waited longest, or None when the dispatcher is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.waiting or self._closed)
                if not self.waiting:
                    return None
                call = self.waiting.popleft()
            if call.future.set_running_or_notify_cancel():
                return call

    def _run(self, call: ComponentCall) -> Any:
        """Make the component resident and call it."""
        with self._device, torch.inference_mode():
            module = self.bring(call.component, call.job)
            call.job.calls += 1
            return call.run(module)
