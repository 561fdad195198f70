import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tiny_models import TENSORS

from omnifex_registry import CorruptWeights, TensorInfo, UnsafeWeights, read_header


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path, metadata={"format": "pt"})
    return path


def write_header(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_the_header_tells_names_dtypes_shapes_and_bytes(weights: Path) -> None:
    header = read_header(weights)
    assert {name: (info.dtype, info.shape, info.bytes) for name, info in header.items()} == {
        "down.weight": ("F32", (3, 4), 48),
        "down.bias": ("F32", (3,), 12),
        "table": ("F16", (2, 3), 12),
        "count": ("I64", (), 8),
    }
    assert header["down.weight"].parameters == 12


def test_the_offset_is_where_the_bytes_begin(weights: Path) -> None:
    info = read_header(weights)["table"]
    data = weights.read_bytes()[info.offset : info.offset + info.bytes]
    assert np.frombuffer(data, np.float16).tolist() == [0, 1, 2, 3, 4, 5]


def test_dtypes_of_less_than_a_byte_are_measured_in_bits(tmp_path: Path) -> None:
    path = write_header(tmp_path / "f4.safetensors", {"w": entry("F4", [3, 2], [0, 3])}, b"abc")
    assert read_header(path)["w"] == TensorInfo("F4", (3, 2), 3, path.stat().st_size - 3)


def test_a_truncated_file_is_refused_by_name_in_one_sentence(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(CorruptWeights) as caught:
        read_header(weights)
    message = str(caught.value)
    assert str(weights) in message
    assert "bytes where its header announces" in message
    assert message.count(". ") == 0
    assert caught.value.code == "corrupt_weights"


def test_a_file_cut_within_its_header_is_refused(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:40])
    with pytest.raises(CorruptWeights, match="cut off"):
        read_header(weights)


def test_a_text_file_named_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CorruptWeights, match="not a safetensors file at all"):
        read_header(path)


@pytest.mark.parametrize("size", [0, 7])
def test_a_file_too_short_for_a_header_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\0" * size)
    with pytest.raises(CorruptWeights, match=f"it has only {size} bytes"):
        read_header(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_named_safetensors_is_refused_as_a_pickle(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "model.safetensors"
    if zipped:
        torch.save({"w": torch.zeros(2)}, path)
    else:
        path.write_bytes(pickle.dumps({"w": [0.0] * 20}))
    with pytest.raises(UnsafeWeights, match=r"model\.safetensors is a pickle"):
        read_header(path)


@pytest.mark.parametrize("path", ["missing.safetensors", "."])
def test_what_cannot_be_opened_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorruptWeights, match="cannot be read"):
        read_header(tmp_path / path)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"{not json", "garbled"),
        (b"\xff\xfe\xff", "garbled"),
        (b"[" * 100_000, "garbled"),
        (b'{"w": 1, "w": 2}', "occurs twice"),
        ([1, 2], "not a table"),
        ({"w": 5}, "entry for tensor 'w' is wrong"),
        ({"w": {}}, "'dtype'"),
        ({"w": entry("F7")}, "'F7'"),
        ({"w": entry(shape=[-1])}, "not sizes"),
        ({"w": entry(shape=[True])}, "not sizes"),
        ({"w": entry(shape="1")}, "not sizes"),
        ({"w": entry(shape=[2])}, "does not fill 4 bytes"),
        ({"w": entry(offsets=[0])}, "entry for tensor 'w' is wrong"),
        ({"w": entry(), "v": entry()}, "overlap or leave holes"),
        ({"w": entry(offsets=[4, 8])}, "overlap or leave holes"),
        ({"w": entry("F32", [1 << 40], [0, 1 << 42])}, "its header announces"),
        ({}, "its header announces"),
    ],
)
def test_a_header_at_odds_with_itself_or_its_file_is_refused(
    tmp_path: Path, header: object, why: str
) -> None:
    path = write_header(tmp_path / "model.safetensors", header, b"\0" * 4)
    with pytest.raises(CorruptWeights, match=why):
        read_header(path)
