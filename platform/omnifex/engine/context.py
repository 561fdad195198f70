"""What a job's own code sees of the platform: its randomness, its progress, its inputs, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnifex.engine.adapters.adapter import Adapter
from omnifex.engine.call import ComponentCall
from omnifex.engine.durability.recording import Unrecorded
from omnifex.engine.guarding.guards import Guard
from omnifex.engine.scheduling.costs import CostModel
from omnifex.engine.scheduling.work import JobWork
from omnifex.engine.watching.previews import Previews
from omnifex.engine.watching.progress import ProgressMeter
from omnifex.engine.watching.record import CallRecord
from omnifex.engine.watching.sums import CallSums
from omnifex.errors import Canceled, UnreadableInput
from omnifex_jobs import Progress

_here = threading.local()


def current_job() -> JobContext | None:
    """The job whose thread this is, while its `generate` runs."""
    return getattr(_here, "job", None)


class Listener:
    """Hears of a job from inside its thread, while all others wait: return at once."""

    wants_previews = False

    def progress(self, progress: Progress) -> None:
        """The job is this far; values never go down."""

    def note(self, text: str) -> None:
        """The job has something to tell its user."""

    def called(self, record: CallRecord) -> None:
        """One of the job's component calls was answered; may come from the device's thread."""

    def preview(self, pixels: Any) -> None:
        """The work looks like this so far: (H, W, 3) uint8."""


@dataclass(eq=False)
class JobContext:
    """One running job; everything random in it comes from `generator`, a CPU generator."""

    id: str
    seed: int
    device: torch.device
    listener: Listener = field(default_factory=Listener)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    load_seconds: float = 0.0
    calls: int = 0
    batched_with: int = 1  # the most jobs, itself included, that shared a call of its
    deterministic: bool = False  # never joined with other jobs
    priority: int = 0  # higher first
    deadline: float | None = None  # of time.monotonic(), as is its arrival
    arrived: float = field(default_factory=time.monotonic)
    work: JobWork = field(default_factory=lambda: JobWork(CostModel()))
    sums: CallSums = field(default_factory=CallSums)
    previews: Previews = field(default_factory=lambda: Previews({}))
    journal: Unrecorded = field(default_factory=Unrecorded)
    adapters: dict[str, tuple[Adapter, ...]] = field(default_factory=dict)  # by component's id

    def __post_init__(self) -> None:
        self.reseed(self.seed)
        self.denoising_pass = ""  # "cond" or "uncond", where a pipeline makes two a step
        self._meter = ProgressMeter(self.work)
        self.guard = Guard(self.note)
        self._canceled = False
        self.paused: Future[None] | None = None  # done when the job is to go on
        self._waiting: ComponentCall | None = None

    @property
    def canceled(self) -> bool:
        return self._canceled

    def cancel(self) -> None:
        """Ask the job to stop, from any thread; a waiting call is dropped, a running one ends."""
        self._canceled = True
        if waiting := self._waiting:
            waiting.cancel()
        self.resume()

    def pause(self) -> None:
        """Ask the job to wait at its next call, from any thread."""
        if self.paused is None:
            self.paused = Future()
        if self._canceled:
            self.resume()

    def resume(self) -> None:
        """Let a paused job go on."""
        if pause := self.paused:
            self.paused = None
            pause.cancel()

    def check(self) -> None:
        """Raise Canceled where the job was asked to stop; calls and steps check by themselves."""
        if self._canceled:
            raise Canceled

    def reseed(self, seed: int) -> None:
        """Draw from here on as a job of this seed does from its start."""
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)

    def part(self, index: int, total: int) -> None:
        """The stages that follow are those of part `index` of `total`, counted from 0."""
        self._meter.part(index, total)

    def randn(self, shape: Sequence[int]) -> Tensor:
        """Normal noise on the job's device, drawn on the CPU: a seed means the same everywhere."""
        return torch.randn(tuple(shape), generator=self.generator).to(self.device)

    def stage(self, name: str, until: float = 0.95) -> None:
        """Say what comes next, and the share of the whole job (0..1) that is done at its end."""
        self.check()
        self.listener.progress(self._meter.stage(name, until))

    def stage_seconds(self) -> Mapping[str, float]:
        """What each stage has taken so far, waits for the device included."""
        return self._meter.seconds()

    def step(self, index: int, total: int) -> None:
        """Say that step `index` of `total` in this stage is done, counted from 1."""
        self.check()
        self.listener.progress(self._meter.step(index, total))

    def note(self, text: str) -> None:
        """Tell the user something about this job, such as a word that was not understood."""
        self.listener.note(text)

    def preview(self, kind: str, draw: Callable[[], Any]) -> None:
        """Show the user the work so far, where there is time for it.

        `draw` gives pixels (H, W, 3) uint8, or None where there is nothing to see. It is called
        seldom, so that all previews take a small share of the job's time; `kind` tells those apart
        that take different times. Nothing that it does changes the job's result.
        """
        if self.listener.wants_previews and self.previews.due(kind):
            with self._apart():
                pixels = self.previews.taken(kind, draw, self.sums)
            if pixels is not None:
                self.listener.preview(pixels)

    def input(self, reference: str) -> Path:
        """The file that a MediaInput field refers to."""
        if reference not in self.inputs:
            raise UnreadableInput(
                f"input {reference!r} of job {self.id} was not found in the store."
            )
        return self.inputs[reference]

    def account(self, together: int, load_seconds: float) -> None:
        """A call of this job ran, with those of so many jobs, once its component was there."""
        self.calls += 1
        self.load_seconds += load_seconds
        self.batched_with = max(self.batched_with, together)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Leave the job's randomness and its journal as they are, whatever is called in between."""
        before, journal = self.generator.get_state(), self.journal
        self.journal = Unrecorded()
        try:
            yield
        finally:
            self.generator.set_state(before)
            self.journal = journal

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the current job of its thread."""
        _here.job = self
        try:
            yield
        finally:
            _here.job = None

    def asks(self, call: ComponentCall) -> None:
        """A call of this job begins, which a cancel ends from now on."""
        self._waiting = call  # before the check, so that a cancel is seen by one or the other
        self.check()

    def is_answered(self) -> None:
        """The call has ended, as it may."""
        self._waiting = None
