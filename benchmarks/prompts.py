"""Prompt adherence: the share of a caption's words that an oracle reads back from what was made.

    python -m benchmarks.prompts --modality all
    python -m benchmarks.prompts --modality image --model prism-ldm --ddpm-captions 64
    python -m benchmarks.prompts --modality mesh --steps 8 --sampler heun --captions 50

Captions are English for scenes that no training has seen, with words left out. Columns: "truth" are
exact renderings of other scenes, which check the oracle itself; "ceiling" are the captions' own
scenes through the autoencoder and back; "chance" is what was made against another caption.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.generation import generate, rendered, repeated
from omnifex.workbench import Workbench
from omnifex_prism.vocabulary import Phrase
from recipes.captions import write
from recipes.oracle import audio, image, mesh, video
from recipes.oracle.reading import Reading, Tally, add, score, share
from recipes.world import audio as sounds
from recipes.world.modalities import WORLDS

LEFT_OUT = 0.1  # share of words that a caption leaves out
BATCH = 32  # prompts in one call of the backbone
TRUE_SEED = 10_000  # of scenes that check the oracle; training has small seeds
TARGETS = {"truth": 0.99, "prism": 0.95, "prism-ldm": 0.90}
PICTURED = ("image", "audio")  # what prism-ldm makes

READERS: Mapping[str, Callable[[Any], Reading]] = {
    "image": image.read,
    "video": video.read,
    "audio": lambda wave: audio.read(wave.samples.mean(0), wave.rate),
    "mesh": mesh.read,
}


@dataclass(frozen=True)
class Caption:
    scene: Any
    phrases: Sequence[Phrase]
    text: str
    seed: int


@dataclass(frozen=True)
class Column:
    """What one way of making artifacts scored."""

    title: str
    tally: Tally
    seconds: Sequence[float] = ()  # an artifact, in each batch


@dataclass(frozen=True)
class Run:
    """A sampler, its steps, and how many captions it gets."""

    sampler: str | None
    steps: int
    captions: int

    @property
    def title(self) -> str:
        return f"{self.sampler} {self.steps}" if self.sampler else f"{self.steps} steps"


@dataclass
class Pairs:
    """What was asked and what was seen, artifact by artifact."""

    told: list[Sequence[Phrase]] = field(default_factory=list)
    seen: list[Reading] = field(default_factory=list)

    def tally(self, shifted: int = 0) -> Tally:
        """Their scores together; shifted, each is compared with another one's prompt."""
        total: Tally = {}
        for i, reading in enumerate(self.seen):
            total = add(total, score(self.told[(i + shifted) % len(self.told)], reading))
        return total


def captions(modality: str, count: int, seed: int) -> list[Caption]:
    rng, found = random.Random(seed), []
    for i in range(count):
        scene = WORLDS[modality].sample(rng)
        phrases = [
            {role: word for role, word in phrase.items() if rng.random() >= LEFT_OUT}
            for phrase in scene.phrases()
        ]
        found.append(Caption(scene, phrases, write(modality, phrases, rng), seed + i))
    return found


def seen(modality: str, media: Any) -> Reading:
    """What the oracle sees; of nothing, nothing."""
    return READERS[modality](media) if media is not None else Reading(None, (), {})


def batches(rows: Sequence[Caption]) -> Iterator[Sequence[Caption]]:
    yield from (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))


def truth(bench: Workbench, modality: str, model: str, count: int) -> list[Column]:
    """How well the oracle reads exact renderings; of sounds also the waves before any mel."""
    rng, pairs, waves = random.Random(TRUE_SEED), Pairs(), Pairs()
    prompt = captions(modality, 1, TRUE_SEED)[0].text
    for _ in range(count):
        scene = WORLDS[modality].sample(rng)
        samples = WORLDS[modality].render([scene])
        (media,) = rendered(bench, modality, model, prompt, [samples])
        pairs.told.append(scene.phrases())
        pairs.seen.append(seen(modality, media))
        if modality == "audio":
            waves.seen.append(audio.read(sounds.render([scene])[0].numpy()))
    columns = [Column("truth", pairs.tally())]
    if waves.seen:
        columns.insert(0, Column("true waves", Pairs(pairs.told, waves.seen).tally()))
    return columns


def ceiling(bench: Workbench, modality: str, model: str, rows: Sequence[Caption]) -> Column:
    """The captions' own scenes through the autoencoder and back."""
    pairs = Pairs()
    for caption in rows:
        samples = WORLDS[modality].render([caption.scene])
        (media,) = repeated(bench, modality, model, caption.text, [samples])
        pairs.told.append(caption.phrases)
        pairs.seen.append(seen(modality, media))
    return Column("ceiling", pairs.tally())


