"""Train the flow-matching transformer that all modalities share, and their conditioners.

python -m recipes.flow [--steps 8000] [--out build/prism] [--compile] [--restart] [--shipped]

Writes OUT/flow.pt and goes on from it when started again.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from omnifex_prism.conditioner import PhraseConditioner
from omnifex_registry.backbones import FlowTransformer
from recipes.latents import vocabulary
from recipes.shipped import run_weights
from recipes.training import asked, train

WIDTH = 256  # of the condition's tokens
CONFIG: dict[str, Any] = {
    "width": 384,
    "depth": 7,
    "heads": 6,
    "waist": 60,
    "condition_width": WIDTH,
    "streams": {
        "image": {"channels": 16, "grid": [8, 8], "patch": [2, 2]},
        "audio": {"channels": 16, "grid": [8, 12], "patch": [2, 2]},
        "mesh": {"channels": 16, "grid": [6, 6, 6], "patch": [2, 2, 2]},
        "video": {"channels": 24, "grid": [6, 6, 6], "patch": [2, 2, 2]},
    },
}
BATCH = {"image": 16, "audio": 12, "mesh": 28, "video": 160}  # rows a step: harder ones have more
TOLD = ("mesh", "video")  # streams whose prompts leave nothing open: a draft can only be mended
LEAST = 0.2  # time below which the velocity's errors, those of x0 over t, grow no more
PURE = 0.15  # share of rows that are nearly noise alone, where the prompt decides all


class Flow(nn.Module):
    """The backbone with a conditioner a modality: what is trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FlowTransformer.from_config(CONFIG)
        self.conditioners = nn.ModuleDict({name: conditioner(name) for name in BATCH})

    def forward(self, x: Tensor, t: Tensor, stream: str, ids: Tensor) -> Tensor:
        tokens, pooled = self.conditioners[stream](ids)
        velocity = self.backbone(x, t, stream=stream, tokens=tokens, pooled=pooled)
        assert isinstance(velocity, Tensor)
        return velocity


def conditioner_config(modality: str) -> dict[str, int]:
    words = vocabulary(modality)
    return {"words": words.size, "phrases": words.phrases, "width": WIDTH}


def conditioner(modality: str) -> PhraseConditioner:
    return PhraseConditioner.from_config(conditioner_config(modality))


def shipped() -> dict[str, Tensor]:
    return run_weights("prism", "transformer", tuple(BATCH))


def times(count: int, size: int) -> Tensor:
    """Times to train at, (count,): logit-normal, shifted to the noisy end (arXiv:2403.03206).

    Latents of many numbers that a few words decide show through most of the noise: only near t = 1
    must the backbone listen to the prompt. So the more numbers, the further the shift.
    """
    shift = math.sqrt(size / 64)
    t = torch.sigmoid(torch.randn(count))
    t = shift * t / (1 + (shift - 1) * t)
    return torch.where(torch.rand(count) < PURE, 1 - 0.1 * torch.rand(count), t)


def errors_of(model: nn.Module, stream: str, x0: Tensor, ids: Tensor) -> Tensor:
    """Flow matching: x_t = (1 - t)·x0 + t·noise, and the velocity (x_t - x0) / t is noise - x0.

    A sampler's x_t holds the backbone's own draft of x0 instead, with its errors. So some rows are
    given that, as the sampler's first step makes it, and the velocity that leads from there to x0.
    """
    noise = torch.randn_like(x0)
    t = times(len(x0), math.prod(x0.shape[1:])).to(x0.device)
    at = t.view(-1, *(1,) * (x0.ndim - 1))
    drafts = len(x0) // 2 if stream in TOLD else 0
    with torch.autocast(x0.device.type, torch.bfloat16):
        shown = torch.cat([draft(model, stream, noise[:drafts], ids[:drafts]), x0[drafts:]])
        x = (1 - at) * shown + at * noise
        velocity = model(x, t, stream, ids)
    errors = at * velocity.float() - (x - x0)  # of x0
    return torch.cat([errors[:drafts], errors[drafts:] / at[drafts:].clamp_min(LEAST)]).square()


@torch.no_grad()
def draft(model: nn.Module, stream: str, noise: Tensor, ids: Tensor) -> Tensor:
    """What the backbone makes of noise in one step; of no rows, none."""
    if not len(noise):
        return noise
    velocity: Tensor = model(noise, torch.ones(len(noise), device=noise.device), stream, ids)
    return noise - velocity.float()


if __name__ == "__main__":
    torch.manual_seed(0)
    train(Flow(), "flow", BATCH, errors_of, asked(__doc__, steps=8000), shipped)
