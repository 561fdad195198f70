"""The autoencoder of clips: each frame as a picture, then the frames over time."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from omnifex_prism.autoencoder import ConvAutoencoder, LatentModule, Residual, fold, unfold


class ClipAutoencoder(LatentModule):
    """Frames are encoded one by one; then `stride` of them at a time become one.

    encode: clips (B, 3, T, H, W) in [-1, 1] → standardised latents
    (B, latent_channels, T / stride, H / 16, W / 16). decode is its inverse.
    """

    def __init__(
        self, *, frame: Mapping[str, Any], latent_channels: int, stride: int, width: int
    ) -> None:
        super().__init__(latent_channels)
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

    def encode(self, clips: Tensor) -> Tensor:
        return self.standardised(self.join_frames(self.encode_frames(clips)))

    def decode(self, latents: Tensor) -> Tensor:
        return self.decode_frames(self.split_frames(self.restored(latents)))

    def encode_frames(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) → a picture's latents a frame (B, C, T, h, w)."""
        frames = self.frame.encode(clips.transpose(1, 2).flatten(0, 1))
        return frames.view(len(clips), -1, *frames.shape[1:]).transpose(1, 2)

    def decode_frames(self, frames: Tensor) -> Tensor:
        """Undo encode_frames."""
        clips = self.frame.decode(frames.transpose(1, 2).flatten(0, 1))
        return clips.view(len(frames), -1, *clips.shape[1:]).transpose(1, 2)

    def join_frames(self, frames: Tensor) -> Tensor:
        joined: Tensor = self.down(fold(frames, self.patch))
        return joined

    def split_frames(self, latents: Tensor) -> Tensor:
        return unfold(self.up(latents), self.patch)
