"""Families of solids: each makes what the plain pipeline of diffusers makes, bit for bit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from family_cases import CASES, assignment, by_diffusers, numbers
from family_models import Checkpoints
from PIL import Image

from omnifex.errors import InvalidRequest
from omnifex.workbench import Workbench
from omnifex_mesh.files import decode
from omnifex_mesh.reliefs import relief

SOLIDS = [name for name, case in CASES.items() if case.modality == "mesh"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("families")
    with Workbench(folder) as bench:
        yield Checkpoints(bench, folder)


@pytest.mark.parametrize("name", SOLIDS)
def test_a_family_makes_what_the_plain_pipeline_makes(models: Checkpoints, name: str) -> None:
    ours = numbers(models.bench.engine.run(assignment(models, CASES[name])))
    assert np.array_equal(ours, by_diffusers(models, CASES[name]))
    assert ours.std() > 0


@pytest.mark.parametrize(
    ("model", "fields", "sentence"),
    [
        ("shap-e", {"image": "x"}, "model 'shap-e' cannot use image: a ShapEPipeline takes none"),
        ("shap-e", {"negative_prompt": "x"}, "model 'shap-e' cannot use negative_prompt"),
        ("shap-e", {"extra": {"resolution": 4}}, "extra has resolution 4; it is a whole number"),
        ("shap-e-image", {}, "model 'shap-e-image' needs an image; give one"),
        ("relief", {}, "model 'relief' needs an image; give one"),
        ("relief", {"image": "x", "extra": {"height": 0}}, "extra has height 0; it is a number"),
    ],
)
def test_a_request_says_what_the_model_cannot_use(
    models: Checkpoints, model: str, fields: dict[str, Any], sentence: str
) -> None:
    models[model]
    with pytest.raises(InvalidRequest, match=sentence):
        models.bench.assignment("mesh", model, **{"prompt": "a cube", **fields})


def test_a_relief_is_closed_and_shows_the_picture(models: Checkpoints) -> None:
    across = np.tile(np.linspace(0, 1, 24), (16, 1))  # near at the left
    picture = Image.open(models.file("image"))
    solid = relief(across, picture, resolution=256, height=0.5)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0
    assert solid.extents == pytest.approx([1, 15 / 23, 0.55])
    front = solid.vertices[: 24 * 16].reshape(16, 24, 3)
    assert (np.diff(front[..., 0], axis=1) > 0).all()  # x to the right
    assert (np.diff(front[..., 1], axis=0) < 0).all()  # the first row above
    assert (np.diff(front[..., 2], axis=1) < 0).all()  # nearer rises
    colours = solid.visual.vertex_colors[: 24 * 16, :3].reshape(16, 24, 3)
    assert np.array_equal(colours, np.asarray(picture))


def test_a_large_picture_is_thinned_out() -> None:
    solid = relief(np.zeros((50, 100)), Image.new("RGB", (100, 50)), resolution=20, height=0.1)
    assert len(solid.vertices) == 2 * 20 * 10
    assert solid.is_watertight


@pytest.mark.parametrize("name", ["shap-e", "relief"])
def test_a_solid_becomes_a_file(models: Checkpoints, name: str) -> None:
    case = CASES[name]
    job = replace(assignment(models, case), modality=models.bench.host.modality("mesh"))
    (file,) = models.bench.engine.run(job).files
    solid = decode(file.data, "glb")
    assert solid.is_watertight
    assert len(np.unique(solid.visual.vertex_colors, axis=0)) > 10
