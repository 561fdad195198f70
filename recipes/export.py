"""Write the trained weights as model folders that ship in the wheel, in half precision.

python -m recipes.export [--out build/prism] [--to plugins/omnifex_prism/models]
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from recipes import diffusion, flow
from recipes.latents import trained
from recipes.world.modalities import WORLDS

WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def write_component(
    folder: Path, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    write_json(folder / "config.json", {"_class_name": class_name, **config})
    half = {name: tensor.half().contiguous() for name, tensor in weights.items()}
    save_file(half, folder / WEIGHTS, metadata={"format": "pt"})


def averaged(path: Path) -> dict[str, Tensor]:
    """The moving average of a training run's weights."""
    saved: dict[str, Tensor] = torch.load(path, weights_only=True, map_location="cpu")["average"]
    return {name.removeprefix("module."): w for name, w in saved.items() if name != "n_averaged"}


def under(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}


def write_conditioners(folder: Path, weights: Mapping[str, Tensor], names: list[str]) -> None:
    for name in names:
        own = under(weights, f"conditioners.{name}.")
        write_component(
            folder / f"{name}_conditioner", "PhraseConditioner", flow.conditioner_config(name), own
        )


def write_autoencoders(folder: Path, out: Path, names: list[str]) -> None:
    """Those that were trained here; others stay as they ship."""
    for name in names:
        if (weights := trained(name, out)) is None:
            continue
        world = WORLDS[name]
        write_component(
            folder / f"{name}_autoencoder", world.kind.__name__, world.autoencoder, weights
        )


def conditioners(names: list[str]) -> dict[str, list[str]]:
    module = "omnifex_prism.conditioner"
    return {f"{name}_conditioner": [module, "PhraseConditioner"] for name in names}


def autoencoders(names: list[str], where: str = "") -> dict[str, list[str]]:
    found = {}
    for name in names:
        kind = WORLDS[name].kind
        beside = [f"{where}/{name}_autoencoder"] if where else []
        found[f"{name}_autoencoder"] = [kind.__module__, kind.__name__, *beside]
    return found


def export_flow(out: Path, to: Path) -> None:
    weights, names = averaged(out / "flow.pt"), list(flow.BATCH)
    folder = to / "prism"
    index = {"_class_name": "PrismPipeline"}
    index |= {"transformer": ["omnifex_registry.backbones", "FlowTransformer"]}
    write_json(folder / "model_index.json", index | conditioners(names) | autoencoders(names))
    write_component(
        folder / "transformer", "FlowTransformer", flow.CONFIG, under(weights, "backbone.")
    )
    write_conditioners(folder, weights, names)
    write_autoencoders(folder, out, names)


def export_diffusion(out: Path, to: Path) -> None:
    weights, names = averaged(out / "diffusion.pt"), list(diffusion.BATCH)
    folder = to / "prism-ldm"
    index = {"_class_name": "PrismDiffusionPipeline"}
    index |= {"unet": ["diffusers", "UNet2DConditionModel"]}
    index |= {"scheduler": ["diffusers", "DDPMScheduler"]}
    shared = autoencoders(names, where="../prism")  # its files are there once
    write_json(folder / "model_index.json", index | conditioners(names) | shared)
    unet = diffusion.Diffusion().backbone
    unet.load_state_dict(under(weights, "backbone."))
    unet.half().save_pretrained(folder / "unet")
    diffusion.SCHEDULER.save_pretrained(folder / "scheduler")
    write_conditioners(folder, weights, names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    parser.add_argument("--to", type=Path, default=Path("plugins/omnifex_prism/models"))
    asked = parser.parse_args()
    export_flow(asked.out, asked.to)
    if (asked.out / "diffusion.pt").exists():
        export_diffusion(asked.out, asked.to)
    total = sum(file.stat().st_size for file in asked.to.rglob("*") if file.is_file())
    print(f"{asked.to}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
