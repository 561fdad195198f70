"""The benchmark of prompt adherence: it makes what the product makes, and counts rightly."""

from argparse import Namespace
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks import prompts
from benchmarks.generation import generate
from omnifex.engine.context import JobContext
from omnifex.engine.model import LoadedModel
from omnifex.workbench import Workbench
from omnifex_image.prompts import read

TEXTS = ["a red star", "a large blue ring on a white background", "a green heart"]
SEEDS = [5, 6, 7]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with Workbench(tmp_path_factory.mktemp("bench")) as workbench:
        yield workbench


def alone(bench: Workbench, text: str, seed: int) -> np.ndarray:
    """The picture as the family itself makes it."""
    asked = bench.assignment("image", "prism", prompt=text, seed=seed, steps=2)
    job = JobContext("alone", seed, bench.engine.device)
    with bench.engine.baton.held(), job.entered():
        model = LoadedModel(asked.model, job, bench.engine.dispatcher, bench.engine.stand_ins)
        made: np.ndarray = asked.family.generate(job, asked.request, model)
    return made


def test_a_batch_makes_the_pictures_that_the_product_makes_one_by_one(bench: Workbench) -> None:
    batch = generate(bench, "image", "prism", TEXTS, SEEDS, 2, None)
    for text, seed, picture in zip(TEXTS, SEEDS, batch, strict=True):
        difference = np.abs(picture.astype(int) - alone(bench, text, seed))
        assert difference.max() <= 1  # a row's last bits depend on the size of its batch


def test_captions_are_the_same_for_a_seed_and_mean_their_phrases() -> None:
    first, again = (prompts.captions("image", 20, 3) for _ in range(2))
    assert first == again != prompts.captions("image", 20, 4)
    assert [list(read(c.text).phrases) for c in first] == [list(c.phrases) for c in first]
    assert {c.seed for c in first} == set(range(3, 23))


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ({"model": "prism"}, ["4 steps", "8 steps", "16 steps", "32 steps"]),
        ({"model": "prism", "steps": "8", "sampler": "heun"}, ["heun 8"]),
        ({"model": "prism-ldm"}, ["dpm-solver++ 20", "ddim 50", "ddpm 1000"]),
        ({"model": "prism-ldm", "ddpm_captions": 0}, ["dpm-solver++ 20", "ddim 50"]),
        ({"model": "prism-ldm", "steps": "10"}, ["10 steps"]),
    ],
)
def test_each_model_has_its_runs(asked: dict[str, object], titles: list[str]) -> None:
    given = {"steps": None, "sampler": None, "captions": 200, "ddpm_captions": 32} | asked
    assert [run.title for run in prompts.runs(Namespace(**given))] == titles


def test_a_report_says_what_missed_its_target(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Namespace(
        model="prism", steps="1", sampler=None, captions=3, scenes=3, ddpm_captions=0, seed=1
    )
    prompts.measure(bench, "audio", asked)
    printed = capsys.readouterr().out
    assert "audio by prism" in printed
    assert "true waves: 100.0% of its worst kind, target 99%: met" in printed
    assert "1 steps" in printed
    assert "chance" in printed
