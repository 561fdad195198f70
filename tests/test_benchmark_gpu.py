"""The benchmark for GPUs, run on a CPU with tiny shapes: the same code from end to end."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu_figures import Figure, flops
from benchmarks.gpu_models import Made, make
from benchmarks.gpu_parts import TINY, first_come

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make("flux", "tiny", CPU, tmp_path_factory.mktemp("flux"))


def test_every_part_gives_its_figures_in_one_json(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    gpu.main(["--scale", "tiny", "--device", "cpu", "--no-compile", "--out", str(out)])
    found = json.loads(out.read_text())
    assert {name: part.get("error") for name, part in found["parts"].items()} == dict.fromkeys(
        ("turbo", "sdxl", "curve", "trace", "flux")
    )
    figures = [figure for part in found["parts"].values() for figure in part["figures"]]
    assert len(figures) == 10
    assert all(figure["value"] > 0 and figure["weights"] == "random weights" for figure in figures)
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert found["weights"].startswith("random")


def test_a_part_that_fails_is_named_and_keeps_what_it_found(tmp_path: Path) -> None:
    def failing(*_: object) -> Iterator[Figure]:
        yield Figure("the first", 1.0, "s")
        raise RuntimeError("the device fell off the bus")

    models = gpu.Models("tiny", CPU, tmp_path)
    found = gpu.measured(gpu.Part("flux", failing, 60), models, TINY, float("inf"))
    assert found["error"] == "RuntimeError: the device fell off the bus"
    assert [figure["what"] for figure in found["figures"]] == ["the first"]


def test_without_time_a_part_says_so(tmp_path: Path) -> None:
    models = gpu.Models("tiny", CPU, tmp_path)
    found = gpu.measured(gpu.PARTS["flux"], models, TINY, 0.0)
    assert found["error"] == "TimeoutError: no time is left for this part"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([])
    assert "There is no GPU here" in capsys.readouterr().out


def test_the_parts_are_shorter_than_the_whole() -> None:
    assert sum(part.seconds for part in gpu.PARTS.values()) < gpu.BUDGET_S


def test_flops_are_counted_on_what_the_backbone_computes(flux: Made) -> None:
    small, large = flops(flux, 64), flops(flux, 128)
    assert small > 2 * 16 * 64 * 32  # its first projection alone, of 16 tokens
    assert large > 2 * small


def test_weights_are_random_and_not_zeros(flux: Made) -> None:
    weight = flux.modules["transformer"].get_parameter("x_embedder.weight")
    assert weight.std().item() == pytest.approx(0.02, rel=0.2)
    assert flux.parameters == sum(p.numel() for p in flux.backbone.parameters())


def test_who_comes_first_is_served_first() -> None:
    latencies = first_come([(64, 1), (32, 1)], [0.0, 1.0], {64: 3.0, 32: 0.5})
    assert latencies == [3.0, 2.5]


def test_an_adopted_module_is_the_one_that_is_called(flux: Made) -> None:
    with flux.engine() as engine:
        first = engine.run(flux.assignment(64, 1)).files
        again = engine.run(replace(flux.assignment(64, 1), id="again")).files
        held = {part.component.id for part in engine.residents()}
    assert first == again
    assert held == {"random:flux/transformer", "random:flux/vae"}
