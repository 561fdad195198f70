"""Many prompts in one go: the product's own conditioner, sampler, guidance and decoder, batched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from omnifex.condition import Condition
from omnifex.engine.context import JobContext
from omnifex.engine.engine import Assignment
from omnifex.engine.model import LoadedModel
from omnifex.generate import sample_latents
from omnifex.workbench import Workbench
from omnifex_mesh.marching import EmptySurface


@dataclass(eq=False)
class BatchJob(JobContext):
    """One job in place of many: each row begins with the noise that its own seed gives."""

    seeds: Sequence[int] = ()

    def randn(self, shape: Sequence[int]) -> Tensor:
        draws = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        rows = [torch.randn((1, *shape[1:]), generator=draw) for draw in draws]
        return torch.cat(rows).to(self.device)


def generate(
    bench: Workbench,
    modality: str,
    model: str,
    prompts: Sequence[str],
    seeds: Sequence[int],
    steps: int,
    sampler: str | None,
) -> list[Any]:
    """The media of each prompt; None where there is nothing to see."""
    fields: dict[str, Any] = {"steps": steps, "sampler": sampler}
    asked = [
        bench.assignment(modality, model, prompt=prompt, seed=seed, **fields)
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    with running(bench, asked) as (job, loaded):
        latents = sampled(job, loaded, asked)
        return [decoded(job, loaded, one, latents[i : i + 1]) for i, one in enumerate(asked)]


@contextmanager
def running(
    bench: Workbench, asked: Sequence[Assignment]
) -> Iterator[tuple[BatchJob, LoadedModel]]:
    """The engine in the hands of one job that stands for all."""
    seeds = [one.seed for one in asked]
    job = BatchJob("benchmark", seeds[0], bench.engine.device, seeds=seeds)
    loaded = LoadedModel(asked[0].model, job, bench.engine.dispatcher, bench.engine.stand_ins)
    with torch.inference_mode(), bench.engine.baton.held(), job.entered():
        yield job, loaded


def sampled(job: JobContext, loaded: LoadedModel, asked: Sequence[Assignment]) -> Tensor:
    """Latents (N, C, …): what `LatentFamily.generate` does, for several rows."""
    family: Any = asked[0].family
    request = asked[0].request
    return sample_latents(
        job,
        loaded["backbone"],
        family.shape(request, loaded),
        joined([family.condition(job, one.request, loaded) for one in asked]),
        sampler=request.sampler,
        steps=request.steps,
        guidance=request.guidance,
        prediction=family.prediction,
        shift=family.shift,
        scheduler_config=loaded.scheduler_config,
    )


def joined(conditions: Sequence[Condition]) -> Condition:
    """One condition with the rows of all."""

    def rows(side: str) -> dict[str, Tensor]:
        parts = [getattr(condition, side) for condition in conditions]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    return Condition(rows("positive"), rows("negative"), conditions[0].shared)


def decoded(job: JobContext, loaded: LoadedModel, asked: Assignment, latents: Tensor) -> Any:
    family: Any = asked.family
    try:
        return family.decode(job, latents, asked.request, loaded)
    except EmptySurface:
        return None


def rendered(
    bench: Workbench, modality: str, model: str, prompt: str, samples: Sequence[Tensor]
) -> list[Any]:
    """The media of true samples (1, C, …) in [-1, 1], made as the model's family makes them."""
    asked = bench.assignment(modality, model, prompt=prompt)
    family: Any = asked.family
    return [family.media(one, asked.request) for one in samples]


def repeated(
    bench: Workbench, modality: str, model: str, prompt: str, samples: Sequence[Tensor]
) -> list[Any]:
    """The same through the model's autoencoder and back: the best that its backbone can reach."""
    asked = bench.assignment(modality, model, prompt=prompt)
    family: Any = asked.family
    with running(bench, [asked]) as (job, loaded):
        encoded = (loaded[family.autoencoder].encode(one) for one in samples)
        return [decoded(job, loaded, asked, latents) for latents in encoded]
