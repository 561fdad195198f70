"""GGUF files: a backbone of quantised weights, as diffusers loads them.

The header is read by the `gguf` package, which diffusers needs for these files too.
"""

from __future__ import annotations

from pathlib import Path

from omnifex_registry.errors import CorruptWeights, LibraryRefused
from omnifex_registry.headers import DUNDER, TensorInfo

SUFFIX = ".gguf"
MAGIC = b"GGUF"


def read_gguf(path: Path) -> dict[str, TensorInfo]:
    """The tensors of the file by name; types as GGUF calls them ("Q8_0")."""
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise LibraryRefused(
            f"The weight file {path} is a GGUF file, and the package gguf is not installed; "
            "install it with `pip install gguf`."
        ) from error
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise CorruptWeights(path, "it is no GGUF file")
    try:
        found = {tensor.name: _info(tensor) for tensor in GGUFReader(path).tensors}
    except (ValueError, IndexError, KeyError, OverflowError, TypeError) as error:
        raise CorruptWeights(path, f"its header is garbled ({error})") from error
    size = path.stat().st_size
    for name, info in found.items():
        if DUNDER.search(name):
            raise CorruptWeights(path, f"no tensor may be called {name!r}")
        if info.offset + info.bytes > size:
            raise CorruptWeights(path, f"it ends within tensor {name!r}")
    return found


def _info(tensor: object) -> TensorInfo:
    """GGUF counts axes from the last."""
    shape = tuple(int(size) for size in reversed(tensor.shape))  # type: ignore[attr-defined]
    return TensorInfo(
        tensor.tensor_type.name,  # type: ignore[attr-defined]
        shape,
        int(tensor.n_bytes),  # type: ignore[attr-defined]
        int(tensor.data_offset),  # type: ignore[attr-defined]
    )
