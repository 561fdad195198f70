"""The autoencoder of clips: each frame as a picture, then the frames over time."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnifex_prism.autoencoder import ConvAutoencoder, Residual, fold, unfold


class ClipAutoencoder(nn.Module):
    """Frames are encoded one by one; then `stride` of them at a time become one.

    encode: clips (B, 3, T, H, W) in [-1, 1] → standardised latents
    (B, latent_channels, T / stride, H / 16, W / 16). decode is its inverse.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, *, frame: Mapping[str, Any], latent_channels: int, stride: int, width: int
    ) -> None:
        super().__init__()
        self.frame = ConvAutoencoder.from_config(frame)
        self.patch = (stride, 1, 1)
        folded = frame["latent_channels"] * stride
        self.down = nn.Sequential(
            nn.Conv3d(folded, width, 1),
            Residual(width, 3),
            Residual(width, 3),
            nn.Conv3d(width, latent_channels, 1),
        )
        self.up = nn.Sequential(
            nn.Conv3d(latent_channels, width, 1),
            Residual(width, 3),
            Residual(width, 3),
            nn.Conv3d(width, folded, 1),
        )
        self.register_buffer("mean", torch.zeros(latent_channels))
        self.register_buffer("deviation", torch.ones(latent_channels))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ClipAutoencoder":
        return cls(**{name: value for name, value in config.items() if name[0] != "_"})

    def encode(self, clips: Tensor) -> Tensor:
        latents = self.join_frames(self.encode_frames(clips))
        return (latents - self.mean.view(1, -1, 1, 1, 1)) / self.deviation.view(1, -1, 1, 1, 1)

    def decode(self, latents: Tensor) -> Tensor:
        latents = latents * self.deviation.view(1, -1, 1, 1, 1) + self.mean.view(1, -1, 1, 1, 1)
        return self.decode_frames(self.split_frames(latents))

    def encode_frames(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) → a picture's latents a frame (B, C, T, h, w)."""
        frames = self.frame.encode(clips.transpose(1, 2).flatten(0, 1))
        return frames.unflatten(0, (len(clips), -1)).transpose(1, 2)

    def decode_frames(self, frames: Tensor) -> Tensor:
        """Undo encode_frames."""
        clips = self.frame.decode(frames.transpose(1, 2).flatten(0, 1))
        return clips.unflatten(0, (len(frames), -1)).transpose(1, 2)

    def join_frames(self, frames: Tensor) -> Tensor:
        return self.down(fold(frames, self.patch))

    def split_frames(self, latents: Tensor) -> Tensor:
        return unfold(self.up(latents), self.patch)
