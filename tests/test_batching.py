import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import dots_plugin
import numpy as np
import pytest
import torch
from calls_cases import ask
from dots_plugin import Dots
from engine_cases import Free, dots
from nano_plugin import NanoPlugin

from omnifex.engine.batching.gathering import Gathering
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment, Engine, Outcome
from omnifex.engine.model import LoadedModel
from omnifex.engine.scheduling.costs import CostModel
from omnifex.engine.watching.record import CallRecord
from omnifex.errors import Canceled, GenerationFailed
from omnifex.workbench import Workbench

STEPS = (12, 15, 20, 9, 17)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("batching")
    plugins = [NanoPlugin(folder / "nano"), dots_plugin]
    with Workbench(folder, plugins, entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


@pytest.fixture
def records(engine: Engine) -> Iterator[list[CallRecord]]:
    """What the device's calls were, once each component has been proved to be joinable."""
    heard: list[CallRecord] = []
    observers = engine.dispatcher.runner.observers
    observers.append(heard.append)
    yield heard
    observers.remove(heard.append)


def nano(bench: Workbench, number: int, **fields: Any) -> Assignment:
    """One of several jobs that differ in steps, guidance, seed and prompt."""
    asked = {
        "prompt": f"prompt {number}",
        "seed": number,
        "steps": STEPS[number],
        "guidance": 2.0 + number,
        **fields,
    }
    return replace(bench.assignment("nano", **asked), id=f"nano-{number}")


def together(engine: Engine, assignments: list[Assignment]) -> list[Outcome]:
    running = [engine.start(assignment) for assignment in assignments]
    return [job.result(60) for job in running]


def numbers(outcome: Outcome) -> np.ndarray:
    return np.frombuffer(outcome.files[0].data, np.float32)


def sizes(records: list[CallRecord], role: str = "backbone") -> list[int]:
    return [len(record.jobs) for record in records if record.role == role]


def test_jobs_that_differ_in_all_but_shape_give_what_they_give_alone(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    jobs = [nano(bench, number) for number in range(5)]
    alone = [engine.run(job) for job in jobs]
    records.clear()
    for _ in range(3):  # the first time, the proof; later, as proved
        for job, one in zip(together(engine, jobs), alone, strict=True):
            assert np.abs(numbers(job) - numbers(one)).max() <= 1e-5
    assert max(sizes(records)) > 1
    assert sum(sizes(records)) == 3 * sum(STEPS)
    assert len({len(numbers(one)) for one in alone}) == 1


def test_a_job_tells_with_how_many_it_shared_a_call(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    assert engine.run(nano(bench, 0)).metrics["batched_with"] == 1
    records.clear()
    outcomes = together(engine, [nano(bench, number) for number in range(5)])
    for number, outcome in enumerate(outcomes):
        mates = [len(one.jobs) for one in records if f"nano-{number}" in one.jobs]
        assert outcome.metrics["batched_with"] == max(mates)


def test_a_deterministic_job_has_the_same_bits_in_any_company(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    job = nano(bench, 0, deterministic=True)
    alone = engine.run(job)
    for count in (2, 5):
        records.clear()
        company = [nano(bench, number) for number in range(1, count)]
        outcome, *_ = together(engine, [job, *company])
        assert outcome.files[0].data == alone.files[0].data
        assert {one.jobs for one in records if job.id in one.jobs} == {(job.id,)}
    provenance = alone.files[0].meta["provenance"]
    assert provenance["deterministic"] is True


def test_a_prompt_that_was_encoded_is_not_encoded_again(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    first = engine.run(nano(bench, 0, prompt="new"))
    records.clear()
    again = engine.run(nano(bench, 0, prompt="new"))
    assert again.files[0].data == first.files[0].data
    assert [one.how for one in records if one.role == "text_encoder"] == ["remembered"]


class Meeting:
    """Jobs that call the backbone until all have met in one call, and then do as they are told."""

    def __init__(self, bench: Workbench, records: list[CallRecord]) -> None:
        self._bench, self._records = bench, records

    def job(self, name: str, then: Any, members: int = 3) -> Assignment:
        def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
            while not any(len(one.jobs) == members for one in self._records):
                self.ask(model, float(len(name)))
            result: torch.Tensor = then(job, model)
            return result

        return replace(dots(self._bench), family=Free(body), id=name)

    @staticmethod
    def ask(model: LoadedModel, number: float) -> torch.Tensor:
        x = torch.full((1, 4), number)
        result: torch.Tensor = model["backbone"](x, torch.full((1,), number), x / 2 + number)
        return result


def test_a_call_that_is_dropped_while_it_is_chosen_is_not_run() -> None:
    gathering = Gathering(CostModel())
    calls = [ask(torch.ones(1, 4), torch.tensor(0.5)) for _ in range(3)]
    for call in calls:
        gathering.add(call)
    assert gathering.gathered() == calls
    calls[0].future.cancel()
    gathering.drop(calls[0])
    calls[1].future.cancel()
    assert gathering.taken(calls) == [calls[2]]
    assert gathering.waiting == []


def test_nobody_waits_for_a_job_that_has_ended() -> None:
    gathering = Gathering(CostModel())
    one, other = ask(torch.ones(1, 4)), ask(torch.ones(1, 4))
    gathering.expect(one.job)
    gathering.expect(other.job)
    gathering.add(one)
    gathering.left(other.job)
    assert gathering.gathered() == [one]
    gathering.close()
    with pytest.raises(Canceled):
        gathering.add(other)


def test_outputs_of_changing_size_are_not_joined_for_long(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    """`kept` has as many rows as there are positive numbers: four times one at first."""

    def grow(job: JobContext, model: LoadedModel) -> torch.Tensor:
        numbers = torch.full((1, 4), 1.0 + len(job.id))
        while engine.baton.jobs < 3:  # else the first may have ended before the others begin
            model["backbone"].kept(numbers)
        for _ in range(30):
            model["backbone"].kept(numbers)
        numbers[0, 0] = -1
        sizes = [len(model["backbone"].kept(numbers)) for _ in range(30)]
        return torch.tensor([float(size) for size in sizes])

    jobs = [
        engine.start(replace(dots(bench), family=Free(grow), id=name)) for name in ("a", "b", "c")
    ]
    for job in jobs:
        assert set(json.loads(job.result(60).files[0].data)["dots"]) == {3.0}
    assert any(len(one.jobs) > 1 for one in records if one.method == "kept")


def test_a_member_that_fails_fails_alone(
    bench: Workbench, engine: Engine, records: list[CallRecord]
) -> None:
    def good(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for _ in range(20):
            result: torch.Tensor = model["backbone"].decode(torch.full((1, 4), 3.0))
        return result

    def bad(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for _ in range(5):
            model["backbone"].decode(torch.full((1, 4), 5.0))
        return model["backbone"].decode(torch.full((1, 4), torch.nan))  # type: ignore[no-any-return]

    meeting = Meeting(bench, records)
    jobs = [
        engine.start(meeting.job(name, then))
        for name, then in (("a", good), ("bad", bad), ("other", good))
    ]
    for job in (jobs[0], jobs[2]):
        assert b"[3.0, 3.0, 3.0, 3.0]" in job.result(60).files[0].data
    with pytest.raises(GenerationFailed, match=r"backbone\.decode \(Dots\): ValueError: latents"):
        jobs[1].result(60)


@pytest.mark.parametrize("where", ["in its own code", "in a call"])
def test_a_member_that_is_canceled_leaves_the_others(
    bench: Workbench, engine: Engine, records: list[CallRecord], where: str
) -> None:
    def go_on(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for _ in range(50):
            result = Meeting.ask(model, float(len(job.id)))
        return result

    def stop(job: JobContext, model: LoadedModel) -> torch.Tensor:
        if where == "in a call":
            Dots.during = staticmethod(job.cancel)
        else:
            job.cancel()
        return go_on(job, model)

    meeting = Meeting(bench, records)
    alone = engine.run(replace(dots(bench), family=Free(go_on), id="a")).files[0].data
    jobs = [
        engine.start(meeting.job(name, then))
        for name, then in (("a", go_on), ("stopped", stop), ("other", go_on))
    ]
    assert jobs[0].result(60).files[0].data == alone
    assert jobs[2].result(60).files
    with pytest.raises(Canceled):
        jobs[1].result(60)
