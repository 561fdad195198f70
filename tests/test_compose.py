"""Models of several stages, made of models that are registered."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_images as images
from family_models import prior, refiner, save_pipeline, upscaler

from omnifex import Studio
from omnifex.errors import InvalidRequest
from omnifex_registry import NameTaken


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    with Studio(home) as studio:
        for name, build in {
            "sdxl": images.sdxl,
            "refiner": refiner,
            "upscaler": upscaler,
            "decoder": images.kandinsky,
            "prior": prior,
        }.items():
            studio.models.add(save_pipeline(build, home / "given" / name), name=name)
        yield studio


def test_a_base_and_a_refiner_become_one_model_that_makes_a_picture(studio: Studio) -> None:
    before = {part.id for name in ("sdxl", "refiner") for part in parts(studio, name)}
    model = studio.models.compose("fine", "sdxl", refiner="refiner")
    assert {part.id for part in model.components.values()} == before
    assert model.config["refiner_requires_aesthetics_score"] is True
    assert "refiner_text_encoder" not in model.components
    job = studio.submit("image", prompt="a cube", model="fine", steps=5, width=16, height=16)
    (artifact,) = job.result(timeout=120)
    assert artifact.media_type == "image/png"


def test_a_decoder_gets_its_prior_and_an_upscaler(studio: Studio) -> None:
    studio.models.compose("kandinsky", "decoder", prior="prior", upscaler="upscaler")
    few = {"prior_num_inference_steps": 2, "upscaler_num_inference_steps": 2}
    small = {"width": 64, "height": 64, "steps": 2}
    job = studio.submit("image", prompt="a cube", model="kandinsky", extra=few, **small)
    (artifact,) = job.result(timeout=120)
    assert artifact.meta["width"] == 128  # the tiny upscaler doubles


def test_composing_again_takes_what_is_there_now(studio: Studio) -> None:
    studio.models.compose("again", "sdxl", refiner="refiner")
    with pytest.raises(NameTaken):
        studio.models.compose("again", "sdxl")
    assert studio.models.compose("again", "sdxl", update=True).components.keys() == {
        part.role for part in parts(studio, "sdxl")
    }


def test_what_is_composed_outlives_its_parts(studio: Studio) -> None:
    copy = studio.models.add(studio.models.show("refiner").path, name="copy", copy=True)
    model = studio.models.compose("lasting", "sdxl", refiner="copy")
    studio.models.remove("copy")
    assert not copy.path.exists()
    assert (model.components["refiner_unet"].path / "config.json").exists()


def test_what_cannot_be_composed_is_refused(studio: Studio) -> None:
    with pytest.raises(InvalidRequest, match="no stage 'refine', did you mean 'refiner'"):
        studio.models.compose("other", "sdxl", refine="refiner")
    with pytest.raises(NameTaken):
        studio.models.compose("refiner", "sdxl", refiner="refiner")
    assert Path(studio.models.show("refiner").path).is_dir()


def parts(studio: Studio, name: str) -> list:
    return list(studio.models.show(name).components.values())
