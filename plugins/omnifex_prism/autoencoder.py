"""One convolutional autoencoder for pictures (2-D) and for clips and fields (3-D)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}


def fold(x: Tensor, patch: Sequence[int]) -> Tensor:
    """Move patches of space into channels: (B, C, *S) → (B, C·prod(patch), *S/patch)."""
    batch, channels, *space = x.shape
    split = [n for size, p in zip(space, patch, strict=True) for n in (size // p, p)]
    axes = range(2, 2 + len(split))
    x = x.reshape(batch, channels, *split).permute(0, 1, *axes[1::2], *axes[0::2])
    return x.flatten(1, 1 + len(patch))


def unfold(x: Tensor, patch: Sequence[int]) -> Tensor:
    """Undo fold: (B, C·prod(patch), *S) → (B, C, *S·patch)."""
    batch, _, *space = x.shape
    n = len(patch)
    x = x.reshape(batch, -1, *patch, *space)
    order = [axis for i in range(n) for axis in (2 + n + i, 2 + i)]
    return x.permute(0, 1, *order).reshape(
        batch, -1, *(s * p for s, p in zip(space, patch, strict=True))
    )


class Residual(nn.Module):
    def __init__(self, width: int, dims: int) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[dims]
        self.norm = nn.GroupNorm(8, width)
        self.first = convolution(width, width, 3, padding=1)
        self.second = convolution(width, width, 3, padding=1)
        nn.init.zeros_(self.second.get_parameter("weight"))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(F.silu(self.first(F.silu(self.norm(x)))))
        return x + changed


class LatentModule(nn.Module):
    """Standardises its latents per channel, by statistics that ship with its weights."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_channels))
        self.register_buffer("deviation", torch.ones(latent_channels))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**{name: value for name, value in config.items() if name[0] != "_"})

    def standardised(self, latents: Tensor) -> Tensor:
        return (latents - per_channel(self.mean, latents)) / per_channel(self.deviation, latents)

    def restored(self, latents: Tensor) -> Tensor:
        return latents * per_channel(self.deviation, latents) + per_channel(self.mean, latents)


def per_channel(statistic: Tensor, latents: Tensor) -> Tensor:
    """A statistic (C,), to broadcast over latents (B, C, …)."""
    return statistic.view(1, -1, *(1,) * (latents.ndim - 2))


class ConvAutoencoder(LatentModule):
    """Patches are folded into channels, then each level halves every axis of the grid.

    encode: samples (B, channels, *space) in [-1, 1] → standardised latents
    (B, latent_channels, *space / patch / 2^(levels-1)). decode is its inverse.
    """

    def __init__(
        self,
        *,
        channels: int,
        latent_channels: int,
        patch: Sequence[int],
        widths: Sequence[int],
        depth: int = 2,
    ) -> None:
        super().__init__(latent_channels)
        self.patch, dims = tuple(patch), len(patch)
        convolution = CONVOLUTIONS[dims]
        folded = channels * math.prod(patch)
        halve, edge = (2,) * dims, 3 if dims == 2 else 1  # a 3-D patch is wide as it is
        down: list[nn.Module] = [convolution(folded, widths[0], edge, padding=edge // 2)]
        up: list[nn.Module] = [convolution(latent_channels, widths[-1], 3, padding=1)]
        for i, width in enumerate(widths):
            down += [Residual(width, dims) for _ in range(depth)]
            if i + 1 < len(widths):
                down += [convolution(width, widths[i + 1], 2, stride=2)]
        for i, width in reversed(list(enumerate(widths))):
            up += [Residual(width, dims) for _ in range(depth)]
            if i:
                up += [convolution(width, widths[i - 1] * 2**dims, 1), Unfold(halve)]
        self.down = nn.Sequential(*down, nn.SiLU(), convolution(widths[-1], latent_channels, 1))
        self.up = nn.Sequential(
            *up, nn.SiLU(), convolution(widths[0], folded, edge, padding=edge // 2)
        )

    def encode(self, samples: Tensor) -> Tensor:
        return self.standardised(self.down(fold(samples, self.patch)))

    def decode(self, latents: Tensor) -> Tensor:
        return unfold(self.up(self.restored(latents)), self.patch)


class Unfold(nn.Module):
    """`unfold` as a layer."""

    def __init__(self, patch: Sequence[int]) -> None:
        super().__init__()
        self.patch = tuple(patch)

    def forward(self, x: Tensor) -> Tensor:
        return unfold(x, self.patch)
