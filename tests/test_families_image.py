"""Families of pictures: each makes what the plain pipeline of diffusers makes, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from family_cases import CASES, assignment, by_diffusers, numbers
from family_models import Checkpoints

from omnifex.errors import InvalidRequest, UnknownSampler
from omnifex.workbench import Workbench

IMAGES = [name for name, case in CASES.items() if case.modality == "image"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("families")
    with Workbench(folder) as bench:
        yield Checkpoints(bench, folder)


@pytest.mark.parametrize("name", IMAGES)
def test_a_family_makes_what_the_plain_pipeline_makes(models: Checkpoints, name: str) -> None:
    ours = numbers(models.bench.engine.run(assignment(models, CASES[name])))
    assert np.array_equal(ours, by_diffusers(models, CASES[name]))
    assert ours.std() > 0


def test_the_sampler_is_chosen_by_name(models: Checkpoints) -> None:
    case = replace(CASES["sd"], scheduler="UniPCMultistepScheduler")
    ours = numbers(models.bench.engine.run(assignment(models, case, sampler="unipc")))
    assert np.array_equal(ours, by_diffusers(models, case))
    assert not np.array_equal(ours, by_diffusers(models, CASES["sd"]))


def ask(models: Checkpoints, model: str, **fields: Any) -> Any:
    models[model]
    return models.bench.assignment("image", model, **{"prompt": "a cube", **fields}).request


def test_what_is_left_out_is_the_models_own(models: Checkpoints) -> None:
    asked = ask(models, "sd")
    assert (asked.steps, asked.guidance, asked.strength, asked.width) == (50, 7.5, None, None)
    assert ask(models, "sdxl").guidance == 5.0
    assert ask(models, "sd", image="sha256:image").strength == 0.8


@pytest.mark.parametrize(
    ("model", "fields", "sentence"),
    [
        ("flux", {"negative_prompt": "blur"}, "'flux' cannot use negative_prompt with"),
        ("sd", {"strength": 0.5}, "model 'sd' cannot use strength"),
        ("sd", {"width": 500}, "width is 500, but model 'sd' makes multiples of 8; ask for 496 or"),
        ("sd", {"prompt": ""}, "model 'sd' needs a prompt; give one"),
        ("sd-inpaint", {"image": "x"}, "model 'sd-inpaint' needs a mask; give one"),
        ("sd", {"extra": {"eat": 1}}, "extra has 'eat', which a StableDiffusionPipeline .*'eta'"),
        ("sd", {"extra": {"generator": 1}}, "extra has 'generator', which the request's own"),
        ("sd", {"extra": {"height": 64}}, "extra has 'height', which the request's own"),
        ("sd", {"image": "x", "strength": 0.01}, "strength 0.01 of 50 steps leaves .* to 0.02"),
    ],
)
def test_a_request_says_what_the_model_cannot_use(
    models: Checkpoints, model: str, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        ask(models, model, **fields)


def test_a_sampler_of_the_wrong_kind_is_refused(models: Checkpoints) -> None:
    with pytest.raises(UnknownSampler, match=r"'ddim' does not fit the flow-matching model 'flux'"):
        ask(models, "flux", sampler="ddim")
    with pytest.raises(UnknownSampler, match=r"did you mean 'ddim'"):
        ask(models, "sd", sampler="dddim")


def test_more_arguments_of_the_pipeline_can_be_given(models: Checkpoints) -> None:
    assert ask(models, "sd", extra={"clip_skip": 1}).extra == {"clip_skip": 1}
    assert ask(models, "sd", extra='{"eta": 0.5}').extra == {"eta": 0.5}
