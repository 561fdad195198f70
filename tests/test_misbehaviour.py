import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dots_plugin
import numpy as np
import pytest
import torch
from dots_plugin import Dots
from engine_cases import Free, Heard, call, dots, free, wait_until

from omnifex.engine.context import JobContext
from omnifex.engine.engine import Engine
from omnifex.engine.guarding.guards import floats
from omnifex.engine.guarding.randomness import PythonRandomness, as_tuple
from omnifex.engine.model import LoadedModel
from omnifex.errors import Canceled, PluginError
from omnifex.workbench import Workbench

Body = Callable[[JobContext, LoadedModel], Any]
CPU = torch.device("cpu")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


def failure(bench: Workbench, body: Body) -> str:
    """What the user is told of a job that does this."""
    with pytest.raises(PluginError) as caught:
        bench.engine.run(free(bench, body))
    return str(caught.value)


def among_others(bench: Workbench, body: Body) -> list[Heard]:
    """Run a job with this body beside three good ones, which must not be hurt; what each heard."""
    engine, there = bench.engine, threading.Event()
    expected = [engine.run(dots(bench, seed, steps=5)).files for seed in range(3)]

    def generate(job: JobContext, model: LoadedModel) -> Any:
        if not there.is_set():
            wait_until(lambda: engine.baton.jobs == 4)
            there.set()
        return body(job, model)

    heard = [Heard() for _ in range(4)]
    bad = engine.start(replace(dots(bench), family=Free(generate), id="bad"), heard[3])
    wait_until(lambda: engine.baton.jobs == 1)
    good = [
        engine.start(replace(dots(bench, seed, steps=5), id=f"good-{seed}"), heard[seed])
        for seed in range(3)
    ]
    bad.outcome.exception(60)
    assert [job.result(60).files for job in good] == expected
    assert [engine.run(dots(bench, seed, steps=5)).files for seed in range(3)] == expected
    return heard


def spoiled(job: JobContext, model: LoadedModel) -> torch.Tensor:
    """Three calls, the second of them with a target that is not a number."""
    for target in (0.0, torch.nan, 0.0):
        x = model["backbone"](torch.ones(1, 2), torch.ones(1), torch.full((1, 2), target))
    return torch.zeros(1, 2) if torch.isfinite(x).all() else x


def test_nan_names_plugin_model_call_and_component(bench: Workbench) -> None:
    assert failure(bench, spoiled) == (
        "dots family 'free' failed with model 'dots-1' in call 2, backbone (Dots): "
        "NotANumber: its output has NaN in it"
    )
    among_others(bench, spoiled)


