"""Figures of a GPU benchmark: seconds and rates, and the share of the device's peak."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_models import Made

# Dense bf16, as their makers state it, FLOP/s.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40": 181e12, "4090": 165e12}


@dataclass(frozen=True)
class Figure:
    """One number; `mfu` is the share of the device's peak that the backbone's arithmetic used."""

    what: str
    value: float
    unit: str
    mfu: float | None = None
    weights: str = "random weights"
    more: Mapping[str, Any] = field(default_factory=dict)


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest run, after one that is not counted."""
    work()
    found = []
    for _ in range(times):
        synchronize()
        began = time.perf_counter()
        work()
        synchronize()
        found.append(time.perf_counter() - began)
    return min(found)


def synchronize(device: torch.device | None = None) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize(device)


def backbone_call(made: Made, side: int, count: int) -> dict[str, Any]:
    """What a Flux or a UNet is called with at a step."""
    tokens, width, pooled = made.shape.text[made.scale]
    kind = next(made.backbone.parameters()).dtype

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, device=made.device, dtype=kind)

    text, times = zeros(count, tokens, width), zeros(count)
    if made.name == "flux":
        cells = (side // 16) ** 2
        return {
            "hidden_states": zeros(count, cells, 64),
            "timestep": times,
            "guidance": zeros(count),
            "pooled_projections": zeros(count, pooled),
            "encoder_hidden_states": text,
            "txt_ids": zeros(tokens, 3),
            "img_ids": zeros(cells, 3),
        }
    added = {"text_embeds": zeros(count, pooled), "time_ids": zeros(count, 6)} if pooled else None
    return {
        "sample": zeros(count, 4, side // 8, side // 8),
        "timestep": times,
        "encoder_hidden_states": text,
        "added_cond_kwargs": added,
    }


def rate(what: str, made: Made, side: int, seconds: float, steps: int) -> Figure:
    return Figure(what, 1 / seconds, "images/s", mfu(made, side, seconds, steps))


def latency(
    what: str,
    made: Made,
    side: int,
    seconds: float,
    steps: int,
    more: Mapping[str, Any] | None = None,
) -> Figure:
    rows = 2 * steps if made.name == "sdxl" else steps  # with and without the prompt
    return Figure(what, seconds, "s", mfu(made, side, seconds, rows), more=more or {})


def mixed(
    what: str,
    jobs: Sequence[tuple[int, int]],
    latencies: Sequence[float],
    alone: Mapping[int, float],
) -> Figure:
    """The mean latency; and the share of jobs done within three times what they take alone."""
    pairs = list(zip(jobs, latencies, strict=True))
    in_time = statistics.mean(latency <= 3 * alone[side] for (side, _), latency in pairs)
    more = {"within_3x_alone": in_time, "slowest_s": max(latencies), "jobs": len(jobs)}
    return Figure(f"mixed trace, {what}", statistics.mean(latencies), "s mean", more=more)


def mfu(made: Made, side: int, seconds: float, rows: int) -> float | None:
    peak = peak_of(made.device)
    return None if peak is None else flops(made, side) * rows / seconds / peak


def flops(made: Made, side: int) -> int:
    """Of one row of the backbone, counted on what it really computes; ask before it is compiled."""
    key = (made.name, side)
    if key not in _flops:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            made.backbone(**backbone_call(made, side, 1))
        _flops[key] = counter.get_total_flops()
    return _flops[key]


_flops: dict[tuple[str, int], int] = {}


def peak_of(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def said(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "eager"
