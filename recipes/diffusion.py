"""Train the latent-diffusion UNet that pictures and sounds share, and their conditioners.

python -m recipes.diffusion [--steps 6000] [--out build/prism] [--compile] [--restart] [--shipped]

Writes OUT/diffusion.pt and goes on from it when started again.
"""

from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from recipes.flow import WIDTH, conditioner
from recipes.shipped import run_weights
from recipes.training import asked, train

CONFIG: dict[str, Any] = {
    "in_channels": 16,
    "out_channels": 16,
    "block_out_channels": (64, 112),
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 4,  # the number of heads, for historic reasons of this class
    "norm_num_groups": 16,
    "class_embed_type": "projection",
    "projection_class_embeddings_input_dim": WIDTH,
}
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.02,  # steeper than Stable Diffusion's: these latents are nearly all signal
    "clip_sample": False,
    "prediction_type": "epsilon",
}
LEAST_SNR = 0.02  # below this signal-to-noise ratio nothing counts more
BATCH = {"image": 64, "audio": 32}  # rows a step


class Diffusion(nn.Module):
    """The UNet with a conditioner a modality: what is trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = UNet2DConditionModel(**CONFIG)
        self.conditioners = nn.ModuleDict({name: conditioner(name) for name in BATCH})

    def forward(self, x: Tensor, t: Tensor, stream: str, ids: Tensor) -> Tensor:
        tokens, pooled = self.conditioners[stream](ids)
        noise = self.backbone(x, t, tokens, class_labels=pooled).sample
        assert isinstance(noise, Tensor)
        return noise


SCHEDULER = DDPMScheduler(**SCHEDULE)


def shipped() -> dict[str, Tensor]:
    return run_weights("prism-ldm", "unet", tuple(BATCH))


def errors_of(model: nn.Module, stream: str, x0: Tensor, ids: Tensor) -> Tensor:
    """Noise prediction, Ho et al. 2020, arXiv:2006.11239, equation 14, but weighted."""
    noise = torch.randn_like(x0)
    t = torch.randint(1000, (len(x0),), device=x0.device)
    with torch.autocast(x0.device.type, torch.bfloat16):
        predicted = model(SCHEDULER.add_noise(x0, noise, t), t, stream, ids)
    return (predicted.float() - noise).square() * weights(t).view(-1, 1, 1, 1)


def weights(t: Tensor) -> Tensor:
    """How much the noise of timesteps t (B,) counts: the more, the less of the data shows.

    Nearly all of x_t is noise where the prompt decides what it shall become; there a small error
    of the noise is a large one of the data. Elsewhere the weight is 1.
    """
    alpha = SCHEDULER.alphas_cumprod.to(t.device)[t]
    snr = alpha / (1 - alpha)
    return (1 + snr) / (LEAST_SNR + snr)


if __name__ == "__main__":
    torch.manual_seed(0)
    train(Diffusion(), "diffusion", BATCH, errors_of, asked(__doc__, steps=6000), shipped)