def made(
    bench: Workbench, modality: str, model: str, rows: Sequence[Caption], run: Run
) -> tuple[Column, Pairs]:
    pairs, seconds = Pairs(), []
    for batch in batches(rows[: run.captions]):
        began = time.perf_counter()
        media = generate(
            bench,
            modality,
            model,
            [caption.text for caption in batch],
            [caption.seed for caption in batch],
            run.steps,
            run.sampler,
        )
        seconds.append((time.perf_counter() - began) / len(batch))
        pairs.told += [caption.phrases for caption in batch]
        pairs.seen += [seen(modality, one) for one in media]
    return Column(run.title, pairs.tally(), seconds), pairs


def report(modality: str, model: str, columns: Sequence[Column], width: int = 18) -> None:
    """A line for each kind of attribute, a column for each way of making."""
    kinds = list(dict.fromkeys(kind for column in columns for kind in column.tally))
    print(f"\n{modality} by {model}")
    print(" " * 14 + "".join(f"{column.title:>{width}}" for column in columns))
    for kind in kinds:
        cells = [cell(*column.tally.get(kind, (0, 0))) for column in columns]
        print(f"{kind:14}" + "".join(f"{text:>{width}}" for text in cells))
    print(f"{'all':14}" + "".join(f"{share(c.tally):>{width}.1%}" for c in columns))
    print(f"{'s an artifact':14}" + "".join(f"{pace(c.seconds):>{width}}" for c in columns))


def cell(right: int, told: int) -> str:
    return f"{right / told:.1%} of {told}" if told else "-"


def pace(seconds: Sequence[float]) -> str:
    """The median over batches, and their extremes: the machine's noise."""
    if not seconds:
        return "-"
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}-{max(seconds):.2f})"


def verdicts(model: str, columns: Sequence[Column]) -> list[str]:
    """Each column that has a target, held to it."""
    lines = []
    for column in columns:
        if column.title in ("truth", "true waves"):
            worst = min(right / told for right, told in column.tally.values())
            target, figure = TARGETS["truth"], f"{worst:.1%} of its worst kind"
            lines.append((column.title, worst >= target, figure, target))
        elif column.seconds:
            target, value = TARGETS.get(model, 0.0), share(column.tally)
            lines.append((column.title, value >= target, f"{value:.1%}", target))
    return [
        f"  {title}: {figure}, target {target:.0%}: {'met' if met else 'MISSED'}"
        for title, met, figure, target in lines
    ]


def runs(asked: argparse.Namespace) -> list[Run]:
    steps = [int(text) for text in asked.steps.split(",")] if asked.steps else []
    if asked.model == "prism-ldm" and not steps and not asked.sampler:
        few = min(asked.ddpm_captions, asked.captions)
        return [
            Run("dpm-solver++", 20, asked.captions),
            Run("ddim", 50, asked.captions),
            *([Run("ddpm", 1000, few)] if few else []),
        ]
    return [Run(asked.sampler, count, asked.captions) for count in steps or [4, 8, 16, 32]]


def measure(bench: Workbench, modality: str, asked: argparse.Namespace) -> None:
    rows = captions(modality, asked.captions, asked.seed)
    columns = truth(bench, modality, asked.model, asked.scenes)
    columns.append(ceiling(bench, modality, asked.model, rows))
    for run in runs(asked):
        column, pairs = made(bench, modality, asked.model, rows, run)
        columns.append(column)
    columns.append(Column("chance", pairs.tally(shifted=1)))
    report(modality, asked.model, columns)
    print("\n".join(verdicts(asked.model, columns)))
    for run in runs(asked):
        if run.captions < asked.captions:
            print(f"  {run.title}: {run.captions} captions of {asked.captions}, to save time")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--modality", choices=("all", *WORLDS), default="all")
    parser.add_argument("--model", default="prism")
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--scenes", type=int, default=300, help="renderings that check the oracle")
    parser.add_argument("--steps", help="such as 4,8,16,32")
    parser.add_argument("--sampler")
    parser.add_argument("--ddpm-captions", type=int, default=32, help="it takes 1000 steps")
    parser.add_argument("--seed", type=int, default=20_000)
    asked = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, {asked.captions} captions, seed {asked.seed}")
    everything = PICTURED if asked.model == "prism-ldm" else tuple(WORLDS)
    with tempfile.TemporaryDirectory() as home, Workbench(Path(home)) as bench:
        for modality in everything if asked.modality == "all" else (asked.modality,):
            measure(bench, modality, asked)


if __name__ == "__main__":
    main()
