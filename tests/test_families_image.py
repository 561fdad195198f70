"""Families of pictures: each makes what the plain pipeline of diffusers makes, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from family_cases import CASES, assignment, by_diffusers, numbers
from family_models import Checkpoints

from benchmarks import parity_page
from omnifex import PipelineFamily
from omnifex.engine.context import Listener
from omnifex.errors import InvalidRequest, UnknownSampler
from omnifex.schedulers import DIFFUSION, FLOW
from omnifex.workbench import Workbench
from omnifex_image.families.classes import label_of
from omnifex_image.families.sdxl import StableDiffusionXL
from omnifex_jobs import Progress

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


SAMPLERS = [*(("sd", *pair) for pair in DIFFUSION.items()), *(("sd3", *p) for p in FLOW.items())]


@pytest.mark.parametrize(("name", "sampler", "scheduler"), SAMPLERS)
def test_the_sampler_is_chosen_by_name(
    models: Checkpoints, name: str, sampler: str, scheduler: str
) -> None:
    case = replace(CASES[name], scheduler=scheduler)
    ours = numbers(models.bench.engine.run(assignment(models, case, sampler=sampler, steps=3)))
    assert np.array_equal(ours, by_diffusers(models, case, num_inference_steps=3))


class Staged(Listener):
    """Keeps the stages of a job, and which components were wanted at the end of each."""

    def __init__(self, models: Checkpoints, model: str) -> None:
        self.residency, self.model = models.bench.engine.residency, models[model]
        self.stages: dict[str, set[str]] = {}
        self.values: list[float] = []

    def progress(self, progress: Progress) -> None:
        wanted = self.residency._worth.wanted
        self.values.append(progress.value)
        self.stages[progress.stage] = {
            name for name, part in self.model.components.items() if part.bytes and wanted(part)
        }


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("sdxl refined", ["base", "refiner"]),
        ("deepfloyd upscaled", ["base", "super-resolution", "upscaler"]),
        ("kandinsky22", ["prior", "decoder"]),
        ("unclip", ["prior", "decoder", "super-resolution"]),
    ],
)
def test_stages_have_names_and_let_go_of_what_they_have_done_with(
    models: Checkpoints, name: str, stages: list[str]
) -> None:
    heard = Staged(models, CASES[name].model)
    models.bench.engine.run(assignment(models, CASES[name]), heard)
    assert [*heard.stages] == [*stages, "encoding"]
    assert heard.values == sorted(heard.values)
    first, last = heard.stages[stages[0]], heard.stages[stages[-1]]
    assert last < first or name == "unclip"  # one pipeline, whose end the platform does not see


def test_a_stage_takes_what_it_lacks_from_the_first_and_leaves_out_what_is_null(
    models: Checkpoints,
) -> None:
    seen: list[dict[str, Any]] = []

    class Looking(StableDiffusionXL):
        def generate(self, job: Any, request: Any, model: Any) -> Any:
            seen.append(dict(model.part("refiner_").record.components))
            return np.zeros((8, 8, 3))

    models.bench.engine.run(replace(assignment(models, CASES["sdxl refined"]), family=Looking()))
    (parts,) = seen
    assert "text_encoder" not in parts
    assert parts["unet"].role == "refiner_unet"


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


def test_a_class_is_asked_for_by_its_number_or_name(models: Checkpoints) -> None:
    named = replace(models["dit"], config={"id2label": {"7": "cock", "8": "hen, chicken"}})
    assert [label_of(prompt, named) for prompt in ("7", "Cock", " chicken")] == [7, 7, 8]
    with pytest.raises(InvalidRequest, match=r"no class 'chickn', did you mean 'chicken'"):
        label_of("chickn", named)
    with pytest.raises(InvalidRequest, match=r"has 1000 classes, from 0; 4000 is none"):
        label_of("4000", named)


def test_students_of_few_steps_say_so_by_their_scheduler(models: Checkpoints) -> None:
    turbo, student = ask(models, "sdxl-turbo"), ask(models, "sd-student")
    assert (turbo.steps, turbo.guidance) == (4, 0.0)
    assert (student.steps, student.guidance) == (4, 1.0)
    assert ask(models, "flux-schnell").steps == 4
    with pytest.raises(InvalidRequest, match="'flux-schnell' cannot use guidance"):
        ask(models, "flux-schnell", guidance=3.0)


def test_words_are_an_artifact_beside_the_picture(models: Checkpoints) -> None:
    assignment_ = assignment(models, CASES["unidiffuser both"])
    real = models.bench.host.modality("image")
    outcome = models.bench.engine.run(replace(assignment_, modality=real))
    assert [file.media_type for file in outcome.files] == ["image/png", "text/plain"]
    with pytest.raises(InvalidRequest, match="leave out the prompt or the image"):
        ask(models, "unidiffuser", image="sha256:image")
    with pytest.raises(InvalidRequest, match="extra has mode 'up'; it can be text2img"):
        ask(models, "unidiffuser", extra={"mode": "up"})


def test_the_page_of_systems_agrees_with_the_code(models: Checkpoints) -> None:
    text = parity_page.PAGE.read_text()
    assert parity_page.cells_of(text, "systems") == list(parity_page.systems(models))
    cases = parity_page.cells_of(text, "parity")
    assert [cells[0] for cells in cases] == list(CASES)
    assert [cells for cells in cases if "NOT GREEN" in cells or "DIFFERS" in cells] == []
    known = [f for f in models.bench.host.families if isinstance(f, PipelineFamily)]
    of_several = {"diffusers"}  # a family of each modality
    families = {f"{f.modality} {f.name}" if f.name in of_several else f.name for f in known}
    assert families == {name for names in parity_page.SYSTEMS.values() for name in names}
