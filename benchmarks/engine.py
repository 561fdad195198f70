"""What the engine costs one job: the same modules called by it and by a hand-written loop.

    python -m benchmarks.engine                      # a small transformer, made on the spot
    python -m benchmarks.engine --width 512 --depth 8 --rounds 30

Each round runs the loop, the engine and the loop again, in turn; the ratio of the two loops is the
machine's noise. The target is at most 10 % above the hand-written loop.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

import omnifex
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel
from omnifex.workbench import Workbench
from omnifex_registry import Model
from omnifex_registry.backbones.flow_transformer import FlowTransformer

SHAPE = (4, 16, 16)
GUIDANCE = 3.0
TARGET = 1.10


@dataclass(frozen=True)
class Size:
    """The backbone's size, and the job's."""

    width: int
    depth: int
    steps: int


@dataclass(frozen=True)
class Report:
    """Medians in milliseconds a job; `noise` is the ratio of the loop to itself."""

    loop_ms: float
    engine_ms: float
    ratio: float
    noise: float
    overhead_us_per_step: float


class Bench(omnifex.Modality):
    name = title = "bench"
    Request = omnifex.Request
    formats: Mapping[str, str] = {"raw": "application/octet-stream"}
    default_format = "raw"
    default_model = "bench"

    def encode(self, media: Any, request: Any, provenance: Any) -> list[omnifex.File]:
        return [omnifex.File(media.numpy().tobytes(), "application/octet-stream", ".raw")]


class BenchFamily(omnifex.LatentFamily):
    name = modality = "bench"

    def recognises(self, model: Model) -> bool:
        return model.class_name == "BenchPipeline"

    def shape(self, request: omnifex.Request, model: LoadedModel) -> tuple[int, ...]:
        return SHAPE

    def condition(
        self, job: JobContext, request: omnifex.Request, model: LoadedModel
    ) -> omnifex.Condition:
        said, unsaid = words(model["backbone"].config["condition_width"])
        return omnifex.Condition(said, unsaid, {"stream": "bench"})

    def decode(
        self, job: JobContext, latents: Tensor, request: omnifex.Request, model: LoadedModel
    ) -> Tensor:
        return latents


class BenchPlugin:
    """Both, and a model of random weights."""

    def __init__(self, size: Size, folder: Path) -> None:
        self.path = write_model(folder, size)

    @omnifex.hookimpl
    def register_modalities(self) -> list[omnifex.Modality[Any]]:
        return [Bench()]

    @omnifex.hookimpl
    def register_families(self) -> list[omnifex.Family[Any]]:
        return [BenchFamily()]

    @omnifex.hookimpl
    def register_models(self) -> list[omnifex.BuiltinModel]:
        return [omnifex.BuiltinModel("bench", self.path)]


def words(width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A prompt of eight tokens, and silence."""
    tokens = torch.linspace(-1, 1, 8 * width).view(1, 8, width)
    said = {"tokens": tokens, "pooled": tokens.mean(1)}
    return said, {name: torch.zeros_like(tensor) for name, tensor in said.items()}


def write_model(folder: Path, size: Size) -> Path:
    config = {
        "width": size.width,
        "depth": size.depth,
        "heads": size.width // 32,
        "waist": 32,
        "condition_width": size.width,
        "streams": {"bench": {"channels": SHAPE[0], "grid": SHAPE[1:], "patch": [2, 2]}},
    }
    (folder / "backbone").mkdir()
    torch.manual_seed(0)
    weights = FlowTransformer.from_config(config).state_dict()
    save_file(weights, folder / "backbone" / "model.safetensors")
    (folder / "backbone" / "config.json").write_text(json.dumps(config))
    index = {
        "_class_name": "BenchPipeline",
        "backbone": ["omnifex_registry.backbones", "FlowTransformer"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@torch.inference_mode()
def hand_written(backbone: FlowTransformer, steps: int, seed: int) -> bytes:
    """The loop as one would write it for this model alone."""
    said, unsaid = words(backbone.width)
    condition = {name: torch.cat([said[name], unsaid[name]]) for name in said}
    x = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed))
    for i in range(steps):
        t, t_next = 1 - i / steps, 1 - (i + 1) / steps
        v = backbone(torch.cat([x, x]), torch.full((2,), t), stream="bench", **condition)
        positive, negative = v.chunk(2)
        x = x + (t_next - t) * (negative + GUIDANCE * (positive - negative))
    return x.numpy().tobytes()


def milliseconds(job: Callable[[], object]) -> float:
    began = time.perf_counter()
    job()
    return (time.perf_counter() - began) * 1000


def compare(size: Size, rounds: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        plugin = BenchPlugin(size, Path(folder))
        with Workbench(Path(folder), [plugin], entry_points=False) as bench:
            fields: dict[str, Any] = {
                "prompt": "speed",
                "steps": size.steps,
                "guidance": GUIDANCE,
                "seed": 7,
            }
            assignment = bench.assignment("bench", **fields)
            backbone = bench.engine.residency.bring(assignment.model.components["backbone"])

            def loop() -> bytes:
                return hand_written(backbone, size.steps, 7)

            def engine() -> bytes:
                return bench.engine.run(assignment).files[0].data

            if loop() != engine():
                raise SystemExit("the engine and the loop made different bytes")
            times = [[milliseconds(job) for job in (loop, engine, loop)] for _ in range(rounds)]
    return report(times, size.steps)


def report(times: list[list[float]], steps: int) -> Report:
    """Medians of each column, and of the rounds' own ratios, which drift cannot touch."""
    loop, engine = (statistics.median(column) for column in list(zip(*times, strict=True))[:2])
    ratio = statistics.median(2 * e / (first + second) for first, e, second in times)
    noise = statistics.median(max(a, b) / min(a, b) for a, _, b in times)
    return Report(loop, engine, ratio, noise, (ratio - 1) * loop * 1000 / steps)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    size = Size(options.width, options.depth, options.steps)
    found = compare(size, options.rounds)
    if options.json:
        print(json.dumps({**asdict(size), **asdict(found)}))
        return
    print(f"one job of {size.steps} steps, {size.depth} blocks of width {size.width}, CPU")
    print(f"  hand-written loop  {found.loop_ms:8.2f} ms")
    print(f"  through the engine {found.engine_ms:8.2f} ms")
    print(
        f"  ratio {found.ratio:.3f} (target ≤ {TARGET:.2f}), noise of the machine {found.noise:.3f}"
    )
    print(f"  {found.overhead_us_per_step:.0f} µs a step")


if __name__ == "__main__":
    main()
