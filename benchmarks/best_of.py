"""What the best of several is worth: attributes that an oracle reads back, by who chose.

    python -m benchmarks.best_of --captions 40 --candidates 4 --steps 16

Each caption is one job that makes all its candidates and keeps them. "The first" is what a job
makes without a scorer, the baseline; "by an oracle" is what a scorer would bring that knows it all.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.prompts import Caption, captions
from omnifex import Scorer
from omnifex.workbench import Workbench
from omnifex_image.scorers import Colourfulness, Sharpness
from recipes.oracle import image
from recipes.oracle.reading import Tally, add, score, share

Choice = Callable[[Sequence["Candidate"]], "Candidate"]


@dataclass(frozen=True)
class Candidate:
    """One picture of a caption, what it scored, and what the oracle says of it."""

    seed: int
    scores: Mapping[str, float]
    tally: Tally

    @property
    def right(self) -> float:
        return share(self.tally)


def made(bench: Workbench, caption: Caption, count: int, steps: int) -> list[Candidate]:
    """All candidates of one job, in the order of their seeds."""
    asked = {"prompt": caption.text, "seed": caption.seed, "steps": steps}
    files = bench.make("image", **asked, best_of=count, keep=count, scorer="sharpness").files
    found = [candidate(caption, file.meta["seed"], file.data) for file in files]
    return sorted(found, key=lambda one: one.seed)


def candidate(caption: Caption, seed: int, data: bytes) -> Candidate:
    pixels = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    scorers: tuple[Scorer[Any], ...] = (Sharpness(), Colourfulness())
    nobody: Any = None  # these look at nothing but the pixels
    scores = {one.name: one.score(nobody, pixels, nobody, None) for one in scorers}
    return Candidate(seed, scores, score(caption.phrases, image.read(pixels)))


def choices() -> dict[str, Choice]:
    """Who chooses, by the name of the line."""

    def by(name: str) -> Choice:
        return lambda candidates: max(candidates, key=lambda one: one.scores[name])

    return {
        "the first": lambda candidates: candidates[0],
        "by sharpness": by("sharpness"),
        "by colourfulness": by("colourfulness"),
        "by an oracle": lambda candidates: max(candidates, key=lambda one: one.right),
    }


def report(jobs: Sequence[Sequence[Candidate]]) -> list[str]:
    """A line for each way to choose: attributes right, and pictures of which all are."""
    lines = [f"{'':18}{'attributes':>12}{'whole pictures':>16}"]
    for name, choose in choices().items():
        chosen = [choose(candidates) for candidates in jobs]
        total: Tally = {}
        for one in chosen:
            total = add(total, one.tally)
        whole = statistics.mean(one.right == 1 for one in chosen)
        lines.append(f"{name:18}{share(total):>12.1%}{whole:>16.1%}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--captions", type=int, default=40)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--seed", type=int, default=20_000)
    asked = parser.parse_args()
    rows = captions("image", asked.captions, asked.seed)
    with tempfile.TemporaryDirectory() as home, Workbench(Path(home)) as bench:
        began = time.perf_counter()
        jobs = [made(bench, caption, asked.candidates, asked.steps) for caption in rows]
        spent = (time.perf_counter() - began) / (asked.captions * asked.candidates)
    print(f"{torch.get_num_threads()} threads, {asked.captions} captions, seed {asked.seed}")
    print(f"{asked.candidates} candidates of {asked.steps} steps, {spent:.2f} s each\n")
    print("\n".join(report(jobs)))


if __name__ == "__main__":
    main()
