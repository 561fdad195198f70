"""What a component is, by content: equal weights are equal wherever and however they are stored."""

import hashlib
from collections.abc import Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any

import numpy as np

from omnifex_registry.config import digest
from omnifex_registry.errors import CorruptWeights
from omnifex_registry.headers import TensorInfo
from omnifex_registry.weights import Weights

CHUNK = 1 << 20
# Of each floating type: the integer of its size, all bits but the sign, and infinity's bits.
NAN: dict[str, tuple[np.dtype[Any], int, int]] = {
    "F16": (np.dtype("<u2"), 0x7FFF, 0x7C00),
    "BF16": (np.dtype("<u2"), 0x7FFF, 0x7F80),
    "F32": (np.dtype("<u4"), 0x7FFFFFFF, 0x7F800000),
    "F64": (np.dtype("<u8"), 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
    "F8_E4M3": (np.dtype("u1"), 0x7F, 0x7E),
    "F8_E5M2": (np.dtype("u1"), 0x7F, 0x7C),
}


def component_id(class_path: str, config: str, content: str) -> str:
    """Identity of a component from its class, the digest of its config and that of its content."""
    return "sha256:" + digest(["component", class_path, config, content])


def tensor_fingerprint(weights: Weights) -> str:
    """sha256 over the sorted (name, dtype, shape, sha256 of the bytes) of all tensors.

    Shards, the order of tensors and header metadata make no difference; other precision does.
    """
    rows = (row for path, tensors in weights.shards.items() for row in _rows(path, tensors))
    return digest(sorted(rows))


def file_fingerprint(folder: Path) -> str:
    """sha256 over the sorted (path, sha256) of a folder's files, hidden ones left out."""
    files = [path for path in folder.rglob("*") if path.name[0] != "." and not path.is_dir()]
    return digest(sorted((path.relative_to(folder).as_posix(), _sha256(path)) for path in files))


def _rows(
    path: Path, tensors: Mapping[str, TensorInfo]
) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    # Plain reads, not mmap: a file that shrinks meanwhile is an error here, not a SIGBUS.
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        for name, tensor in sorted(tensors.items(), key=lambda item: item[1].offset):
            file.seek(tensor.offset)
            content, left = hashlib.sha256(), tensor.bytes
            while left:
                got = _fill(file, buffer[: min(left, CHUNK)])
                if not got:
                    raise CorruptWeights(path, f"it ends within tensor {name!r}")
                content.update(buffer[:got])
                if holds_nan(tensor.dtype, buffer[:got]):
                    raise CorruptWeights(path, f"tensor {name!r} holds NaN")
                left -= got
            yield name, tensor.dtype, tensor.shape, content.hexdigest()


def _fill(file: RawIOBase, buffer: memoryview) -> int:
    """As many bytes as there are, so that no number is cut in two between chunks."""
    filled = 0
    while got := file.readinto(buffer[filled:]):
        filled += got
        if filled == len(buffer):
            break
    return filled


def holds_nan(dtype: str, data: memoryview) -> bool:
    """Whether some number of a safetensors type is not a number; only floats can be so."""
    if dtype not in NAN or len(data) % NAN[dtype][0].itemsize:
        return False
    kind, mask, infinity = NAN[dtype]
    bits = np.frombuffer(data, kind)
    return bool(((bits & bits.dtype.type(mask)) > infinity).any())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
