"""Which files of a hub repository are fetched: safetensors, and the small files beside them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from omnifex_registry.errors import BadModelFolder, RemoteCode, UnsafeWeights
from omnifex_registry.layout import INDEX
from omnifex_registry.weights import PICKLES

SMALL = (".json", ".txt", ".jinja", ".model")  # .model: what sentencepiece tokenizers are saved as
MOST_SMALL = 100_000_000
WEIGHTS = re.compile(
    r"(?P<stem>[A-Za-z0-9_]+)(?:\.(?P<a>\w+))?(?P<shard>-\d+-of-\d+)?(?:\.(?P<b>\w+))?"
    r"\.safetensors(?P<index>\.index(?:\.(?P<c>\w+))?\.json)?"
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file as the hub lists it; `hash` is a sha256, or git's sha1 of a small file."""

    path: str
    size: int
    hash: str

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.path).parent)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def model_files(
    repo: str, files: Collection[HubFile], index: Mapping[str, Any], variant: str | None
) -> list[HubFile]:
    """The files of a repository in the diffusers layout that its components are loaded from."""
    roles = {
        role: value
        for role, value in index.items()
        if role[:1] != "_" and isinstance(value, list) and value and isinstance(value[0], str)
    }
    chosen = [file for file in files if file.path == INDEX]
    for role in roles:
        inside = [file for file in files if file.folder == role]
        if not inside:
            raise BadModelFolder(
                f"The model {repo} names a component {role!r}, and has no files of it; "
                "choose another revision."
            )
        chosen += component_files(f"{repo}/{role}", inside, variant)
    return chosen


def component_files(
    place: str, files: Collection[HubFile], variant: str | None
) -> Iterator[HubFile]:
    """Of one folder: its weights in one variant, its configs and its tokenizer."""
    for file in files:
        if file.name.endswith(".py"):
            raise RemoteCode(place, file.name)
    weights = chosen_weights(place, files, variant)
    pickles = [file for file in files if PurePosixPath(file.name).suffix.lower() in PICKLES]
    if pickles and not weights:
        raise UnsafeWeights(f"{place}/{pickles[0].name}")
    for file in files:
        small = file.name.endswith(SMALL) and ".safetensors" not in file.name
        if file in weights or (small and file.size <= MOST_SMALL):
            yield file


def chosen_weights(place: str, files: Collection[HubFile], variant: str | None) -> list[HubFile]:
    """The wanted variant where there is one, else the plain files, else the only variant."""
    variants: dict[str, list[HubFile]] = defaultdict(list)
    for file in files:
        if found := WEIGHTS.fullmatch(file.name):
            variants[found["a"] or found["b"] or found["c"] or ""].append(file)
    for name in (variant, ""):
        if name is not None and name in variants:
            return whole(variants[name])
    if len(variants) > 1:
        named = ", ".join(sorted(variants))
        raise BadModelFolder(f"{place} comes in several variants ({named}); choose one of them.")
    return whole(next(iter(variants.values()), []))


def whole(files: list[HubFile]) -> list[HubFile]:
    """The file that has everything, where the same weights come in shards as well."""
    single = [file for file in files if not _part(file)]
    return single or files


def _part(file: HubFile) -> bool:
    found = WEIGHTS.fullmatch(file.name)
    return bool(found and (found["shard"] or found["index"]))
