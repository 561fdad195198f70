"""Train the autoencoder of one modality on the procedural world.

python -m recipes.autoencoders image [--steps 2000] [--out build/prism] [--restart]

Writes OUT/image_autoencoder.pt every two minutes, and goes on from it when started again;
--restart keeps the weights and begins a new schedule.
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
from torch import Tensor

from omnifex_prism.autoencoder import ConvAutoencoder
from recipes.world.modalities import WORLDS

NOISE = 0.1  # added to latents, so that the decoder forgives the backbone's small errors
PENALTY = 1e-3  # on the square of latents, so that they do not grow away from the noise
STEPS = {"image": 2600, "audio": 1200, "mesh": 1500, "video": 900}
BATCH = {"image": 32, "audio": 32, "mesh": 16, "video": 16}
POOL = {"image": 6144, "audio": 6144, "mesh": 1536, "video": 1536}  # rendered samples


def pool(modality: str, seed: int) -> Tensor:
    """Rendered samples as int8, (POOL, C, *space)."""
    rng, world = random.Random(seed), WORLDS[modality]
    parts = []
    for _ in range(POOL[modality] // 64):
        scenes = [world.sample(rng) for _ in range(64)]
        parts.append((world.render(scenes) * 127).round().to(torch.int8))
    return torch.cat(parts)


def draw(samples: Tensor, modality: str, generator: torch.Generator) -> Tensor:
    rows = torch.randint(len(samples), (BATCH[modality],), generator=generator)
    x = samples[rows].float() / 127
    for axis in WORLDS[modality].mirrored:
        if torch.rand((), generator=generator) < 0.5:
            x = x.flip(axis)
    return x


def loss_of(modality: str, made: Tensor, x: Tensor) -> Tensor:
    if modality != "mesh":
        return (made - x).square().mean() + 0.1 * (made - x).abs().mean()
    # A field matters where a surface is, which is in few of its voxels.
    near = (x[:, :1].abs() < 1).float()
    field = ((made[:, :1] - x[:, :1]).abs() * (near + 0.05)).sum() / (near + 0.05).sum()
    colour = ((made[:, 1:] - x[:, 1:]).square() * (near + 1e-3)).sum() / (near + 1e-3).sum()
    return field + colour


@torch.no_grad()
def standardise(model: ConvAutoencoder, samples: Tensor) -> None:
    """Set the latents' mean and deviation per channel, from a thousand samples."""
    model.mean.zero_()
    model.deviation.fill_(1)
    latents = torch.cat([model.encode(part.float() / 127) for part in samples[:1024].split(32)])
    flat = latents.transpose(0, 1).flatten(1)
    model.mean.copy_(flat.mean(1))
    model.deviation.copy_(flat.std(1))


def train(modality: str, steps: int, out: Path, restart: bool) -> None:
    path, config = out / f"{modality}_autoencoder.pt", WORLDS[modality].autoencoder
    torch.manual_seed(0)
    model = ConvAutoencoder.from_config(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps, pct_start=0.08)
    first, losses = 0, []
    if path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        losses = saved["losses"]
        if not restart:
            optimizer.load_state_dict(saved["optimizer"])
            schedule.load_state_dict(saved["schedule"])
            first = saved["step"]
    samples = pool(modality, seed=1000 + first)
    generator = torch.Generator().manual_seed(first)
    print(f"{modality}: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M", flush=True)

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"schedule": schedule.state_dict(), "step": step, "losses": losses}
        torch.save(state | {"config": config}, path)

    saved_at = started = time.monotonic()
    for step in range(first, steps):
        x = draw(samples, modality, generator)
        with torch.autocast("cpu", torch.bfloat16):
            latents = model.encode(x)
            made = model.decode(latents + NOISE * torch.randn_like(latents))
        loss = loss_of(modality, made.float(), x)
        (loss + PENALTY * latents.float().square().mean()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            error = (made.float() - x).square().mean().item()
            minutes = (time.monotonic() - started) / 60
            report = {"step": step, "loss": losses[-1], "mse": error, "minutes": minutes}
            print(json.dumps(report), flush=True)
        if time.monotonic() - saved_at > 120:
            save(step + 1)
            saved_at = time.monotonic()
    standardise(model, samples)
    save(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modality", choices=WORLDS)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    parser.add_argument("--restart", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    train(asked.modality, asked.steps or STEPS[asked.modality], asked.out, asked.restart)


if __name__ == "__main__":
    main()
