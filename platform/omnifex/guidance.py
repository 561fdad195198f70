"""Guidance as a wrapper of the model: the sampler never knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from omnifex.condition import Condition
from omnifex.prediction import Predict


def classifier_free(
    predict: Predict, condition: Condition, scale: float
) -> Callable[[Tensor, float | Tensor], Tensor]:
    """Classifier-free guidance (Ho & Salimans 2022): negative + scale · (positive - negative).

    Both rows go through the backbone in one call; at scale 1, or without a negative, only the
    positive does.
    """
    negative = condition.negative
    if scale == 1 or negative is None:
        alone = {**condition.positive, **condition.shared}
        return lambda x, t: predict(x, t, alone)
    rows: dict[str, Any] = {**together(condition.positive, negative), **condition.shared}

    def guided(x: Tensor, t: float | Tensor) -> Tensor:
        with_prompt, without = predict(torch.cat([x, x]), t, rows).chunk(2)
        return without + scale * (with_prompt - without)

    return guided


def together(positive: Mapping[str, Tensor], negative: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Positive rows first, then negative ones; both sides must name the same tensors."""
    if positive.keys() != negative.keys():
        raise ValueError(
            f"positive and negative conditions differ: {sorted(positive)} and {sorted(negative)}"
        )
    return {name: torch.cat([rows, negative[name]]) for name, rows in positive.items()}
