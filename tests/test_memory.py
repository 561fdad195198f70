import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
import torch
from dots_plugin import Dots
from engine_cases import call, dots, free, wait_until

import omnifex
from omnifex.engine.call import ComponentCall
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Engine
from omnifex.engine.memory.ladder import Ladder, NotEnoughMemory
from omnifex.engine.memory.peaks import CLEAR, PeakMemory, peak_memory
from omnifex.engine.memory.shortage import bytes_asked, ran_out
from omnifex.engine.model import LoadedModel
from omnifex.errors import GenerationFailed
from omnifex.memory import BadMemorySize
from omnifex.workbench import Workbench
from omnifex.worker.failure import job_error

ON_A_GPU = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79 GiB"
ON_A_CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 400000 bytes."
SHORTAGES = [torch.OutOfMemoryError(ON_A_GPU), RuntimeError(ON_A_CPU), MemoryError()]
JOBS = 4
MOST_ROWS = 4  # two jobs, each with and without its prompt

Fault = Callable[[int, torch.Tensor], None]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], list[int]]:
    """Lets a fault look at each call of the backbone, by its number; lists the rows of those."""
    real = Dots.forward

    def injected(fault: Fault) -> list[int]:
        rows: list[int] = []

        def forward(self: Dots, latents: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            rows.append(len(latents))
            fault(len(rows), latents)
            return real(self, latents, *args, **kwargs)

        monkeypatch.setattr(Dots, "forward", forward)
        return rows

    return injected


def at(number: int, error: BaseException) -> Fault:
    def fault(count: int, latents: torch.Tensor) -> None:
        if count == number:
            raise error

    return fault


class Crowd(dots_plugin.DotsFamily):
    """Dots that begin once so many jobs are there."""

    def __init__(self, engine: Engine, jobs: int) -> None:
        self.engine, self.jobs, self.there = engine, jobs, threading.Event()

    def generate(self, job: JobContext, request: Any, model: LoadedModel) -> Any:
        if not self.there.is_set():
            wait_until(lambda: self.engine.baton.jobs == self.jobs)
            self.there.set()
        return super().generate(job, request, model)


def together(bench: Workbench, jobs: int = JOBS, **fields: Any) -> list[Any]:
    """What each of several jobs made, or the error that it ended with."""
    family = Crowd(bench.engine, jobs)
    running = [
        bench.engine.start(replace(dots(bench, seed, **fields), id=f"job-{seed}", family=family))
        for seed in range(jobs)
    ]
    return [job.outcome.exception(60) or job.result().files for job in running]


def alone(bench: Workbench, jobs: int = JOBS, **fields: Any) -> list[Any]:
    return [bench.engine.run(dots(bench, seed, **fields)).files for seed in range(jobs)]


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_a_job_survives_a_shortage_at_any_of_its_calls(
    bench: Workbench, faulty: Callable[[Fault], list[int]], error: BaseException
) -> None:
    expected = alone(bench, 1, steps=4)
    for number in range(1, 5):
        rows = faulty(at(number, error))
        assert alone(bench, 1, steps=4) == expected
        assert len(rows) == 5


def test_jobs_together_survive_a_shortage_at_any_call(
    bench: Workbench, faulty: Callable[[Fault], list[int]]
) -> None:
    expected = alone(bench, 3, steps=3)
    for number in range(1, 9):
        faulty(at(number, SHORTAGES[0]))
        assert together(bench, 3, steps=3) == expected


def test_a_batch_that_is_too_large_is_split_and_not_tried_again(
    bench: Workbench, faulty: Callable[[Fault], list[int]]
) -> None:
    def fault(count: int, latents: torch.Tensor) -> None:
        if len(latents) > MOST_ROWS:
            raise SHORTAGES[0]

    expected = alone(bench, steps=12)
    together(bench, steps=12)  # the proof that rows may be joined
    rows = faulty(fault)
    for _ in range(3):
        assert together(bench, steps=12) == expected
    too_many = [count for count in rows if count > MOST_ROWS]
    assert len(too_many) <= 2 * (JOBS - 2)  # each number of rows twice: once with room made


def test_a_batch_is_halved_until_it_fits(bench: Workbench, engine: Engine) -> None:
    def attempt(calls: Sequence[ComponentCall]) -> list[Any]:
        tried.append(len(calls))
        if len(calls) > 2:
            raise SHORTAGES[0]
        return [id(call) for call in calls]

    backbone, cpu = bench.model("dots-1").components["backbone"], torch.device("cpu")
    job, ladder = JobContext("job", 0, cpu), Ladder(engine.residency)
    arguments = (torch.ones(1, 2), torch.ones(1), torch.zeros(1, 2))
    calls = [ComponentCall(job, backbone, "__call__", arguments, {}) for _ in range(7)]
    for expected in ([7, 7, 4, 4, 2, 2, 2, 1], [2, 2, 2, 1]):
        tried: list[int] = []
        assert ladder.run(calls, attempt) == [id(call) for call in calls]
        assert tried == expected


def test_a_job_that_needs_too_much_fails_alone(
    bench: Workbench, faulty: Callable[[Fault], list[int]]
) -> None:
    expected, greedy = alone(bench, steps=5), first_noise(bench, 2)

    def fault(count: int, latents: torch.Tensor) -> None:
        if any(torch.equal(row, greedy) for row in latents):
            raise SHORTAGES[0]

    faulty(fault)
    ends = together(bench, steps=5)
    assert [ends[0], ends[1], ends[3]] == [expected[0], expected[1], expected[3]]
    assert isinstance(ends[2], NotEnoughMemory)
    assert str(ends[2]).startswith(
        "backbone (Dots) ran out of memory on cpu: it asked for 2.68 GB beside 4 bytes of weights"
    )
    assert "allow more with --memory" in str(ends[2])


def first_noise(bench: Workbench, seed: int) -> torch.Tensor:
    """The latents that a job's first backbone call gets."""
    seen: list[torch.Tensor] = []

    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        job.randn((1, 4))  # the condition's
        seen.append(job.randn((1, 4))[0])
        return call(model)

    bench.engine.run(replace(free(bench, body), seed=seed))
    return seen[0]


def test_a_shortage_may_pass_and_is_tried_again_later() -> None:
    told = job_error(NotEnoughMemory.__new__(NotEnoughMemory), "store")
    assert (told.code, told.retryable) == ("out_of_memory", True)


def test_a_shortage_evicts_what_nobody_is_using(
    bench: Workbench, engine: Engine, faulty: Callable[[Fault], list[int]]
) -> None:
    engine.run(dots(bench))
    backbone = bench.model("dots-1").components["backbone"]
    other = replace(backbone, id="sha256:other")
    engine.residency.bring(other)
    assert len(engine.residents()) == 2
    faulty(at(1, MemoryError()))
    engine.run(dots(bench))
    assert [resident.component for resident in engine.residents()] == [backbone]


def test_a_shortage_while_a_component_loads_is_survived_too(
    bench: Workbench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shortages = Dots.from_config, [MemoryError("no room for the weights")]

    def from_config(config: Any) -> Dots:
        if shortages:
            raise shortages.pop()
        return real(config)

    monkeypatch.setattr(Dots, "from_config", from_config)
    assert engine.run(dots(bench)).files
    assert engine.residency.loads == 1


def test_a_studio_keeps_to_the_memory_that_it_is_given(tmp_path: Path) -> None:
    with omnifex.Studio(tmp_path / "small", plugins=[dots_plugin], memory=3) as studio:
        job = studio.submit("dots", prompt="too many dots")
        with pytest.raises(omnifex.JobFailed, match="4 bytes, but components may use 3 bytes on"):
            job.result(60)
    with omnifex.Studio(tmp_path / "large", plugins=[dots_plugin], memory="1GB") as studio:
        job = studio.submit("dots", prompt="dots")
        job.result(60)
        assert job.metrics["peak_memory_bytes"] > 0
        assert job.metrics["needed_memory_bytes"] > 0
    with pytest.raises(BadMemorySize, match="memory is 'lots', but must be a size above zero"):
        omnifex.Studio(tmp_path / "none", plugins=[dots_plugin], memory="lots")


def test_a_peak_is_that_of_its_own_time() -> None:
    reached = [100]
    memory = PeakMemory(lambda: max(reached), lambda: reached.__delitem__(slice(0, -1)))
    with memory.watched() as outer:
        reached += [500, 200]
        with memory.watched() as inner:
            reached += [300, 100]
        with memory.watched() as last:
            pass
    assert (outer.bytes, inner.bytes, last.bytes) == (500, 300, 100)


@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux forgets a process's peak")
def test_a_processs_peak_counts_what_was_freed_again() -> None:
    memory = peak_memory(torch.device("cpu"))
    with memory.watched() as before:
        pass
    with memory.watched() as large:
        torch.ones(50_000_000)
    with memory.watched() as after:
        pass
    assert large.bytes - before.bytes > 150_000_000
    assert large.bytes - after.bytes > 150_000_000


def test_another_error_is_no_shortage(
    bench: Workbench, engine: Engine, faulty: Callable[[Fault], list[int]]
) -> None:
    rows = faulty(at(1, ValueError("no")))
    with pytest.raises(GenerationFailed, match="ValueError: no"):
        engine.run(dots(bench))
    assert len(rows) == 1


def test_one_bad_row_of_a_batch_fails_its_own_job(
    bench: Workbench, faulty: Callable[[Fault], list[int]]
) -> None:
    expected, bad = alone(bench, steps=6), first_noise(bench, 1)

    def fault(count: int, latents: torch.Tensor) -> None:
        if any(torch.equal(row, bad) for row in latents):
            raise ValueError("a bad row")

    faulty(fault)
    ends = together(bench, steps=6)
    assert [ends[0], *ends[2:]] == [expected[0], *expected[2:]]
    assert isinstance(ends[1], GenerationFailed)
    assert "in backbone (Dots): ValueError: a bad row" in str(ends[1])


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (SHORTAGES[0], "2.68 GB"),
        (SHORTAGES[1], "400 kB"),
        (MemoryError(), "more than was left"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "more than was left"),
    ],
)
def test_a_shortage_says_what_was_asked_for(error: BaseException, asked: str) -> None:
    assert ran_out(error)
    assert bytes_asked(error) == asked
    wrapped = ValueError("while loading")
    wrapped.__cause__ = error
    assert ran_out(wrapped)
    assert not ran_out(ValueError("out of memory"))
