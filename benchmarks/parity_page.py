"""docs/systems.md: which system of the field runs as what, and what its parity showed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parity_trials import CASES, TOLERANCE, Case, Row
from omnifex import PipelineFamily

PAGE = Path(__file__).parents[1] / "docs" / "systems.md"
MARK = "<!-- {} -->"
NAMED = ("control", "lora", "embedding", "image_prompt")  # what a request names other models by

# The systems of the field's survey, by the families that run them here.
SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "Latent diffusion, Stable Diffusion 1.x and 2.x, its LCM-LoRA": ("sd",),
    "SDXL, SDXL Turbo": ("sdxl",),
    "LCM": ("lcm",),
    "Consistency models": ("consistency",),
    "Progressive distillation, DDPM and DDIM on pixels": ("pixels",),
    "DiT-XL/2": ("dit",),
    "U-ViT": ("unidiffuser",),
    "Stable Diffusion 3": ("sd3",),
    "Flux.1": ("flux",),
    "Qwen-Image": ("qwen-image",),
    "Z-Image": ("z-image",),
    "Flux.2": ("flux2",),
    "DALL-E 2": ("unclip", "kandinsky22"),
    "Imagen": ("deepfloyd-if",),
    "Marigold": ("marigold",),
    "Wan 2.1 and 2.2 (for Sora)": ("wan",),
    "CogVideoX": ("cogvideox",),
    "LTX-Video": ("ltx",),
    "LTX-2: a clip and its sound": ("ltx2",),
    "Latte": ("latte",),
    "HunyuanVideo, SkyReels": ("hunyuan-video",),
    "Stable Video Diffusion": ("svd",),
    "AnimateDiff": ("animatediff",),
    "Cosmos 3: words, frames and sound in one sequence": ("cosmos3",),
    "Stable Audio": ("stable-audio",),
    "AudioLDM 2": ("audioldm2",),
    "ACE-Step": ("ace-step",),
    "MusicLDM": ("musicldm",),
    "Shap-E": ("shap-e",),
    "A picture's relief, by Marigold": ("relief",),
    "Any other pipeline of diffusers that makes pictures": ("image diffusers",),
    "Any other pipeline of diffusers that makes clips": ("video diffusers",),
    "Any other pipeline of diffusers that makes sounds": ("audio diffusers",),
}


def fill(models: Any, rows: Sequence[Row]) -> None:
    """Write the first table anew, and those rows of the second that there are figures for."""
    text = PAGE.read_text()
    kept = {cells[0]: cells for cells in cells_of(text, "parity")}
    new = {row.name: figures(row) for row in rows}
    shown = [found for name in CASES if (found := new.get(name) or kept.get(name))]
    text = between(text, "systems", table(SYSTEM_HEAD, systems(models)))
    PAGE.write_text(between(text, "parity", table(CASE_HEAD, shown)))


def cells_of(text: str, name: str) -> list[list[str]]:
    """The rows of a table on the page, without its head."""
    _, _, rest = text.partition(MARK.format(name))
    body, _, _ = rest.partition(MARK.format(f"/{name}"))
    lines = [line.strip() for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def between(text: str, name: str, lines: Iterable[str]) -> str:
    begin, end = MARK.format(name), MARK.format(f"/{name}")
    body = "\n".join(lines)
    return re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{body}\n{end}", text, flags=re.S)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"


# The first table: what the code says


SYSTEM_HEAD = ("system", "family", "makes", "from", "components", "samplers", "then")
CASE_HEAD = ("case", "alone", "four at once", "jobs in a backbone's run", "resumed", "")


def systems(models: Any) -> Iterator[list[str]]:
    known = [f for f in models.bench.host.families if isinstance(f, PipelineFamily)]
    families = {f.name: f for f in known} | {f"{f.modality} {f.name}": f for f in known}
    for system, names in SYSTEMS.items():
        for name in names:
            yield [system, *described(families[name], models)]


def described(family: Any, models: Any) -> list[str]:
    """A family as its tiny models and its cases show it."""
    names = models_of(family, models)
    parts = [part for name in names for part in models[name].components.values() if part.bytes]
    samplers = [sampler for name in names for sampler in family.schedulers(models[name])]
    asked = [given(case) for case in CASES.values() if case.model in names]
    return [
        f"`{family.name}`",
        family.modality,
        "; ".join(dict.fromkeys(asked)),
        ", ".join(dict.fromkeys(part.class_name for part in parts)),
        ", ".join(dict.fromkeys(samplers)) or "its own",
        ", ".join(family.stages).replace("_", "-") or "–",
    ]


def given(case: Case) -> str:
    """What a case hands in, in words."""
    words = ["prompt"] if "prompt" in case.request else []
    return " + ".join([*words, *case.files, *(n for n in NAMED if n in case.request)]) or "nothing"


def models_of(family: Any, models: Any) -> list[str]:
    """The tiny models that are this family's."""
    names = {case.model: case.modality for case in CASES.values()}
    return [
        name
        for name, modality in names.items()
        if modality == family.modality
        and models.bench.host.family(modality, models[name]).name == family.name
    ]


# The second table: what the cases showed


def figures(row: Row) -> list[str]:
    return [
        row.name,
        "equal bits" if row.alone == 0 else f"{row.alone:.0e}",
        f"{row.together:.0e}" if row.together else "equal bits",
        f"{row.jobs_a_call:.1f}",
        "equal bits" if row.resumed else "DIFFERS",
        reason(row),
    ]


def line(row: Row) -> str:
    alone = "equal bits" if row.alone == 0 else f"{row.alone:10.1e}"
    resumed = "equal bits" if row.resumed else "DIFFERS"
    return f"{row.name:22s} {alone} {row.together:13.1e} {row.jobs_a_call:12.1f}  {resumed}"


def reason(row: Row) -> str:
    """Why a row is not within 1e-5, or is not green."""
    if not row.green:
        return "NOT GREEN"
    if row.together > TOLERANCE:
        return f"amplifies rounding: a millionth in its backbone becomes {row.perturbed:.0e}"
    return "calls are not joined" if row.jobs_a_call == 1 else ""
