"""The header of a safetensors file: what it holds, known before a tensor is read.

Format: https://github.com/huggingface/safetensors#format. A file whose header and size disagree is
refused here, so nothing later reads past its end.
"""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnifex_registry.errors import CorruptWeights, UnsafeWeights

MAX_HEADER = 100_000_000  # the limit of the safetensors library
ZIP_MAGIC = b"PK\x03\x04"
PICKLE_MAGIC = (ZIP_MAGIC, b"\x80")  # torch.save since 1.6, and before
DUNDER = re.compile(r"(^|\.)__")  # a name that is looked up as attributes would reach Python's own
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
# Of the types of GGUF files, per weight, with the scales that blocks of them share.
GGUF_BITS = {
    "Q8_0": 8.5,
    "Q6_K": 6.5625,
    "Q5_K": 5.5,
    "Q5_1": 6.0,
    "Q5_0": 5.5,
    "Q4_K": 4.5,
    "Q4_1": 5.0,
    "Q4_0": 4.5,
    "Q3_K": 3.4375,
    "Q2_K": 2.625,
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a file; `offset` is where its bytes begin, from the start of the file."""

    dtype: str  # as safetensors writes it: "F32", "BF16"
    shape: tuple[int, ...]
    bytes: int
    offset: int

    @property
    def parameters(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path | str) -> dict[str, TensorInfo]:
    """The tensors of a file by name, in the file's order; CorruptWeights, UnsafeWeights."""
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = _header_length(path, file.read(8), size)
            text = file.read(length)
    except OSError as error:
        raise CorruptWeights(path, f"it cannot be read ({error.strerror})") from error
    entries = _entries(path, text)
    tensors = {name: _tensor(path, name, entry, 8 + length) for name, entry in entries.items()}
    _check_extent(path, tensors.values(), 8 + length, size)
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """What the file says about itself, of a file that `read_header` accepts."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    said = header.get("__metadata__") or {}
    return {str(name): str(value) for name, value in said.items()}


def bits_of(dtype: str) -> float:
    """What a number of the type takes in a file."""
    return GGUF_BITS.get(dtype) or BITS.get(dtype, 32)


def _header_length(path: Path, first: bytes, size: int) -> int:
    length = int.from_bytes(first, "little")
    if first.startswith(PICKLE_MAGIC) and length > MAX_HEADER:
        raise UnsafeWeights(path)
    if first.startswith(ZIP_MAGIC) and length > size - 8:
        raise UnsafeWeights(path)
    if len(first) < 8:
        raise CorruptWeights(path, f"it has only {size} bytes")
    if length > min(MAX_HEADER, size - 8):
        raise CorruptWeights(path, "it is cut off, or is not a safetensors file at all")
    return length


def _entries(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise CorruptWeights(path, f"its header is garbled ({error})") from error
    if not isinstance(header, dict):
        raise CorruptWeights(path, "its header is not a table of tensors")
    header.pop("__metadata__", None)
    for name in header:
        if DUNDER.search(name):
            raise CorruptWeights(path, f"no tensor may be called {name!r}")
    return header


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name occurs twice")
    return table


def _tensor(path: Path, name: str, entry: Any, start: int) -> TensorInfo:
    try:
        dtype, shape = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
        numbers = (*shape, begin, end)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"{numbers} are not sizes")
        if math.prod(shape) * BITS[dtype] != (end - begin) * 8:
            raise ValueError(f"{dtype} {list(shape)} does not fill {end - begin} bytes")
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptWeights(path, f"its entry for tensor {name!r} is wrong ({error})") from error
    return TensorInfo(dtype, shape, end - begin, start + begin)


def _check_extent(path: Path, tensors: Collection[TensorInfo], start: int, size: int) -> None:
    """The tensors fill the file to its end, without holes and overlaps."""
    end = start
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.bytes)):
        if tensor.offset != end:
            raise CorruptWeights(path, "its tensors overlap or leave holes")
        end += tensor.bytes
    if end != size:
        raise CorruptWeights(path, f"it has {size} bytes where its header announces {end}")
