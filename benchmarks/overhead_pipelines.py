"""Unmodified diffusers pipelines: called as their documentation says, and by the engine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch

from benchmarks.overhead_cases import SEED, Case, Raw, as_bytes, calls_of, inferring, made, module
from omnifex.engine.engine import Assignment
from omnifex.workbench import Workbench

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where the pipelines are built
from tiny_pipelines import TINY, TinyFamily, TinyPlugin

NAMES = ("sd15", "flux")


def plugin(folder: Path) -> TinyPlugin:
    return TinyPlugin(folder, NAMES)


def sd15(bench: Workbench, steps: int) -> Case:
    return case("sd15", bench, steps)


def flux(bench: Workbench, steps: int) -> Case:
    return case("flux", bench, steps)


def case(name: str, bench: Workbench, steps: int) -> Case:
    """The pipeline is put together once by hand, and for each job by the engine."""
    asked = bench.assignment("tensors", name, prompt="a small red cube", steps=steps, seed=SEED)
    asked = replace(asked, modality=Raw())
    pipeline = put_together(bench, asked)
    arguments = {**TINY[name].arguments, "num_inference_steps": steps}

    def by_hand() -> bytes:
        output = pipeline(**arguments, generator=torch.Generator().manual_seed(SEED))
        return as_bytes(TinyFamily().media(output, asked.request))

    return Case(name, inferring(by_hand), lambda: made(bench, asked), calls_of(bench, asked))


def put_together(bench: Workbench, asked: Assignment) -> Any:
    """The pipeline with the very modules that the engine calls."""
    path = asked.model.path
    pipeline = diffusers.DiffusionPipeline.from_pretrained(path, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    heavy = [part for part in asked.model.components.values() if not part.weightless]
    pipeline.register_modules(**{part.role: module(bench, asked, part.role) for part in heavy})
    return pipeline
