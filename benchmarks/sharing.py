"""One home with six models that share parts: bytes on disk and in memory, beside what is distinct.

    python -m benchmarks.sharing [--json]

Stable Diffusion 1.5, SDXL, Stable Diffusion 3, Flux, LTX-Video and Stable Audio, of real classes
and with random weights of tiny sizes. Four of them have the same T5, three the same CLIP, two the
same autoencoder. They are saved apart, as anybody would fetch them, and copied into a home; then
every component is brought into memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omnifex.engine.memory.residency import Residency
from omnifex.studio import Studio
from omnifex_registry import Model, read_header

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the pipelines are built
import tiny_images as images
import tiny_parts as parts
import tiny_sounds as sounds
import tiny_videos as videos

BUILDERS = {
    "sd15": images.sd15,
    "sdxl": images.sdxl,
    "sd3": images.sd3,
    "flux": images.flux,
    "ltx": videos.ltx,
    "stable-audio": sounds.stable_audio,
}
T5, CLIP, VAE = "t5", "clip", "vae"
SHARED: Mapping[str, Mapping[str, str]] = {
    "sd15": {"text_encoder": CLIP, "vae": VAE},
    "sdxl": {"text_encoder": CLIP, "vae": VAE},
    "sd3": {"text_encoder_3": T5},
    "flux": {"text_encoder": CLIP, "text_encoder_2": T5},
    "ltx": {"text_encoder": T5},
    "stable-audio": {"text_encoder": T5},
}


@dataclass(frozen=True)
class Sharing:
    """Bytes of tensors; `separate` is what the models take where nothing is shared."""

    models: int
    components: int
    distinct: int
    separate: int
    distinct_bytes: int
    disk_bytes: int
    memory_bytes: int
    computed_bytes: int  # of memory: tables that modules compute, which no file holds

    @property
    def equal(self) -> bool:
        held = self.memory_bytes - self.computed_bytes
        return self.disk_bytes == held == self.distinct_bytes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        models, found = measured(Path(folder))
    print(json.dumps(asdict(found)) if options.json else report(models, found))
    return 0 if found.equal else 1


def measured(folder: Path) -> tuple[list[Model], Sharing]:
    saved = save_all(folder / "fetched")
    with Studio(folder / "home", workers=0, plugins=()) as studio:
        models = [studio.models.add(place, copy=True) for place in saved]
        on_disk = disk_bytes(folder / "home")
    return models, counted(models, on_disk, *memory_bytes(models))


def save_all(folder: Path) -> list[Path]:
    """Each model in a folder of its own, with everything that it needs."""
    torch.manual_seed(0)
    common = {T5: parts.t5_encoder(), CLIP: parts.clip_text(), VAE: parts.autoencoder()}
    for name, build in BUILDERS.items():
        pipeline = build()
        pipeline.register_modules(**{role: common[part] for role, part in SHARED[name].items()})
        for module in pipeline.components.values():
            if isinstance(module, nn.Module):
                module.eval()
        pipeline.save_pretrained(folder / name)
    return [folder / name for name in BUILDERS]


def disk_bytes(folder: Path) -> int:
    """Bytes of all tensors below a folder, each file once, however many names it has."""
    files = {path.stat().st_ino: path for path in folder.rglob("*.safetensors")}
    return sum(info.bytes for path in files.values() for info in read_header(path).values())


def memory_bytes(models: Sequence[Model]) -> tuple[int, int]:
    """What the engine holds once every component of every model has been called for.

    And how much of it are tables, such as position ids, that no file holds.
    """
    residency = Residency(torch.device("cpu"))
    modules = {
        part.id: residency.bring(part)
        for model in models
        for part in model.components.values()
        if not part.weightless
    }
    return residency.taken, sum(computed_bytes(module) for module in modules.values())


def computed_bytes(module: nn.Module) -> int:
    saved = module.state_dict()
    return sum(table.nbytes for name, table in module.named_buffers() if name not in saved)


def counted(models: Sequence[Model], on_disk: int, in_memory: int, computed: int) -> Sharing:
    every = [part for model in models for part in model.components.values() if not part.weightless]
    distinct = {part.id: part.bytes for part in every}
    return Sharing(
        models=len(models),
        components=len(every),
        distinct=len(distinct),
        separate=sum(part.bytes for part in every),
        distinct_bytes=sum(distinct.values()),
        disk_bytes=on_disk,
        memory_bytes=in_memory,
        computed_bytes=computed,
    )


def report(models: Sequence[Model], found: Sharing) -> str:
    users: dict[str, list[Any]] = {}
    for model in models:
        for part in model.components.values():
            if not part.weightless:
                users.setdefault(part.id, []).append((model.name, part))
    lines = [f"{'component':34} {'bytes':>9}  models"]
    for having in sorted(users.values(), key=lambda having: -len(having)):
        part = having[0][1]
        names = ", ".join(name for name, _ in having)
        lines.append(f"{part.class_name:34} {part.bytes:>9,}  {names}")
    lines += [
        "",
        f"{found.models} models, {found.components} components, {found.distinct} distinct",
        f"each model apart    {found.separate:>10,} bytes",
        f"distinct components {found.distinct_bytes:>10,}",
        f"on disk             {found.disk_bytes:>10,}",
        f"in memory           {found.memory_bytes:>10,}, "
        f"{found.computed_bytes:,} of it tables that no file holds",
        "equal" if found.equal else "NOT EQUAL",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
