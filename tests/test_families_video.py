"""Families of clips: each makes what the plain pipeline of diffusers makes, bit for bit."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from family_cases import CASES, assignment, by_diffusers, numbers
from family_models import Checkpoints

from omnifex.errors import InvalidRequest, UnknownSampler
from omnifex.workbench import Workbench
from omnifex_video.families.clips import VideoFamily

CLIPS = [name for name, case in CASES.items() if case.modality == "video"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("families")
    with Workbench(folder) as bench:
        yield Checkpoints(bench, folder)


@pytest.mark.parametrize("name", CLIPS)
def test_a_family_makes_what_the_plain_pipeline_makes(models: Checkpoints, name: str) -> None:
    ours = numbers(models.bench.engine.run(assignment(models, CASES[name])))
    assert np.array_equal(ours, by_diffusers(models, CASES[name]))
    assert ours.std() > 0


def ask(models: Checkpoints, model: str, **fields: Any) -> Any:
    models[model]
    return models.bench.assignment("video", model, **{"prompt": "a cube", **fields}).request


def test_what_is_left_out_is_the_models_own(models: Checkpoints) -> None:
    asked = ask(models, "wan")
    assert (asked.steps, asked.guidance, asked.fps, asked.frames) == (50, 5.0, 16, None)
    assert (ask(models, "ltx").fps, ask(models, "svd", image="x").fps) == (25, 7)
    assert ask(models, "ltx", fps=12).fps == 12


@pytest.mark.parametrize(
    ("model", "fields", "sentence"),
    [
        ("wan", {"frames": 10}, "frames is 10, but model 'wan' makes one and multiples of 4 after"),
        ("wan", {"image": "x"}, "model 'wan' cannot use image: a WanPipeline takes none"),
        ("wan", {"strength": 0.5}, "model 'wan' cannot use strength: a WanPipeline takes none"),
        ("wan", {"video": "x", "frames": 9}, "cannot use frames: a WanVideoToVideoPipeline takes"),
        ("wan", {"video": "x", "steps": 4, "strength": 0.1}, "strength 0.1 of 4 steps leaves"),
        ("latte", {"video": "x"}, "model 'latte' cannot use video: a LattePipeline takes none"),
        ("wan-image", {}, "model 'wan-image' needs an image; give one"),
        ("wan", {"width": 24}, "width is 24, but model 'wan' makes multiples of 16; ask for 16 or"),
        ("ltx", {"frames": 21}, "frames is 21, .* ask for 17 or 25"),
        ("latte", {"frames": 8}, "frames is 8, but model 'latte' makes 4, or one"),
        ("animatediff", {"frames": 40}, "frames is 40, but .* makes 32 at most"),
        ("hunyuan-video", {"negative_prompt": "x"}, "cannot use negative_prompt with the guidance"),
        ("svd", {}, "model 'svd' needs an image; give one"),
        ("svd", {"image": "x", "negative_prompt": "x"}, "model 'svd' cannot use negative_prompt"),
    ],
)
def test_a_request_says_what_the_model_cannot_use(
    models: Checkpoints, model: str, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        ask(models, model, **fields)


def test_a_model_that_would_check_what_it_makes_needs_what_it_checks_with(
    models: Checkpoints,
) -> None:
    guarded = replace(models["cosmos3"], config={"enable_safety_checker": True})
    family = models.bench.host.family("video", guarded)
    with pytest.raises(InvalidRequest, match="checks what it makes with cosmos_guardrail, which"):
        family.check(ask(models, "cosmos3"), guarded)


def test_a_sampler_of_its_own_kind_is_chosen_by_name(models: Checkpoints) -> None:
    case = CASES["cogvideox"]
    by_dpm = numbers(models.bench.engine.run(assignment(models, case, sampler="dpm-solver++")))
    assert not np.array_equal(by_dpm, by_diffusers(models, case))
    with pytest.raises(UnknownSampler, match="these do: ddim, dpm-solver"):
        ask(models, "cogvideox", sampler="euler")


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_a_clip_carries_its_sound(models: Checkpoints, suffix: str) -> None:
    case = CASES["ltx2"]
    models["ltx2"]
    fields = {**case.request, "format": suffix, "steps": 1}
    outcome = models.bench.engine.run(models.bench.assignment("video", "ltx2", **fields))
    *_, last = outcome.files
    assert [file.suffix for file in outcome.files] == (
        [".gif", ".wav"] if suffix == "gif" else [f".{suffix}"]
    )
    with av.open(io.BytesIO(last.data)) as container:
        stream = container.streams.audio[0]
        played = sum(frame.samples for frame in container.decode(stream)) / stream.rate
    frames, fps = outcome.files[0].meta["frames"], outcome.files[0].meta["fps"]
    assert (frames, fps) == (9, 24)
    assert 0 < played < 2 * frames / fps


def test_an_omni_model_makes_several_files_of_one_job(models: Checkpoints) -> None:
    fields, made = CASES["cosmos3"].request, {}
    models["cosmos3"]
    for sound in (True, False):
        extra = {} if sound else {"enable_sound": False}
        told = {**fields, "format": "webm", "extra": extra}  # Opus takes any rate
        asked = models.bench.assignment("video", "cosmos3", **told)
        made[sound] = models.bench.engine.run(asked).files
    assert [file.suffix for file in made[False]] == [".webm"]
    clip, sound = made[True]
    assert (clip.suffix, sound.suffix) == (".webm", ".wav")
    for file in (clip, sound):
        with av.open(io.BytesIO(file.data)) as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) > 0


def test_a_picture_keeps_its_proportions(models: Checkpoints) -> None:
    family = models.bench.host.family("video", models["wan-image"])
    assert isinstance(family, VideoFamily)
    request = ask(models, "wan-image", image="x")
    width, height = family.size_for((300, 600), request, models["wan-image"])
    assert (width % 16, height % 16) == (0, 0)
    assert height / width == pytest.approx(2, rel=0.05)
    assert width * height == pytest.approx(480 * 832, rel=0.05)
    asked = ask(models, "wan-image", image="x", width=32, height=16)
    assert family.size_for((300, 600), asked, models["wan-image"]) == (32, 16)
