"""Settings that make a model small: fewer bits, layers that come and go, tiles."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_cases import Heard
from safetensors.torch import load_file
from tiny_checkpoints import write_gguf
from tiny_pipelines import TinyPlugin

from omnifex.engine.acceleration.settings import check
from omnifex.engine.engine import Assignment, Outcome
from omnifex.settings import InvalidSettings, settings_of
from omnifex.workbench import Workbench
from omnifex_registry.adding import Wanted, add
from omnifex_registry.quantisation import BYTES


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("small")
    with Workbench(folder, [TinyPlugin(folder, ("flux",))], entry_points=False) as workbench:
        yield workbench


def asked(bench: Workbench, seed: int = 1, **settings: Any) -> Assignment:
    plain = bench.assignment("tensors", "flux", prompt="a cube", seed=seed, steps=4)
    return replace(plain, id=f"{seed}{settings}", model=replace(plain.model, settings=settings))


def numbers(outcome: Outcome) -> np.ndarray:
    return np.frombuffer(outcome.files[0].data, np.float32)


def test_weights_kept_in_eight_bits_take_less_and_give_nearly_the_same(bench: Workbench) -> None:
    plain = numbers(bench.engine.run(asked(bench)))
    small = numbers(bench.engine.run(asked(bench, storage="float8")))
    again = numbers(bench.engine.run(asked(bench, storage="float8")))
    assert np.array_equal(small, again)
    assert 0 < np.abs(plain - small).max() < 0.2
    sizes = {part.component.id: part.bytes for part in bench.engine.residents()}
    whole = asked(bench).model.components["transformer"].id
    assert sizes[f"{whole}+storage=float8"] < 0.6 * sizes[whole]


def test_jobs_share_batches_of_a_small_model_too(bench: Workbench) -> None:
    small = [asked(bench, seed, storage="float8", tiling=True, slicing=True) for seed in (1, 2, 3)]
    alone = [numbers(bench.engine.run(one)) for one in small]
    together = [bench.engine.start(one) for one in small]
    for run, expected in zip(together, alone, strict=True):
        assert np.abs(numbers(run.result(60)) - expected).max() < 1e-4


def test_settings_concern_the_parts_that_can_follow_them(bench: Workbench) -> None:
    bench.engine.run(asked(bench, tiling=True, slicing=True))
    ids = {part.component.id for part in bench.engine.residents()}
    parts = asked(bench).model.components
    assert f"{parts['vae'].id}+slicing=True,tiling=True" in ids
    assert f"{parts['transformer'].id}" in ids


def test_what_a_machine_cannot_do_is_told_and_left_out(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    heard = Heard()
    assert bench.engine.run(asked(bench, offload=True, quantize="int8"), heard).files
    assert sorted(note.partition(" is left out")[0] for note in heard.notes) == [
        "offload=True",
        "quantize=int8",
    ]


def test_a_quantised_file_runs_like_the_model_that_it_is_made_of(
    bench: Workbench, tmp_path: Path
) -> None:
    plain = asked(bench)
    weights = load_file(next(plain.model.components["transformer"].path.glob("*.safetensors")))
    file = write_gguf(tmp_path / "small.gguf", weights)
    model = add(bench._registry, file, Wanted(name="small", base="flux"))
    small = replace(plain, id="gguf", model=replace(model, name="flux"))
    difference = np.abs(numbers(bench.engine.run(small)) - numbers(bench.engine.run(plain)))
    assert 0 < difference.max() < 0.2


def test_torchao_quantises_while_it_loads(bench: Workbench) -> None:
    pytest.importorskip("torchao", reason="an extra; it slows every import of diffusers")
    plain = numbers(bench.engine.run(asked(bench)))
    small = numbers(bench.engine.run(asked(bench, quantize="int8")))
    assert 0 < np.abs(plain - small).max() < 0.2
    sizes = {part.component.id: part.bytes for part in bench.engine.residents()}
    whole = asked(bench).model.components["transformer"].id
    assert sizes[f"{whole}+quantize=int8"] < 0.45 * sizes[whole]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantize": "int8", "storage": "float8"}, "choose one"),
        ({"graphs": True, "offload": True}, "leave graphs out"),
        ({"quantize": "int3"}, "quantize"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        settings_of(settings, "x")


def test_settings_that_no_part_could_follow_are_refused(bench: Workbench) -> None:
    model = asked(bench).model
    without = replace(model, components={"transformer": model.components["transformer"]})
    with pytest.raises(InvalidSettings, match="no autoencoder that tiling could change"):
        check(settings_of({"tiling": True}, "flux"), without)


def test_fewer_bits_take_fewer_bytes() -> None:
    assert BYTES["nf4"] < BYTES["int8"] < 2
