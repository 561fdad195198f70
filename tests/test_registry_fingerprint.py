import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_models import TENSORS, write_json

from omnifex_registry import CorruptWeights
from omnifex_registry.config import config_digest
from omnifex_registry.fingerprint import CHUNK, file_fingerprint, tensor_fingerprint
from omnifex_registry.weights import read_weights

Tensors = dict[str, Any]


def fingerprint(folder: Path) -> str:
    weights = read_weights(folder, "diffusers")
    assert weights is not None
    return tensor_fingerprint(weights)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes tensors into a folder of their own, in one file or one file per tensor."""
    numbers = itertools.count()

    def write(tensors: Tensors, *, sharded: bool = False, **metadata: str) -> Path:
        folder = tmp_path / f"component{next(numbers)}"
        folder.mkdir()
        if not sharded:
            path = folder / "diffusion_pytorch_model.safetensors"
            save_file(tensors, path, metadata=metadata or None)
            return folder
        shards = {name: f"part-{number}.safetensors" for number, name in enumerate(tensors)}
        for name, file in shards.items():
            save_file({name: tensors[name]}, folder / file)
        index = folder / "diffusion_pytorch_model.safetensors.index.json"
        write_json(index, {"metadata": {}, "weight_map": shards})
        return folder

    return write


def test_shards_order_and_metadata_make_no_difference(save: Callable[..., Path]) -> None:
    reordered = dict(reversed(TENSORS.items()))
    folders = [
        save(TENSORS),
        save(TENSORS, sharded=True),
        save(reordered, format="pt", title="another"),
    ]
    assert len({fingerprint(folder) for folder in folders}) == 1


@pytest.mark.parametrize(
    "changed",
    [
        TENSORS | {"down.bias": TENSORS["down.bias"] + 1},
        TENSORS | {"down.bias": TENSORS["down.bias"].view(np.int32)},
        TENSORS | {"down.weight": TENSORS["down.weight"].reshape(4, 3)},
        TENSORS | {"another": TENSORS["table"]},
        {name: tensor for name, tensor in TENSORS.items() if name != "count"},
        {("renamed" if name == "count" else name): tensor for name, tensor in TENSORS.items()},
    ],
    ids=["value", "dtype", "shape", "more", "fewer", "name"],
)
def test_anything_else_makes_another_component(save: Callable[..., Path], changed: Tensors) -> None:
    assert fingerprint(save(changed)) != fingerprint(save(TENSORS))


def test_tensors_larger_than_a_chunk_are_read_to_their_end(save: Callable[..., Path]) -> None:
    big = np.zeros(CHUNK + 5, dtype=np.uint8)
    other = big.copy()
    other[-1] = 1
    assert fingerprint(save({"w": big})) == fingerprint(save({"w": big}))
    assert fingerprint(save({"w": big})) != fingerprint(save({"w": other}))


def test_a_file_that_shrinks_while_it_is_read_is_corrupt(save: Callable[..., Path]) -> None:
    folder = save(TENSORS)
    weights = read_weights(folder, "diffusers")
    assert weights is not None
    (path,) = weights.shards
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptWeights, match="ends within tensor"):
        tensor_fingerprint(weights)


def test_files_are_told_apart_by_name_and_content_but_not_by_place(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, str]) -> Path:
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return tmp_path / name

    first = file_fingerprint(folder("a", {"vocab.json": "{}", "more/x.txt": "x"}))
    assert first == file_fingerprint(
        folder("b", {"vocab.json": "{}", "more/x.txt": "x", ".DS_Store": "!"})
    )
    assert first != file_fingerprint(folder("c", {"vocab.json": "{ }", "more/x.txt": "x"}))
    assert first != file_fingerprint(folder("d", {"vocab.json": "{}", "x.txt": "x"}))


def test_a_config_is_told_apart_by_what_it_says_of_the_module() -> None:
    config = {"channels": 4, "_diffusers_version": "0.42.1", "dtype": "float32"}
    assert config_digest(config) == config_digest({"channels": 4, "_name_or_path": "hub/x"})
    assert config_digest(config) != config_digest({"channels": 8})
