"""The flow-matching transformer: one stack of blocks for latents of any shape.

A diffusion transformer (Peebles and Xie 2023, arXiv:2212.09748) for the velocity of a straight path
(Lipman et al. 2023, arXiv:2210.02747). Patches of the latents and the condition's tokens attend to
each other in one sequence, over space and time alike. What the blocks guess is the data, from
which the velocity follows: data is a few words' worth, but noise would have to pass through them
whole (Li and He 2025, arXiv:2511.13720).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OPEN = 0.2  # how far data deviates, roughly, from what a prompt tells of it


@dataclass(frozen=True)
class Stream:
    """One kind of latents: its channels, its grid and how the grid is cut into tokens."""

    channels: int
    grid: tuple[int, ...]
    patch: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return math.prod(self.cells)

    @property
    def cells(self) -> tuple[int, ...]:
        return tuple(g // p for g, p in zip(self.grid, self.patch, strict=True))

    @property
    def token_width(self) -> int:
        return self.channels * math.prod(self.patch)

    def cut(self, latents: Tensor) -> Tensor:
        """Cut latents (B, C, *grid) into tokens (B, N, C·prod(patch))."""
        n = len(self.grid)
        split = [size for pair in zip(self.cells, self.patch, strict=True) for size in pair]
        x = latents.reshape(len(latents), self.channels, *split)
        cells, inner = range(2, 2 + 2 * n, 2), range(3, 3 + 2 * n, 2)
        return x.permute(0, *cells, 1, *inner).reshape(len(latents), self.tokens, self.token_width)

    def join(self, tokens: Tensor) -> Tensor:
        """Undo cut."""
        n = len(self.grid)
        x = tokens.reshape(len(tokens), *self.cells, self.channels, *self.patch)
        order = [axis for i in range(n) for axis in (1 + i, 2 + n + i)]
        return x.permute(0, 1 + n, *order).reshape(len(tokens), self.channels, *self.grid)


def wave_embedding(t: Tensor, width: int) -> Tensor:
    """Sines and cosines of times t (B,) in [0, 1], (B, width)."""
    rates = torch.exp(-math.log(10_000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = 1000 * t.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], 1)


def velocity_of(guess: Tensor, latents: Tensor, timestep: Tensor) -> Tensor:
    """The velocity, noise - x0, at latents x = (1 - t)·x0 + t·noise, given a guess of x0.

    Where there is little noise, the latents themselves tell more of x0: as much as they would of
    data that deviates by OPEN from the guess, c·x + (1 - (1 - t)·c)·guess estimates it.
    (Karras et al. 2022, arXiv:2206.00364, section 5, for a straight path.)
    """
    t = timestep.float().view(-1, *(1,) * (latents.ndim - 1))
    c = (1 - t) * OPEN**2 / (t.square() + ((1 - t) * OPEN).square())
    data = c * latents + (1 - (1 - t) * c) * guess
    return ((latents - data) / t).to(latents.dtype)


class Modulation(nn.Module):
    """Shifts, scales and gates from the condition, through a narrow waist (adaLN)."""

    def __init__(self, width: int, waist: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.narrow = nn.Linear(width, waist)
        self.widen = nn.Linear(waist, parts * width)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        found: Tensor = self.widen(F.silu(self.narrow(condition)))
        return tuple(found[:, None].chunk(self.parts, dim=-1))  # each (B, 1, W)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, waist: int) -> None:
        super().__init__()
        self.heads = heads
        self.modulation = Modulation(width, waist, 6)
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.k_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.out = nn.Linear(width, width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        parts: tuple[Tensor, ...] = self.modulation(condition)
        shift, scale, gate, shift2, scale2, gate2 = parts
        x = x + gate * self.attend(F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift)  # (B, N, W)
        h = F.layer_norm(x, x.shape[-1:]) * (1 + scale2) + shift2
        x = x + gate2 * self.down(F.gelu(self.up(h), approximate="tanh"))
        return x

    def attend(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        qkv = self.qkv(x).view(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, N, D)
        q, k = self.q_norm(q).to(v.dtype), self.k_norm(k).to(v.dtype)
        mixed = F.scaled_dot_product_attention(q, k, v)
        attended: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return attended


class FlowTransformer(nn.Module):
    """Predicts velocities of latents in any of its streams; all streams share the blocks."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        waist: int,
        condition_width: int,
        streams: Mapping[str, Stream],
    ) -> None:
        super().__init__()
        self.width, self.streams = width, dict(streams)
        self.enter = nn.ModuleDict({n: nn.Linear(s.token_width, width) for n, s in streams.items()})
        self.leave = nn.ModuleDict({n: nn.Linear(width, s.token_width) for n, s in streams.items()})
        self.place = nn.ParameterDict(
            {n: nn.Parameter(torch.randn(s.tokens, width) * 0.1) for n, s in streams.items()}
        )
        self.read = nn.Linear(condition_width, width)
        self.pooled = nn.Linear(condition_width, width)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(Block(width, heads, waist) for _ in range(depth))
        self.last = Modulation(width, waist, 2)
        for leave in self.leave.values():
            nn.init.zeros_(leave.get_parameter("weight"))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "FlowTransformer":
        streams = {
            name: Stream(s["channels"], tuple(s["grid"]), tuple(s["patch"]))
            for name, s in config["streams"].items()
        }
        numbers = ("width", "depth", "heads", "waist", "condition_width")
        return cls(**{name: config[name] for name in numbers}, streams=streams)

    def forward(
        self, latents: Tensor, timestep: Tensor, *, stream: str, tokens: Tensor, pooled: Tensor
    ) -> Tensor:
        """Return dx/dt, shaped as latents (B, C, *grid), at times (B,) above 0 (data) to 1 (noise).

        tokens (B, L, condition_width) and pooled (B, condition_width) come from a conditioner.
        """
        kind = self.streams[stream]
        condition = self.time(wave_embedding(timestep, self.width).to(latents.dtype))
        condition = condition + self.pooled(pooled)
        x = self.enter[stream](kind.cut(latents)) + self.place[stream]
        x = torch.cat([self.read(tokens), x], 1)  # (B, L + N, W)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.last(condition)
        x = F.layer_norm(x[:, -kind.tokens :], x.shape[-1:]) * (1 + scale) + shift
        return velocity_of(kind.join(self.leave[stream](x)), latents, timestep)
