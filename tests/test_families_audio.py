"""Families of sounds: each makes what the plain pipeline of diffusers makes, bit for bit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from family_cases import CASES, assignment, by_diffusers, numbers
from family_models import Checkpoints

from omnifex.errors import InvalidRequest
from omnifex.workbench import Workbench

SOUNDS = [name for name, case in CASES.items() if case.modality == "audio"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoints]:
    folder = tmp_path_factory.mktemp("families")
    with Workbench(folder) as bench:
        yield Checkpoints(bench, folder)


@pytest.mark.parametrize("name", SOUNDS)
def test_a_family_makes_what_the_plain_pipeline_makes(models: Checkpoints, name: str) -> None:
    ours = numbers(models.bench.engine.run(assignment(models, CASES[name])))
    assert np.array_equal(ours, by_diffusers(models, CASES[name]))
    assert ours.std() > 0


@pytest.mark.parametrize(
    ("model", "fields", "sentence"),
    [
        ("stable-audio", {"seconds": 90.0}, "seconds is 90, but model 'stable-audio' makes 4 at"),
        ("stable-audio", {"lyrics": "la"}, "model 'stable-audio' cannot use lyrics"),
        ("audioldm2", {"audio": "x"}, "model 'audioldm2' cannot use audio: a AudioLDM2Pipeline"),
        ("ace-step", {"audio": "x"}, "model 'ace-step' cannot use audio: it was added without an"),
        ("ace-step", {"negative_prompt": "x"}, "model 'ace-step' cannot use negative_prompt"),
    ],
)
def test_a_request_says_what_the_model_cannot_use(
    models: Checkpoints, model: str, fields: dict[str, Any], sentence: str
) -> None:
    models[model]
    with pytest.raises(InvalidRequest, match=sentence):
        models.bench.assignment("audio", model, **{"prompt": "a cube", **fields})
