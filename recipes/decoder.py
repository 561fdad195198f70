"""Train the decoder of clips further. The encoder, and so what it encoded, stays as it is.

python -m recipes.decoder [--steps 4000] [--out build/prism] [--restart] [--shipped]

Goes on with OUT/video_autoencoder.pt, else with what ships, on the latents in OUT. Writes
OUT/video_decoder.pt, which holds the whole autoencoder.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from omnifex_video.autoencoder import ClipAutoencoder
from recipes import shipped
from recipes.latents import autoencoder
from recipes.training import Asked, Run, options_of, rate_at
from recipes.world.video import FRAMES, Scene, composed, ground, layers, sample

PEAK = 1e-3  # of the learning rate
CLIPS, DRAWN = 16, 6  # clips a step, and frames that are decoded of each
NOISE = 0.15  # at most; added to latents, so that the decoder forgives the backbone's small errors
THINGS = 0.03  # how much the things' own errors count
FAINTEST = 0.03  # squared contrast below which a thing counts no more
MARGIN = 7  # px of the window that widens a thing


@dataclass
class Clips:
    """Scenes, and the latents that were encoded of them."""

    scenes: list[Scene]
    latents: Tensor  # (N, C, *grid), half precision
    generator: torch.Generator

    @classmethod
    def load(cls, out: Path, seed: int) -> "Clips":
        scenes, latents = [], []
        for path in sorted(out.glob("video_latents_*.pt")):
            latents.append(torch.load(path, weights_only=True)["latents"])
            rng = random.Random(int(path.stem.split("_")[-1]))  # as `recipes.latents` drew them
            scenes += [sample(rng) for _ in latents[-1]]
        return cls(scenes, torch.cat(latents), torch.Generator().manual_seed(seed))

    def batch(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents (CLIPS, C, *grid), which frames of them (CLIPS, DRAWN), these and weights."""
        rows = torch.randint(len(self.scenes), (CLIPS,), generator=self.generator)
        which = torch.rand(CLIPS, FRAMES, generator=self.generator).argsort(1)[:, :DRAWN]
        drawn = [draw(self.scenes[i], at) for i, at in zip(rows.tolist(), which, strict=True)]
        frames, weights = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        latents = self.latents[rows].float()
        noise = torch.randn(latents.shape, generator=self.generator)
        much = NOISE * torch.rand(CLIPS, 1, 1, 1, 1, generator=self.generator)
        return latents + much * noise, which, frames, weights


def draw(scene: Scene, which: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (3, K, H, W) in [-1, 1], and how much their pixels count (1, K, H, W).

    What is small or faint adds little to a mean over pixels. So around each thing the weights are
    one over its area and its squared contrast: there the errors of all things count alike.
    """
    t, behind = which / FRAMES, ground(scene)
    things = layers(scene, t)
    weights = torch.zeros(len(t), 1, *behind.shape[1:])
    for mask, colour in things:
        near = F.max_pool2d(mask, MARGIN, 1, MARGIN // 2)
        area = near.sum((2, 3), keepdim=True) + 1
        differing = 4 * (colour - behind).square().mean(0)  # as of pixels in [-1, 1]
        contrast = (differing * near).sum((2, 3), keepdim=True) / area
        weights = weights + near / area / (contrast + FAINTEST)
    return composed(behind, things).transpose(0, 1) * 2 - 1, weights.transpose(0, 1)


def decoded(model: ClipAutoencoder, latents: Tensor, which: Tensor) -> Tensor:
    """These frames (B, K) of clips, (B, 3, K, H, W)."""
    frames = model.split_frames(model.restored(latents))  # (B, C, T, h, w)
    rows = which[:, None, :, None, None].expand(-1, frames.shape[1], -1, *frames.shape[3:])
    return model.decode_frames(frames.gather(2, rows))


def learn(model: ClipAutoencoder, clips: Clips, device: str) -> Tensor:
    """One batch forward and backward; returns the squared error of a pixel."""
    latents, which, frames, weights = (part.to(device) for part in clips.batch())
    with torch.autocast(latents.device.type, torch.bfloat16):
        made = decoded(model, latents, which)
    errors = made.float() - frames
    squares = errors.square()
    things = (squares.mean(1, keepdim=True) * weights).sum() / which.numel()
    (squares.mean() + 0.1 * errors.abs().mean() + THINGS * things).backward()
    return squares.mean().detach()


def train(options: Asked) -> None:
    model = shipped.autoencoder("video") if options.shipped else autoencoder("video", options.out)
    assert isinstance(model, ClipAutoencoder)
    for encoding in (model.frame.down, model.down):
        encoding.requires_grad_(False)
    run = Run(model.train().to(options.device), options.out / "video_decoder.pt", ("video",))
    if run.path.exists():
        run.load(options.restart, options.device)
    clips = Clips.load(options.out, seed=len(run.losses["video"]))
    for _ in run.left(options.steps, every=50):
        run.losses["video"].append(learn(model, clips, options.device).item())
        run.update(rate_at(run.step, options.steps, PEAK))


if __name__ == "__main__":
    train(Asked(**vars(options_of(__doc__, steps=4000).parse_args())))
