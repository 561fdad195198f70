"""Train the flow-matching transformer that all modalities share, and their conditioners.

python -m recipes.flow [--steps 3000] [--out build/prism] [--compile]

Writes OUT/flow.pt every few minutes and goes on from it when started again; --restart keeps the
weights and begins a new schedule.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from omnifex_prism.conditioner import PhraseConditioner
from omnifex_registry.backbones import FlowTransformer
from recipes.data import Latents
from recipes.latents import vocabulary

WIDTH = 256  # of the condition's tokens
CONFIG: dict[str, Any] = {
    "width": 384,
    "depth": 7,
    "heads": 6,
    "waist": 64,
    "condition_width": WIDTH,
    "streams": {
        "image": {"channels": 16, "grid": [8, 8], "patch": [2, 2]},
        "audio": {"channels": 16, "grid": [8, 12], "patch": [2, 2]},
        "mesh": {"channels": 16, "grid": [6, 6, 6], "patch": [2, 2, 2]},
        "video": {"channels": 16, "grid": [6, 6, 6], "patch": [2, 2, 2]},
    },
}
BATCH = {"image": 80, "audio": 40, "mesh": 48, "video": 72}  # rows a step: harder ones have more
RATE, WARMUP, DECAY = 1e-3, 200, 0.999


class Flow(nn.Module):
    """The backbone with a conditioner a modality: what is trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FlowTransformer.from_config(CONFIG)
        self.conditioners = nn.ModuleDict({name: conditioner(name) for name in BATCH})

    def forward(self, x: Tensor, t: Tensor, stream: str, ids: Tensor) -> Tensor:
        tokens, pooled = self.conditioners[stream](ids)
        velocity = self.backbone(x, t, stream=stream, tokens=tokens, pooled=pooled)
        assert isinstance(velocity, Tensor)
        return velocity


def conditioner(modality: str) -> PhraseConditioner:
    words = vocabulary(modality)
    return PhraseConditioner(words=words.size, phrases=words.phrases, width=WIDTH)


def loss_of(model: nn.Module, stream: str, data: Latents, device: str) -> Tensor:
    """Flow matching: x_t = (1 - t)·x0 + t·noise, and the velocity is noise - x0."""
    x0, ids = (part.to(device) for part in data.batch(BATCH[stream]))
    noise = torch.randn_like(x0)
    t = torch.sigmoid(torch.randn(len(x0), device=device))  # logit-normal: arXiv:2403.03206
    at = t.view(-1, *(1,) * (x0.ndim - 1))
    with torch.autocast(device, torch.bfloat16):
        velocity = model((1 - at) * x0 + at * noise, t, stream, ids)
    return (velocity.float() - (noise - x0)).square().mean()


def rate_at(step: int, steps: int) -> float:
    """Warm up, stay, and fall to nothing over the last half."""
    return RATE * min(1.0, (step + 1) / WARMUP, max(0.0, 2 * (1 - step / steps)) + 1e-3)


def train(steps: int, out: Path, device: str, compiled: bool, restart: bool) -> None:
    path, torch_seed = out / "flow.pt", 0
    torch.manual_seed(torch_seed)
    model = Flow().to(device)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(DECAY)
    )
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.01)
    first, losses = 0, {name: [] for name in BATCH}
    if path.exists():
        saved = torch.load(path, weights_only=True, map_location=device)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        if not restart:
            optimizer.load_state_dict(saved["optimizer"])
            first, losses = saved["step"], saved["losses"]
    data = {name: Latents.load(name, out, seed=first) for name in BATCH}
    torch.manual_seed(first)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters", flush=True)
    run = torch.compile(model) if compiled else model

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "average": average.state_dict()}
        state |= {"optimizer": optimizer.state_dict(), "step": step, "losses": losses}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    saved_at = started = time.monotonic()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps)
        for stream in BATCH:
            loss = loss_of(run, stream, data[stream], device)
            loss.backward()
            losses[stream].append(loss.item())
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update_parameters(model)
        if step % 20 == 0:
            recent = {name: round(sum(v[-20:]) / len(v[-20:]), 4) for name, v in losses.items()}
            minutes = round((time.monotonic() - started) / 60, 2)
            print(json.dumps({"step": step, **recent, "minutes": minutes}), flush=True)
        if time.monotonic() - saved_at > 180:
            save(step + 1)
            saved_at = time.monotonic()
    save(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=Path("build/prism"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--restart", action="store_true")
    asked = parser.parse_args()
    train(asked.steps, asked.out, asked.device, asked.compile, asked.restart)


if __name__ == "__main__":
    main()
