"""The weight files of a component: found, or refused by name, and measured by their headers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omnifex_registry.config import read_config
from omnifex_registry.errors import BadModelFolder, CorruptWeights, UnsafeWeights
from omnifex_registry.gguf_files import SUFFIX, read_gguf
from omnifex_registry.headers import TensorInfo, read_header

PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
STEMS = {"diffusers": ("diffusion_pytorch_model",), "transformers": ("model",)}
_ANY_STEM = ("diffusion_pytorch_model", "model")


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of one component, in one file or in shards."""

    shards: Mapping[Path, Mapping[str, TensorInfo]]
    variant: str | None = None  # the "fp16" of model.fp16.safetensors

    @property
    def tensors(self) -> Iterator[TensorInfo]:
        return (tensor for shard in self.shards.values() for tensor in shard.values())

    @property
    def quantised(self) -> bool:
        return any(path.suffix == SUFFIX for path in self.shards)

    @property
    def bytes(self) -> int:
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def dtypes(self) -> dict[str, int]:
        """Parameters by dtype."""
        count: Counter[str] = Counter()
        for tensor in self.tensors:
            count[tensor.dtype] += tensor.parameters
        return dict(sorted(count.items()))


def refuse_pickles(folder: Path) -> None:
    """UnsafeWeights where a file of the folder would have to be unpickled."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICKLES:
            raise UnsafeWeights(path)


def read_weights(folder: Path, library: str, variant: str | None = None) -> Weights | None:
    """The headers of the weights that `library` would load; None where the folder has none.

    Of several files those of `variant`, where the component has it, else the plain ones.
    """
    found = _find(folder, library, variant)
    if found is None:
        return None
    path, variant = found
    files = _shards(path) if path.suffix == ".json" else (path,)
    read = read_gguf if path.suffix == SUFFIX else read_header
    weights = Weights({file: read(file) for file in files}, variant)
    if path.suffix == ".json":
        _check_index(path, weights)
    return weights


def _find(folder: Path, library: str, wanted: str | None) -> tuple[Path, str | None] | None:
    """The file or index to load, and its variant: the plain one, else the only one there is."""
    names = sorted(path.name for path in folder.iterdir())
    stems = STEMS.get(library, _ANY_STEM)
    for stem in stems if wanted else ():
        for name in names:
            if _variant(name, stem) == wanted:
                return folder / name, wanted
    for stem in stems:
        for name in (f"{stem}.safetensors", f"{stem}.safetensors.index.json"):
            if name in names:
                return folder / name, None
    found = [(folder / name, _variant(name, stem)) for stem in stems for name in names]
    variants = [(path, variant) for path, variant in found if variant]
    if library not in STEMS and not variants:
        variants = [(folder / name, "") for name in names if name.endswith(".safetensors")]
    if not variants:
        variants = [(folder / name, "") for name in names if name.endswith(SUFFIX)]
    if len(variants) > 1:
        listed = ", ".join(path.name for path, _ in variants)
        raise BadModelFolder(
            f"The component in {folder} has several weight files ({listed}); keep one of them."
        )
    return next(((path, variant or None) for path, variant in variants), None)


def _variant(name: str, stem: str) -> str | None:
    pattern = rf"{stem}\.(?:(\w+)\.safetensors|safetensors\.index\.(\w+)\.json)"
    match = re.fullmatch(pattern, name)
    return match and (match[1] or match[2])


def _shards(index: Path) -> tuple[Path, ...]:
    names = read_config(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise CorruptWeights(index, "it maps no tensor to a file")
    shards = sorted(set(map(str, names.values())))
    for shard in shards:
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise CorruptWeights(index, f"it names {shard!r}, which is no weight file beside it")
    return tuple(index.parent / shard for shard in shards)


def _check_index(index: Path, weights: Weights) -> None:
    """Every tensor lies in the shard that the index says, and nowhere else."""
    said = set(read_config(index)["weight_map"].items())
    held = {(name, file.name) for file, shard in weights.shards.items() for name in shard}
    if said != held:
        name, file = min(said ^ held)
        raise CorruptWeights(index, f"it and its shards disagree about tensor {name!r} in {file}")
