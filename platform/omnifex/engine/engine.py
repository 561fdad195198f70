"""The engine: one device, several jobs at once, each a thread of sequential Python."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from omnifex.engine.acceleration.settings import left_out
from omnifex.engine.baton import Baton
from omnifex.engine.context import JobContext, Listener
from omnifex.engine.dispatcher import Dispatcher
from omnifex.engine.durability.recording import Unrecorded
from omnifex.engine.guarding.failures import named_failures
from omnifex.engine.guarding.guards import demand_untouched
from omnifex.engine.making import Made, make
from omnifex.engine.memory.peaks import peak_memory
from omnifex.engine.memory.residency import Residency
from omnifex.engine.memory.resident import Resident
from omnifex.engine.model import LoadedModel
from omnifex.engine.pipelines.stand_in import StandIns
from omnifex.engine.scheduling.costs import CallKind, CostModel
from omnifex.engine.scheduling.work import JobWork
from omnifex.engine.watching.previews import Previews
from omnifex.engine.watching.watch import Watch
from omnifex.modality import Family, File, Modality
from omnifex.request import Request
from omnifex.scoring import Scorer
from omnifex.settings import tuned
from omnifex.styles import Style
from omnifex_registry import Model


@dataclass(frozen=True)
class Assignment:
    """All that an engine needs to run one job."""

    id: str
    request: Request
    modality: Modality[Any]
    family: Family[Any]
    model: Model
    seed: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    journal: Unrecorded = field(default_factory=Unrecorded)
    priority: int = 0  # higher first
    deadline: float | None = None  # of time.monotonic(), as is its arrival
    arrived: float = field(default_factory=time.monotonic)
    style: Style | None = None
    scorer: Scorer[Any] | None = None

    @property
    def form(self) -> CallKind:
        """What it is to the cost model as a whole: jobs of equal numbers cost the same."""
        numbers = self.request.model_dump(exclude={"seed"})
        shape = " ".join(
            f"{name}={value}" for name, value in numbers.items() if isinstance(value, int | float)
        )
        return CallKind(f"{self.family.name}/{self.model.name}", "job", shape)


@dataclass(frozen=True)
class Outcome:
    """The files that a job made, and its seconds: load_time, predict_time, total_time."""

    files: tuple[File, ...]
    metrics: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RunningJob:
    """A job in a thread of the engine's."""

    job: JobContext
    outcome: Future[Outcome]

    def cancel(self) -> None:
        """Stop it at most one component call later."""
        self.job.cancel()

    def pause(self) -> None:
        """Let it wait at its next component call, and others run."""
        self.job.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.job.resume()

    def done(self) -> bool:
        return self.outcome.done()

    def result(self, timeout: float | None = None) -> Outcome:
        """Wait for the end; raises Canceled, what the job raised, or TimeoutError."""
        return self.outcome.result(timeout)


class Engine:
    """Runs jobs on one device; `dtype` None computes in fp32 on a CPU and as stored elsewhere.

    `costs` is what is known of calls on this device; where it is not given it is learned anew.
    `memory` is in bytes, for components and what their calls need; None is what the device has.
    """

    def __init__(
        self,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        costs: CostModel | None = None,
        memory: int | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.baton = Baton()
        costs = costs or CostModel()
        self.residency = Residency(self.device, dtype, memory, costs=costs)
        self.dispatcher = Dispatcher(self.residency, self.baton, costs)
        self.stand_ins = StandIns(self.dispatcher, self.device, dtype)
        self.watch = Watch()
        self.dispatcher.runner.observers.append(self.watch)
        self._preview_costs: dict[str, float] = {}
        self._running: dict[threading.Thread, RunningJob] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, assignment: Assignment, listener: Listener | None = None) -> RunningJob:
        """Run a job in a thread of its own, beside those that run already."""
        running = RunningJob(self._job(assignment, listener), Future())
        thread = threading.Thread(
            target=self._fulfil,
            args=(running, assignment),
            name=f"job-{assignment.id}",
            daemon=True,
        )
        self._running[thread] = running
        thread.start()
        return running

    def run(self, assignment: Assignment, listener: Listener | None = None) -> Outcome:
        """Run a job in this thread, to its end."""
        return self._run(self._job(assignment, listener), assignment)

    def residents(self) -> list[Resident]:
        """The components in memory, largest first."""
        return self.residency.listing()

    def close(self) -> None:
        """Cancel what runs, wait for it, and free the device."""
        running = dict(self._running)
        for job in running.values():
            job.cancel()
        for thread in running:
            thread.join()
        self.dispatcher.close()
        self.residency.clear()

    def _job(self, assignment: Assignment, listener: Listener | None) -> JobContext:
        return JobContext(
            assignment.id,
            assignment.seed,
            self.device,
            listener or Listener(),
            assignment.inputs,
            deterministic=assignment.request.deterministic,
            previews=Previews(self._preview_costs),
            journal=assignment.journal,
            priority=assignment.priority,
            deadline=assignment.deadline,
            arrived=assignment.arrived,
            work=JobWork(self.dispatcher.costs, assignment.form),
        )

    def _fulfil(self, running: RunningJob, assignment: Assignment) -> None:
        try:
            running.outcome.set_result(self._run(running.job, assignment))
        except BaseException as error:
            running.outcome.set_exception(error)
        finally:
            del self._running[threading.current_thread()]

    def _run(self, job: JobContext, assignment: Assignment) -> Outcome:
        """Generate, encode, account."""
        began = time.perf_counter()
        named = named_failures(assignment.family, assignment.model)
        peaks = peak_memory(self.device)
        with self.watch.of(job), peaks.watched() as peak, torch.inference_mode(), named:
            made = self._generate(job, assignment)
            files = self._encode(job, assignment, made)
        measured = metrics(job, time.perf_counter() - began, peak.bytes)
        return Outcome(files, {**measured, "needed_memory_bytes": self._needed(job)})

    def _needed(self, job: JobContext) -> int:
        """What the job takes of a device where it is alone: its largest component at work."""
        sizes = {resident.component.id: resident.bytes for resident in self.residency.listing()}
        taken = (sizes.get(one, 0) + peak for one, peak in job.sums.peaks.items())
        return max(taken, default=0)

    def _generate(self, job: JobContext, assignment: Assignment) -> list[Made]:
        record = tuned(assignment.model)
        for reason in left_out(record, self.device):
            job.note(reason)
        model = LoadedModel(record, job, self.dispatcher, self.stand_ins)
        expected = self.residency.expecting(job.id, record.parts)
        with self.dispatcher.admitted(job), expected, job.entered(), job.guard.watching():
            job.check()
            made = make(job, assignment, model)
            job.guard.finish([one.media for one in made])
            demand_untouched(self.residency.altered(job.guard.called.values()))
            job.journal.finish()
            job.work.ended()
            return made

    def _encode(
        self, job: JobContext, assignment: Assignment, made: list[Made]
    ) -> tuple[File, ...]:
        """Outside the baton: other jobs go on while this one's file is written."""
        job.stage("encoding", until=1.0)
        files = tuple(file for one in made for file in one.files(assignment))
        job.check()
        return files


def metrics(job: JobContext, total: float, peak_bytes: int) -> dict[str, Any]:
    return {
        "load_time": job.load_seconds,
        "predict_time": total - job.load_seconds,
        "total_time": total,
        "component_calls": job.calls,
        "journal_time": job.journal.seconds,
        "batched_with": job.batched_with,
        **job.sums.metrics(),
        "stage_seconds": dict(job.stage_seconds()),
        "peak_memory_bytes": peak_bytes,
    }
