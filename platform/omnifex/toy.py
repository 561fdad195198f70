"""An exact backbone without weights: the oracle of samplers, and of plugins' tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn


class ExactBackbone(nn.Module):
    """The flow of a world that holds one point c: v(x, t) = (x - c)/t.

    Its paths are straight lines, so that Euler and Heun land on c whatever the noise and steps.
    """

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ExactBackbone:
        return cls()

    def forward(self, latents: Tensor, timestep: Tensor, target: Tensor) -> Tensor:
        t = timestep.reshape(-1, *[1] * (latents.ndim - 1))  # (B, 1, …)
        velocity: Tensor = (latents - target) / t
        return velocity


def write_toy_model(folder: Path) -> Path:
    """A model folder whose one component, `backbone`, is the exact one; add it to a registry.

    The plugin that registers it calls `omnifex_registry.allow_library("omnifex.toy")`.
    """
    index = {"_class_name": "ToyPipeline", "backbone": ["omnifex.toy", "ExactBackbone"]}
    (folder / "backbone").mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "backbone" / "config.json").write_text('{"_class_name": "ExactBackbone"}')
    return folder
