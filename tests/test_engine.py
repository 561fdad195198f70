import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dots_plugin
import pytest
import torch
from dots_plugin import Dots
from engine_cases import Heard, call, dots, free, two_jobs_with_one_call_running

import omnifex
from omnifex.engine.context import JobContext, current_job
from omnifex.engine.engine import Engine
from omnifex.engine.model import LoadedModel
from omnifex.errors import GenerationFailed, PluginError, UnreadableInput
from omnifex.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    Dots.calls.clear()
    with Workbench(tmp_path, [dots_plugin], entry_points=False) as workbench:
        yield workbench
    Dots.during = staticmethod(lambda: None)


@pytest.fixture
def engine(bench: Workbench) -> Engine:
    return bench.engine


def test_a_job_becomes_files_with_their_provenance(bench: Workbench) -> None:
    (file,) = bench.make("dots", prompt="three dots", seed=3).files
    content = json.loads(file.data)
    assert len(content["dots"]) == 4
    assert content["provenance"]["seed"] == 3


def test_the_outcome_accounts_for_its_time(bench: Workbench) -> None:
    first, second = (bench.make("dots", prompt="dots", steps=5).metrics for _ in range(2))
    assert first["component_calls"] == 6  # five steps and the decoder
    assert first["load_time"] > second["load_time"]
    assert first["total_time"] == pytest.approx(first["load_time"] + first["predict_time"])


def test_jobs_together_make_the_same_bytes_as_alone(bench: Workbench, engine: Engine) -> None:
    alone = [engine.run(dots(bench, seed, steps=seed + 3)).files for seed in range(6)]
    together = [engine.start(dots(bench, seed, steps=seed + 3)) for seed in range(6)]
    assert [running.result(60).files for running in together] == alone


def test_one_job_alone_makes_its_calls_in_its_own_thread(bench: Workbench, engine: Engine) -> None:
    engine.run(dots(bench, steps=3))
    assert {thread for _, thread in Dots.calls} == {threading.current_thread().name}


def test_several_jobs_make_their_calls_in_the_devices_thread(
    bench: Workbench, engine: Engine
) -> None:
    jobs, go_on = two_jobs_with_one_call_running(bench, engine)
    go_on.set()
    for job in jobs:
        job.result(10)
    assert Dots.calls[0][1] == "device"


def test_a_component_of_two_models_is_loaded_once(bench: Workbench, engine: Engine) -> None:
    models = ("dots-1", "dots-2") * 3
    running = [engine.start(dots(bench, seed, model=m)) for seed, m in enumerate(models)]
    for job in running:
        job.result(60)
    assert len({instance for instance, _ in Dots.calls}) == 1
    (resident,) = engine.residents()
    assert resident.component.id == bench.model("dots-2").components["backbone"].id
    assert resident.component.bytes == 4


def test_only_one_jobs_python_runs_at_a_time(bench: Workbench, engine: Engine) -> None:
    inside: list[str] = []
    crowds: list[int] = []

    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        for _ in range(20):
            inside.append(job.id)
            time.sleep(0.0005)  # a chance for others to come in
            crowds.append(len(inside))
            inside.remove(job.id)
            result = call(model)
        return result

    jobs = [engine.start(replace(free(bench, body), id=f"job-{n}")) for n in range(4)]
    for job in jobs:
        job.result(60)
    assert crowds == [1] * 80


def test_a_file_is_encoded_while_other_jobs_go_on(bench: Workbench, engine: Engine) -> None:
    encoding, finished = threading.Event(), threading.Event()

    class Slow(dots_plugin.DotsModality):
        def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
            encoding.set()
            assert finished.wait(10)
            return super().encode(media, request, provenance)

    slow = engine.start(replace(dots(bench), modality=Slow()))
    assert encoding.wait(10)
    engine.run(dots(bench))
    finished.set()
    assert slow.result(10).files


def test_a_failing_component_is_named_with_its_family_and_model(
    bench: Workbench, engine: Engine
) -> None:
    def body(job: JobContext, model: LoadedModel) -> Any:
        return model["backbone"].decode(torch.full((1, 2), torch.nan))

    with pytest.raises(GenerationFailed, match="ZeroDivisionError: division by zero"):
        engine.run(free(bench, lambda job, model: 1 / 0))
    with pytest.raises(GenerationFailed) as caught:
        engine.run(free(bench, body))
    assert str(caught.value) == (
        "dots family 'free' failed with model 'dots-1' in backbone.decode (Dots): "
        "ValueError: latents are not numbers"
    )
    assert engine.run(dots(bench)).files


def test_errors_for_the_user_pass_unchanged(bench: Workbench, engine: Engine) -> None:
    refusal = UnreadableInput("there is no such file.")

    def body(job: JobContext, model: LoadedModel) -> Any:
        raise refusal

    with pytest.raises(UnreadableInput) as caught:
        engine.run(free(bench, body))
    assert caught.value is refusal


def test_calls_from_a_thread_of_the_plugins_own_are_refused(
    bench: Workbench, engine: Engine
) -> None:
    def body(job: JobContext, model: LoadedModel) -> Any:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(call, model).result()

    with pytest.raises(PluginError, match=r"backbone \(Dots\) was called outside the thread"):
        engine.run(free(bench, body))


def test_progress_names_its_stages_and_never_falls(bench: Workbench, engine: Engine) -> None:
    heard = Heard()
    engine.run(dots(bench, steps=8), heard)
    values = [progress.value for progress in heard.progresses]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(0.90)
    stages = list(dict.fromkeys(progress.stage for progress in heard.progresses))
    assert stages == ["conditioning", "sampling", "decoding", "encoding"]
    steps = [progress for progress in heard.progresses if progress.steps]
    assert [progress.step for progress in steps] == list(range(1, 9))
    assert steps[-1].eta == 0


def test_a_job_tells_notes_and_finds_its_inputs(bench: Workbench, engine: Engine) -> None:
    heard, path = Heard(), Path("picture.png")

    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        job.note(f"{job.input('sha256:1').name} is small")
        with pytest.raises(UnreadableInput, match="'sha256:2' of job workbench"):
            job.input("sha256:2")
        assert current_job() is job
        return call(model)

    engine.run(replace(free(bench, body), inputs={"sha256:1": path}), heard)
    assert heard.notes == ["picture.png is small"]
    assert current_job() is None


def test_nothing_draws_from_the_global_random_state(bench: Workbench, engine: Engine) -> None:
    before = torch.get_rng_state()
    engine.run(dots(bench))
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_shows_its_parts(bench: Workbench, engine: Engine) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        assert model.name == "dots-1"
        assert model.config["_class_name"] == "DotsPipeline"
        assert model.scheduler_config is None
        assert "backbone" in model
        assert "unet" not in model
        assert model["backbone"].config == {"size": 1}
        assert model["backbone"].dtype == torch.float32
        return call(model)

    assert engine.run(free(bench, body)).files


def test_tokenizers_are_each_jobs_own(bench: Workbench, engine: Engine) -> None:
    def body(job: JobContext, model: LoadedModel) -> torch.Tensor:
        assert model.fresh("tokenizer")("a b") == ["a", "b"]
        assert model.fresh("tokenizer").seen == []
        with pytest.raises(PluginError, match="Splitter, which jobs cannot share"):
            model["tokenizer"]
        with pytest.raises(PluginError, match="no component in the role 'vae'"):
            model["vae"]
        return call(model)

    assert engine.run(free(bench, body)).files
