"""Textual inversion: words that one job has and no other, on encoders that all share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import adapter_models
import numpy as np
import pytest
import torch
from family_cases import AsNumbers, Numbers, numbers
from family_models import Checkpoints, save

from omnifex import Studio
from omnifex.engine.adapters.fitting import FITTED
from omnifex.engine.engine import Assignment
from omnifex.errors import InvalidRequest
from omnifex.places import spelt_out
from omnifex.workbench import Workbench
from omnifex_image.modality import ImageRequest
from omnifex_registry import UnsafeWeights
from omnifex_registry.adapters import adapter_file

SMALL = {"guidance": 5.0, "steps": 3, "width": 16, "height": 16, "seed": 7}
CAT, DOG = {"model": "cat"}, {"model": "dog"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("words")
    with Workbench(folder) as bench:
        models = Checkpoints(bench, folder)
        for name in ("cat", "dog", "cat-xl", "wide", "pixel"):
            adapter_models.add(models, name)
        yield models


def asked(
    models: Checkpoints, prompt: str, *own: Any, model: str = "sd", **other: Any
) -> Assignment:
    models[model]
    fields = {"prompt": prompt, "embedding": list(own), **SMALL, **other}
    found = models.bench.assignment("image", model, **fields)
    return replace(found, modality=AsNumbers(found.modality))


def made(models: Checkpoints, prompt: str, *own: Any, **other: Any) -> Numbers:
    return numbers(models.bench.engine.run(asked(models, prompt, *own, **other)))


def test_a_word_changes_what_says_it_and_nothing_else(models: Checkpoints) -> None:
    plain = made(models, "a red cube")
    assert np.array_equal(made(models, "a red cube", CAT), plain)
    assert np.abs(made(models, "a <cat>", CAT) - made(models, "a <cat>")).max() > 1e-3
    called = {"model": "cat", "word": "<tabby>"}
    assert np.array_equal(made(models, "a <tabby>", called), made(models, "a <cat>", CAT))


def test_words_stay_with_their_job(models: Checkpoints) -> None:
    says = "a <cat> and a dog"
    company: dict[str, list[Any]] = {
        "": [],
        "c": [CAT],
        "d": [DOG],
        "cd": [CAT, DOG],
        "dc": [DOG, CAT],
    }
    engine = models.bench.engine
    alone = {name: made(models, says, *own) for name, own in company.items()}
    loads = engine.residency.loads
    running = {n: engine.start(asked(models, says, *own)) for n, own in company.items()}
    for name, one in running.items():
        assert np.abs(numbers(one.result(120)) - alone[name]).max() < 1e-5
    assert np.array_equal(made(models, says), alone[""])
    assert engine.residency.loads == loads
    kinds = [alone[name] for name in ("", "c", "d", "cd")]
    assert min(np.abs(a - b).max() for a in kinds for b in kinds if a is not b) > 1e-4
    encoder = engine.residency.bring(models["sd"].components["text_encoder"])
    assert encoder.get_input_embeddings().weight.shape[0] == encoder.config.vocab_size


def test_a_word_goes_together_with_a_lora(models: Checkpoints) -> None:
    lora = [{"model": "pixel"}]
    both = made(models, "a <cat>", CAT, lora=lora)
    assert np.abs(both - made(models, "a <cat>", CAT)).max() > 1e-3
    assert np.abs(both - made(models, "a <cat>", lora=lora)).max() > 1e-3


def test_a_later_stage_knows_the_words_too(models: Checkpoints) -> None:
    own, extra = {"model": "cat-xl", "word": "<cat>"}, {"refine_from": 0.5}
    refined: dict[str, Any] = {"model": "sdxl-refined", "steps": 4, "extra": extra}
    with_word = made(models, "a <cat>", own, **refined)
    assert np.abs(with_word - made(models, "a <cat>", **refined)).max() > 1e-3
    encoder = models["sdxl-refined"].components["refiner_text_encoder_2"]
    assert FITTED in vars(models.bench.engine.residency.bring(encoder))


@pytest.mark.parametrize(
    ("model", "own", "sentence"),
    [
        ("sd", "wide", "'wide' does not fit model 'sd': its words are 768 numbers each, and text_"),
        (
            "sd",
            "cat-xl",
            "'cat-xl' does not fit model 'sd': .* and the model has no text_encoder_2",
        ),
        ("sd", "pixel", "'pixel' is a LoRA, which is no embedding; omnifex models lists"),
        ("pixart", "cat", "model 'pixart' cannot use embedding: a PixArtAlphaPipeline takes none"),
        ("prism", "cat", "model 'prism' cannot use embedding: family 'prism.*' takes none"),
        ("sd", ["cat", {"model": "dog", "word": "<cat>"}], "'dog' is called '<cat>', as 'cat' is"),
        ("sd", {"model": "cat", "word": "two words"}, r"embedding\[0\].word is 'two words', but"),
    ],
)
def test_a_word_that_does_not_fit_is_refused(
    models: Checkpoints, model: str, own: Any, sentence: str
) -> None:
    if model != "prism":
        models[model]
    with pytest.raises(InvalidRequest, match=sentence):
        models.bench.assignment("image", model, prompt="a <cat>", embedding=own)


def test_a_word_that_the_model_has_fails_the_job_by_name(models: Checkpoints) -> None:
    with pytest.raises(InvalidRequest, match="'cat' is called '!', which model 'sd' knows already"):
        made(models, "a cat!", {"model": "cat", "word": "!"})


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("cat", {"model": "cat"}),
        ("cat=<tabby>", {"model": "cat", "word": "<tabby>"}),
        ('{"model": "cat"}', {"model": "cat"}),
    ],
)
def test_a_word_is_written_in_short(text: str, item: dict[str, Any]) -> None:
    assert spelt_out(ImageRequest, {"embedding": text})["embedding"] == [item]


def test_an_embedding_is_a_model_of_the_registry(models: Checkpoints, tmp_path: Path) -> None:
    pickled = tmp_path / "learned_embeds.bin"
    torch.save({"<cat>": torch.ones(32)}, pickled)
    with Studio(tmp_path / "home", devices=["cpu"]) as studio:
        with pytest.raises(UnsafeWeights, match=r"learned_embeds\.bin"):
            studio.models.add(pickled)
        studio.models.add(save("sd", tmp_path / "sd"))
        studio.models.add(adapter_file(models.beside["cat"]), name="cat-1")
        studio.models.alias("cat", "cat-1")
        assert studio.models.show("cat").kind == "adapter"
        fields = {"model": "sd", "seed": 3, "steps": 2, "width": 16, "height": 16}
        job = studio.submit("image", prompt="a <cat>", embedding="cat", **fields)
        idle = studio.submit("image", prompt="a dog", embedding="cat", **fields)
        (artifact,) = job.result(120)
        assert idle.notes == ("no prompt says '<cat>', so embedding 'cat' does nothing",)
        part = {"embedding": studio.models.show("cat").components["embedding"].id}
        assert [o["components"] for o in job.record.recipe["others"].values()] == [part]
        assert studio.replay(job.id).result(120)[0].sha256 == artifact.sha256
        studio.models.remove("cat-1")
        with pytest.raises(Exception, match="cat"):
            studio.submit("image", prompt="a <cat>", embedding="cat", **fields)
