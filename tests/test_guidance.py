from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from omnifex.condition import Condition
from omnifex.guidance import classifier_free

CONDITION = Condition({"word": torch.tensor([[2.0]])}, {"word": torch.tensor([[1.0]])})


class Spoken:
    """Predicts its condition, and keeps the batch sizes it was called with."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, x: Tensor, t: float | Tensor, condition: Mapping[str, Tensor]) -> Tensor:
        self.sizes.append(len(x))
        return condition["word"]


@pytest.mark.parametrize(("scale", "guided"), [(0.0, 1.0), (1.0, 2.0), (3.0, 4.0)])
def test_guidance_goes_from_negative_through_positive(scale: float, guided: float) -> None:
    predict = classifier_free(Spoken(), CONDITION, scale)
    assert predict(torch.zeros(1, 1), 0.5).item() == guided


def test_positive_and_negative_share_one_call() -> None:
    spoken = Spoken()
    classifier_free(spoken, CONDITION, 3.0)(torch.zeros(1, 1), 0.5)
    assert spoken.sizes == [2]


@pytest.mark.parametrize(
    ("condition", "scale"), [(CONDITION, 1.0), (Condition(CONDITION.positive), 3.0)]
)
def test_without_guidance_only_the_positive_row_runs(condition: Condition, scale: float) -> None:
    spoken = Spoken()
    predict = classifier_free(spoken, condition, scale)
    assert predict(torch.zeros(1, 1), 0.5).item() == 2
    assert spoken.sizes == [1]


def test_conditions_that_name_different_tensors_are_refused() -> None:
    condition = Condition({"word": torch.zeros(1, 1)}, {"mask": torch.zeros(1, 1)})
    with pytest.raises(ValueError, match=r"differ: \['word'\] and \['mask'\]"):
        classifier_free(Spoken(), condition, 3.0)


def test_what_all_rows_share_is_passed_as_it_is() -> None:
    seen: list[object] = []

    def predict(x: Tensor, t: float | Tensor, condition: Mapping[str, Any]) -> Tensor:
        seen.append(condition["stream"])
        word: Tensor = condition["word"]
        return word

    condition = replace(CONDITION, shared={"stream": "image"})
    for scale in (1.0, 3.0):
        classifier_free(predict, condition, scale)(torch.zeros(1, 1), 0.5)
    assert seen == ["image", "image"]
