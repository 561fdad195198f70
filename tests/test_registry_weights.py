from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_models import TENSORS, write_json

from omnifex_registry import BadModelFolder, CorruptWeights, UnsafeWeights
from omnifex_registry.weights import PICKLES, read_weights, refuse_pickles

INDEX = "model.safetensors.index.json"
ONE = {"w": np.zeros(2, dtype=np.float32)}


def found(folder: Path, library: str) -> tuple[list[str], str | None]:
    weights = read_weights(folder, library)
    assert weights is not None
    return [path.name for path in weights.shards], weights.variant


def test_bytes_and_dtypes_come_from_the_headers(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors")
    weights = read_weights(tmp_path, "transformers")
    assert weights is not None
    assert weights.bytes == 48 + 12 + 12 + 8
    assert weights.dtypes == {"F16": 6, "F32": 15, "I64": 1}


@pytest.mark.parametrize(
    ("library", "files", "expected"),
    [
        ("diffusers", ["diffusion_pytorch_model", "model"], ("diffusion_pytorch_model", None)),
        ("transformers", ["diffusion_pytorch_model", "model"], ("model", None)),
        ("transformers", ["model", "model.fp16"], ("model", None)),
        ("transformers", ["model.fp16"], ("model.fp16", "fp16")),
        ("omnifex_prism", ["anything"], ("anything", None)),
    ],
)
def test_the_file_is_the_one_that_the_library_would_load(
    tmp_path: Path, library: str, files: list[str], expected: tuple[str, str | None]
) -> None:
    for file in files:
        save_file(ONE, tmp_path / f"{file}.safetensors")
    name, variant = expected
    assert found(tmp_path, library) == ([f"{name}.safetensors"], variant)


def test_a_sharded_variant_is_found_by_its_index(tmp_path: Path) -> None:
    save_file(ONE, tmp_path / "model.fp16-00001-of-00001.safetensors")
    index = tmp_path / "model.safetensors.index.fp16.json"
    write_json(index, {"weight_map": {"w": "model.fp16-00001-of-00001.safetensors"}})
    assert found(tmp_path, "transformers") == (["model.fp16-00001-of-00001.safetensors"], "fp16")


def test_a_folder_without_weights_has_none(tmp_path: Path) -> None:
    assert read_weights(tmp_path, "diffusers") is None
    assert read_weights(tmp_path, "omnifex_prism") is None


def test_several_files_to_choose_from_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_file(ONE, tmp_path / f"{name}.safetensors")
    with pytest.raises(BadModelFolder, match=r"a\.safetensors, b\.safetensors.*keep one"):
        read_weights(tmp_path, "omnifex_prism")


@pytest.mark.parametrize(
    ("weight_map", "why"),
    [
        ({}, "maps no tensor"),
        ({"w": "../../elsewhere.safetensors"}, "no weight file beside it"),
        ({"w": "part.bin"}, "no weight file beside it"),
        ({"w": "missing.safetensors"}, r"missing\.safetensors.*cannot be read"),
        ({"w": "part.safetensors", "v": "part.safetensors"}, "disagree about tensor 'v'"),
        ({"v": "part.safetensors"}, "disagree about tensor"),
    ],
)
def test_an_index_at_odds_with_its_shards_is_refused(
    tmp_path: Path, weight_map: dict[str, str], why: str
) -> None:
    save_file(ONE, tmp_path / "part.safetensors")
    write_json(tmp_path / INDEX, {"weight_map": weight_map})
    with pytest.raises(CorruptWeights, match=why):
        read_weights(tmp_path, "transformers")


@pytest.mark.parametrize("suffix", [*sorted(PICKLES), ".BIN"])
def test_pickles_are_refused_by_name_even_beside_safetensors(tmp_path: Path, suffix: str) -> None:
    save_file(ONE, tmp_path / "model.safetensors")
    (tmp_path / f"pytorch_model{suffix}").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeWeights, match=rf"pytorch_model\{suffix} is a pickle.*convert") as e:
        refuse_pickles(tmp_path)
    assert e.value.code == "unsafe_weights"
