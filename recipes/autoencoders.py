"""Train the autoencoder of one modality on the procedural world.

python -m recipes.autoencoders image [--steps 2000] [--out build/prism] [--restart] [--shipped]

Writes OUT/image_autoencoder.pt every three minutes, and goes on from it when started again;
--restart keeps the weights and begins a new schedule, --shipped begins with those that ship.
"""

import json
import random
from pathlib import Path

import torch
from torch import Tensor, nn

from omnifex_prism.autoencoder import ConvAutoencoder
from omnifex_video.autoencoder import ClipAutoencoder
from recipes import shipped
from recipes.training import Asked, Run, options_of, rate_at
from recipes.world.modalities import WORLDS

JOINING = 1200  # steps in which clips first learn how the latents of frames join
PEAK = {"image": 2e-3, "audio": 2e-3, "mesh": 2e-3, "video": 8e-4}  # of the learning rate
NOISE = 0.1  # added to latents, so that the decoder forgives the backbone's small errors
PENALTY = 1e-3  # on the square of latents, so that they do not grow away from the noise
STEPS = {"image": 2600, "audio": 1200, "mesh": 1500, "video": 1500}
BATCH = {"image": 32, "audio": 32, "mesh": 16, "video": 6}
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
def standardise(model: ConvAutoencoder | ClipAutoencoder, samples: Tensor) -> None:
    """Set the latents' mean and deviation per channel, from a thousand samples."""
    model.mean.zero_()
    model.deviation.fill_(1)
    device = model.mean.device
    parts = samples[:1024].split(32)
    latents = torch.cat([model.encode(part.to(device).float() / 127) for part in parts])
    flat = latents.transpose(0, 1).flatten(1)
    model.mean.copy_(flat.mean(1))
    model.deviation.copy_(flat.std(1))


def begin_with_pictures(model: ClipAutoencoder, samples: Tensor, out: Path) -> None:
    """A clip's frames are pictures: take their autoencoder, then learn how its latents join."""
    saved = torch.load(out / "image_autoencoder.pt", weights_only=True, map_location="cpu")
    model.frame.load_state_dict(saved["model"])
    frames = latents_of_frames(model, samples)
    learning = [*model.down.parameters(), *model.up.parameters()]
    optimizer = torch.optim.AdamW(learning, betas=(0.9, 0.98), weight_decay=0)
    for step in range(JOINING):
        optimizer.param_groups[0]["lr"] = rate_at(step, JOINING)
        x = frames[torch.randint(len(frames), (16,))].to(model.mean.device).float()
        with torch.autocast(x.device.type, torch.bfloat16):
            latents = model.join_frames(x)
            made = model.split_frames(latents + NOISE * torch.randn_like(latents))
        loss = (made.float() - x).square().mean()
        (loss + PENALTY * latents.float().square().mean()).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 100 == 0:
            print(json.dumps({"joining": step, "loss": loss.item()}), flush=True)


@torch.no_grad()
def latents_of_frames(model: ClipAutoencoder, samples: Tensor) -> Tensor:
    """What the frames of all clips become, (N, C, T, h, w), in half precision."""
    parts = []
    for part in samples.split(8):
        x = part.to(model.mean.device).float() / 127
        with torch.autocast(x.device.type, torch.bfloat16):
            parts.append(model.encode_frames(x).half().cpu())
    return torch.cat(parts)


def learn(model: nn.Module, modality: str, x: Tensor) -> Tensor:
    """One batch forward and backward; returns the loss."""
    with torch.autocast(x.device.type, torch.bfloat16):
        latents = model.encode(x)
        made = model.decode(latents + NOISE * torch.randn_like(latents))
    loss = loss_of(modality, made.float(), x)
    (loss + PENALTY * latents.float().square().mean()).backward()
    return loss.detach()


def train(modality: str, options: Asked) -> None:
    torch.manual_seed(0)
    fresh = WORLDS[modality].new_autoencoder
    model = shipped.autoencoder(modality).train() if options.shipped else fresh()
    run = Run(model.to(options.device), options.out / f"{modality}_autoencoder.pt", (modality,))
    if run.path.exists():
        run.load(options.restart, options.device)
    samples = pool(modality, seed=1000 + run.step)
    if (
        isinstance(model, ClipAutoencoder)
        and run.step == 0
        and not (options.restart or options.shipped)
    ):
        begin_with_pictures(model, samples, options.out)
    generator = torch.Generator().manual_seed(run.step)
    if run.step < options.steps:
        # It was trained for the encoder that now changes.
        (options.out / f"{modality}_decoder.pt").unlink(missing_ok=True)
    for _ in run.left(options.steps, every=50):
        x = draw(samples, modality, generator).to(options.device)
        loss = learn(run.model, modality, x)
        run.losses[modality].append(loss.item())
        run.update(rate_at(run.step, options.steps, PEAK[modality]))
    standardise(model, samples)
    run.save()


def main() -> None:
    parser = options_of(__doc__, steps=0)
    parser.add_argument("modality", choices=WORLDS)
    given = vars(parser.parse_args())
    modality = given.pop("modality")
    given["steps"] = given["steps"] or STEPS[modality]
    given["out"].mkdir(parents=True, exist_ok=True)
    train(modality, Asked(**given))


if __name__ == "__main__":
    main()