def test_nan_that_a_plugin_overlooks_fails_its_job_at_the_end(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        try:
            return spoiled(job, model)
        except Exception:
            return call(model)

    assert "in call 2, backbone (Dots): NotANumber" in failure(bench, body)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_media_that_are_no_numbers_fail_their_job(bench: Workbench, value: float) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        return torch.where(torch.arange(2) == 1, value, call(model))

    assert failure(bench, body) == (
        "dots family 'free' failed with model 'dots-1': "
        "NotANumber: what generate returned has NaN or infinity in it"
    )


def test_numbers_are_found_in_all_that_media_may_be() -> None:
    @dataclass
    class Sound:
        samples: Any
        rate: int = 8000

    half = np.ones((2, 3), np.float16)[:, ::2]
    media = [{"a": torch.ones(2), "b": (half, Sound(torch.ones(1)))}, "text", 3.0, None]
    assert [tuple(tensor.shape) for tensor in floats(media)] == [(2,), (2, 2), (1,)]
    assert floats(np.zeros(3, np.uint8)) == []


def test_large_numbers_are_numbers(bench: Workbench, engine: Engine) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        return call(model) * 3e38  # twice that is infinite in float32

    assert engine.run(free(bench, body)).files


def test_a_plugin_that_raises_or_exits_ends_its_own_job_alone(bench: Workbench) -> None:
    def raises(job: JobContext, model: LoadedModel) -> Any:
        raise KeyError(call(model).shape)

    def exits(job: JobContext, model: LoadedModel) -> Any:
        sys.exit(call(model).shape[0])

    for body, said in ((raises, "KeyError"), (exits, "SystemExit: 1")):
        assert f"dots family 'free' failed with model 'dots-1': {said}" in failure(bench, body)
        among_others(bench, body)


def test_a_job_that_calls_no_component_is_told_what_it_misses(
    bench: Workbench, engine: Engine
) -> None:
    heard = Heard()
    assert engine.run(free(bench, lambda job, model: torch.ones(2)), heard).files
    assert heard.notes == [
        "This job called no component: it could not be batched, nor stopped before its end."
    ]


def test_a_job_that_calls_no_component_is_canceled_at_its_end(
    bench: Workbench, engine: Engine
) -> None:
    begun = threading.Event()

    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        begun.set()
        time.sleep(0.05)
        return torch.ones(2)

    running = engine.start(free(bench, body))
    assert begun.wait(10)
    running.cancel()
    with pytest.raises(Canceled):
        running.result(10)


def test_a_call_from_another_thread_names_the_plugin(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call, model).result()

    assert failure(bench, body).startswith(
        "dots family 'free' with model 'dots-1': backbone (Dots) was called outside the thread"
    )
    among_others(bench, body)


SEEDERS: dict[str, Callable[[], object]] = {
    "torch": lambda: torch.manual_seed(7),
    "numpy": lambda: np.random.seed(7),
    "random": lambda: random.seed(7),
}


def shared_states() -> list[Any]:
    return [
        torch.get_rng_state().tolist(),
        [np.asarray(part).tolist() for part in np.random.get_state()],
        random.getstate(),
    ]


@pytest.mark.parametrize("library", SEEDERS)
@pytest.mark.parametrize("calls", [0, 1, 3])
def test_global_randomness_that_a_job_seeds_is_put_back(
    bench: Workbench, engine: Engine, library: str, calls: int
) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        found = call(model)
        for _ in range(calls):
            SEEDERS[library]()
            found = call(model)
        SEEDERS[library]()
        return found

    engine.run(dots(bench))
    heard, before = Heard(), shared_states()
    assert engine.run(free(bench, body), heard).files
    assert shared_states() == before
    assert heard.notes == [
        f"This job seeded the global random state of {library}, which all jobs share; it was put "
        "back. Randomness of a job's own is in job.generator."
    ]


@pytest.mark.parametrize("lies_there", [True, False])
def test_the_state_of_random_is_read_in_place_or_asked_for(lies_there: bool) -> None:
    source = PythonRandomness()
    assert source._lies_there  # on CPython, which these tests run on
    source._lies_there = lies_there
    random.random()
    assert as_tuple(source.now())[1] == random.getstate()[1]


def test_only_the_job_that_seeded_is_told(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for seed in SEEDERS.values():
            seed()
            call(model)
        return call(model)

    before = shared_states()
    *good, bad = among_others(bench, body)
    assert shared_states() == before
    assert [heard.notes for heard in good] == [[], [], []]
    assert [note.split(" state of ")[1].split(",")[0] for note in bad.notes] == [
        "torch",
        "numpy",
        "random",
    ]


def test_what_the_program_around_seeds_during_a_call_stays(
    bench: Workbench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program() -> None:
        thread = threading.Thread(target=lambda: [seed() for seed in SEEDERS.values()])
        thread.start()
        thread.join()

    monkeypatch.setattr(Dots, "during", staticmethod(program))
    heard, seed = Heard(), torch.initial_seed()
    try:
        engine.run(dots(bench), heard)
        assert (torch.initial_seed(), heard.notes) == (7, [])
        assert np.random.get_state()[2] == random.getstate()[1][-1] == 624  # nothing drawn since
    finally:
        torch.manual_seed(seed)


def test_numbers_that_were_only_drawn_are_not_taken_back(bench: Workbench, engine: Engine) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for _ in range(2):
            torch.rand(5), np.random.rand(2000), [random.random() for _ in range(2000)]
            found = call(model)
        return found

    heard, before = Heard(), shared_states()
    assert engine.run(free(bench, body), heard).files
    assert heard.notes == []
    assert all(now != then for now, then in zip(shared_states(), before, strict=True))


def test_a_job_that_changes_its_outputs_in_place_changes_no_others(bench: Workbench) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        x, target = torch.ones(2, 4), torch.zeros(2, 4)
        for _ in range(5):
            found = model["backbone"](x, torch.ones(2), target=target)
            found.fill_(9.0)
            x.mul_(3.0)
            target.add_(1.0)
        return found

    among_others(bench, body)


def test_a_component_that_writes_to_its_weights_is_named_and_loaded_anew(
    bench: Workbench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = engine.run(dots(bench)).files

    def learning() -> None:
        (held,) = engine.residency._room.held.values()
        held.module.gain.add_(1.0)

    monkeypatch.setattr(Dots, "during", staticmethod(learning))
    assert failure(bench, lambda job, model: call(model)) == (
        "dots family 'free' with model 'dots-1': the weights of backbone (Dots) were changed "
        "while this job ran; all jobs share them, so they are loaded anew."
    )
    monkeypatch.undo()
    assert engine.run(dots(bench)).files == expected
    assert engine.residency.reloads == 1
