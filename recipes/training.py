"""The training loop of both backbones: a step sees every stream; it can be stopped and resumed."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from omnifex_prism.autoencoder import per_channel
from omnifex_registry.backbones.flow_transformer import Block
from recipes.data import Latents

RATE, WARMUP, DECAY = 1e-3, 100, 0.998
SAVE_EVERY = 180.0  # seconds
REPEATED = (Block, BasicTransformerBlock, ResnetBlock2D)


@dataclass(frozen=True)
class Asked:
    """What the command line asks of a training run."""

    steps: int
    out: Path
    device: str
    restart: bool  # keep the checkpoint's weights, begin a new schedule
    compile: bool = False
    shipped: bool = False  # without a checkpoint, begin with the weights that ship in the wheel
    streams: tuple[str, ...] = ()  # only these; all where none is named
    rate: float = RATE  # the highest; less is enough for weights that are trained already


def options_of(description: str | None, steps: int) -> argparse.ArgumentParser:
    """The options that all training has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--shipped", action="store_true")
    return parser


def asked(description: str | None, steps: int) -> Asked:
    parser = options_of(description, steps)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--streams", nargs="+", default=())
    parser.add_argument("--rate", type=float, default=RATE)
    return Asked(**vars(parser.parse_args()))


def rate_at(step: int, steps: int, peak: float = RATE) -> float:
    """Warm up, stay, and fall to nothing over the last half."""
    return peak * min(1.0, (step + 1) / WARMUP, max(0.0, 2 * (1 - step / steps)) + 1e-3)


def drift(average: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """A moving average that forgets its first, random weights within a few steps."""
    decay = min(DECAY, (1 + int(count)) / (10 + int(count)))
    return torch.lerp(new, average, decay)


def optimizers_of(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside blocks, AdamW for all else.

    Muon's updates are scaled to the size of AdamW's (arXiv:2502.16982), so one rate serves both.
    """
    inner = {n: p for n, p in model.named_parameters() if p.ndim == 2 and "blocks." in n}
    outer = [p for n, p in model.named_parameters() if n not in inner]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(outer, RATE, betas=(0.9, 0.98), weight_decay=0.01)
    ]
    if inner:
        muon = torch.optim.Muon(
            inner.values(), RATE, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        )
        found.append(muon)
    return found


@dataclass
class Run:
    """A model in training, with all that its checkpoint holds."""

    model: nn.Module
    path: Path
    streams: tuple[str, ...]
    step: int = 0
    losses: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=drift)
        self.optimizers = optimizers_of(self.model)
        self.losses = {name: [] for name in self.streams}

    def load(self, restart: bool, device: str) -> None:
        saved = torch.load(self.path, weights_only=True, map_location=device)
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.losses = saved["losses"]
        if not restart:
            for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
                optimizer.load_state_dict(state)
            self.step = saved["step"]

    def save(self) -> None:
        state: dict[str, Any] = {"step": self.step, "losses": self.losses}
        for name in ("model", "average"):
            state[name] = getattr(self, name).state_dict()
        state["optimizers"] = [optimizer.state_dict() for optimizer in self.optimizers]
        torch.save(state, self.path.with_suffix(".tmp"))
        self.path.with_suffix(".tmp").replace(self.path)

    def update(self, rate: float) -> None:
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.model)
        self.step += 1

    def left(self, steps: int, every: int) -> Iterator[None]:
        """Each step until `steps`; reports after `every` of them, saves now and then, and at last.

        What is done in a step ends with `update`.
        """
        saved = started = time.monotonic()
        while self.step < steps:
            yield
            if self.step % every == 0:
                self.report(started)
            if time.monotonic() - saved > SAVE_EVERY:
                self.save()
                saved = time.monotonic()
        self.save()

    def report(self, started: float) -> None:
        recent = {n: round(sum(v[-20:]) / len(v[-20:]), 4) for n, v in self.losses.items() if v}
        minutes = round((time.monotonic() - started) / 60, 2)
        print(json.dumps({"step": self.step, **recent, "minutes": minutes}), flush=True)


def attention_on(device: str) -> AbstractContextManager[None]:
    """On a CPU, plain attention: over a few dozen tokens the fused kernel takes thrice as long."""
    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()


def compile_blocks(model: nn.Module) -> None:
    """Compile what repeats: once for each stream's shape, whatever the depth."""
    for block in model.modules():
        if isinstance(block, REPEATED):
            block.compile(dynamic=False)


Errors = Callable[[nn.Module, str, Tensor, Tensor], Tensor]
"""Squared errors, shaped as the latents, of a model, a stream, latents and ids."""


def train(
    model: nn.Module,
    name: str,
    batch: dict[str, int],
    errors_of: Errors,
    options: Asked,
    shipped: Callable[[], dict[str, Tensor]],
) -> None:
    """Train until the asked step; `batch` is the rows of each stream in one step."""
    if options.shipped:
        model.load_state_dict(shipped())
    run = Run(model.to(options.device), options.out / f"{name}.pt", tuple(batch))
    if run.path.exists():
        run.load(options.restart, options.device)
    seen = max(len(losses) for losses in run.losses.values())  # steps, a restart's too
    torch.manual_seed(seen)
    batch = {stream: n for stream, n in batch.items() if stream in (options.streams or batch)}
    data = {stream: Latents.load(stream, options.out, seed=seen) for stream in batch}
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters", flush=True)
    if options.compile:
        compile_blocks(run.model)
    for _ in run.left(options.steps, every=20):
        for stream, rows in batch.items():
            latents, ids = (part.to(options.device) for part in data[stream].batch(rows))
            with attention_on(options.device):
                errors = errors_of(run.model, stream, latents, ids)
            loss = (errors * per_channel(data[stream].weight.to(errors), errors)).mean()
            loss.backward()
            run.losses[stream].append(loss.item())
        run.update(rate_at(run.step, options.steps, options.rate))
