"""What an engine makes of a GPU, in at most eight minutes, as one JSON.

    python -m benchmarks.gpu --out gpu.json
    python -m benchmarks.gpu --scale tiny --device cpu      # the same code, to see that it works
    python -m benchmarks.gpu flux curve

Pictures a second of a one-step model, SDXL and Flux beside diffusers, eager and compiled, the curve
of 1 to 16 jobs at once, and a mixed load. The models have the real classes and shapes and random
weights: the figures are of time alone. A part that fails is named, and the others run. Without a
GPU there is nothing to measure.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_parts
from benchmarks.gpu_figures import Figure
from benchmarks.gpu_models import Made, make
from benchmarks.gpu_parts import FULL, TINY, Deadline, Sizes

BUDGET_S = 480.0


@dataclass(frozen=True)
class Part:
    """A measurement, the model that it is of, and the seconds it may begin something new in."""

    model: str
    measure: Callable[[Made, Sizes, Deadline], Iterator[Figure]]
    seconds: float


# Those of one model follow each other, so that each model is made once.
PARTS: Mapping[str, Part] = {
    "turbo": Part("sd-turbo", gpu_parts.turbo, 60),
    "sdxl": Part("sdxl", gpu_parts.sdxl, 100),
    "curve": Part("flux", gpu_parts.curve, 70),
    "trace": Part("flux", gpu_parts.trace, 80),
    "flux": Part("flux", gpu_parts.flux, 140),
}


class Models:
    """Holds one model at a time: two would not fit on most devices."""

    def __init__(self, scale: str, device: torch.device, folder: Path) -> None:
        self._scale, self._device, self._folder = scale, device, folder
        self._held: Made | None = None

    def of(self, name: str) -> Made:
        if self._held is None or self._held.name != name:
            self._held = None
            gc.collect()
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            self._held = make(name, self._scale, self._device, self._folder)
        return self._held


def measured(part: Part, models: Models, sizes: Sizes, until: float) -> dict[str, Any]:
    """The part's figures, and what went wrong if anything did; what came before that is kept."""
    began = time.monotonic()
    end = min(until, began + part.seconds)
    found: dict[str, Any] = {"figures": []}
    try:
        if end <= began:
            raise TimeoutError("no time is left for this part")
        for figure in part.measure(models.of(part.model), sizes, lambda: end - time.monotonic()):
            found["figures"].append(asdict(figure))
            print(f"  {line(figure)}", flush=True)
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        print(f"  failed: {found['error']}", flush=True)
    found["seconds"] = time.monotonic() - began
    return found


def line(figure: Figure) -> str:
    share = "" if figure.mfu is None else f"  {figure.mfu:.0%} of the peak"
    more = "  ".join(f"{name} {value:.3g}" for name, value in figure.more.items())
    text = f"{figure.what}: {figure.value:.4g} {figure.unit}{share}  ({figure.weights})"
    return f"{text}  {more}".rstrip()


def circumstances(device: torch.device, scale: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    packages = ("torch", "diffusers", "transformers", "omnifex")
    return {
        "device": f"{device} {name}".strip(),
        "versions": {package: version(package) for package in packages},
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "commit": commit(),
        "weights": "random, N(0, 0.02): the figures are of time alone",
        "scale": scale,
    }


def commit() -> str | None:
    """The commit that is measured; None where this is no git checkout."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        found = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.decode().strip()


def run(names: Sequence[str], scale: str, device: torch.device, sizes: Sizes) -> dict[str, Any]:
    until = time.monotonic() + BUDGET_S
    if device.type == "cpu":
        torch.set_num_threads(1)  # more only wait for each other where the shapes are tiny
    with tempfile.TemporaryDirectory() as folder:
        models = Models(scale, device, Path(folder))
        parts = {}
        for name, part in PARTS.items():
            if name in names:
                print(name, flush=True)
                parts[name] = measured(part, models, sizes, until)
    return {**circumstances(device, scale), "parts": parts}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], metavar="PART")
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled runs out")
    parser.add_argument("--out", type=Path, help="where the JSON goes; else it is printed")
    options = parser.parse_args(arguments)

    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here, so there is nothing to measure; --scale tiny --device cpu")
        print("runs the same code with tiny shapes.")
        return
    sizes = replace(FULL if options.scale == "full" else TINY, compile=not options.no_compile)
    found = json.dumps(run(options.parts or [*PARTS], options.scale, device, sizes), indent=2)
    if options.out:
        options.out.write_text(found + "\n")
    else:
        print(found)


if __name__ == "__main__":
    main()
