"""Why diffusion is latent: one step of a backbone on pixels, and on the latents of as many pixels.

    python -m benchmarks.latent [--width 32] [--sizes 256 512] [--rounds 3] [--json]

Both are UNets of diffusers of equal width, depth and (but for the first and last convolution) equal
weights; an autoencoder of Stable Diffusion makes 4 numbers of 8 × 8 pixels of 3. Memory is what the
tensors of a step take at their most, weights not counted. The pixel backbone is the baseline.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers import UNet2DModel
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

COLOURS, CHANNELS, SHRINK = 3, 4, 8


@dataclass(frozen=True)
class Step:
    """One call of a backbone for one picture."""

    space: str
    side: int  # of the picture
    elements: int  # of what the backbone works on
    milliseconds: float
    noise: float  # the spread of the rounds around their median, as a share of it
    peak_bytes: int


class Peak(TorchDispatchMode):
    """The most bytes that tensors made inside it take at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        self.most = max(self.most, self.now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        self.now += storage.nbytes()
        weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.now -= size


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = [step for side in options.sizes for step in steps(side, options.width, options.rounds)]
    print(json.dumps([asdict(step) for step in found]) if options.json else report(found))
    return 0


def steps(side: int, width: int, rounds: int) -> list[Step]:
    """The pixel backbone and the latent one, timed by turns."""
    torch.manual_seed(0)
    made = {
        "pixel": (backbone(COLOURS, width), torch.randn(1, COLOURS, side, side)),
        "latent": (
            backbone(CHANNELS, width),
            torch.randn(1, CHANNELS, side // SHRINK, side // SHRINK),
        ),
    }
    times: dict[str, list[float]] = {space: [] for space in made}
    with torch.inference_mode():
        peaks = {space: peak(*call) for space, call in made.items()}  # and this warms up
        for _ in range(rounds):
            for space, (module, x) in made.items():
                began = time.perf_counter()
                module(x, 500)
                times[space].append(1000 * (time.perf_counter() - began))
    return [
        Step(space, side, x.numel(), *middle(times[space]), peaks[space])
        for space, (_, x) in made.items()
    ]


def backbone(channels: int, width: int) -> Any:
    """Four levels, attention at the lowest alone: on pixels nothing else could be afforded."""
    unet = UNet2DModel(
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(width, width * 2, width * 2, width * 4),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 4,
        up_block_types=("UpBlock2D",) * 4,
        attention_head_dim=None,
        norm_num_groups=8,
    )
    return unet.eval().requires_grad_(False)


def peak(module: Any, x: Tensor) -> int:
    with Peak() as counted:
        module(x, 500)
    return counted.most


def middle(times: Sequence[float]) -> tuple[float, float]:
    median = statistics.median(times)
    return median, (max(times) - min(times)) / 2 / median


def report(found: Sequence[Step]) -> str:
    threads = torch.get_num_threads()
    lines = [
        f"torch {torch.__version__}, {threads} threads, float32, one picture a step",
        f"{'picture':>10} {'space':>7} {'elements':>10} {'ms':>9} {'noise':>6} {'peak MB':>8}",
    ]
    for pixel, latent in zip(found[::2], found[1::2], strict=True):
        lines += [row(pixel), row(latent)]
        lines.append(
            f"{'':>10} {'ratio':>7} {pixel.elements / latent.elements:>9.0f}× "
            f"{pixel.milliseconds / latent.milliseconds:>8.1f}× {'':>6} "
            f"{pixel.peak_bytes / latent.peak_bytes:>7.1f}×"
        )
    return "\n".join(lines)


def row(step: Step) -> str:
    return (
        f"{step.side:>6} px² {step.space:>7} {step.elements:>10,} {step.milliseconds:>9.1f} "
        f"{step.noise:>6.0%} {step.peak_bytes / 1e6:>8.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
