"""How long calls take on a device that may still be at them when they have returned."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

BEHIND = 1  # calls that are left to the device while the next one is handed to it
KEEP_TIME = ("cuda", "xpu")  # devices whose events do


class Stopwatch:
    """Times calls, one thread at a time.

    An accelerator is handed a call and goes on with it alone, so that it never idles between two.
    It is kept from falling behind further than a call: else what is chosen now would run only after
    all that was chosen before.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.events = device.type in KEEP_TIME
        # On a CPU the time that the thread computes: whatever else the machine does meanwhile would
        # tell nothing about the call, and whether a larger batch pays could not be seen.
        self.clock = time.thread_time if device.type == "cpu" else time.perf_counter
        self._handed: deque[tuple[torch.Event, torch.Event, Callable[[float], None]]] = deque()

    @contextmanager
    def timing(self, tell: Callable[[float], None]) -> Iterator[None]:
        """Time what is called inside; `tell` hears its seconds, on an accelerator a call later."""
        if self.events:
            self._catch_up()
            began, ended = (torch.Event(self._device, enable_timing=True) for _ in range(2))
            began.record()
            yield
            ended.record()
            self._handed.append((began, ended, tell))
            return
        start = self.clock()
        yield
        tell(self.clock() - start)

    def _catch_up(self) -> None:
        """Wait until few calls are left to the device, and tell of those that are done."""
        while len(self._handed) > BEHIND or (self._handed and self._handed[0][1].query()):
            began, ended, tell = self._handed.popleft()
            ended.synchronize()
            tell(began.elapsed_time(ended) / 1000)
