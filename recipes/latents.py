"""Encode scenes once: the latents and the words that the backbones are trained on.

python -m recipes.latents image [--count 16384] [--seed 1] [--out build/prism]

Writes OUT/image_latents_SEED.pt: latents (N, C, *grid) as halves, ids (N, phrases, roles), and the
deviation (C,) that each channel had before it was standardised.
"""

import argparse
import importlib
import random
from pathlib import Path

import torch
from torch import Tensor

from omnifex_prism.autoencoder import ConvAutoencoder
from omnifex_prism.vocabulary import Vocabulary
from omnifex_video.autoencoder import ClipAutoencoder
from recipes import shipped
from recipes.world.modalities import WORLDS

COUNT = {"image": 24576, "audio": 16384, "mesh": 10240, "video": 8192}


def vocabulary(modality: str) -> Vocabulary:
    found = importlib.import_module(f"omnifex_{modality}.words").VOCABULARY
    assert isinstance(found, Vocabulary)
    return found


def trained(modality: str, out: Path) -> dict[str, Tensor] | None:
    """The weights of an autoencoder just trained, its decoder as trained further."""
    for what in ("decoder", "autoencoder"):
        if (path := out / f"{modality}_{what}.pt").exists():
            weights: dict[str, Tensor] = torch.load(path, weights_only=True)["model"]
            return weights
    return None


def autoencoder(modality: str, out: Path) -> ConvAutoencoder | ClipAutoencoder:
    """The one just trained, else the one that ships."""
    if (weights := trained(modality, out)) is None:
        return shipped.autoencoder(modality)
    model = WORLDS[modality].new_autoencoder()
    model.load_state_dict(weights)
    return model.eval()


@torch.inference_mode()
def encode(modality: str, count: int, seed: int, out: Path) -> dict[str, Tensor]:
    rng, world, words = random.Random(seed), WORLDS[modality], vocabulary(modality)
    model, latents, ids = autoencoder(modality, out), [], []
    for _ in range(count // 64):
        scenes = [world.sample(rng) for _ in range(64)]
        with torch.autocast("cpu", torch.bfloat16):
            latents.append(model.encode(world.render(scenes)).half())
        ids.append(torch.tensor([words.encode(scene.phrases()) for scene in scenes]).short())
    return {"latents": torch.cat(latents), "ids": torch.cat(ids), "deviation": model.deviation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modality", choices=WORLDS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    asked = parser.parse_args()
    torch.set_num_threads(1)  # it runs beside the training of the next autoencoder
    count = asked.count or COUNT[asked.modality]
    encoded = encode(asked.modality, count, asked.seed, asked.out)
    path = asked.out / f"{asked.modality}_latents_{asked.seed}.pt"
    torch.save(encoded, path)
    latents = encoded["latents"]
    print(path, tuple(latents.shape), latents.float().mean().item(), latents.float().std().item())


if __name__ == "__main__":
    main()
