"""Jobs that name other models beside their own: what recipes keep, and what a replay needs."""

import json
from collections.abc import Iterator
from pathlib import Path

import control_models
import pytest
from family_models import drawn, save
from PIL import Image

from omnifex import Studio
from omnifex.errors import UnreadableInput
from omnifex.submission import ModelChanged
from omnifex_registry import UnknownModel


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with Studio(tmp_path / "home", devices=["cpu"]) as studio:
        studio.models.add(save("sd", tmp_path / "sd"))
        studio.models.add(control_models.save("canny-net", tmp_path / "canny-net"))
        yield studio


CUBE = {"model": "sd", "prompt": "a cube", "seed": 3, "steps": 2}


def test_a_job_keeps_the_networks_that_it_named(studio: Studio, tmp_path: Path) -> None:
    first = studio.submit("image", **CUBE, width=24, height=16)
    net = {"model": "canny-net", "image": first, "preprocess": "canny"}
    job = studio.submit("image", **CUBE, control=[net])
    assert job.record.parents == (first.id,)
    (artifact,) = job.result(120)
    parts = {"controlnet": studio.models.show("canny-net").components["controlnet"].id}
    others = {"canny-net": {"model": "canny-net", "components": parts}}
    assert job.record.recipe["others"] == others
    with Image.open(artifact.path) as file:
        assert file.size == (24, 16)
        told = json.loads(file.text["omnifex"])  # type: ignore[attr-defined]
    assert told["others"] == others
    (one,) = told["parameters"]["control"]
    assert one["image"] == f"sha256:{first.artifacts[0].sha256}"

    assert studio.replay(job.id).result(120)[0].sha256 == artifact.sha256
    control_models.save("depth-net", tmp_path / "other")
    studio.models.remove("canny-net")
    studio.models.add(tmp_path / "other", name="canny-net")
    with pytest.raises(ModelChanged, match=r"'canny-net' has changed .* \(controlnet\)"):
        studio.replay(job.id)


def test_what_a_request_names_must_be_there(studio: Studio) -> None:
    with pytest.raises(UnknownModel, match=r"no model 'cany-net'; registered: canny-net, prism"):
        studio.submit("image", **CUBE, control=[{"model": "cany-net", "image": drawn("image")}])
    with pytest.raises(UnreadableInput, match=r"^control\[0\].image 'edges.png' does not exist"):
        studio.submit("image", **CUBE, control="canny-net:edges.png:0.5")
